"""Infinite compute: the numbers of Kim et al. 2025 (arXiv 2509.14786) and ours, reproduced.

Each says where its expected figure comes from: *published* in the authors' code, *second-hand* where readers of the paper
quote it, *recomputed* from these, or *ours*. No table of runs is published: the asymptotes below are the data.
"""

from math import log

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from scipy.optimize import curve_fit

import bayeslaw as bl
from bayeslaw.models import InfiniteCompute
from bayeslaw.models.infinite_compute import D0, RECIPES

TOKENS = D0 * 2.0 ** np.arange(4)
SIZES = np.array([0.15, 0.3, 0.6, 1.4])  # parameters in 1e9
# Published: limits of many members with heuristic hyperparameters, a row per size, a column per count of seed tokens.
LIMITS = np.array([
    [3.494941417720857, 3.399930198165533, 3.357577868802383, 3.2995859709652104],
    [3.2729813419904183, 3.1503966937866053, 3.1018990697199413, 3.0172424035912697],
    [3.2122277662817145, 3.0519037696079496, 2.9058312693222317, 2.8262327566492838],
    [3.173966150932168, 3.002520844567612, 2.8680140499504847, 2.752375695327966],
])  # fmt: skip
# Second-hand: the asymptote of each recipe at the four counts of seed tokens.
SERIES = {
    "standard": [3.75, 3.48, 3.24, 3.05], "regularised": [3.43, 3.22, 3.03, 2.88], "joint": [3.17, 2.98, 2.81, 2.67]
}  # fmt: skip
LAW = InfiniteCompute.published()["kim2025"]


def power(x: np.ndarray, A: float, B: float, C: float) -> np.ndarray:
    return A / x**B + C


