"""`backtest`: scores against what is known of simulated worlds, and against the same by hand."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import scoringrules
import xarray as xr
from scipy.stats import norm

import bayeslaw as bl
from bayeslaw._posterior import flat, log_likelihood
from bayeslaw._tree import float64
from bayeslaw.models import AutoregressiveCompute, Chinchilla
from bayeslaw.models.chinchilla import compute_optimal

QUICK: dict[str, Any] = {"method": "importance", "draws": 500, "noise": bl.LogNormal}
TRUTH = Chinchilla.published()["besiroglu2024"]
CUTS = {"flops": (0.5, 0.7)}
LADDER = ("flops > 1e20", "flops > 1e21")


def world(seed: int, runs: int = 160) -> pd.DataFrame:
    """Runs of Chinchilla's law with 1 % noise, over five decades of compute."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"params": 10 ** rng.uniform(8, 10, runs), "tokens": 10 ** rng.uniform(9, 12, runs)})
    return bl.simulate(TRUTH, table, noise=bl.LogNormal(scale=0.01), seed=seed)  # type: ignore[arg-type]


def bent(runs: pd.DataFrame) -> pd.DataFrame:
    """The same, but from 1e20 FLOPs on the law no longer holds: 4 % are lost with each decade."""
    flops = 6.0 * runs.params * runs.tokens
    return runs.assign(loss=runs.loss * (1 + 0.04 * np.log10(np.maximum(flops / 1e20, 1.0))))


class Normals(bl.Forecaster):
    """ln loss ~ Normal(0.8, 0.1) wherever it is asked, and the optimum is a tenth or ten times 1e9."""

    def __init__(self, exact: bool, size: int = 20_000):
        self.exact, self.draws = exact, np.exp(0.8 + 0.1 * norm.ppf((np.arange(size) + 0.5) / size))

    def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
        assert "loss" not in scenarios
        return np.repeat(self.draws[:, None], len(scenarios), axis=1)

    def log_density(self, scenarios: pd.DataFrame, response: np.ndarray) -> np.ndarray | None:
        return norm.logpdf(np.log(response), 0.8, 0.1) - np.log(response) if self.exact else None

    def allocate(self, **given: Any) -> dict[str, np.ndarray]:
        return {"params": np.repeat(10 ** np.linspace(8, 10, 2001)[:, None], len(given["flops"]), axis=1)}


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return world(0)


@pytest.fixture(scope="module")
def tested(runs: pd.DataFrame) -> bl.Backtest:
    methods = {
        "chinchilla": Chinchilla,
        "power": AutoregressiveCompute,
        "huber": lambda runs, seed: bl.huber(Chinchilla, runs, resamples=200, seed=seed),
        "exact": lambda runs: Normals(exact=True),
        "kernels": lambda runs: Normals(exact=False),
    }
    projections = {"params": ["70B", "400B"], "tokens": ["1.4T", "15T"]}
    return bl.backtest(methods, runs, split=LADDER, projections=projections, seed=3, workers=1, **QUICK)


def test_scores_of_a_known_forecast(tested: bl.Backtest, runs: pd.DataFrame) -> None:
    """Against closed forms: CRPS of a normal (20,000 draws at its quantiles: to 1e-3 of it), its density, its shares.
    A density by kernels is that of a normal widened by the bandwidth, 1.06 n^-1/5 = 0.15 of its sd."""
    held = runs.params * runs.tokens * 6 > 1e21
    truth = np.log(runs.loss[held])
    found = tested.predictions.sel(split="flops > 1e21").where(tested.predictions.held_out.sel(split="flops > 1e21"))
    crps = found["crps"].sel(forecaster="exact").dropna("run")
    np.testing.assert_allclose(crps, scoringrules.crps_normal(truth, 0.8, 0.1), rtol=1e-3)
    score = found["log_score"].dropna("run")
    np.testing.assert_allclose(score.sel(forecaster="exact"), -norm.logpdf(truth, 0.8, 0.1), rtol=1e-9)
    wider = -norm.logpdf(truth, 0.8, 0.1 * np.hypot(1, 1.06 * 20_000**-0.2))
    np.testing.assert_allclose(score.sel(forecaster="kernels"), wider, atol=0.02)
    row = tested.scores.sel(split="flops > 1e21", forecaster="exact")
    assert int(row["count"]) == held.sum()
    assert float(row["bias"]) == pytest.approx((0.8 - truth).mean(), abs=1e-6)
    assert float(row["rmse"]) == pytest.approx(np.sqrt(((0.8 - truth) ** 2).mean()), abs=1e-6)
    for prob in (0.5, 0.8, 0.9, 0.95):
        half = 0.1 * norm.ppf(0.5 + prob / 2)
        assert float(row["coverage"].sel(prob=prob)) == pytest.approx((np.abs(truth - 0.8) <= half).mean())
        assert float(row["width"].sel(prob=prob)) == pytest.approx(2 * half, rel=1e-3)
    np.testing.assert_allclose(found["pit"].sel(forecaster="exact").dropna("run"), norm.cdf(truth, 0.8, 0.1), atol=1e-3)


