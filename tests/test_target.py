"""The cheapest way to a target, aims out of reach, choices among names, and what may be given besides."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw._target import solve
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla


@float64
def test_solve_inverts_the_law() -> None:
    law = Chinchilla.published()["besiroglu2024"]
    target = float(law(params=7e9, tokens=3e11))
    assert float(solve(law, {"params": 7e9, "target": target}, "tokens", 1.0, 1e18)) == pytest.approx(3e11, rel=1e-6)
    assert np.isnan(solve(law, {"params": 7e9, "target": 1.5}, "tokens", 1.0, 1e18))  # below the floor


def test_without_inference_the_cheapest_is_compute_optimal(posterior: bl.Posterior) -> None:
    """The least compute for the loss at the optimum of a budget is that budget."""
    best = bl.allocate(posterior, flops=1e22).draws
    target = float(best["loss"].median())
    found = bl.allocate(posterior, bl.cheapest, target=target, inference_tokens=[0, 1e13]).draws
    np.testing.assert_allclose(found["loss"], target, rtol=1e-6)
    at_median = np.abs(best["loss"].to_numpy()[..., 0] - target) < 1e-4
    flops = found["flops"].to_numpy()[..., 0][at_median]
    assert at_median.sum() > 10
    np.testing.assert_allclose(flops, 1e22, rtol=0.02)  # 1e-4 nats are 1 % of compute here
    assert (found["params"][..., 1] < found["params"][..., 0]).all()  # inference makes smaller models cheaper


def test_draws_that_cannot_reach_the_target_are_counted(posterior: bl.Posterior) -> None:
    floor = float(np.median(posterior.draws["E"]))
    found = bl.allocate(posterior, bl.cheapest, target=floor, inference_tokens=0)
    missed = np.isnan(found.draws["params"].to_numpy())
    assert missed.mean() < 0.9
    assert (missed[..., 0] >= (posterior.draws["E"] >= floor)).all()
    text = next(str(one) for one in found.status if "out of reach" in str(one))
    assert f"is out of reach in {missed.mean():.1%} of draws" in text
    assert np.isfinite(found.summary()["median"]).all()
    with pytest.raises(bl.InputError, match=r"target = 0\.5, inference_tokens = 0 is out of reach in every draw"):
        bl.allocate(posterior, bl.cheapest, target=0.5, inference_tokens=0)


class Recipes(bl.AbstractLaw):
    """A loss by recipe and size, for these tests."""

    level: bl.Scalar
    gain: bl.Scalar

    def mean(self, params: jax.Array, recipe: jax.Array) -> jax.Array:  # type: ignore[override]
        return self.level + jnp.where(recipe == 1, self.gain, 0.0) + (params / 1e9) ** -0.3

    def categories(self) -> dict[str, tuple[str, ...]]:
        return {"recipe": ("plain", "long")}

    @classmethod
    def prior(cls) -> "Recipes":
        return cls(level=dist.LogNormal(0.7, 0.2), gain=dist.Normal(0.0, 0.1))

    def decisions(self) -> dict[str, bl.Decision]:
        return {"recipe": recipe}


recipe = bl.Decision(
    question="Which recipe and size?",
    choose={"recipe": bl.Choices(("long", "plain")), "params": bl.LogRange(1e6, 1e10)},
    given=("flops",),
    derive=lambda params, flops: {},
    report=("recipe", "params"),
)


def test_choices_among_names_are_reported_as_shares() -> None:
    """Two recipes that are alike: the share of draws in which one is better, counted by hand."""
    rng = np.random.default_rng(0)
    names = np.array(["plain", "long"] * 20)
    loss = 3.0 + rng.normal(0, 0.02, 40)
    runs = {"params": np.full(40, 1e9), "recipe": names, "loss": loss}
    posterior = advised_fit(Recipes, runs, noise=bl.LogNormal, seed=1, draws=500)
    found = bl.allocate(posterior, flops=1e20)
    assert found.draws["recipe"].attrs["names"] == ["plain", "long"]
    share = float((posterior.draws["gain"] < 0).mean())
    assert 0.01 < share < 0.99
    summary = found.summary()
    assert summary.loc[(1e20, "recipe=long"), "median"] == pytest.approx(share)
    assert summary.loc[(1e20, "recipe=plain"), "median"] == pytest.approx(1 - share)
    assert summary.loc[(1e20, "recipe=plain"), "covers"] == "share of draws"
    assert "recipe=long" in repr(found)


def test_a_menu_holds_numbers_or_names() -> None:
    assert bl.Choices(("a", "b")).names == ("a", "b")
    assert bl.Choices((1, 2.5)).names == ()
    with pytest.raises(bl.InputError, match="at least one value"):
        bl.Choices(())
    with pytest.raises(ValueError, match="could not convert"):
        bl.Choices(("a", 2))  # type: ignore[arg-type]


def test_what_a_law_lets_one_leave_out_may_be_given_to_a_decision() -> None:
    """A hyperparameter beside the budget: checked here, used in test_penalised."""
    law = bl.Penalised(Chinchilla, ("lr",))
    decision = law.decisions()["compute_optimal"]
    decision.check_given({"flops": 1e20, "lr": 1e-3}, law.optional())
    with pytest.raises(
        bl.InputError, match=r"'rate' is not a quantity of this decision: give flops \(and lr if you like"
    ):
        decision.check_given({"flops": 1e20, "rate": 1e-3}, law.optional())
