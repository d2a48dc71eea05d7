"""The numbers of Farseer, and ours, reproduced.

Each says where its expected figure comes from: *published*, *recomputed* from published data or coefficients,
*second-hand* (someone else's fit of the same runs), or *ours*. What the paper reports of models that are not in the
published file (a 25.1 B model, held-out 3.2 B and 6.4 B models, the fit of each piece) cannot be recomputed; where
published runs come near to it, the test says so.
"""

from collections.abc import Callable
from math import log
from typing import ClassVar

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from advised import advised_fit
from jaxtyping import Array
from least_squares import least_squares

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla, Farseer

PRINTED = Farseer.published()["li2025"]
REFIT = Farseer.published()["refit"]
SIZE, DATA, RESPONSE = "nonembedding_params", "tokens", "bits_per_character"
PARAMETERS = ("g", "s_g", "gamma", "a", "s_a", "alpha", "r", "s_r", "beta")
POINTS = {SIZE: [1e9, 6.4e9, 25.1e9], DATA: [1e11, 1e11, 1e12]}


@pytest.fixture(scope="module")
def table(fetched: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """All 404 rows, as the second-hand fits use them."""
    return fetched("farseer")


@pytest.fixture(scope="module")
def distinct(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table.duplicate].reset_index(drop=True)


def errors(law: bl.AbstractLaw, runs: pd.DataFrame) -> np.ndarray:
    """ln of what the law says over what was measured."""
    return np.log(law(**{SIZE: runs[SIZE], DATA: runs[DATA]}) / runs[RESPONSE].to_numpy())


def rms(law: bl.AbstractLaw, runs: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean(errors(law, runs) ** 2)))


def interior(law: Farseer, flops: float) -> list[float]:
    """Tokens per parameter at the local minima of the loss at fixed compute, from 0.01 to 1e5, to 0.03 %."""
    ratio = np.geomspace(1e-2, 1e5, 50_001)
    loss = law(**{SIZE: np.sqrt(flops / (6 * ratio)), DATA: np.sqrt(flops * ratio / 6)})
    inner = (loss[1:-1] < loss[:-2]) & (loss[1:-1] < loss[2:])
    return list(ratio[1:-1][inner])


# --- The published fits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "expected", "tolerance"),
    [
        pytest.param(PRINTED, [0.49857, 0.44644, 0.37958], 1e-5, id="li2025"),
        pytest.param(REFIT, [0.504229, 0.462269, 0.400077], 1e-6, id="refit"),
    ],
)
def test_loss_at_three_points(law: Farseer, expected: list[float], tolerance: float) -> None:
    """Recomputed from the published coefficients."""
    assert list(law(**POINTS)) == pytest.approx(expected, abs=tolerance)


@float64
def test_raw_is_the_papers_formula() -> None:
    """Eq. 3 with the coefficients of Eq. 15, written out; and back by `derived`, in billions."""
    N, D = (np.asarray(POINTS[name]) for name in (SIZE, DATA))
    exponent = np.exp(-0.124 * N**0.123 + 0.424)
    raw = np.exp(-0.021 * N**0.169 - 0.091) + np.exp(88.01 * N**-0.1 - 6.287) * D**-exponent
    np.testing.assert_allclose(PRINTED(**POINTS), raw, rtol=1e-12)
    found = REFIT.derived()
    expected = {"a1": -3.64018052694574, "b1": 2.426767169414907, "a2": 6.521067537526011, "b2": -1.8538051793707684,
                "a3": -2.0823163727130565, "b3": 1.277014316755749}  # fmt: skip
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-9)


def test_shapes_may_cross_zero() -> None:
    """At a shape of 0 each piece is a power law of the size, and nothing jumps there."""
    flat = Farseer(g=0.45, s_g=0.11, gamma=0.0, a=0.3, s_a=0.0, alpha=0.0, r=0.09, s_r=0.26, beta=0.0)
    n, d = np.asarray(POINTS[SIZE]) / 1e9, np.asarray(POINTS[DATA]) / 2e10
    np.testing.assert_allclose(flat(**POINTS), 0.45 * n**-0.11 + 0.09 * n**0.26 * d**-0.3, rtol=1e-12)
    for shape in (-1e-7, 1e-7, 1e-5):
        near = Farseer(g=0.45, s_g=0.11, gamma=shape, a=0.3, s_a=0.0, alpha=shape, r=0.09, s_r=0.26, beta=shape)
        np.testing.assert_allclose(near(**POINTS), flat(**POINTS), rtol=3 * abs(shape))


