"""Test-time compute (Snell et al. 2024, arXiv 2408.03314): the exchange rate, strategies by difficulty, adaptive samples.

Each expected figure says where it comes from: *published*, *recomputed* from published numbers, or *ours*. The paper's
accuracies are curves in figures, so strategies are fitted to a simulated table.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.optimize import brentq, minimize
from scipy.special import betaln, expit

import bayeslaw as bl
from bayeslaw.models.adaptive_samples import samples_for_chances, samples_for_counts, solved
from bayeslaw.models.our_test_time_compute import METHODS, OurTestTimeCompute, by_difficulty
from bayeslaw.models.strategy_plans import exchange, exchange_rate, strategy

# --- The exchange rate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flops", "ratios", "expected"),
    [pytest.param(2, (0.16, 0.79, 22), (257.75, 63.37, 15.77), id="v1"),
     pytest.param(4, (0.08, 0.40, 11), (257.75, 62.75, 15.77), id="ICLR")],
)  # fmt: skip
def test_exchange_rate(flops: float, ratios: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """Recomputed, for a 14 times larger model; and by the bill: M (X + Y) = X + m Y."""
    rates = [exchange_rate(14, r, flops) for r in ratios]
    assert rates == pytest.approx(expected, abs=0.01)
    for rate, ratio in zip(rates, ratios, strict=True):
        training, serving = 6.0, flops * ratio
        assert 14 * (training + serving) == pytest.approx(training + rate * serving)


# --- Samples problem by problem ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "samples", "coverage", "uniform"),
    [(40, (6.259, 23.298, 10.442, 0), 0.5002, 0.4390), (400, (9.588, 45.198, 240.03, 105.19), 0.7501, 0.6823),
     (4000, (14.27, 75.98, 562.7, 3347), 0.9902, 0.9081)],
)  # fmt: skip
def test_known_chances(total: float, samples: tuple[float, ...], coverage: float, uniform: float) -> None:
    """Ours; and the last sample of each problem that gets any gains the same."""
    p = np.array([0.5, 0.1, 0.01, 0.001])
    k = samples_for_chances(p, total)
    assert k == pytest.approx(samples, rel=2e-4, abs=1e-3)
    assert (1 - (1 - p) ** k).mean() == pytest.approx(coverage, abs=1e-4)
    assert (1 - (1 - p) ** (total / 4)).mean() == pytest.approx(uniform, abs=1e-4)
    gains = (-np.log1p(-p) * (1 - p) ** k)[k > 0]
    assert gains == pytest.approx([gains[0]] * len(gains), rel=1e-6)


def test_ends() -> None:
    """Nothing for a hopeless problem, one that is certain does not break it, and what cannot be is refused."""
    assert samples_for_chances([0.0, 0.3], 10) == pytest.approx([0, 10])
    k = samples_for_chances([1.0, 0.3], 10)
    assert k.sum() == pytest.approx(10)
    assert 0 < k[0] < 2
    alike = samples_for_counts([3, 3], 10, 0.3, 5.0, 8)
    assert alike == pytest.approx([4, 4])
    for bad in (lambda: samples_for_chances([0.0, 0.0], 5), lambda: samples_for_chances([0.5, 1.2], 5)):
        with pytest.raises(bl.InputError, match="between 0 and 1, not all of them 0"):
            bad()
    with pytest.raises(bl.InputError, match="0 <= successes <= trials"):
        samples_for_counts([11], 10, 0.3, 5.0, 8)
    with pytest.raises(bl.InputError, match="more than 0"):
        samples_for_counts([1], 10, 0.3, 5.0, 0)


@pytest.fixture(scope="module")
def counts(fetched: Callable[..., pd.DataFrame]) -> dict[str, np.ndarray]:
    table = fetched("monkeys", benchmark="original")
    return {str(name).split("_")[1]: rows.successes.to_numpy() for name, rows in table.groupby("model")}


@pytest.mark.parametrize(
    ("size", "uniform", "known", "factor"),
    [("12B", (0.2105, 0.4135, 0.6033, 0.7211), (0.2944, 0.4962, 0.6659, 0.7935), (1.85, 1.71, 1.97, 2.92)),
     ("2.8B", (0.1810, 0.3580, 0.5429, 0.6755), (0.2670, 0.4412, 0.6130, 0.7503), (2.06, 1.80, 1.95, 3.05)),
     ("410M", (0.0747, 0.1809, 0.3316, 0.4791), (0.1539, 0.2700, 0.4164, 0.5565), (2.99, 2.32, 2.16, 2.53))],
)  # fmt: skip
def test_upper_bound_of_adapting(
    counts: dict[str, np.ndarray],
    size: str,
    uniform: tuple[float, ...],
    known: tuple[float, ...],
    factor: tuple[float, ...],
) -> None:
    """Ours, on Pythia's counts: if chances were known, samples would count two- to threefold."""
    p = counts[size] / 1e4
    for each, flat, best, times in zip((16, 64, 256, 1024), uniform, known, factor, strict=True):
        assert (1 - (1 - p) ** each).mean() == pytest.approx(flat, abs=1e-4)
        found = (1 - (1 - p) ** samples_for_chances(p, 128 * each)).mean()
        assert found == pytest.approx(best, abs=1e-4)
        equal = brentq(lambda k, found=found: (1 - (1 - p) ** k).mean() - found, 1, 1e6)
        assert equal / each == pytest.approx(times, abs=0.01)


