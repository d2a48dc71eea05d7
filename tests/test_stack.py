"""`Stack`: the right shares of the right draws, in every verb."""

import dataclasses
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._joint import Joint
from bayeslaw.models import Chinchilla, Kaplan, Overtraining
from bayeslaw.models.chinchilla import compute_optimal

QUICK: dict[str, Any] = {"method": "importance", "draws": 500}
BUDGETS = [1e21, "5.76e23"]
WEIGHTS = {"chinchilla": 0.2, "overtraining": 0.3, "tight": 0.5}


@pytest.fixture(scope="module")
def members(posterior: bl.Posterior) -> dict[str, bl.Posterior]:
    """Three fits of the shipped runs: two laws, and one of them with a prior that holds another exponent."""
    runs = bl.load_chinchilla()
    prior = dataclasses.replace(Chinchilla.prior(), alpha=dist.LogNormal(np.log(0.5), 0.01))
    return {
        "chinchilla": posterior,
        "overtraining": bl.fit(Overtraining, runs, noise=bl.StudentT, seed=2),
        "tight": bl.fit(prior, runs, seed=3),
    }


@pytest.fixture(scope="module")
def stack(members: dict[str, bl.Posterior]) -> bl.Stack:
    return bl.stack(members, weights={"chinchilla": 2, "overtraining": 3, "tight": 5})


def test_each_draw_is_of_one_law_in_proportion_to_the_weights(
    stack: bl.Stack, members: dict[str, bl.Posterior]
) -> None:
    assert stack.weights == pytest.approx(WEIGHTS)
    laws = stack.laws.to_numpy()
    assert {name: (laws == name).sum() for name in members} == {"chinchilla": 800, "overtraining": 1200, "tight": 2000}
    found = bl.allocate(stack, flops=BUDGETS).draws
    assert found["law"].dims == ("chain", "draw")
    for name, member in members.items():
        own = bl.allocate(member, flops=BUDGETS).draws
        for quantity in ("params", "tokens", "tokens_per_param", "loss", "loss_new_run", "at_edge"):
            mine = laws == name
            np.testing.assert_array_equal(found[quantity].to_numpy()[mine], own[quantity].to_numpy()[mine])


def test_an_allocation_is_the_weighted_mixture_of_those_of_the_laws(
    stack: bl.Stack, members: dict[str, bl.Posterior]
) -> None:
    """The mean of ln params and the distribution function at its median, each within 5 Monte Carlo standard errors of
    the weighted ones of the laws, whose draws are several times as many."""
    found = np.log(bl.allocate(stack, flops=5.76e23).draws["params"].to_numpy().ravel())
    own = {n: np.log(bl.allocate(one, flops=5.76e23).draws["params"].to_numpy().ravel()) for n, one in members.items()}
    mean = sum(WEIGHTS[name] * values.mean() for name, values in own.items())
    within = sum(WEIGHTS[name] * values.var() for name, values in own.items())
    assert abs(found.mean() - mean) < 5 * np.sqrt(within / found.size)
    below = sum(WEIGHTS[name] * (values < np.median(found)).mean() for name, values in own.items())
    assert abs(below - 0.5) < 5 * 0.5 / np.sqrt(found.size)


def test_disagreement_is_the_share_of_variance_between_laws(stack: bl.Stack, members: dict[str, bl.Posterior]) -> None:
    found = bl.allocate(stack, flops=BUDGETS)
    frame = stack.disagreement(found)
    values, laws = np.log(found.draws["params"].to_numpy()[..., 1]).ravel(), stack.laws.to_numpy().ravel()
    parts = [values[laws == name] for name in members]
    between = sum(one.size * (one.mean() - values.mean()) ** 2 for one in parts) / values.size / values.var()
    row = frame.loc[(5.76e23, "params")]
    assert row["between"] == pytest.approx(between)
    assert row["between"] > 0.5
    assert (row["lowest"], row["highest"], row["driver"]) == ("tight", "overtraining", "tight")
    assert row["tight"] == pytest.approx(np.exp(np.median(parts[2])), rel=1e-3)
    said = next(one.text for one in found.status if "the laws disagree on params at flops" in one.text)
    assert "of the variance of its logarithm is between laws" in said
    assert "most of it is due to tight. tight is lowest" in said
    # What drives it is what widens it: wider than any single law's.
    width = found.summary()["upper"] / found.summary()["lower"]
    for one in members.values():
        own = bl.allocate(one, flops=BUDGETS).summary()
        assert width.loc[(5.76e23, "params")] > (own["upper"] / own["lower"]).loc[(5.76e23, "params")]


def test_laws_that_agree_are_said_to(posterior: bl.Posterior) -> None:
    again = bl.stack({"one": posterior, "other": bl.fit(Chinchilla, bl.load_chinchilla(), seed=9)}, method="equal")
    found = bl.predict(again, {"params": 1e9, "tokens": 2e10})
    assert any("the laws agree on loss" in one.text and "0% of the variance" in one.text for one in found.status)


def test_a_stack_of_one_law_is_that_law(posterior: bl.Posterior) -> None:
    alone = bl.stack({"chinchilla": posterior})
    assert alone.weights == {"chinchilla": 1.0}
    for verb, given in (
        (bl.allocate, {"flops": BUDGETS}),
        (bl.predict, {"scenarios": {"params": 1e9, "tokens": 2e10}}),
    ):
        mixed, own = verb(alone, **given), verb(posterior, **given)
        xr.testing.assert_identical(mixed.draws.drop_vars("law"), own.draws)
        assert mixed.summary().equals(own.summary())
        assert mixed.status == own.status