@float64
def test_printed_digits_do_not_determine_the_law() -> None:
    """Recomputed: within the rounding of Eq. 15 the loss at (1e9, 1e11) moves by up to 1.5 % (a3), 1.2 % (alpha) and
    1.1 % (beta) alone, by up to 2.6 % (95th percentile) together, and 5.6 % at (25.1e9, 1e12); the optimum at 1e21 FLOPs
    spans 2.3 to 36 tokens per parameter."""
    printed = {"a1": -0.124, "alpha": 0.123, "b1": 0.424, "a2": 88.01, "beta": -0.1, "b2": -6.287, "a3": -0.021,
               "gamma": 0.169, "b3": -0.091}  # fmt: skip
    rounding = {name: 0.5 * 10.0 ** -len(str(value).partition(".")[2]) for name, value in printed.items()}
    rounding["beta"] = 5e-4  # printed as -0.1, with three decimals elsewhere
    at = {SIZE: 1e9, DATA: 1e11}

    def moved(name: str) -> float:
        ends = Farseer.raw(**{**printed, name: printed[name] + rounding[name] * np.array([-1.0, 1.0])})
        return float(np.abs(ends.mean(**at) / centre - 1).max())

    centre = PRINTED(**at)
    assert [moved(name) for name in ("a3", "alpha", "beta")] == pytest.approx([0.015, 0.012, 0.011], abs=5e-4)
    rng = np.random.default_rng(0)
    laws = Farseer.raw(**{name: value + rng.uniform(-1, 1, 4000) * rounding[name] for name, value in printed.items()})
    for point, expected in ((at, 0.026), ({SIZE: 25.1e9, DATA: 1e12}, 0.056)):
        off = np.abs(laws.mean(**point) / PRINTED(**point) - 1)
        assert np.quantile(off, 0.95) == pytest.approx(expected, rel=0.05)  # 4000 draws: a standard error of 1 to 2 %
    ratio = np.geomspace(1, 1e3, 700)
    losses = np.asarray(jax.jit(jax.vmap(laws.mean))(np.sqrt(1e21 / (6 * ratio)), np.sqrt(1e21 * ratio / 6)))
    inner = (losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])
    best = np.where(inner.any(axis=0), ratio[1:-1][inner.argmax(axis=0)], np.nan)
    assert np.nanmin(best) < 2.3 < 33 < np.nanmax(best)  # the ends depend on the number of draws


# --- The runs ---------------------------------------------------------------------------------------------------------


def test_printed_law_on_the_runs(table: pd.DataFrame, distinct: pd.DataFrame) -> None:
    """Recomputed: the printed coefficients are 2.4 % too low on average."""
    assert (len(table), len(distinct)) == (404, 400)
    assert errors(PRINTED, distinct).mean() == pytest.approx(-0.024, abs=1e-3)
    assert rms(PRINTED, distinct) == pytest.approx(0.029, abs=1e-3)


def test_refit_on_the_runs(table: pd.DataFrame) -> None:
    """Second-hand, reproduced, on 404 rows: RMS, mean error, and BIC with 10 parameters and Gaussian noise."""
    off = errors(REFIT, table)
    assert rms(REFIT, table) == pytest.approx(0.0017647, abs=1e-6)
    assert np.abs(np.expm1(off)).mean() == pytest.approx(0.0014, abs=5e-5)
    n = len(table)
    assert n * (log(2 * np.pi * np.mean(off**2)) + 1) + 10 * log(n) == pytest.approx(-3916.0, abs=0.05)


# --- Three forms by least squares -------------------------------------------------------------------------------------


class ChinchillaBits(Chinchilla):
    """Chinchilla in the columns of these runs."""

    response: ClassVar = RESPONSE

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        return super().mean(nonembedding_params, tokens)


