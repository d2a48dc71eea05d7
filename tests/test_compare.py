"""`compare`: the same numbers as ArviZ and as fits without the runs, and refusals."""

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
from scipy.special import logsumexp

import bayeslaw as bl
from bayeslaw._groups import group_labels
from bayeslaw._joint import Joint
from bayeslaw.models import Chinchilla, Overtraining

QUICK: dict[str, Any] = {"method": "importance", "draws": 1000}
RUNS = bl.load_chinchilla()[::3].reset_index(drop=True)


@pytest.fixture(scope="module")
def laws() -> dict[str, bl.Posterior]:
    options = {"seed": 6, **QUICK}
    return {
        "chinchilla": bl.fit(Chinchilla, RUNS, noise=bl.StudentT, **options),
        "overtraining": bl.fit(Overtraining, RUNS, noise=bl.StudentT, **options),
    }


@pytest.fixture(scope="module")
def found(laws: dict[str, bl.Posterior]) -> bl.Comparison:
    return bl.compare(laws)


def density(posterior: bl.Posterior, runs: pd.DataFrame) -> np.ndarray:
    """The log predictive density of runs, by SciPy's Student-t on the log response."""
    mean = bl.predict(posterior, runs, misfit=False).draws["loss"].to_numpy().reshape(-1, len(runs))
    df, scale = (posterior.draws[name].reshape(-1, 1) for name in ("noise.df", "noise.scale"))
    loss = runs["loss"].to_numpy()
    logs = stats.t.logpdf((np.log(loss) - np.log(mean)) / scale, df) - np.log(scale) - np.log(loss)
    return logsumexp(logs, axis=0) - np.log(len(logs))


def test_elpd_is_that_of_arviz(laws: dict[str, bl.Posterior], found: bl.Comparison) -> None:
    trees = {name: one.with_groups("log_likelihood").tree for name, one in laws.items()}
    for name, tree in trees.items():
        loo = az.loo(tree, pointwise=True, reff=laws[name].tree.attrs["ess"] / 4000)
        assert found.table["elpd"][name] == pytest.approx(loo.elpd, abs=1e-9)
        assert found.table["se"][name] == pytest.approx(loo.se, rel=1e-9)
        assert found.table["p_loo"][name] == pytest.approx(loo.p, rel=1e-6)
        np.testing.assert_allclose(found.pointwise["pareto_k", name], loo.pareto_k)
    theirs = az.compare(trees, round_to="none")
    best, other = theirs.index
    assert list(found.table.index) == [best, other]
    # ArviZ takes the relative efficiency of the draws from ESS of chains, which draws of importance sampling have not.
    assert found.table["difference"][other] == pytest.approx(theirs["elpd_diff"][other], abs=0.02)
    assert found.table["difference_se"][other] == pytest.approx(theirs["dse"][other], rel=0.05)
    assert found.table["weight"][best] == pytest.approx(theirs["weight"][best], abs=0.05)
    assert found.table["difference"][best] == found.table["difference_se"][best] == 0
    assert found.summary().equals(found.table)


def test_elpd_is_that_of_fits_without_a_run(laws: dict[str, bl.Posterior], found: bl.Comparison) -> None:
    """The three runs that the law predicts worst, where importance sampling works hardest. Both sides are averages over
    4000 draws of a log density whose sd over draws is about 0.3, 0.7 at worst, hence 0.1."""
    worst = found.pointwise["elpd", "chinchilla"].to_numpy().argsort()[:3]
    fits = bl.fit_many(laws["chinchilla"].joint, [RUNS.drop(index=i) for i in worst], seed=7, **QUICK)
    for i, fit in zip(worst, fits, strict=True):
        assert found.pointwise["elpd", "chinchilla"][i] == pytest.approx(density(fit, RUNS.iloc[[i]])[0], abs=0.1)


