"""Penalised laws: the formula, the optimum as an answer, what is said about a sweep, and bad input."""

import re
from math import exp, log
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw._tree import fill, float64
from bayeslaw.models import Chinchilla

TRUE = Chinchilla.published()["besiroglu2024"]
BASE = {"params": 2e9, "tokens": 5e10}
TRUTH = {
    "penalties.lr.optimum.value": 1.5e-3,
    "penalties.lr.optimum.exponents.batch_tokens": 0.4,
    "penalties.lr.optimum.exponents.params": -0.6,
    "penalties.lr.optimum.exponents.tokens": 0.05,
    "penalties.lr.curvature": 0.03,
    "penalties.lr.shape.ratio": 3.0,
    "penalties.batch_tokens.optimum.value": 4e5,
    "penalties.batch_tokens.optimum.exponents.params": 0.0,
    "penalties.batch_tokens.optimum.exponents.tokens": 0.57,
    "penalties.batch_tokens.curvature": 0.02,
    "penalties.batch_tokens.shape.ratio": 1.2,
}


def numbers() -> bl.Penalised:
    """The default penalties around a published law, with numbers as leaves."""
    return fill(bl.Penalised(TRUE, ("lr", "batch_tokens")), TRUTH)


def sweep(runs: int = 138, seed: int = 1) -> pd.DataFrame:
    """Untuned runs: hyperparameters spread over two e-folds around an optimum that nobody knew."""
    rng = np.random.default_rng(seed)
    params, tokens = 10 ** rng.uniform(8.3, 9.3, runs), 10 ** rng.uniform(9.6, 11, runs)
    best = numbers().complete({"params": jnp.asarray(params), "tokens": jnp.asarray(tokens)})
    batch = np.asarray(best["batch_tokens"]) * np.exp(rng.uniform(-1.5, 1.5, runs))
    lr = np.asarray(numbers().complete({"params": params, "tokens": tokens, "batch_tokens": batch})["lr"]) * np.exp(
        rng.uniform(-1.5, 1.5, runs)
    )
    scenarios = {"params": params, "tokens": tokens, "batch_tokens": batch, "lr": lr}
    return bl.simulate(numbers(), scenarios, noise=bl.UntunedT(df=8.0, scale=0.002, spread=0.1), seed=seed)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    with_x64 = float64(sweep)
    return with_x64()


@pytest.fixture(scope="module")
def posterior(runs: pd.DataFrame) -> bl.Posterior:
    return advised_fit(bl.Penalised(Chinchilla, ("lr", "batch_tokens")), runs, seed=1)


# --- The formula ------------------------------------------------------------------------------------------------------


def one(target: str = "total", shape: object = None, **kwargs: object) -> bl.Penalised:
    penalty = bl.Penalty(1e-3, 0.02, bl.Quadratic() if shape is None else shape, **kwargs)
    return bl.Penalised(TRUE, {"lr": penalty}, target=target)


def test_the_optimum_costs_nothing() -> None:
    for target in ("total", "reducible", "additive"):
        assert one(target)(**BASE, lr=1e-3) == pytest.approx(TRUE(**BASE), rel=1e-14)
        assert one(target)(**BASE) == pytest.approx(TRUE(**BASE), rel=1e-14)  # left out: tuned


def test_what_each_target_inflates() -> None:
    tuned, floor, cost = float(TRUE(**BASE)), TRUE.E, 0.02 * log(4) ** 2
    lr = 4e-3
    assert one("total")(**BASE, lr=lr) == pytest.approx(tuned * exp(cost), rel=1e-13)
    assert one("reducible")(**BASE, lr=lr) == pytest.approx(floor + (tuned - floor) * exp(cost), rel=1e-13)
    assert one("additive")(**BASE, lr=lr) == pytest.approx(tuned + cost, rel=1e-13)


def cost(law: bl.Penalised, **columns: float) -> float:
    return log(law(**BASE, **columns) / TRUE(**BASE))