class OuterPower(bl.AbstractLaw):
    """E + r (share n^-alpha + (1 - share) d^-beta)^k, with n in billions and d in units of 20 B tokens."""

    response: ClassVar = RESPONSE
    E: bl.Scalar
    r: bl.Scalar
    share: bl.Scalar
    alpha: bl.Scalar
    beta: bl.Scalar
    k: bl.Scalar

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        size, data = (nonembedding_params / 1e9) ** -self.alpha, (tokens / 2e10) ** -self.beta
        return self.E + self.r * (self.share * size + (1 - self.share) * data) ** self.k

    @classmethod
    def prior(cls) -> "OuterPower":
        exponent = dist.LogNormal(log(0.33), 0.6)
        return cls(E=dist.LogNormal(log(0.4), 0.5), r=dist.LogNormal(log(0.2), 1.0), share=dist.Beta(2.0, 2.0),
                   alpha=exponent, beta=exponent, k=dist.LogNormal(0.0, 0.5))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "everywhere", "beyond"),
    [
        pytest.param(ChinchillaBits, 0.008499, 0.01379, id="Chinchilla"),
        pytest.param(OuterPower, 0.002468, 0.00357, id="outer-power"),
        pytest.param(Farseer, 0.001765, 0.0042, id="Farseer"),
    ],
)
def test_three_forms(law: type[bl.AbstractLaw], everywhere: float, beyond: float, table: pd.DataFrame) -> None:
    """Recomputed: RMS of the log loss on all 404 rows, to 1e-5, and of fits on N < 3.8e9 on the rest, to 3 %.

    Most of the gain over Chinchilla comes from one more parameter, and that form also predicts the larger models best.
    A second-hand 0.00263 for Farseer on the rest is not reproduced: the best of six starts gives 0.0041.
    """
    assert rms(least_squares(law, table), table) == pytest.approx(everywhere, abs=1e-5)
    small = table[SIZE] < 3.8e9
    assert rms(least_squares(law, table, inside=small), table[~small]) == pytest.approx(beyond, rel=0.03)


def test_the_largest_size_held_out(table: pd.DataFrame) -> None:
    """Ours: fitted on N < 5.4e9, RMS on the rows beyond to 5 % and the mean error on the 11 runs of 6.4 B.

    The paper has 0.0587 % for its 6.4 B model, fitted with more models than are in the file; we find 0.15 %.
    """
    small = table[SIZE] < 5.4e9
    law = least_squares(Farseer, table, inside=small)
    assert rms(law, table[~small]) == pytest.approx(0.00167, rel=0.05)
    rest = table[~small & ~table.duplicate]
    assert len(rest) == 11
    assert np.abs(np.expm1(errors(law, rest))).mean() == pytest.approx(0.0015, abs=5e-5)


# --- The decision -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flops", "expected"), [(1e19, 17.3), (1e20, 10.8), (1e21, 10.9), (1e22, 14.0), (5e22, 14.3)])
def test_interior_optimum_of_the_printed_law(flops: float, expected: float) -> None:
    """Recomputed."""
    assert interior(PRINTED, flops) == pytest.approx([expected], rel=0.01)


@pytest.mark.parametrize("flops", [7e22, 1e23, 1e24, 1e25])
def test_the_printed_law_has_no_optimum_from_7e22(flops: float) -> None:
    """Recomputed: the loss falls all the way to the largest model."""
    assert interior(PRINTED, flops) == []


REFIT_OPTIMUM = {1e19: 32.29, 1e20: 25.23, 1e21: 28.30, 1e22: 42.68, 1e23: 82.39, 1e24: 195.3, 1e25: 548.8}


def test_interior_optimum_of_the_refit() -> None:
    """Recomputed; the size at 1e21 FLOPs second-hand. At 1e25 the law's second branch is still the worse one."""
    for flops, expected in REFIT_OPTIMUM.items():
        (found,) = interior(REFIT, flops)
        assert found == pytest.approx(expected, rel=1e-3)
    assert np.sqrt(1e21 / 6 / interior(REFIT, 1e21)[0]) == pytest.approx(2.427e9, rel=1e-3)


BUDGETS = [1e19, 1e20, 1e21, 1e22, 5e22, 7e22, 1e23, 1e25]


@pytest.fixture(scope="module")
def simulated() -> bl.Posterior:
    """A fit of 63 runs simulated from the refit, with the scatter of the real ones."""
    size, data = np.meshgrid(np.geomspace(1e8, 6.4e9, 9), np.geomspace(1e9, 5e11, 7))
    design = {SIZE: size.ravel(), DATA: data.ravel()}
    runs = bl.simulate(REFIT, design, noise=bl.StudentT(df=25.0, scale=0.0017), seed=1)
    return advised_fit(Farseer, runs, seed=1, draws=600, warmup=600)


