"""The search, the statuses of an allocation, and predictions."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayeslaw as bl
from bayeslaw._search import search
from bayeslaw._tree import float64
from bayeslaw.models.chinchilla import Chinchilla, compute_optimal


def decision(**choose: Any) -> bl.Decision:
    return bl.Decision("where?", choose=choose, given=(), derive=lambda: {}, report=())


@pytest.mark.parametrize("size", [1, 2, 3])
@float64
def test_search_finds_a_bowl_in_any_dimension(size: int) -> None:
    truth = np.array([0.3, -1.7, 4.1])[:size]
    spaces = {f"x{i}": bl.Range(-5.0, 5.0) for i in range(size)}

    def score(choice: Mapping[str, jax.Array]) -> jax.Array:
        x = jnp.stack([choice[name] for name in spaces])
        return jnp.sum((x - truth) ** 2) + 0.5 * jnp.sum(x - truth) ** 2

    found, edge = jax.jit(lambda: search(decision(**spaces), score))()
    np.testing.assert_allclose([found[name] for name in spaces], truth, atol=2e-5)
    assert not edge


@float64
def test_search_passes_local_minima_and_sees_edges() -> None:
    def wavy(choice: Mapping[str, jax.Array]) -> jax.Array:
        return (choice["x"] - 3.0) ** 2 / 10 + jnp.cos(4 * choice["x"])

    grid = np.linspace(-5, 5, 2_000_001)
    best = grid[np.argmin((grid - 3.0) ** 2 / 10 + np.cos(4 * grid))]
    found, _ = jax.jit(lambda: search(decision(x=bl.Range(-5.0, 5.0)), wavy))()
    assert float(found["x"]) == pytest.approx(best, abs=1e-5)
    found, edge = jax.jit(lambda: search(decision(x=bl.LogRange(1.0, 100.0)), lambda c: -c["x"]))()
    assert float(found["x"]) == pytest.approx(100.0)
    assert edge


@float64
def test_menus_are_enumerated_with_the_continuous_optimum_inside() -> None:
    """min over k of (k - x)^2 + (x - 2.6)^2: for k in 1..5 the best is k = 3, x = 2.8."""

    def score(choice: Mapping[str, jax.Array]) -> jax.Array:
        return (choice["k"] - choice["x"]) ** 2 + (choice["x"] - 2.6) ** 2

    found, edge = jax.jit(lambda: search(decision(k=bl.Integers(1, 5), x=bl.Range(0.0, 10.0)), score))()
    assert float(found["k"]) == 3.0
    assert float(found["x"]) == pytest.approx(2.8, abs=1e-5)
    assert not edge
    _, edge = jax.jit(lambda: search(decision(k=bl.Integers(4, 9)), lambda c: c["k"]))()
    assert edge
    _, edge = jax.jit(lambda: search(decision(k=bl.Choices((4.0, 9.0))), lambda c: c["k"]))()
    assert not edge  # a menu has no edge


def test_many_budgets_named_dimensions_and_units(posterior: bl.Posterior) -> None:
    allocation = bl.allocate(posterior, flops=[1e20, "1e21", "5.76e23"])
    assert dict(allocation.draws.sizes) == {"chain": 4, "draw": 1000, "scenario": 3}
    assert allocation.draws["flops"].dims == ("scenario",)
    assert set(allocation.draws.data_vars) == {
        "params", "tokens", "tokens_per_param", "loss", "loss_new_run", "at_edge"
    }  # fmt: skip
    assert allocation.draws["params"].attrs["units"] == "parameters"
    assert allocation.draws["loss_new_run"].attrs["covers"] == "new run"
    np.testing.assert_allclose(
        6 * allocation.draws["params"] * allocation.draws["tokens"] / allocation.draws["flops"], 1
    )
    summary = allocation.summary(prob=0.5)
    wide = allocation.summary(prob=0.95)
    assert (wide["upper"] - wide["lower"] > summary["upper"] - summary["lower"]).all()
    assert (summary["at_edge"] == 0).all()
    one = bl.allocate(posterior, flops=1e21).draws["params"][:, :, 0]
    np.testing.assert_allclose(one, allocation.draws["params"][:, :, 1], rtol=1e-12)
    # a new run scatters more than the mean function
    assert (summary.xs("loss_new_run", level="quantity")["upper"] > summary.xs("loss", level="quantity")["upper"]).all()


def test_the_optimum_is_the_lowest_predicted_loss(posterior: bl.Posterior) -> None:
    """No plan on a fine grid of the same budget beats the optimum in any draw."""
    allocation = bl.allocate(posterior, flops=1e22)
    params = np.geomspace(1e8, 1e12, 60)
    losses = bl.predict(posterior, {"params": params, "tokens": 1e22 / (6 * params)}, misfit=False).draws["loss"]
    assert bool((losses.min("scenario") >= allocation.draws["loss"][:, :, 0] - 1e-12).all())


def test_edge_is_never_hidden(posterior: bl.Posterior) -> None:
    narrow = compute_optimal.within(params=bl.LogRange(1e9, 2e9))
    allocation = bl.allocate(posterior, narrow, flops=[1e19, 5.76e23])
    assert allocation.edge_share.to_numpy().tolist() == [1.0, 1.0]
    assert any("on the edge of the search box in 100% of draws" in one.text for one in allocation.status)
    menu = compute_optimal.within(params=bl.Choices((7e9, 13e9, 70e9)))
    chosen = bl.allocate(posterior, menu, flops=5.76e23).draws["params"]
    assert set(np.unique(chosen)) <= {7e9, 13e9, 70e9}
    assert float((chosen == 70e9).mean()) > 0.9
    with pytest.raises(bl.InputError, match="no closed form"):
        bl.allocate(posterior, narrow, method="closed_form", flops=1e20)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flop": 1e20}, "'flop' is not a quantity of this decision: give flops. Did you mean 'flops'"),
        ({}, "the decision needs flops; flops is missing"),
        ({"flops": "lots"}, r"should hold numbers .* found row 0 \('lots'\)"),
        ({"flops": -1e20}, "'flops' must be at least 1; found row 0"),
        ({"flops": float("nan")}, "'flops' is not finite in row 0"),
        ({"flops": 1e4}, r"flops = 1e\+04 cannot be met: with params in LogRange\(1e\+06, 1e\+14\), tokens would be 0.00167"),
    ],
)  # fmt: skip
def test_bad_budgets(posterior: bl.Posterior, given: dict[str, Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.allocate(posterior, **given)


def test_an_objective_of_ones_own(posterior: bl.Posterior) -> None:
    """With a price of 0.01 nats for each billion parameters the best model is smaller in every draw."""
    import dataclasses

    penalised = dataclasses.replace(
        compute_optimal, objective=lambda law, plan: law.mean(plan["params"], plan["tokens"]) + plan["params"] / 1e11
    )
    small = bl.allocate(posterior, penalised, flops=1e22).draws["params"]
    large = bl.allocate(posterior, flops=1e22).draws["params"]
    assert bool((small < large).all())


def test_a_law_without_decisions_says_so() -> None:
    class Flat(bl.AbstractLaw):
        level: bl.Scalar

        def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return self.level + 0 * params

        @classmethod
        def prior(cls) -> "Flat":
            return cls(level=dist.LogNormal(0.0, 1.0))

    fitted = bl.fit(Flat, {"params": [1e9] * 8, "loss": np.linspace(2.0, 2.1, 8)}, noise=bl.LogNormal)
    with pytest.raises(bl.InputError, match="Flat declares no decision"):
        bl.allocate(fitted, flops=1e20)
    with pytest.raises(bl.InputError, match="expected a Posterior"):
        bl.allocate(Flat, flops=1e20)  # type: ignore[arg-type]


def test_prediction_covers_held_out_runs(epoch240: Any) -> None:
    """Fit three quarters, predict the rest: 90 % intervals of a new run hold about 90 %."""
    held = np.arange(len(epoch240)) % 4 == 0
    fitted = bl.fit(Chinchilla, epoch240[~held], seed=1)
    rest = epoch240[held]
    row = bl.predict(fitted, rest[["params", "tokens"]]).summary(0.9).xs("loss_new_run", level="quantity")
    inside = (row["lower"].to_numpy() < rest.loss.to_numpy()) & (rest.loss.to_numpy() < row["upper"].to_numpy())
    # Binomial(60, 0.9): below 46 with probability 0.2 %
    assert 46 <= inside.sum() <= 60


def test_distance_from_the_data_is_said(posterior: bl.Posterior) -> None:
    near = bl.predict(posterior, {"params": [1e9], "tokens": [2e10]})
    assert near.status == ()
    far = bl.predict(posterior, {"params": [1e12, 1e6], "tokens": [2e10, 2e10]})
    text = "\n".join(map(str, far.status))
    assert "params goes 1.8 decades above the runs" in text
    assert "params goes 1.8 decades below the runs" in text
    assert "1T" in repr(far)


def test_bad_prob(posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match="prob is the credible mass, between 0 and 1"):
        bl.allocate(posterior, flops=1e20).summary(prob=90)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (lambda: bl.Range(2.0, 1.0), "low must be below high"),
        (lambda: bl.LogRange(0.0, 1.0), "starts above zero"),
        (lambda: bl.Integers(5, 1), "needs low <= high"),
        (lambda: bl.Choices(()), "at least one value"),
    ],
)
def test_bad_spaces(space: Any, message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        space()


class Rising(bl.AbstractLaw):
    """loss = a exp(params / 1e9)"""

    a: bl.Scalar

    def mean(self, params: Any) -> Any:
        return self.a * jnp.exp(params / 1e9)

    @classmethod
    def prior(cls) -> "Rising":
        return cls(a=dist.LogNormal(0.0, 1.0))


def test_a_prediction_that_overflows_says_so() -> None:
    runs = bl.simulate(Rising(a=1.0), {"params": np.geomspace(1e8, 1e9, 12)}, noise=bl.LogNormal(scale=0.01))
    fitted = bl.fit(Rising, runs, noise=bl.LogNormal, method="importance", draws=250)
    found = bl.predict(fitted, {"params": ["500M", "1T"]}, misfit=False)
    first, *_ = found.status
    assert first.serious
    assert "loss has no finite value in 100% of draws at scenario 1: the formula overflows" in first.text
    table = found.summary()
    assert np.isfinite(table.loc[5e8, "median"]).all()
    assert table.loc[1e12, "median"].isna().all()  # and no infinity