def test_alternatives_and_predictions_mix_too(stack: bl.Stack, members: dict[str, bl.Posterior]) -> None:
    menu = compute_optimal.within(params=bl.Choices((35e9, 70e9)))
    found = bl.alternatives(stack, menu, flops=5.76e23)
    own = {name: bl.alternatives(one, menu, flops=5.76e23).summary()["p_best"] for name, one in members.items()}
    wanted = sum(WEIGHTS[name] * share for name, share in own.items())
    # A share of 4000 draws has a standard error of at most 0.008.
    np.testing.assert_allclose(found.summary()["p_best"], wanted, atol=0.04)
    assert 0.1 < found.summary()["p_best"].iloc[0] < 0.9  # the laws do not agree
    at = {"params": ["1B", "70B"], "tokens": "1.4T"}
    loss = bl.predict(stack, at).draws["loss"].to_numpy()
    mine = stack.laws.to_numpy() == "tight"
    np.testing.assert_array_equal(loss[mine], bl.predict(members["tight"], at).draws["loss"].to_numpy()[mine])


def test_laws_keep_their_own_decisions_and_columns(posterior: bl.Posterior) -> None:
    """Kaplan reads other columns and reports other names: what both report is kept."""
    runs = bl.load_chinchilla()
    named = runs.rename(columns={"params": "nonembedding_params", "tokens": "unique_tokens"})
    kaplan = bl.fit(Kaplan, named, seed=1, **QUICK)
    both = bl.stack({"chinchilla": posterior, "kaplan": kaplan}, method="equal")
    found = bl.allocate(both, flops=1e21)
    assert list(found.draws.data_vars) == ["tokens_per_param", "loss", "loss_new_run", "at_edge"]
    assert found.decision.report == ("tokens_per_param",)
    by_name = bl.allocate(both, "compute_optimal", flops=1e21)
    xr.testing.assert_identical(by_name.draws, found.draws)
    with pytest.raises(
        bl.InputError,
        match="'chinchilla', a law of this stack, cannot answer: Chinchilla has no decision 'enough_data'",
    ):
        bl.allocate(both, "enough_data", nonembedding_params=1e9, overfitting=0.1)
    with pytest.raises(
        bl.InputError, match="'kaplan', a law of this stack, cannot answer: column 'nonembedding_params'"
    ):
        bl.predict(both, {"params": 1e9, "tokens": 2e10})
    table = {"params": 1e9, "tokens": 2e10, "nonembedding_params": 9e8, "unique_tokens": 2e10}
    assert bl.predict(both, table).draws.sizes["scenario"] == 1


def test_members_may_have_different_numbers_of_draws(posterior: bl.Posterior) -> None:
    few = bl.fit(Chinchilla, bl.load_chinchilla(), seed=4, **QUICK)
    assert bl.stack({"many": posterior, "few": few}, method="equal").laws.shape == (4, 500)


def test_stacking_gives_the_weight_to_the_true_law() -> None:
    """Two exponents that differ by 0.25, 0.3 % noise and 150 runs: a law with one exponent misses by many times that."""
    truth = Chinchilla(E=1.7, a=0.4, alpha=0.5, b=0.45, beta=0.25)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    at = {"params": 10 ** rng.uniform(7.5, 10.5, 150), "tokens": 10 ** rng.uniform(9, 12, 150)}
    runs = bl.simulate(truth, at, noise=bl.LogNormal(scale=0.003), seed=1)  # type: ignore[arg-type]
    laws = bl.fit_many({"chinchilla": Chinchilla, "overtraining": Overtraining}, runs, noise=bl.LogNormal, **QUICK)
    for method in ("stacking", "pseudo-bma+"):
        found = bl.stack(laws, method=method)
        assert found.weights["chinchilla"] > 0.98
        assert sum(found.weights.values()) == pytest.approx(1)
    assert found.comparison is not None
    shown = repr(found)
    assert "Stack of 2 laws of loss: weights by pseudo-bma+" in shown
    assert "overtraining" in found._repr_html_()
    assert list(found.summary().columns[:2]) == ["weight", "elpd"]
    assert bl.stack(laws, method="equal").weights == {"chinchilla": 0.5, "overtraining": 0.5}


def test_what_is_wrong_with_a_member_is_on_the_result() -> None:
    with pytest.warns(UserWarning, match="not a result yet"):
        short = bl.fit(Chinchilla, bl.load_chinchilla(), chains=2, draws=40, warmup=200)
    found = bl.stack({"short": short, "again": short}, method="equal")
    assert not found.ok
    assert any(one.serious for one in bl.allocate(found, flops=1e21).status)


def test_what_cannot_be_stacked_is_said(posterior: bl.Posterior) -> None:
    class PerByte(Chinchilla):
        response = "nats_per_byte"

    values = {field.name: getattr(posterior.prior, field.name) for field in dataclasses.fields(posterior.prior)}
    other = dataclasses.replace(posterior, joint=Joint(PerByte(**values), posterior.noise_prior))
    for given, options, message in (
        ({}, {}, "stack needs posteriors by name"),
        ([posterior], {}, "stack needs posteriors by name"),
        ({"a": 1}, {}, "'a' should be a Posterior, as fit.. or load.. return it; got int"),
        (
            {"a": posterior, "b": other},
            {"method": "equal"},
            "about one response; these are a of loss, b of nats_per_byte",
        ),
        ({"a": posterior}, {"method": "bma"}, "method must be one of stacking, pseudo-bma., equal, got 'bma'"),
        ({"a": posterior}, {"weights": {"b": 1}}, "weights are of b; there must be one for each of a"),
        ({"a": posterior}, {"method": "equal", "by": "params"}, "by leaves groups out to find weights, and here"),
        ({"a": posterior}, {"weights": {"a": -1}}, "weights must not be negative, and not all zero"),
    ):
        with pytest.raises(bl.InputError, match=message):
            bl.stack(given, **options)  # type: ignore[arg-type]