def test_shapes() -> None:
    """Asymmetric: the ratio on the high side. Pseudo-Huber: quadratic near, linear far, slope 2 width curvature."""
    assert cost(one(shape=bl.Asymmetric(3.0)), lr=2e-3) == pytest.approx(3 * cost(one(), lr=2e-3))
    assert cost(one(shape=bl.Asymmetric(3.0)), lr=5e-4) == pytest.approx(cost(one(), lr=5e-4))
    huber = one(shape=bl.PseudoHuber(0.5))
    assert cost(huber, lr=1.001e-3) == pytest.approx(cost(one(), lr=1.001e-3), rel=1e-5)
    assert cost(huber, lr=1e-3 * exp(41)) - cost(huber, lr=1e-3 * exp(40)) == pytest.approx(0.02, rel=1e-3)
    w, x = 0.5, log(3)
    assert cost(huber, lr=3e-3) == pytest.approx(0.02 * 2 * w**2 * ((1 + (x / w) ** 2) ** 0.5 - 1))


def test_distance_in_the_coordinate_itself() -> None:
    penalty = bl.Penalty(64.0, 1e-5, bl.Quadratic(), log=False)
    law = bl.Penalised(TRUE, {"aspect_ratio": penalty}, target="total")
    assert cost(law, aspect_ratio=100.0) == pytest.approx(1e-5 * 36**2)


def test_curvature_may_change_with_scale() -> None:
    curvature = bl.LogLinear(0.02, {"params": 0.5})
    law = bl.Penalised(TRUE, {"lr": bl.Penalty(1e-3, curvature, bl.Quadratic())}, target="total")
    assert cost(law, lr=2e-3) == pytest.approx(0.02 * 2**0.5 * log(2) ** 2)


def test_cross_term() -> None:
    """(u^2 + v^2 + 2 rho u v) of the two signed roots: positive for |rho| < 1, and a ridge along which both move."""
    parts = {"lr": bl.Penalty(1e-3, 0.02, bl.Quadratic()), "batch_tokens": bl.Penalty(5e5, 0.01, bl.Quadratic())}
    law = bl.Penalised(TRUE, parts, target="total", cross={("lr", "batch_tokens"): -0.5})
    u, v = 0.02**0.5 * log(2), 0.01**0.5 * log(4)
    assert cost(law, lr=2e-3, batch_tokens=2e6) == pytest.approx(u**2 + v**2 - u * v)
    assert cost(law, lr=5e-4, batch_tokens=2e6) == pytest.approx(u**2 + v**2 + u * v)
    free = bl.Penalised(Chinchilla, parts, cross={("lr", "batch_tokens"): dist.Uniform(-0.9, 0.9)})
    assert "cross.lr.batch_tokens" in bl.model(free).__self__.sites()


def test_an_optimum_may_read_the_base_loss_and_other_hyperparameters() -> None:
    """MiniCPM's batch falls with the tuned loss; the learning rate follows the batch that is used."""
    batch = bl.LogLinear(1e6, {"loss": -6.0}, {"loss": 3.0})
    lr = bl.LogLinear(1e-3, {"batch_tokens": 0.5}, {"batch_tokens": 1e6})
    law = bl.Penalised(TRUE, {"lr": bl.Penalty(lr, 0.01), "batch_tokens": bl.Penalty(batch, 0.01)}, target="total")
    assert law.columns() == ("params", "tokens", "batch_tokens", "lr")
    found = float64(law.complete)({name: jnp.asarray(value) for name, value in BASE.items()})
    best = 1e6 * (float(TRUE(**BASE)) / 3.0) ** -6.0
    assert float(found["batch_tokens"]) == pytest.approx(best, rel=1e-6)
    assert float(found["lr"]) == pytest.approx(1e-3 * (best / 1e6) ** 0.5, rel=1e-6)
    assert float(law.complete({**BASE, "batch_tokens": 4e6})["lr"]) == pytest.approx(2e-3, rel=1e-6)


