"""The plots of arms and of profiles, by the numbers they draw."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw._tree import evaluate, nth
from bayeslaw.models import Chinchilla
from bayeslaw.models.chinchilla import compute_optimal
from bayeslaw.plots import plot_arms, plot_profiles

TRUTH = Chinchilla.published()["besiroglu2024"]
BUDGETS = np.geomspace(1e18, 1e20, 3)


class Gain(bl.AbstractLaw):
    gain: bl.Scalar

    def mean(self, params: jax.Array, tokens: jax.Array, arm: jax.Array) -> jax.Array:  # type: ignore[override]
        size = jnp.sqrt(nth([1.0, self.gain], arm))
        return evaluate(TRUTH, {"params": params * size, "tokens": tokens * size})

    def categories(self) -> dict[str, tuple[str, ...]]:
        return {"arm": ("A", "B")}

    def optional(self) -> tuple[str, ...]:
        return ("arm",)

    @classmethod
    def prior(cls) -> "Gain":
        return cls(gain=dist.LogNormal(0.0, 0.5))  # type: ignore[arg-type]

    def decisions(self) -> dict[str, bl.Decision]:
        return {"compute_optimal": compute_optimal}


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """Five sizes at each of three budgets."""
    best = np.sqrt(BUDGETS / 120)
    params = (best[:, None] * np.geomspace(0.25, 4, 5)).ravel()
    table = {"params": params, "tokens": np.repeat(BUDGETS, 5) / (6 * params)}
    return bl.simulate(TRUTH, table, noise=bl.LogNormal(scale=0.003), seed=0)


@pytest.fixture(scope="module")
def gained(runs: pd.DataFrame) -> bl.Posterior:
    both = pd.concat([runs.assign(arm="A"), runs.assign(arm="B", loss=runs.loss * 0.99)])
    return bl.fit(Gain, both, noise=bl.LogNormal, method="importance", seed=1, draws=200)


def test_arms_are_drawn_with_their_runs_and_the_threshold(gained: bl.Posterior) -> None:
    arms = bl.compare_arms(gained, flops=[1e21, 1e19, 1e20])
    ax = plot_arms(arms, above=1.1)
    (line,) = (one for one in ax.lines if str(one.get_label()).startswith("B:"))
    medians = arms.summary().xs(("B", "multiplier"), level=("arm", "quantity"))["median"].to_numpy()
    np.testing.assert_allclose(line.get_xydata(), np.column_stack([[1e19, 1e20, 1e21], medians[[1, 2, 0]]]))
    assert "P(above 1.1) = " in str(line.get_label())
    grey, own = (one for one in ax.lines if one.get_linewidth() == 3)
    np.testing.assert_allclose(own.get_xdata(), [1e19 / 3, 1e20])  # cut where nothing is drawn
    assert own.get_color() == line.get_color() != grey.get_color()
    assert len(ax.collections) == 2
    assert ax.get_xscale() == ax.get_yscale() == "log"
    single = plot_arms(bl.compare_arms(gained, flops=1e20))
    assert not single.collections
    assert plot_arms(arms, ax=single) is single
    with pytest.raises(bl.InputError, match="prob"):
        plot_arms(arms, prob=2.0)


def test_profiles_are_drawn_with_their_minima_and_a_law(runs: pd.DataFrame, posterior: bl.Posterior) -> None:
    profiles = bl.isoflop(runs)
    left, right = plot_profiles(profiles, profiles.against(posterior))
    dots = [one for one in left.lines if one.get_marker() == "o"]
    assert [len(np.asarray(one.get_xdata())) for one in dots] == [5, 5, 5]
    bars = [np.asarray(one.get_xdata()) for one in left.lines if one.get_linewidth() == 4]
    frame = profiles.summary().xs("params", level="quantity")
    np.testing.assert_allclose(np.array(bars), frame[["lower", "upper"]].to_numpy())
    labels = [text.get_text() for text in right.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels[0].startswith("params ~ flops^0.")
    assert "optimum of the law" in labels
    with pytest.raises(bl.InputError, match="draws 2 panels here, and 1 axes were given"):
        plot_profiles(profiles, axes=[left])


def test_minima_that_are_not_used_are_hollow(runs: pd.DataFrame) -> None:
    profiles = bl.isoflop(runs[(runs.params * runs.tokens * 6 < 5e19) | (runs.params > 1.5 * np.sqrt(1e20 / 120))])
    assert list(profiles.table["used"]) == [True, True]  # two sizes at the third budget
    few = runs.drop(index=runs.index[[10, 11]])
    _, right = plot_profiles(bl.isoflop(few, window=100.0))
    labels = [text.get_text() for text in right.get_legend().get_texts()]  # type: ignore[union-attr]
    assert "the same, not used" in labels
