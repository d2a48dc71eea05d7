"""`check`: right worlds pass, wrong ones are flagged for what is wrong with them, and sensitivities are exact ones."""

import dataclasses
from typing import Any

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats

import bayeslaw as bl
from bayeslaw.models import Chinchilla

QUICK: dict[str, Any] = {"method": "importance", "draws": 1000}
TRUE = Chinchilla.published()["besiroglu2024"]
NOISE = bl.LogNormal(scale=0.004)  # type: ignore[arg-type]


def sizes(runs: int = 150, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"params": 10 ** rng.uniform(7.5, 10.5, runs), "tokens": 10 ** rng.uniform(9, 12, runs)}


def checked(runs: pd.DataFrame, noise: Any = bl.LogNormal, **options: Any) -> bl.Check:
    return bl.check(bl.fit(Chinchilla, runs, noise=noise, seed=1, **QUICK), **options)


def texts(found: bl.Check) -> str:
    return "\n".join(status.text for status in found.status)


@pytest.fixture(scope="module")
def well() -> bl.Check:
    """Runs from the law that is fitted, with the noise that is fitted."""
    return checked(bl.simulate(TRUE, sizes(), noise=NOISE, seed=2), flops=[1e22, "5.76e23"])


def test_a_right_law_passes(well: bl.Check) -> None:
    """A check raises a false alarm in one of twenty right worlds (2 of 40 measured); this is one without."""
    assert (well.table["p_adjusted"] > 0.05).all()
    assert well.status == ()
    rows = ["inside 50%", "inside 90%", "LOO-PIT", "trend params", "bend params", "scatter params"]
    rows += ["trend tokens", "bend tokens", "scatter tokens", "params by tokens"]
    assert list(well.table.index) == rows
    # 99.9 % of the binomial: 150 runs.
    assert abs(well.table["value"]["inside 50%"] - 0.5) < 3.3 * np.sqrt(0.25 / 150)
    assert abs(well.table["value"]["inside 90%"] - 0.9) < 3.3 * np.sqrt(0.09 / 150)
    assert (well.residuals["prior_pit"].between(0.01, 0.99)).mean() > 0.95


def test_residuals_are_those_of_arviz_and_of_a_fit_without_the_run(well: bl.Check) -> None:
    posterior, residuals = well.posterior, well.residuals
    loo = az.loo(posterior.tree, pointwise=True, reff=posterior.tree.attrs["ess"] / 4000)
    np.testing.assert_allclose(residuals["pareto_k"], loo.pareto_k)
    pit = az.loo_pit(posterior.tree, var_names="loss")["loss"]
    # ArviZ ranks draws where we smooth the tails, of 4000 draws: a standard error of 0.008 at most.
    np.testing.assert_allclose(residuals["loo_pit"], pit, atol=0.02)
    worst = well.worst(3)
    assert worst["residual"].abs().min() >= residuals["residual"].abs().drop(worst.index).max()
    i = int(worst.index[0])
    runs = posterior.runs
    without = bl.fit(Chinchilla, runs.drop(index=i), noise=bl.LogNormal, seed=5, **QUICK)
    new = np.log(bl.predict(without, runs.iloc[[i]], misfit=False).draws["loss_new_run"].to_numpy().ravel())
    low, middle, high = np.quantile(new, [stats.norm.cdf(-1), 0.5, stats.norm.cdf(1)])
    # Quantiles of 4000 draws on both sides: 2 % of their width.
    assert residuals["residual"][i] == pytest.approx((np.log(runs["loss"][i]) - middle) / ((high - low) / 2), rel=0.1)
    assert np.log(residuals["predicted"][i]) == pytest.approx(middle, abs=0.1 * (high - low))
    lower, upper = np.log(residuals[["lower", "upper"]].to_numpy()[i])
    assert (upper - lower) / (high - low) == pytest.approx(1.645, rel=0.1)