def test_a_derived_coordinate() -> None:
    """AdamW's timescale batch / (lr wd tokens) is computed where the runs hold what it follows from."""
    law = bl.Penalised(TRUE, {"timescale": bl.Penalty(0.2, 0.01, bl.Quadratic())}, target="total")
    scenarios = {**BASE, "batch_tokens": 5e5, "lr": 1e-3, "weight_decay": 0.1}
    made = bl.simulate(law, scenarios, noise=bl.LogNormal(scale=1e-12))
    expected = 0.01 * log(5e5 / (1e-3 * 0.1 * 5e10) / 0.2) ** 2
    assert log(made.loss[0] / TRUE(**BASE)) == pytest.approx(expected, rel=1e-6)


def test_derived_says_what_two_fold_costs() -> None:
    found = numbers().derived()
    assert float(found["lr_half"]) == pytest.approx(0.03 * log(2) ** 2)
    assert float(found["lr_twice"]) == pytest.approx(3 * 0.03 * log(2) ** 2)
    assert "optimal_params_exponent" in found


# --- The posterior ----------------------------------------------------------------------------------------------------


def test_recovers_a_known_world(posterior: bl.Posterior) -> None:
    """Fifteen parameters: 90 % intervals hold 13.5 on average, sd 1.2; fewer than 11 has a chance of 1 %."""
    assert posterior.ok, posterior.status
    summary = posterior.summary(0.9)
    truth = TRUTH | {f"base.{name}": getattr(TRUE, name) for name in ("E", "a", "alpha", "b", "beta")}
    held = {name: bool(summary.lower[name] <= value <= summary.upper[name]) for name, value in truth.items()}
    assert sum(held.values()) >= 12, held
    at = {"params": 4e9, "tokens": 2e11}
    tuned = bl.predict(posterior, at, misfit=False).summary(0.98)
    lower, upper = tuned.loc[(4e9, 2e11, "loss"), ["lower", "upper"]]
    assert lower <= float(TRUE(**at)) <= upper
    assert upper - lower < 0.1


def test_search_finds_the_formula_of_the_optimum(posterior: bl.Posterior) -> None:
    decision = posterior.prior.decisions()["hyperparameters"]
    given = {"params": [5e8, 4e9], "tokens": 1e11}
    search = bl.allocate(posterior, decision, **given).draws
    closed = bl.allocate(posterior, decision, method="closed_form", **given).draws
    # The objective is flat to 1e-16 within 1e-7 of the optimum, which limits a search by values.
    np.testing.assert_allclose(search["lr"], closed["lr"], rtol=1e-5)
    np.testing.assert_allclose(search["batch_tokens"], closed["batch_tokens"], rtol=1e-5)
    np.testing.assert_allclose(search["loss"], closed["loss"], rtol=1e-12)


def test_tuned_is_what_predict_gives_without_hyperparameters(posterior: bl.Posterior) -> None:
    given = {"params": 4e9, "tokens": 1e11}
    tuned = bl.allocate(posterior, posterior.prior.decisions()["tuned"], **given).draws
    predicted = bl.predict(posterior, given, misfit=False).draws
    np.testing.assert_allclose(tuned["loss"], predicted["loss"], rtol=1e-12)
    assert "loss_excess" not in predicted  # nothing is off
    closed = bl.allocate(posterior, posterior.prior.decisions()["hyperparameters"], method="closed_form", **given).draws
    np.testing.assert_allclose(tuned["lr"], closed["lr"], rtol=1e-12)


def test_what_a_setting_costs(posterior: bl.Posterior) -> None:
    best = np.exp(
        np.log(
            bl.allocate(posterior, posterior.prior.decisions()["tuned"], params=4e9, tokens=1e11).draws["lr"]
        ).median()
    )
    found = bl.predict(posterior, {"params": 4e9, "tokens": 1e11, "lr": [best / 4, best, best * 4]}, misfit=False)
    excess = found.draws["loss_excess"]
    assert float(excess.min()) >= 0
    low, at, high = excess.median(("chain", "draw")).to_numpy()
    assert at < 0.1 * low
    assert high > 1.5 * low  # the high side is steeper, three times in truth
    summary = found.summary()
    assert set(summary.covers) == {"mean function", "new run", "mean function less tuned"}
    absurd = bl.predict(posterior, {"params": 4e9, "tokens": 1e11, "lr": 1e200}, misfit=False)
    assert absurd.status[0].serious
    assert "loss has no finite value in 100% of draws" in absurd.status[0].text
    assert np.isnan(absurd.draws["loss"]).all()