def test_the_search_and_its_edge(simulated: bl.Posterior) -> None:
    """The search finds the optima of the scan. The printed law is on the edge from 5e22 FLOPs on, where its second branch
    first wins within the runs' tokens per parameter, and the share of such draws is told."""
    draws = simulated.tree["posterior"].to_dataset().copy(deep=True)
    for where, law in ((slice(0, 60), PRINTED), (60, REFIT)):  # a tenth of each chain, and one draw
        for name in PARAMETERS:
            draws[name][:, where] = getattr(law, name)
    tree = simulated.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    found = bl.allocate(bl.Posterior(tree, simulated.joint), flops=BUDGETS)
    printed, refit = (found.draws.isel(chain=0, draw=draw) for draw in (0, 60))

    on_edge = [flops >= 5e22 for flops in BUDGETS]
    assert list(printed.at_edge) == on_edge
    np.testing.assert_allclose(printed.tokens_per_param, [17.3, 10.8, 10.9, 14.0, 0.3, 0.3, 0.3, 0.3], rtol=0.01)
    assert (found.edge_share >= 0.1 * np.array(on_edge)).all()
    told = [status.text for status in found.status if "edge of the search box" in status.text]
    assert all(any(f"flops = {flops:.4g} " in text for text in told) for flops in BUDGETS if flops >= 5e22)
    assert not refit.at_edge.any()
    for flops, expected in REFIT_OPTIMUM.items():
        if flops in BUDGETS:
            assert float(refit.tokens_per_param[BUDGETS.index(flops)]) == pytest.approx(expected, rel=1e-3)


def test_recovery(simulated: bl.Posterior) -> None:
    """What the runs determine: values and rates at the reference, an unseen larger run, and the optimum.

    99 % intervals: each of the 13 truths may lie outside in one simulation of a hundred.
    """
    assert simulated.ok
    summary = simulated.summary(prob=0.99)
    for name in PARAMETERS:
        assert summary.lower[name] < getattr(REFIT, name) < summary.upper[name], name
    assert summary.sd["g"] < 0.01 * summary["mean"]["g"]
    mean = bl.predict(simulated, {SIZE: 25.1e9, DATA: 1e12}, misfit=False).summary(prob=0.99)
    row = mean.xs(RESPONSE, level="quantity").iloc[0]
    assert row.lower < 0.400077 < row.upper
    assert row.upper - row.lower < 0.02
    found = bl.allocate(simulated, flops=BUDGETS)
    best = found.summary(prob=0.99).xs("tokens_per_param", level="quantity")
    for flops in (1e20, 1e21):
        assert best.lower[flops] < REFIT_OPTIMUM[flops] < best.upper[flops]
        assert best.upper[flops] / best.lower[flops] < 2
    # So few runs do not rule out the second branch further on: that is what the edge share is for.
    assert float(found.edge_share[BUDGETS.index(1e21)]) < 0.005 < float(found.edge_share[BUDGETS.index(1e25)])


@pytest.mark.slow
def test_posterior_of_the_400_runs(distinct: pd.DataFrame) -> None:
    """Ours: medians and 95 % intervals of tokens per parameter, and of the mean at 25.1 B, from another program's fit.

    Ends have Monte Carlo errors of 5 to 14 % of the sd in either (a tail is worth some 400 draws), hence 0.35; at 1e21
    that fit's figures are off ours by up to 1 % beyond (we have 27.3, 28.2, 29.1), hence 1.5 %.
    """
    posterior = advised_fit(Farseer, distinct, seed=1)
    assert posterior.ok
    assert posterior.summary().r_hat.max() < 1.01
    expected = {1e19: (31.7, 32.7, 33.7), 1e21: (27.1, 28.4, 28.8), 1e23: (73.4, 81.7, 89.6), 1e24: (163, 190, 218)}
    found = bl.allocate(posterior, flops=list(expected))
    best = found.summary(prob=0.95).xs("tokens_per_param", level="quantity")
    for i, (flops, figures) in enumerate(expected.items()):
        sd = float(found.draws.tokens_per_param[..., i].std())
        ours = best.loc[flops, ["lower", "median", "upper"]]
        assert list(ours) == pytest.approx(figures, rel=0.015, abs=0.35 * sd)
    assert float(found.edge_share.max()) <= 0.001  # no interior optimum: at most 4 of 4,000 draws, at 1e24
    large = bl.predict(posterior, {SIZE: 25.1e9, DATA: 1e12}, misfit=False).summary(prob=0.95)
    row = large.xs(RESPONSE, level="quantity").iloc[0]
    assert [row.lower, row["median"], row.upper] == pytest.approx([0.3989, 0.4000, 0.4008], abs=2e-4)