class Bent(Chinchilla):
    """Chinchilla with less for size and data together: by 3 % of the reducible loss per e-fold of each."""

    def mean(self, params: jax.Array, tokens: jax.Array) -> jax.Array:  # type: ignore[override]
        both = jnp.log(params / 1e9) * jnp.log(tokens / 3e10)
        return self.E + (super().mean(params, tokens) - self.E) * jnp.exp(0.03 * both)


def test_a_bent_law_is_flagged() -> None:
    bent = Bent(**{field.name: getattr(TRUE, field.name) for field in dataclasses.fields(TRUE)})
    found = checked(bl.simulate(bent, sizes(), noise=NOISE, seed=2))
    assert found.table["p_adjusted"]["params by tokens"] < 1e-4
    assert "residuals are not level over the scale of the runs" in texts(found)
    assert "params by tokens (p =" in texts(found)


def test_noise_of_another_kind_is_flagged() -> None:
    """Small models scatter ten times as much as large ones; heavy tails under Gaussian noise."""
    at = sizes()
    clean = bl.simulate(TRUE, at, noise=bl.LogNormal(scale=1e-9), seed=2)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    scatter = 0.004 * (at["params"] / 1e9) ** -0.35
    found = checked(clean.assign(loss=clean.loss * np.exp(scatter * rng.normal(size=150))))
    assert found.table["p_adjusted"]["scatter params"] < 1e-4
    assert found.table["value"]["scatter params"] < 0
    assert "the size of residuals changes with the scale of the runs: scatter params" in texts(found)
    heavy = checked(clean.assign(loss=clean.loss * np.exp(0.004 * rng.standard_t(1.5, size=150))))
    assert heavy.table["p_adjusted"]["inside 50%"] < 1e-4
    assert "which is too wide" in texts(heavy)
    assert heavy.table["p_adjusted"]["LOO-PIT"] < 0.05


def test_a_group_that_lies_off_is_named() -> None:
    at = sizes()
    runs = bl.simulate(TRUE, at, noise=NOISE, seed=2)
    machine = np.where(np.arange(150) % 3 == 0, "old", "new")
    runs["loss"] *= np.where(machine == "old", 1.006, 1.0)
    found = checked(runs, by=machine)
    assert found.table["p_adjusted"]["groups of labels"] < 0.01
    old = found.groups.loc["labels"].loc["old"]
    assert old["runs"] == 50
    assert old["mean"] > old["upper"]
    assert "runs of some groups lie off together: old (+0." in texts(found)
    with pytest.raises(bl.InputError, match="by gives 2 labels for 150 runs"):
        bl.check(found.posterior, by=["a", "b"])


class Level(bl.AbstractLaw):
    """A constant, of which everything is known in closed form."""

    level: bl.Scalar

    def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return self.level + 0 * jnp.log(params)

    @classmethod
    def prior(cls) -> "Level":
        return cls(level=dist.Normal(2.0, 0.1))

    def decisions(self) -> dict[str, bl.Decision]:
        return {
            "target": bl.Decision(
                question="How far is it?",
                choose={"params": bl.LogRange(1e6, 1e9)},
                given=("target",),
                derive=lambda params, target: {"gap": params * 0},
                report=("params",),
                objective=lambda law, plan: (jnp.log(plan["params"]) - law.level * jnp.log(plan["target"])) ** 2,
            )
        }