def test_a_law_in_its_own_world_is_calibrated(tested: bl.Backtest) -> None:
    """About 60 and 30 runs held out, mostly noise, so nearly independent: each share within 3.5 standard errors."""
    for name in ("chinchilla", "huber"):
        for split in LADDER:
            row = tested.scores.sel(forecaster=name, split=split)
            count = int(row["count"])
            for prob in (0.5, 0.8, 0.9, 0.95):
                off = float(row["coverage"].sel(prob=prob)) - prob
                assert abs(off) < 3.5 * np.sqrt(prob * (1 - prob) / count)
            assert float(row["rmse"]) < 0.02
    scores = tested.scores
    assert (scores["crps"].sel(forecaster="chinchilla") < scores["crps"].sel(forecaster="power")).all()
    assert (scores["log_score"].sel(forecaster="chinchilla") < scores["log_score"].sel(forecaster="power")).all()


def test_a_law_that_stops_holding_is_not(runs: pd.DataFrame) -> None:
    found = bl.backtest(Chinchilla, bent(runs), split="flops > 1e20", decision=False, **QUICK)
    assert found.scores["coverage"].sel(prob=0.9).item() < 0.6
    assert found.scores["bias"].item() < -0.03
    assert found.decisions is None
    assert found.projections is None


def test_it_is_what_one_gets_by_hand(tested: bl.Backtest, runs: pd.DataFrame) -> None:
    """The optimum from the runs below a cut, draw by draw; densities of the held-out runs; their quantiles up to the
    noise that was drawn (2000 draws; a median's standard error is 1.25 / sqrt(2000) of its sd, here 1 %)."""
    flops = 6.0 * runs.params * runs.tokens
    posterior = bl.fit(Chinchilla, runs[flops <= 1e20], seed=3, **QUICK)
    budgets = np.geomspace(flops.max() / 10, flops.max(), 3)
    assert tested.decisions is not None
    one = tested.decisions.sel(forecaster="chinchilla", split="flops > 1e20")
    np.testing.assert_allclose(one["flops"], budgets)
    draws = bl.allocate(posterior, flops=budgets).draws["params"].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(one["optimum"], np.quantile(draws, one["quantile"].to_numpy(), axis=0).T, rtol=1e-6)
    everything = bl.allocate(bl.fit(Chinchilla, runs, seed=3, **QUICK), flops=budgets)
    found = np.median(everything.draws["params"].to_numpy(), axis=(0, 1))
    np.testing.assert_allclose(one["found"], found, rtol=1e-6)
    lower, upper = (np.quantile(draws, q, axis=0) for q in (0.05, 0.95))
    at = one.sel(prob=0.9)
    np.testing.assert_array_equal(at["covered"], (lower <= found) & (found <= upper))
    np.testing.assert_allclose(at["width"], np.log10(upper / lower), rtol=1e-6)
    np.testing.assert_allclose(at["miss"], np.log10(np.median(draws, axis=0) / found), atol=1e-6)

    held = runs[flops > 1e20]
    columns = {name: held[name].to_numpy() for name in ("params", "tokens")}
    honest = bl.misfit(posterior)  # what predict draws from
    each = np.asarray(float64(log_likelihood)(honest.joint, flat(honest), columns, held.loss.to_numpy()))
    density = np.log(np.exp(each).mean(0)) + np.log(held.loss)
    row = tested.predictions.sel(forecaster="chinchilla", split="flops > 1e20").dropna("run")
    np.testing.assert_allclose(row["log_score"], -density, rtol=1e-6)
    np.testing.assert_array_equal(row["truth"], held.loss)
    median = bl.predict(posterior, held, seed=9).draws["loss_new_run"].median(("chain", "draw"))
    np.testing.assert_allclose(row["forecast"].sel(quantile=0.5), median, rtol=6 * 1.25 / np.sqrt(2000) * 0.012)