def test_decisions_of_the_base_law_work_unchanged(posterior: bl.Posterior) -> None:
    plan = bl.allocate(posterior, flops=[1e20, 1e22])
    closed = bl.allocate(posterior, flops=[1e20, 1e22], method="closed_form")
    np.testing.assert_allclose(plan.draws["params"], closed.draws["params"], rtol=1e-4)
    assert list(plan.draws.data_vars) == ["params", "tokens", "tokens_per_param", "loss", "loss_new_run", "at_edge"]
    bl.plots.plot_isoflop(posterior, flops=[1e20])


def test_a_ladder_of_settings(posterior: bl.Posterior) -> None:
    """Batches in whole devices and learning rates on a ladder: the best of the menu in each draw."""
    ladder, batches = (5e-4, 1e-3, 2e-3, 4e-3), (2**18, 2**19, 2**20, 2**21)
    decision = posterior.prior.decisions()["hyperparameters"].within(
        lr=bl.Choices(ladder), batch_tokens=bl.Choices(batches)
    )
    draws = bl.allocate(posterior, decision, params=1e9, tokens=5e10).draws
    assert set(np.unique(draws["lr"])) <= set(ladder)
    assert set(np.unique(draws["batch_tokens"])) <= set(map(float, batches))


def test_saved_and_loaded(posterior: bl.Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    loaded = bl.load(tmp_path / "fit.nc")
    given = {"params": 4e9, "tokens": 1e11, "lr": 1e-3}
    for name, values in bl.predict(posterior, given, misfit=False).draws.data_vars.items():
        np.testing.assert_array_equal(values, bl.predict(loaded, given, misfit=False).draws[name])
    assert loaded.prior.target == "reducible"


def test_default_noise_is_the_laws_own(posterior: bl.Posterior) -> None:
    assert isinstance(posterior.noise_prior, bl.UntunedT)
    spread = posterior.summary().loc["noise.spread"]
    assert spread.lower <= 0.1 <= spread.upper


# --- What is said of a sweep ------------------------------------------------------------------------------------------


def quick(law: bl.Penalised, table: pd.DataFrame) -> str:
    """The statuses of a short fit, as one text."""
    return "\n".join(map(str, bl.fit(law, table, chains=2, draws=100, warmup=100).status))


IGNORED = pytest.mark.filterwarnings("ignore:this posterior is not a result yet")


@IGNORED
def test_a_hyperparameter_that_was_not_varied(runs: pd.DataFrame) -> None:
    text = quick(bl.Penalised(Chinchilla, ("lr", "batch_tokens")), runs.assign(lr=1e-3))
    assert "PROBLEM: lr is 0.001 in every run: these runs cannot say where its optimum is" in text
    assert "Leave 'lr' out of the penalties" in text


@IGNORED
def test_an_optimum_outside_the_swept_range(runs: pd.DataFrame) -> None:
    low = runs[runs.lr < runs.lr.quantile(0.15)]
    text = quick(bl.Penalised(Chinchilla, ("lr", "batch_tokens")), low)
    assert "the optimal lr lies outside the swept range" in text
    assert "Add runs beyond the end of the sweep" in text


@IGNORED
def test_sizes_that_vary_together(runs: pd.DataFrame) -> None:
    text = quick(bl.Penalised(Chinchilla, ("lr", "batch_tokens")), runs.assign(tokens=20 * runs.params))
    assert "params and tokens vary together in these runs (correlation of their logarithms 1.000)" in text
    assert "their exponents in the optimal lr cannot be told apart" in text


@IGNORED
def test_a_curvature_that_is_only_the_priors(runs: pd.DataFrame) -> None:
    """Within 1 % of the best batch nothing is learnt of what a wrong one costs."""
    rng = np.random.default_rng(0)
    narrow = runs.assign(batch_tokens=5e5 * np.exp(rng.uniform(-0.005, 0.005, len(runs))))
    penalty = bl.Penalty(5e5, dist.LogNormal(log(0.03), 1.0), bl.Quadratic())
    posterior = bl.fit(bl.Penalised(Chinchilla, {"batch_tokens": penalty}), narrow, chains=2, draws=500, warmup=500)
    text = "\n".join(map(str, posterior.status))
    assert re.search(r"the data hardly narrow [^:]*penalties.batch_tokens.curvature \(", text)


@IGNORED
def test_a_batch_in_sequences(runs: pd.DataFrame) -> None:
    text = quick(bl.Penalised(Chinchilla, ("lr", "batch_tokens")), runs.assign(batch_tokens=runs.batch_tokens / 2048))
    assert "batch_tokens of every run" in text
    assert "They look like sequences: multiply by the tokens per sequence" in text


# --- Bad input --------------------------------------------------------------------------------------------------------


def test_bad_tables(runs: pd.DataFrame) -> None:
    law = bl.Penalised(Chinchilla, ("lr", "batch_tokens"))
    with pytest.raises(bl.InputError, match=r"column 'lr' \(peak learning rate, in no unit\) is missing"):
        bl.fit(law, runs.drop(columns="lr"))
    with pytest.raises(bl.InputError, match=r"If 'eta' is it, pass columns=\{'eta': 'lr'\}"):
        bl.fit(law, runs.rename(columns={"lr": "eta"}))
    wrong = runs.copy()
    wrong.loc[3, "lr"] = 0.0
    with pytest.raises(bl.InputError, match=r"column 'lr' must be greater than 0; found row 3 \(0.0\)"):
        bl.fit(law, wrong)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bl.Penalised(Chinchilla, ("lr",), target="both"), r"target must be one of total, reducible, additive; got 'both'"),
        (lambda: bl.Penalised(Chinchilla, "lr"), r"penalties is a tuple of names or a dict of Penalty; write \('lr',\)"),
        (lambda: bl.Penalised(Chinchilla, ("beta2",)), r"'beta2' has no default penalty; those with one are lr, batch_tokens"),
        (lambda: bl.Penalised(Chinchilla, ("lr",), optima={"batch_tokens": 1e6}), r"optima names batch_tokens, which is not among lr"),
        (lambda: bl.Penalised(Chinchilla, ("lr", "batch_tokens"), cross={("lr", "wd"): 0.1}), r"cross names 'lr' and 'wd'; it needs two of batch_tokens, lr"),
        (lambda: bl.Penalised(Chinchilla, ("lr", "batch_tokens", "ff_ratio"), cross={("lr", "batch_tokens"): 0.1, ("lr", "ff_ratio"): 0.1}), "must not share a coordinate"),
        (lambda: bl.Penalised(Chinchilla, {"lr": bl.Penalty(bl.LogLinear(1e-3, {"batch_tokens": 0.5}), 0.1), "batch_tokens": bl.Penalty(bl.LogLinear(1e6, {"lr": 0.5}), 0.1)}), "the optima of batch_tokens, lr depend on each other in a circle"),
        (lambda: bl.Penalised(bl.Penalised(Chinchilla, ("lr",)), ("batch_tokens",)), "has penalties already, of lr: give them all to one Penalised"),
        (lambda: bl.Penalised.prior(), r"Penalised wraps a law: Penalised\(Chinchilla, \('lr', 'batch_tokens'\)\)"),
        (lambda: bl.LogLinear.prior(), "LogLinear has no prior of its own"),
        (lambda: bl.LogLinear(1.0, {"params": 0.5}, {"tokens": 1.0}), "reference names tokens, which has no exponent"),
    ],
)  # fmt: skip
def test_bad_laws(make: object, message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        make()  # type: ignore[operator]
