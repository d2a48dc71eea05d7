"""Thinking (Aggarwal et al. 2025, arXiv 2508.13141): the metrics, the published table, and our model of a cap.

Each expected figure says where it comes from: *published*, *recomputed* from published numbers, or *ours*. No outputs
of models are published, so the model is fitted to simulated counts.
"""

from itertools import pairwise
from math import exp

import equinox as eqx
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.stats import norm

import bayeslaw as bl
from bayeslaw._tree import float64, leaves
from bayeslaw.models.our_thinking_cap import FREE, OurThinkingCap
from bayeslaw.models.thinking_metrics import auc_oaa, f1

TRUE = OurThinkingCap(
    easy=0.95, median=exp(6.9), spread=0.8, low=0.3, gained=0.3 / 0.7, half=exp(6.5), width=1.0
)  # of hard questions 30 % are solved without thinking, 60 % without a cap
QUANTILES = (np.arange(20_000) + 0.5) / 20_000

# --- The metrics ------------------------------------------------------------------------------------------------------


def test_area_of_four_questions() -> None:
    """Ours."""
    assert auc_oaa([1, 1, 1, 0], [100, 500, 1500, 0]) == pytest.approx(0.35, abs=1e-12)


def test_area_is_the_integral() -> None:
    """Ours: over 5,000 random questions, by the mid-points of the integral's steps of a hundredth of a token."""
    rng = np.random.default_rng(0)
    right, tokens = rng.integers(0, 2, 5000), rng.integers(0, 2000, 5000)
    t = (np.arange(100_000) + 0.5) / 100
    below = np.searchsorted(np.sort(tokens[right == 1]), t)  # right ones with fewer than t tokens
    assert auc_oaa(right, tokens) == pytest.approx((below / 5000).mean(), abs=1e-6)


def test_ends_of_the_metrics() -> None:
    assert auc_oaa(1, [1001, 30_000]) == 0  # all beyond the window is alike
    assert auc_oaa([1, 0], 0) == 0.5  # without thinking it is accuracy
    assert f1(0.0, 0.0) == 0
    for correct, tokens in (([2.0], [5]), ([1], [-1]), ([], [])):
        with pytest.raises(bl.InputError, match="right or not"):
            auc_oaa(correct, tokens)


# F1, area, mean tokens of thinking and accuracy on hard questions, in %.
TABLE = {
    "o3": (71.1, 78.6, 235, 65.0), "GPT-OSS-120B": (68.3, 83.3, 154, 57.9), "Sonnet-4 thinking": (64.2, 71.3, 706, 58.3),
    "GPT-OSS-20B": (57.3, 72.7, 467, 47.3), "Sonnet-4": (48.3, 97.4, 0, 32.1), "GPT-4.1": (35.4, 97.1, 0, 21.7),
    "Qwen3-235B thinking": (23.2, 14.6, 1632, 55.5), "Magistral": (11.2, 6.4, 3303, 42.9),
    "R1-Distill-7B": (24.5, 25.4, 1172, 23.6), "+ AdaptThink": (38.3, 77.2, 211, 25.4),
    "+ VeriThinker": (27.4, 46.2, 689, 19.4), "+ L1": (20.8, 19.9, 1037, 21.8),
    "Qwen3-8B model merge": (38.2, 32.4, 1024, 46.5), "router": (46.9, 55.2, 876, 41.7),
    "oracle router": (61.2, 94.5, 0, 45.9),
}  # fmt: skip
MISMATCHES = {"router": 47.5, "oracle router": 61.8}  # by the formula; a router's row is of a mixture of models


@pytest.mark.parametrize("model", TABLE)
def test_published_rows(model: str) -> None:
    """Recomputed: F1 from the two parts, to the digit printed but for the two routers."""
    printed, area, _, hard = TABLE[model]
    assert f1(area, hard) == pytest.approx(MISMATCHES.get(model, printed), abs=0.1)
    if model in MISMATCHES:
        assert abs(f1(area, hard) - printed) > 0.5


# --- Our model --------------------------------------------------------------------------------------------------------


def test_accuracies_by_hand() -> None:
    """Each kind of row has its own mean; lengths are conditional on what was thought before; no cap and no thinking are
    ends, not numbers that break."""
    given = {"after_tokens": 0.0, "cap_tokens": [0.0, exp(6.5), FREE]}
    assert TRUE(counted="easy", **given) == pytest.approx([0.95] * 3)
    assert TRUE(counted="hard", **given) == pytest.approx([0.3, 0.45, 0.6])
    ends = TRUE(counted="length", after_tokens=[0, 500, 500, 1e8], cap_tokens=[1000, 1000, FREE, 2e8])
    share = norm.cdf((np.log([500, 1000]) - 6.9) / 0.8)
    assert ends[:3] == pytest.approx([share[1], (share[1] - share[0]) / (1 - share[0]), 1])
    assert 0.99 < ends[3] <= 1


def test_area_against_a_sum() -> None:
    """Ours: by 20,000 quantiles of the lengths, below and above the window."""
    tokens = np.exp(6.9 + 0.8 * norm.ppf(QUANTILES))
    for cap in (0.0, 50.0, 320.0, 1000.0, 3000.0, FREE):
        expected = auc_oaa(0.95, np.minimum(tokens, cap))
        assert float(float64(TRUE.auc)(cap, 1000.0)) == pytest.approx(expected, abs=1e-6)
    assert float(float64(TRUE.auc)(320.0, 1000.0)) == pytest.approx(0.6525, abs=1e-4)