def test_decisions_of_what_decides_otherwise_or_not_at_all(tested: bl.Backtest) -> None:
    assert tested.decisions is not None
    exact = tested.decisions.sel(forecaster="exact")
    np.testing.assert_allclose(exact["width"].sel(prob=0.9), 1.8, rtol=1e-6)
    np.testing.assert_allclose(exact["miss"], 0, atol=1e-9)
    assert bool((exact["covered"] == 1).all())
    power = tested.decisions.sel(forecaster="power")
    assert all(bool(power[name].isnull().all()) for name in ("optimum", "found", "covered", "width", "miss"))
    said = [one for one in tested.status if one.text.startswith("power is not scored on a decision")]
    assert len(said) == 1
    assert "give target" in said[0].text
    assert tested.decisions["quantity"].to_numpy().tolist() == ["params", "", "params", "params", "params"]


def test_a_decision_of_ones_own(runs: pd.DataFrame) -> None:
    """By name or as a Decision, at budgets as people write them."""
    given = {"flops": ["1e20", 1e21]}
    one, other = (
        bl.backtest(Chinchilla, runs, split="flops > 1e21", decision=decision, given=given, **QUICK).decisions
        for decision in ("compute_optimal", compute_optimal.within(params=bl.LogRange(1e9, 1e9 * 1.001)))
    )
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one["flops"], [1e20, 1e21])
    assert (np.diff(one["found"]) > 0).all()
    np.testing.assert_allclose(other["found"], 1e9, rtol=2e-3)
    unknown = bl.backtest(Chinchilla, runs, split="flops > 1e21", decision="best", given=given, **QUICK)
    assert "chinchilla is not scored on a decision: Chinchilla has no decision 'best'" in unknown.status[0].text


def test_projections_are_kept_apart(tested: bl.Backtest) -> None:
    """They move from split to split, and nothing scores them."""
    found = tested.projections
    assert found is not None
    assert found["split"].to_numpy().tolist() == [*LADDER, "all runs"]
    assert set(found.data_vars) == {"forecast"}
    np.testing.assert_allclose(found["params"], [70e9, 400e9])
    true = np.asarray(TRUTH(params=found["params"], tokens=found["tokens"]))
    own = found["forecast"].sel(forecaster="chinchilla")
    width = np.log(own.sel(quantile=0.975) / own.sel(quantile=0.025))
    assert (width.sel(split="all runs") < width.sel(split="flops > 1e20")).all()
    # Of a new run: its noise of 1 % and that of the law; within three of its spreads, 3.92 of which are the width.
    assert (np.abs(np.log(own.sel(quantile=0.5) / true)) < 3 * width / 3.92).all()
    assert tested.predictions.sizes["run"] == 160
    assert "; projections, of runs that nobody made, are not scored" in repr(tested)


def test_summary(tested: bl.Backtest) -> None:
    frame = tested.summary()
    assert list(frame.index) == ["chinchilla", "power", "huber", "exact", "kernels"]
    assert (frame["forecasts"] == int(tested.predictions["held_out"].sum())).all()
    scores = tested.scores.sel(forecaster="chinchilla")
    assert frame.loc["chinchilla", "crps"] == pytest.approx(float(scores["crps"].mean()))
    assert frame.loc["chinchilla", "width_90"] == pytest.approx(float(scores["width"].sel(prob=0.9).mean()))
    assert frame.loc["exact", "decision_inside"] == 1
    each = tested.summary(0.5, by="split")
    assert list(each.index.names) == ["forecaster", "split"]
    assert each.loc[("huber", "flops > 1e21"), "width_50"] == pytest.approx(
        float(tested.scores["width"].sel(forecaster="huber", split="flops > 1e21", prob=0.5))
    )
    with pytest.raises(bl.InputError, match=r"got prob=0\.85"):
        tested.summary(0.85)
    assert repr(tested).startswith("Back-test of 5 methods on 2 splits of 160 runs: scores of ln loss of a new run")
    assert "chinchilla" in tested._repr_html_()