def test_a_run_that_importance_sampling_cannot_leave_out_is_left_out_by_a_fit() -> None:
    """One of twelve runs is 8 % off under Gaussian noise: its Pareto k is too high, and so would be its elpd."""
    runs = bl.make_chinchilla(12, seed=3)
    runs.loc[5, "loss"] *= 1.08
    posterior = bl.fit(Chinchilla, runs, noise=bl.LogNormal, seed=1, draws=1000)
    found = bl.compare({"gauss": posterior})
    row = found.table.loc["gauss"]
    assert row["high_k"] == row["refits"] >= 1
    k = found.pointwise["pareto_k", "gauss"]
    assert k.idxmax() == 5
    assert f"Pareto k is above 0.7 for {row['high_k']:.0f} of 12 runs" in found.status[0].text
    without = bl.fit(Chinchilla, runs.drop(index=5), noise=bl.LogNormal, seed=8)
    mean = np.log(bl.predict(without, runs.iloc[[5]], misfit=False).draws["loss"].to_numpy().ravel())
    scale = without.draws["noise.scale"].ravel()
    logs = stats.norm.logpdf(np.log(runs["loss"][5]), mean, scale) - np.log(runs["loss"][5])
    # The density of a run in the far tail varies by orders of magnitude over draws.
    assert found.pointwise["elpd", "gauss"][5] == pytest.approx(logsumexp(logs) - np.log(len(logs)), abs=1.0)
    loo = bl.compare({"gauss": posterior}, refit=False)
    assert loo.table.loc["gauss"]["refits"] == 0
    assert loo.status[0].serious
    assert loo.table.loc["gauss"]["elpd"] > row["elpd"] + 0.5


def test_groups_are_left_out_whole(laws: dict[str, bl.Posterior]) -> None:
    """Against fits without each third of the sizes, from the same seeds, so equal but for rounding."""
    labels = pd.qcut(RUNS["params"], 3, labels=["small", "middle", "large"]).astype(str)
    found = bl.compare(laws, by=labels, seed=4)
    assert found.left_out == "one of 3 groups at a time"
    assert found.table["refits"].tolist() == [3, 3]
    for name, posterior in laws.items():
        groups = list(dict.fromkeys(labels))
        tables = [RUNS[labels != group] for group in groups]
        fits = bl.fit_many(posterior.joint, tables, seed=5, **QUICK)
        sums = []
        for group, fit in zip(groups, fits, strict=True):
            wanted = density(fit, RUNS[labels == group])
            np.testing.assert_allclose(found.pointwise["elpd", name][labels == group], wanted, rtol=1e-8)
            sums.append(wanted.sum())
        assert found.table["se"][name] == pytest.approx(np.sqrt(3 * np.var(sums, ddof=1)))
    assert (found.pointwise["run", "group"] == labels).all()
    # The same groups by a function of the table; large models are harder to predict from small ones than neighbours.
    again = bl.compare(
        laws, by=lambda runs: np.searchsorted(np.quantile(runs.params, [1 / 3, 2 / 3]), runs.params), seed=4
    )
    np.testing.assert_allclose(again.table["elpd"], found.table["elpd"])
    assert len(set(group_labels(RUNS, "params"))) == RUNS["params"].nunique()
    assert found.table["elpd"]["chinchilla"] < bl.compare(laws).table["elpd"]["chinchilla"]


def test_what_cannot_be_told_apart_is_said(laws: dict[str, bl.Posterior], found: bl.Comparison) -> None:
    alike = bl.compare(
        {"one": laws["chinchilla"], "other": bl.fit(Chinchilla, RUNS, noise=bl.StudentT, seed=2, **QUICK)}
    )
    assert any("cannot be told from" in one.text for one in alike.status)
    assert sum(alike.table["weight"]) == pytest.approx(1)
    by_bma = bl.compare(laws, method="pseudo-bma+").table["weight"]
    assert sum(by_bma) == pytest.approx(1)
    assert by_bma.min() > 0.01  # these laws are nearly as good as each other
    assert "elpd" in repr(found)
    assert "2 laws compared on 78 runs, one run at a time left out" in repr(found)
    assert "<table" in found._repr_html_()