def test_power_scaling_is_exact_where_it_can_be_computed() -> None:
    """Normal prior, Normal noise of known size: precisions add, each times its power; the decision is a function."""
    runs = {"params": [1e9] * 4, "loss": [2.5, 2.6, 2.4, 2.5]}
    noise = bl.Normal(scale=0.2)  # type: ignore[arg-type]
    posterior = bl.fit(Level, runs, noise=noise, seed=1, **QUICK)
    found = bl.check(posterior, target=1e3)
    prior, data = 1 / 0.1**2, 4 / 0.2**2

    def exact(a: float, b: float) -> tuple[float, float]:
        return (a * prior * 2.0 + b * data * 2.5) / (a * prior + b * data), (a * prior + b * data) ** -0.5

    rows = found.sensitivity.loc["parameter"].loc["level"]
    sd = exact(1, 1)[1]
    for component, powers in {"prior": lambda p: (p, 1), "likelihood": lambda p: (1, p)}.items():
        row = rows.loc[component]
        assert row["median"] == pytest.approx(exact(1, 1)[0], abs=0.05 * sd)
        for name, power in (("weaker", 0.8), ("stronger", 1.25)):
            mean, width = exact(*powers(power))
            # Medians and 90 % widths of 4000 draws: 0.02 and 0.03 sd; the shifts are 0.35 sd.
            assert row[f"median_{name}"] == pytest.approx(mean, abs=0.08 * sd)
            assert row[f"width_{name}"] == pytest.approx(width / sd, rel=0.06)
        assert row["pareto_k"] < 0.7
    assert rows["psense"].min() > 0.05
    assert rows["diagnosis"].tolist() == ["possible conflict of prior and runs", ""]
    # ArviZ itself, on a tree of one's own.
    tree = posterior.with_groups("log_likelihood").tree
    tree["log_prior"] = az.convert_to_datatree(
        {"level": stats.norm.logpdf(posterior.draws["level"], 2, 0.1)}, group="log_prior"
    )["log_prior"]
    for component in ("prior", "likelihood"):
        theirs = float(az.psense(tree, group=component)["level"])
        # Of ln level here, which is nearly linear over its range.
        assert rows["psense"][component] == pytest.approx(theirs, rel=0.1)
    # params = target^level: what becomes of the decision follows.
    decision = found.sensitivity.T["target = 1000", "params", "prior"]
    assert np.log(decision["median_weaker"]) == pytest.approx(np.log(1e3) * rows["median_weaker"]["prior"], abs=1e-4)
    assert decision["width_weaker"] == pytest.approx(rows["width_weaker"]["prior"], rel=0.02)
    assert "the prior shapes level; it reaches the decision." in texts(found)
    assert "the answer at target = 1000 depends on the prior, in params (median" in texts(found)
    assert "the prior did not expect" not in texts(found)


def test_a_prior_that_no_run_agrees_with_is_said() -> None:
    runs = {"params": [1e9] * 4, "loss": [4.0, 4.1, 3.9, 4.0]}
    posterior = bl.fit(Level, runs, noise=bl.Normal(scale=0.2), seed=1, **QUICK)  # type: ignore[arg-type]
    assert "the prior did not expect 100% of the runs (outside 98% of its predictive distribution)" in texts(
        bl.check(posterior)
    )


class Solved(bl.AbstractLaw):
    response = "accuracy"
    level: bl.Scalar

    def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return jax.nn.sigmoid(self.level + jnp.log(params / 1e9))

    @classmethod
    def prior(cls) -> "Solved":
        return cls(level=dist.Normal(0.0, 1.5))


def test_counts_are_randomised() -> None:
    """Few trials: without randomisation, PITs of right counts would pile up. With it they are uniform: 99.9 % of the
    Kolmogorov distribution at 200 runs is 0.137."""
    rng = np.random.default_rng(1)
    at = {"params": 10 ** rng.uniform(8, 10, 200), "trials": rng.integers(2, 8, 200)}
    runs = bl.simulate(Solved(level=0.0), at, noise=bl.Binomial, seed=1)  # type: ignore[arg-type]
    found = bl.check(bl.fit(Solved, runs, noise=bl.Binomial, seed=1, **QUICK))
    for name in ("pit", "loo_pit"):
        assert stats.kstest(found.residuals[name], "uniform").statistic < 0.137
    assert (found.table["p_adjusted"] > 0.05).all()
    np.testing.assert_allclose(found.residuals["residual"], stats.norm.ppf(found.residuals["loo_pit"]))
    again = bl.check(found.posterior)
    pd.testing.assert_frame_equal(again.residuals, found.residuals)  # the same seed
    assert not np.array_equal(bl.check(found.posterior, seed=1).residuals["pit"], found.residuals["pit"])