def test_the_same_whatever_the_workers_and_the_table_stays(runs: pd.DataFrame) -> None:
    methods = {"law": Chinchilla, "huber": lambda runs, seed: bl.huber(Chinchilla, runs, resamples=16, seed=seed)}
    before, told = runs.copy(), []
    one, two = (
        bl.backtest(methods, runs, split=CUTS, workers=workers, progress=lambda *done: told.append(done), **QUICK)
        for workers in (1, 2)
    )
    for name in ("predictions", "scores", "decisions"):
        xr.testing.assert_identical(getattr(one, name), getattr(two, name))
    assert told[:7] == [(i, 6) for i in range(7)]
    pd.testing.assert_frame_equal(runs, before)


def test_quantiles_hold_out_what_is_above(runs: pd.DataFrame) -> None:
    written = runs.assign(params=[f"{one / 1e6!r}M" for one in runs.params])
    found = bl.backtest(lambda runs: Normals(True), written, split={"flops": (0.5, 0.7), "params": 0.9})
    flops = 6 * runs.params * runs.tokens
    held = found.predictions["held_out"].to_numpy()
    assert held.sum(axis=1).tolist() == [80, 48, 16]
    assert flops[held[1]].min() > flops[~held[1]].max()
    assert runs.params[held[2]].min() > runs.params[~held[2]].max()
    assert found.predictions["split"].to_numpy()[2].endswith("(90 %)")
    assert list(found.predictions["forecaster"].to_numpy()) == ["lambda"]


def test_groups_are_left_out_one_after_the_other() -> None:
    runs = bl.load_overtraining()
    found = bl.backtest(Chinchilla, runs, by="corpus", decision=False, **QUICK)
    assert set(found.predictions["split"].to_numpy()) == set(runs.corpus)
    held = found.predictions["held_out"]
    assert (held.sum("split") == 1).all()
    for corpus in set(runs.corpus):
        assert (held.sel(split=corpus).to_numpy() == (runs.corpus == corpus).to_numpy()).all()


class Read(bl.AbstractLaw):
    """loss = E (params / 1e9)^-0.3, of sizes that a new run has only roughly: within 50 %."""

    E: bl.Scalar

    def mean(self, params: Any) -> Any:  # type: ignore[override]
        return self.E * (params / 1e9) ** -0.3

    def scatter(self, key: Any, columns: Any) -> Any:
        return {**columns, "params": columns["params"] * jnp.exp(0.5 * jax.random.normal(key, columns["params"].shape))}

    @classmethod
    def prior(cls) -> "Read":
        return cls(E=dist.LogNormal(np.log(2.0), 0.5))


def test_what_a_law_scatters_in_is_in_the_density() -> None:
    """A new run is log-normal with the variance of both: 0.05^2 of the noise, 0.15^2 of what is read. The mixture is of
    4000 draws, of which a third are near a run: a standard error of 0.03, more in the tails."""
    options: dict[str, Any] = {"noise": bl.LogNormal(scale=0.05), "method": "importance"}  # type: ignore[arg-type]
    runs = pd.DataFrame({"params": np.geomspace(1e8, 1e10, 100)})
    runs["loss"] = (
        2 * (runs.params / 1e9) ** -0.3 * np.exp(np.random.default_rng(1).normal(0, np.hypot(0.05, 0.15), 100))
    )
    found = bl.backtest(Read, runs, split="params > 1e9", decision=False, **options)
    row = found.predictions.isel(forecaster=0, split=0).dropna("run")
    away = np.log(row["truth"] / row["forecast"].sel(quantile=0.5)).to_numpy()
    np.testing.assert_allclose(row["log_score"], -norm.logpdf(away, 0, np.hypot(0.05, 0.15)), atol=0.3)
    width = found.scores["width"].sel(prob=0.9).item()
    assert width == pytest.approx(2 * 1.645 * np.hypot(0.05, 0.15), rel=0.05)