def after_a_pilot(counts: np.ndarray, pilot: int, each: float, seed: int) -> list[float]:
    """Coverage of new samples got and promised: by shares of the pilot as chances, and by the posterior."""
    right = counts.astype(int)
    found = np.random.default_rng(seed).hypergeometric(right, 10_000 - right, pilot)

    def cost(z: np.ndarray) -> float:
        x, y = np.exp(z)
        return -float((betaln(x + found, y + pilot - found) - betaln(x, y)).sum())

    x, y = np.exp(minimize(cost, [-1.5, 2.5], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x)
    plugged = samples_for_chances(found / pilot, 128 * each)
    ours = samples_for_counts(found, pilot, x, y, 128 * each)
    assert ours.sum() == pytest.approx(128 * each)

    def got(k: np.ndarray, p: np.ndarray) -> float:
        return float((1 - (1 - p) ** k).mean())

    truth = counts / 1e4
    promised = float(solved(found, pilot, x, y, ours).mean())
    return [got(plugged, truth), got(plugged, found / pilot), got(ours, truth), promised]


PILOTS = [
    ("12B", 100, 64, 0.414, (0.423, 0.459, 0.441, 0.433)), ("12B", 100, 1024, 0.721, (0.484, 0.486, 0.744, 0.751)),
    ("12B", 16, 64, 0.414, (0.209, 0.214, 0.416, 0.401)), ("410M", 100, 256, 0.332, (0.219, 0.225, 0.337, 0.322)),
]  # fmt: skip


@pytest.mark.parametrize(("size", "pilot", "each", "uniform", "expected"), PILOTS)
def test_samples_after_a_pilot(
    counts: dict[str, np.ndarray], size: str, pilot: int, each: int, uniform: float, expected: tuple[float, ...]
) -> None:
    """Ours, two of the twenty seeds: the posterior never loses to the same number for all, and shares of the pilot taken
    for chances lose by far where most problems were not solved in it. Four sd of a mean of two seeds around the card."""
    found = np.array([after_a_pilot(counts[size], pilot, each, seed) for seed in (0, 1)])
    assert found.mean(0) == pytest.approx(expected, abs=0.1)
    assert (found[:, 2] > uniform - 0.005).all()
    if (size, pilot, each) != ("12B", 100, 64):
        assert (found[:, 0] < uniform - 0.05).all()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "pilot", "each", "uniform", "expected"), PILOTS)
def test_samples_after_twenty_pilots(
    counts: dict[str, np.ndarray], size: str, pilot: int, each: int, uniform: float, expected: tuple[float, ...]
) -> None:
    """Ours, all twenty seeds."""
    found = np.mean([after_a_pilot(counts[size], pilot, each, seed) for seed in range(20)], axis=0)
    assert found == pytest.approx(expected, abs=0.005)


# --- Strategies by difficulty -----------------------------------------------------------------------------------------

BINS = ("1", "2", "3", "4", "5")
LEVELS = (2.0, 0.5, -0.5, -2.0, -4.0)
# What the paper finds: best-of-N on easy questions, where beam search fools the verifier; beam search on hard ones; and
# nothing helps on the hardest. The larger model gains most there.
RISE = {"best_of_n": (0.20, 0.20, 0.15, 0.10, 0.02), "beam": (0.05, 0.10, 0.30, 0.35, 0.02),
        "revisions": (0.10, 0.15, 0.15, 0.10, 0.02)}  # fmt: skip
BEND = {"best_of_n": -0.005, "beam": -0.010, "revisions": -0.010}
BY_SIZE = (0.35, 0.4, 0.45, 0.5, 0.6)


def truth(bin_: int) -> OurTestTimeCompute:
    rise = {name: values[bin_] for name, values in RISE.items()}
    return OurTestTimeCompute(level=LEVELS[bin_], by_size=BY_SIZE[bin_], rise=rise, bend=BEND, methods=METHODS)


def table(questions: float) -> pd.DataFrame:
    """Five bins, three strategies, four numbers of samples; and the 14 times larger model, one sample."""
    rows = []
    for i, name in enumerate(BINS):
        design = pd.DataFrame(
            [(m, 1.0, float(n)) for m in METHODS for n in (4, 16, 64, 256)] + [(METHODS[0], 14.0, 1.0)]
        )
        design.columns = ["method", "size_ratio", "samples"]
        made = bl.simulate(truth(i), design.assign(trials=questions), seed=i)
        rows.append(made.assign(difficulty=name))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    runs = table(100.0)
    return advised_fit(by_difficulty(runs), runs, chains=2, draws=500, target_accept=0.95, seed=1, progress=False)