def test_pooled_laws_are_checked_by_their_groups() -> None:
    runs = {"params": [1e9] * 30, "corpus": ["a", "b", "c"] * 10}
    runs["loss"] = 2.0 + 0.05 * np.random.default_rng(1).normal(size=30)
    posterior = bl.fit(bl.Pooled(Level, runs, by="corpus"), runs, noise=bl.Normal, seed=1, draws=500)
    found = bl.check(posterior, "target", target=1e3, corpus=["a", "new"])
    assert list(found.table.index) == [
        "inside 50%",
        "inside 90%",
        "LOO-PIT",
        "groups of corpus",
    ]  # params are all alike
    assert found.groups["runs"].to_dict() == {("corpus", "a"): 10, ("corpus", "b"): 10, ("corpus", "c"): 10}
    abouts = found.sensitivity.index.get_level_values("about").unique()
    assert list(abouts) == ["parameter", "target = 1000, corpus = a", "target = 1000, corpus = new"]
    parameters = found.sensitivity.loc["parameter"].index.get_level_values("quantity").unique()
    assert list(parameters) == ["base.level", "noise.scale", "spread.level"]  # not the offsets


def test_hyperparameters_are_checked_each_by_itself() -> None:
    rng = np.random.default_rng(1)
    lr = 1e-3 * np.exp(rng.normal(size=60))
    loss = 2.0 + 0.02 * np.log(lr / 1e-3) ** 2 + 0.01 * rng.normal(size=60)
    penalty = bl.Penalty(dist.LogNormal(np.log(1e-3), 0.5), dist.LogNormal(np.log(0.01), 0.5), bl.Quadratic())
    law = bl.Penalised(Level, {"lr": penalty})
    posterior = bl.fit(law, {**sizes(60), "lr": lr, "loss": loss}, noise=bl.Normal, seed=1, **QUICK)
    names = bl.check(posterior).table.index
    assert {"trend params", "bend lr", "scatter lr"} <= set(names)
    assert not any(" by " in name for name in names)


def test_what_is_shown(well: bl.Check) -> None:
    shown = repr(well)
    assert "Check of Chinchilla on 150 runs" in shown
    assert "params by tokens" in shown
    assert str(well.worst(1).index[0]) in shown
    assert "<table" in well._repr_html_()
    assert well.summary().equals(well.table)
    found = bl.check(dataclasses.replace(well.posterior), flops=1e22, prob=0.5)
    narrow, wide = (one.sensitivity.T["flops = 1e+22", "params", "prior"] for one in (found, well))
    assert wide["lower"] < narrow["lower"] < narrow["median"] == wide["median"]


def test_what_cannot_be_checked_is_said(well: bl.Check) -> None:
    tree = well.posterior.tree.copy()
    tree["first"] = well.posterior.tree.copy()
    with pytest.raises(bl.InputError, match="this posterior is chained from two: check each of its steps"):
        bl.check(dataclasses.replace(well.posterior, tree=tree))
    with pytest.raises(bl.InputError, match="expected a Posterior"):
        bl.check(well)  # type: ignore[arg-type]
    with pytest.raises(bl.InputError, match=r"'flop' is not a quantity of this decision.*Did you mean 'flops'"):
        bl.check(well.posterior, flop=1e22)
    with pytest.raises(bl.InputError, match="prob is the credible mass"):
        bl.check(well.posterior, prob=90)
    with pytest.raises(bl.InputError, match="Chinchilla has no decision 'largest'; it has compute_optimal"):
        bl.check(well.posterior, "largest", flops=1e22)