def test_what_cannot_be_compared_is_said(laws: dict[str, bl.Posterior]) -> None:
    one = laws["chinchilla"]
    quick: dict[str, Any] = {"noise": bl.LogNormal, "method": "importance", "draws": 250}
    fewer = bl.fit(Chinchilla, RUNS[:-1], **quick)
    changed = bl.fit(Chinchilla, RUNS.assign(loss=RUNS.loss.where(RUNS.index != 3, 3.0)), **quick)
    swapped = bl.fit(Chinchilla, RUNS.iloc[::-1], **quick)

    class PerByte(Chinchilla):
        response = "nats_per_byte"

    values = {field.name: getattr(one.prior, field.name) for field in dataclasses.fields(one.prior)}
    other = dataclasses.replace(one, joint=Joint(PerByte(**values), one.noise_prior))
    tree = one.tree.copy()
    tree["first"] = one.tree.copy()
    chained = dataclasses.replace(one, tree=tree)
    for posteriors, options, message in (
        ({"a": one, "b": chained}, {}, "'b' is chained from two posteriors: compare each of its steps with its like"),
        ({"a": one, "b": fewer}, {}, "'b' was fitted to 77 runs, 'a' to 78: fit both to the same"),
        (
            {"a": one, "b": changed},
            {},
            r"'b' and 'a' were fitted to different runs: loss differs in 1 of 78, first in row 3 \(3.0 against",
        ),
        (
            {"a": one, "b": swapped},
            {},
            "fitted to different runs: loss differs in .* Fit both to one table, in one order",
        ),
        ({"a": one, "b": other}, {}, "'b' is of nats_per_byte, 'a' of loss"),
        (
            {"a": one},
            {"by": "corpus"},
            r"no column 'corpus'; they have params, tokens, loss. Give a label for each run: by=table\['corpus'\]",
        ),
        ({"a": one}, {"by": [1, 2]}, "by gives 2 labels for 78 runs"),
        ({"a": one}, {"by": ["x"] * 78}, "all runs are of one group, 'x'"),
        ({"a": one}, {"method": "bma"}, "method must be one of stacking, pseudo-bma., got 'bma'"),
        (one, {}, r"compare needs posteriors by name, compare\(\{"),
    ):
        with pytest.raises(bl.InputError, match=message):
            bl.compare(posteriors, **options)  # type: ignore[arg-type]


class Solved(bl.AbstractLaw):
    response = "accuracy"
    level: bl.Scalar

    def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return jax.nn.sigmoid(self.level + 0 * jnp.log(params))

    @classmethod
    def prior(cls) -> "Solved":
        return cls(level=dist.Normal(0.0, 1.0))


def test_counts_are_compared_with_counts_only() -> None:
    """One parameter, 20 counts of 10: the density of each run left out is that of the others, by a sum over a grid."""
    counts = np.random.default_rng(1).binomial(10, 0.6, 20)
    runs = {"params": [1e9] * 20, "trials": [10] * 20, "accuracy": counts / 10}
    counted = bl.fit(Solved, runs, noise=bl.Binomial, seed=1, **QUICK)
    found = bl.compare({"counted": counted}).pointwise["elpd", "counted"]
    levels = np.linspace(-6, 6, 4001)
    logs = stats.binom.logpmf(counts[:, None], 10, 1 / (1 + np.exp(-levels)))
    prior = stats.norm.logpdf(levels)
    for i in range(3):
        others = prior + np.delete(logs, i, axis=0).sum(axis=0)
        exact = logsumexp(others + logs[i]) - logsumexp(others)
        # The log density varies by 0.15 over draws: 0.003 from 4000 of them.
        assert found[i] == pytest.approx(exact, abs=0.02)
    smooth = bl.fit(Solved, runs, noise=bl.Normal, seed=1, **QUICK)
    with pytest.raises(
        bl.InputError, match="one of 'counted' and 'smooth' gives probabilities of counts, the other densities"
    ):
        bl.compare({"counted": counted, "smooth": smooth})