def least_squares(x: np.ndarray, y: np.ndarray, start: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Three coefficients and their standard errors, with one degree of freedom left."""
    found, covariance = curve_fit(power, x, y, p0=start, maxfev=20_000)
    return found, np.sqrt(np.diag(covariance))


# --- The published figures --------------------------------------------------------------------------------------------


def test_standard_data_law() -> None:
    """Recomputed from the second-hand law."""
    assert LAW(unique_tokens=TOKENS, recipe="standard") == pytest.approx([3.7520, 3.4776, 3.2436, 3.0441], abs=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_printed_laws_meet_their_series(recipe: str) -> None:
    """Second-hand, both: within the 0.03 nats that rounding of the coefficients costs."""
    assert LAW(unique_tokens=TOKENS, recipe=recipe) == pytest.approx(SERIES[recipe], abs=0.03)


def test_raw_coefficients_come_back() -> None:
    derived = LAW.derived()
    assert [float(derived[f"A[{one}]"]) for one in RECIPES] == pytest.approx([1.30, 1.03, 0.88])
    assert [LAW.a[one] for one in RECIPES] == pytest.approx([1.86, 1.48, 1.28], abs=0.005)


@pytest.mark.parametrize(
    ("loss", "ours", "quoted"),
    [
        pytest.param(3.43, 2.28, 2.29, id="regularised"),
        pytest.param(3.34, 2.97, 3.03, id="ensemble"),
        pytest.param(3.17, 5.10, 5.17, id="joint"),
        pytest.param(3.462, 2.09, 2.09, id="one of 1.4 B"),
        pytest.param(3.264, 3.75, 3.75, id="five of 1.4 B"),
    ],
)
def test_data_efficiency(loss: float, ours: float, quoted: float) -> None:
    """Ours, from the rounded standard law, to 0.5 %; second-hand, from the unrounded, to the 2 % that rounding costs."""
    found = float(LAW.effective_tokens(loss)) / D0
    assert found == pytest.approx(ours, rel=5e-3)
    assert found == pytest.approx(quoted, rel=0.025)


def test_what_no_amount_of_standard_text_reaches() -> None:
    assert LAW.effective_tokens(1.89) == np.inf
    assert LAW.effective_tokens(1.5) == np.inf


@pytest.mark.parametrize(
    ("place", "expected", "error"),
    [
        (0, (0.0158, 1.594, 3.1690), 0.012),
        (1, (0.0362, 1.291, 2.9800), 0.004),
        (2, (0.0897, 0.977, 2.7893), 0.096),
        (3, (0.1186, 0.893, 2.6568), 0.063),
    ],
)
def test_limits_over_size(place: int, expected: tuple[float, ...], error: float) -> None:
    """Recomputed: A, B, C over size at each count of seed tokens, and the standard error of C."""
    found, errors = least_squares(SIZES, LIMITS[:, place], (0.05, 1.0, 3.0))
    assert found == pytest.approx(expected, abs=1e-3)
    assert errors[2] == pytest.approx(error, abs=1e-3)


def test_limits_over_text() -> None:
    """Recomputed: the outer fit of the nested ones; its constant has a standard error of 0.58."""
    limits = [least_squares(SIZES, column, (0.05, 1.0, 3.0))[0][2] for column in LIMITS.T]
    found, errors = least_squares(TOKENS / 1e9, np.array(limits), (1.0, 0.3, 1.8))
    assert found == pytest.approx([0.962, 0.228, 1.798], abs=1e-3)
    assert errors[2] == pytest.approx(0.58, abs=0.01)


@pytest.mark.parametrize(
    ("recipe", "expected", "error"),
    [
        ("standard", (1.202, 0.245, 1.989), 0.21),
        ("regularised", (1.000, 0.233, 1.992), 0.22),
        ("joint", (0.995, 0.215, 1.779), 0.14),
    ],
)
def test_least_squares_on_the_series(recipe: str, expected: tuple[float, ...], error: float) -> None:
    """Ours."""
    found, errors = least_squares(TOKENS / 1e9, np.array(SERIES[recipe]), (1.0, 0.3, 1.8))
    assert found == pytest.approx(expected, abs=1e-3)
    assert errors[2] == pytest.approx(error, abs=0.006)


# --- The data law -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"recipe": recipe, "unique_tokens": tokens, "loss": loss}
            for recipe, losses in SERIES.items()
            for tokens, loss in zip(TOKENS, losses, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def shared(series: pd.DataFrame) -> bl.Posterior:
    return advised_fit(InfiniteCompute, series, draws=1500, warmup=500, target_accept=0.95, seed=1)


def test_one_entropy_for_all_recipes(shared: bl.Posterior) -> None:
    """Ours: medians and 95 % intervals, to 2 %; ends of E to the 1.5 % of their Monte Carlo error more."""
    assert shared.ok, shared.status
    found = shared.summary(prob=0.95)
    assert found["median"]["E"] == pytest.approx(1.93, rel=0.02)
    assert list(found.loc["E", ["lower", "upper"]]) == pytest.approx([1.67, 2.11], rel=0.035)
    for recipe, expected in (("regularised", (2.19, 2.28, 2.38)), ("joint", (4.87, 5.09, 5.36))):
        row = found.loc[f"data_efficiency[{recipe}]", ["lower", "median", "upper"]]
        assert list(row) == pytest.approx(expected, rel=0.02)


@pytest.mark.slow
def test_an_entropy_per_recipe(series: pd.DataFrame) -> None:
    """Ours: the same prior on each recipe's own E, given as a dictionary."""
    own = {recipe: dist.LogNormal(log(1.8), 0.2) for recipe in RECIPES}
    law = eqx.tree_at(lambda law: law.E, InfiniteCompute.prior(), own)
    posterior = advised_fit(law, series, draws=2000, target_accept=0.99, seed=1)
    assert posterior.ok, posterior.status
    found = posterior.summary(prob=0.95)
    for recipe, median, low, high in (
        ("standard", 1.96, 1.52, 2.28), ("regularised", 1.96, 1.47, 2.24), ("joint", 1.79, 1.43, 2.07),
    ):  # fmt: skip
        row = found.loc[f"E.{recipe}"]
        assert row["median"] == pytest.approx(median, rel=0.02)
        assert [row.lower, row.upper] == pytest.approx([low, high], rel=0.05)  # 2 %, and Monte Carlo error of the ends
    for recipe, expected in (("regularised", (2.17, 2.27, 2.38)), ("joint", (4.85, 5.12, 5.40))):
        row = found.loc[f"data_efficiency[{recipe}]", ["lower", "median", "upper"]]
        assert list(row) == pytest.approx(expected, rel=0.02)


def test_which_recipe_and_what_it_is_worth(shared: bl.Posterior) -> None:
    """The joint recipe in every draw; its efficiency is that of `derived`, and the standard recipe's is one."""
    found = bl.allocate(shared, unique_tokens=D0)
    assert (found.draws["recipe"] == RECIPES.index("joint")).all()
    assert found.summary().loc[(D0, "recipe=joint"), "median"] == 1.0
    np.testing.assert_allclose(
        found.draws["data_efficiency"][..., 0], shared.derived["data_efficiency[joint]"], rtol=1e-9
    )
    decision = shared.prior.decisions()["recipe"]
    standard = bl.allocate(shared, decision.within(recipe=bl.Choices(("standard",))), unique_tokens=[D0, 1e10]).draws
    np.testing.assert_allclose(standard["effective_tokens"][..., 0], D0, rtol=1e-9)
    np.testing.assert_allclose(standard["data_efficiency"], 1, rtol=1e-9)


def test_a_dictionary_of_entropies_is_read_by_recipe() -> None:
    """Its least is the floor, and a single number is that of all."""
    assert float(LAW.floor()) == pytest.approx(1.89)
    one = InfiniteCompute.raw(E=1.9, A=dict.fromkeys(RECIPES, 1.0), B=dict.fromkeys(RECIPES, 0.2))
    assert one(unique_tokens=1e9, recipe=list(RECIPES)) == pytest.approx([2.9, 2.9, 2.9])
    assert one.floor() == 1.9
    with pytest.raises(bl.InputError, match="'ensemble' is not one of standard, regularised, joint"):
        one(unique_tokens=1e9, recipe="ensemble")


def test_the_law_holds_for_scalars_in_jax() -> None:
    law = eqx.tree_at(lambda law: law.E, LAW, 1.9)
    assert float(law.mean(jnp.asarray(D0), jnp.asarray(2.0))) == pytest.approx(1.9 + LAW.a["joint"])


def test_members_gain_at_every_size() -> None:
    """What the published limits say of the law's form: the gain from members hardly depends on size (second-hand curve of
    one model against the published limits of many, 210 M tokens), while that from size grows with text."""
    single = power(SIZES, 0.05, 1.02, 3.43)
    gain = single - LIMITS[:, 0]
    assert gain == pytest.approx(0.303, abs=0.026)
    from_size = LIMITS[0] - LIMITS[-1]
    assert (np.diff(from_size) > 0).all()
    assert from_size[-1] > 1.6 * from_size[0]