def test_a_stack_is_scored_as_the_mixture_it_is(runs: pd.DataFrame) -> None:
    """Its density is the weighted mean of its laws'; warnings of fits inside a function are statuses here."""

    def two(runs: pd.DataFrame, seed: int) -> bl.Stack:
        options = QUICK | {"seed": seed}
        fits = {
            "chinchilla": bl.fit(Chinchilla, runs, **options),
            "power": bl.fit(AutoregressiveCompute, runs, **options),
        }
        return bl.stack(fits, weights={"chinchilla": 3, "power": 1})

    methods = {"stack": two, "chinchilla": Chinchilla, "power": AutoregressiveCompute}
    found = bl.backtest(methods, runs, split="flops > 1e21", decision=False, **QUICK).predictions.dropna("run")
    density = np.exp(-found["log_score"].isel(split=0))
    mixed = 0.75 * density.sel(forecaster="chinchilla") + 0.25 * density.sel(forecaster="power")
    np.testing.assert_allclose(density.sel(forecaster="stack"), mixed, rtol=1e-6)


def test_a_fit_that_is_no_result_is_scored_and_flagged(runs: pd.DataFrame) -> None:
    def few(runs: pd.DataFrame) -> bl.Posterior:
        return bl.fit(Chinchilla, runs, noise=bl.LogNormal, method="importance", chains=1, draws=50)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bl.backtest({"few": few, "law": Chinchilla}, runs, split="flops > 1e21", decision=False, **QUICK)
    assert found.scores["ok"].to_numpy().tolist() == [[False], [True]]
    assert np.isfinite(found.scores["crps"].to_numpy()).all()
    (status,) = found.status
    assert status.serious
    assert status.text.startswith("few, flops > 1e21: ESS is ")


def test_responses_of_either_sign_are_scored_as_they_are(runs: pd.DataFrame) -> None:
    class Flat(bl.Forecaster):
        def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
            return np.repeat(np.linspace(-1, 1, 1001)[:, None], len(scenarios), axis=1)

    moved = runs.assign(capability=np.linspace(-0.9, 0.9, len(runs)))
    options: dict[str, Any] = {"response": "capability", "decision": False}
    found = bl.backtest({"flat": lambda runs: Flat()}, moved, split="flops > 1e20", **options)
    assert found.scale == "linear"
    assert "scores of capability of a new run" in repr(found)
    assert found.scores["width"].sel(prob=0.9).item() == pytest.approx(1.8)
    assert found.decisions is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what to hold out"),
        ({"split": "flops > 1e20", "by": "params"}, "say what to hold out"),
        ({"split": "flops > 1e30"}, "the split 'flops > 1e30' holds out 0 of 160 runs"),
        ({"split": "flops > 1"}, "holds out 160 of 160 runs and leaves 0: at least 1 must be held out and 8 left"),
        ({"split": "compute > 1e20"}, "the split 'compute > 1e20' is no condition on the table"),
        ({"split": "flops + 1"}, "the split 'flops . 1' is no condition on each run"),
        ({"split": {"flops": 1.5}}, "takes quantiles between 0 and 1, such as 0.5; got 1.5"),
        ({"split": {"lr": 0.5}}, "no column 'lr' to split by"),
        ({"split": ()}, "no split was given"),
        ({"by": "corpus"}, "no column 'corpus'"),
        ({"split": "flops > 1e20", "step": 3}, "no option 'step'"),
        ({"split": "flops > 1e20", "methods": {}}, "no method was given"),
        (
            {"split": "flops > 1e20", "methods": {"a": 3}},
            "the method 'a' should be a law or a function of runs; got int",
        ),
        ({"split": "flops > 1e20", "methods": {"a": len}}, "the method 'a' should return a Posterior, a Stack or"),
        ({"split": "flops > 1e20", "response": "accuracy"}, "the laws forecast loss"),
        ({"split": "flops > 1e20", "projections": {"params": 1e9, "loss": 2.0}}, "a run that does not exist"),
        ({"split": "flops > 1e20", "projections": {"params": 1e9}}, "'chinchilla', '[^']*': column 'tokens'"),
    ],
)
def test_bad_input(runs: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    given = {"methods": Chinchilla} | options
    with pytest.raises(bl.InputError, match=message):
        bl.backtest(given.pop("methods"), runs, **given, **(QUICK if "step" not in given else {}))