RUNS = {"counted": [0.0], "after_tokens": [0.0], "cap_tokens": [0.0], "trials": [1.0]}


def test_best_cap() -> None:
    """Ours: a cap of 320 tokens (324 by a fine search), F1 .4719 from .6525 and .3697; no thinking .4560, no cap .3."""
    sure = pinned(TRUE, OurThinkingCap.prior(), RUNS)
    found = bl.allocate(sure, window_tokens=1000).draws.isel(chain=0, draw=0, scenario=0)
    assert float(found["thinking"]) == 1
    assert float(found["cap_tokens"]) == pytest.approx(320, abs=20)
    assert float(found["f1"]) == pytest.approx(0.4719, abs=1e-3)
    assert float(f1(0.6525, 0.3697)) == pytest.approx(0.4719, abs=1e-4)
    menu = bl.alternatives(sure, window_tokens=1000).summary().droplevel("window_tokens")
    assert menu["p_best"].to_dict() == {"none": 0, "capped": 1, "free": 0}
    best = float(found["f1"])
    assert (best - menu["regret"])[["none", "free"]].to_numpy() == pytest.approx([0.4560, 0.3000], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "choice"),
    [
        pytest.param({"gained": 0.02}, 0, id="nothing to gain"),
        pytest.param({"median": 20.0, "half": 3e4}, 2, id="short"),
    ],
)
def test_corners(change: dict[str, float], choice: int) -> None:
    """Ours: no thinking where it gains nothing; no cap where easy questions hardly make a model think."""
    law = eqx.tree_at(lambda law: tuple(getattr(law, name) for name in change), TRUE, tuple(change.values()))
    found = bl.allocate(pinned(law, OurThinkingCap.prior(), RUNS), window_tokens=1000)
    assert (found.draws["thinking"] == choice).all()
    assert found.draws["cap_tokens"].to_numpy() == pytest.approx([0, None, FREE][choice])


def counted(easy: int, hard: int, seed: int) -> pd.DataFrame:
    """Right answers to easy questions; how many of those still thinking end before each cap; hard ones at eight caps."""
    rng, caps = np.random.default_rng(seed), [0.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 12_800.0]
    tokens = np.exp(6.9 + 0.8 * rng.standard_normal(easy))
    rows = [("easy", 0.0, 0.0, easy, rng.binomial(easy, 0.95))]
    for start, end in pairwise(caps):
        still = tokens[tokens > start]
        if len(still):
            rows.append(("length", start, end, len(still), int((still <= end).sum())))
    for cap in caps:
        rows.append(
            ("hard", 0.0, cap, hard, rng.binomial(hard, float(TRUE(counted="hard", after_tokens=0, cap_tokens=cap))))
        )
    return pd.DataFrame(rows, columns=["counted", "after_tokens", "cap_tokens", "trials", "successes"])


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """1,440 easy questions and 550 hard ones, as many as the benchmark has."""
    return advised_fit(OurThinkingCap, counted(1440, 550, 1), seed=1, progress=False)


def test_recovery(posterior: bl.Posterior) -> None:
    """Ours, 99 %; lengths beyond a cap are not seen and not missed."""
    found = posterior.summary(0.99)
    for name, value in leaves(TRUE):
        assert found.lower[name] < value < found.upper[name], name


def test_how_well_the_best_cap_is_known(posterior: bl.Posterior) -> None:
    """Ours: the whole benchmark tells the best cap within half an order of magnitude, and that no cap is wrong; whether
    any thinking pays it does not tell for sure. A tenth of it leaves that open."""
    menu = bl.alternatives(posterior, window_tokens=1000).summary().droplevel("window_tokens")
    assert menu.p_best["free"] == 0
    assert menu.regret["free"] == pytest.approx(0.17, abs=0.04)
    assert menu.p_best["capped"] > 0.7
    found = bl.allocate(posterior, window_tokens=1000).draws
    caps = found["cap_tokens"].to_numpy()[found["thinking"].to_numpy() == 1]
    low, high = np.quantile(caps, [0.005, 0.995])
    assert low < 324 < high
    assert high / low < 5
    few = advised_fit(OurThinkingCap, counted(144, 55, 1), seed=1, progress=False)
    unsure = bl.alternatives(few, window_tokens=1000).summary().droplevel("window_tokens")
    assert 0.1 < unsure.p_best["none"] < 0.9


def test_impossible_rows_are_refused() -> None:
    bad = counted(144, 55, 1).assign(successes=lambda rows: rows.trials + 1)
    with pytest.raises(
        bl.InputError, match="'accuracy', computed as successes / trials, must be between 0 and 1; found row 0"
    ):
        bl.fit(OurThinkingCap, bad)
    with pytest.raises(
        bl.InputError, match="column 'counted' holds row 0 \\('medium'\\), where the law knows easy, length, hard"
    ):
        bl.fit(OurThinkingCap, counted(144, 55, 1).replace({"counted": {"easy": "medium"}}))
    none = counted(144, 55, 1).assign(after_tokens=lambda rows: rows.cap_tokens)
    with pytest.raises(bl.InputError, match=r"row \d+ counts thoughts that end between .* cap_tokens must be above"):
        bl.fit(OurThinkingCap, none)