def test_accuracy_by_hand() -> None:
    law = truth(2)
    assert law(method="beam", size_ratio=1, samples=16) == pytest.approx(expit(-0.5 + 4 * 0.30 - 16 * 0.010))
    assert law(method="beam", size_ratio=14, samples=1) == pytest.approx(expit(-0.5 + 0.45 * np.log(14)))


def test_the_budget_binds_and_strategies_cost() -> None:
    """Ours: the search is over what the budget pays for; a lookahead of three steps costs four generations a sample."""
    sure = pinned(
        truth(2), OurTestTimeCompute.prior(), {"method": [0.0], "size_ratio": [1.0], "samples": [1.0], "trials": [1.0]}
    )
    decision = strategy(METHODS, {"beam": 4.0})
    found = bl.allocate(sure, decision, generations=[3, 5, 400]).draws.isel(chain=0, draw=0)
    assert found["method"].to_numpy().tolist() == [0, 0, 1]
    assert found["samples"].to_numpy().tolist() == [2, 4, 64]
    free = bl.allocate(sure, generations=400).draws.isel(chain=0, draw=0, scenario=0)
    assert (float(free["method"]), float(free["samples"])) == (1, 256)
    falling = eqx.tree_at(lambda law: law.rise, truth(2), dict.fromkeys(METHODS, -0.1))
    sure = pinned(
        falling, OurTestTimeCompute.prior(), {"method": [0.0], "size_ratio": [1.0], "samples": [1.0], "trials": [1.0]}
    )
    one = bl.allocate(sure, generations=400)  # the corner: a single sample
    assert (one.draws["samples"] == 1).all()
    assert one.edge_share == 1


def test_recovery(posterior: bl.Posterior) -> None:
    """Ours: accuracies of all bins and strategies at 64 samples, within 99.9 %; and the bins' levels."""
    at = pd.DataFrame([(b, m, 1.0, 64.0, 1.0) for b in BINS for m in METHODS])
    at.columns = ["difficulty", "method", "size_ratio", "samples", "trials"]
    low, high = np.quantile(bl.predict(posterior, at, misfit=False).draws["accuracy"], [5e-4, 1 - 5e-4], axis=(0, 1))
    truly = [truth(i)(method=m, size_ratio=1, samples=64) for i in range(5) for m in METHODS]
    assert (low < truly).all()
    assert (truly < high).all()
    found = posterior.summary(0.999)
    for i, name in enumerate(BINS):
        assert found.lower[f"level[{name}]"] < LEVELS[i] < found.upper[f"level[{name}]"]


def test_strategy_by_difficulty(posterior: bl.Posterior) -> None:
    """Ours, on 100 questions a bin: best-of-N in bins 1 and 2, beam search in 3 and 4, bin 5 undecided.
    What the likeliest plan loses on average is below 3 points."""
    menu = bl.alternatives(posterior, generations=256, difficulty=list(BINS)).summary()
    best = menu["p_best"].groupby(["difficulty", "method"]).sum().unstack()
    assert best.loc[["3", "4"], "beam"].min() > 0.9
    assert best.loc["1", "beam"] < 0.1
    assert best.loc["5"].max() < 0.9
    likeliest = menu.sort_values("p_best").groupby("difficulty").tail(1)
    assert (likeliest["regret"] < 0.03).all()
    poor = menu["regret"].groupby(["difficulty", "method"]).min().unstack()
    assert poor.loc["3", "best_of_n"] > 0.1


def test_samples_or_parameters(posterior: bl.Posterior) -> None:
    """Ours, in this made-up world, and with 100 questions a bin: with few tokens of inference per token of pre-training (R
    = 0.16, 257 times the samples) the small model wins in bins 3 and 4, and which wins in the others is open; at R = 22
    the larger one does nearly everywhere. As in the paper, samples lose ground as R grows."""
    given = {"size_ratio": 14, "generations": 1, "difficulty": list(BINS)}
    shares = {}
    for ratio in (0.16, 22):
        menu = bl.alternatives(posterior, exchange(METHODS), inference_ratio=ratio, **given).summary()
        shares[ratio] = menu["p_best"].groupby(["difficulty", "spend_on"]).sum().unstack()["samples"]
        truly = []
        for i in range(5):
            more = np.floor(exchange_rate(14, ratio))
            small = max(truth(i)(method=m, size_ratio=1, samples=more) for m in METHODS)
            truly.append(small > truth(i)(method="beam", size_ratio=14, samples=1))
        sure = (shares[ratio] > 0.95) | (shares[ratio] < 0.05)
        assert ((shares[ratio] > 0.5) == truly)[sure].all()
    assert shares[0.16]["3"] > 0.85
    assert 0.1 < shares[0.16]["5"] < 0.9  # the larger model is truly better: 5 and 14 solved of 100 do not say so
    assert (shares[0.16] >= shares[22] - 0.05).all()
    assert shares[22][["1", "2", "3", "5"]].max() < 0.25


def test_bins_differ_as_the_prior_says() -> None:
    size: Any = by_difficulty({"difficulty": ["a"]}).spread["level"]
    assert [float(size.icdf(q)) for q in (0.05, 0.95)] == pytest.approx((0.67, 4.8), abs=0.1)
