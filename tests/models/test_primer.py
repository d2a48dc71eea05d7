"""The compute-savings law of Primer (So et al. 2021, arXiv 2109.08668), on the tables that the paper prints.

Each expected figure says where it comes from: *published* in the paper, *recomputed* from its tables, or *ours*.
"""

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw.models.primer import C4, Primer

TWO = ("old", "new")
TRUE = Primer(l0=3.0, k=0.04, gain={"new": 1.8}, architectures=TWO)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return bl.load_primer()


@pytest.fixture(scope="module")
def posterior(table: pd.DataFrame) -> bl.Posterior:
    """The twelve rows of six architectures of 110 M parameters on C4."""
    runs = table[(table.corpus == "c4") & (table.params == 1.1e8)].reset_index(drop=True)
    assert len(runs) == 12
    return advised_fit(Primer, runs, seed=1, draws=2000, target_accept=0.95, progress=False)


# --- The formula ------------------------------------------------------------------------------------------------------


def test_savings_by_both_forms() -> None:
    """Published: l = a c^-k, and l = a (1 - 1/b)^k s^-k with s = c_old - c_new."""
    compute = np.geomspace(1e-2, 1e2, 7)
    new = TRUE(architecture="new", relative_compute=compute)
    saved = 1.8 * compute - compute  # the old one needs 1.8 times as much
    assert TRUE(architecture="old", relative_compute=1.8 * compute) == pytest.approx(new, rel=1e-12)
    assert 3.0 * (1 - 1 / 1.8) ** 0.04 * saved**-0.04 == pytest.approx(new, rel=1e-12)


def test_table_1() -> None:
    """Published, in TPUv3 hours as rounded there: T5 needs 4.2 times the compute of Primer; T5++ 2.0 times at a
    perplexity of 12.69 and 1.21 times at 13.25. Rounding leaves 4.06 to 4.20 and 1.97 to 2.01."""
    t5, t5pp, primer = (15.7, 4.6, 3.8), (4.6, 16.5), (3.8, 8.3)
    assert t5[0] / primer[0] == pytest.approx(4.13, abs=5e-3)
    assert pytest.approx((4.06, 4.20), abs=6e-3) == (15.65 / 3.85, 15.75 / 3.75)
    assert t5pp[1] / primer[1] == pytest.approx(1.99, rel=2e-3)
    assert t5pp[0] / primer[0] == pytest.approx(1.21, rel=0.01)


def test_search_cost() -> None:
    """Published: 2.14e21 FLOPs of search saved 1.98e22 of 2.96e22, a factor of 3 at 1.9 B parameters."""
    assert pytest.approx(9.24, rel=0.01) == 1.98e22 / 2.14e21
    assert pytest.approx(1.98e22, rel=0.01) == 2.96e22 * (1 - 1 / 3)


@pytest.mark.parametrize(
    ("corpus", "baseline", "slope"),
    [("c4", "vanilla", 0.0202), ("pg19", "vanilla", 0.0194), ("c4", "switch", 0.0276), ("c4", "synthesizer", 0.0203)],
)
def test_slope_of_the_baselines(table: pd.DataFrame, corpus: str, baseline: str, slope: float) -> None:
    """Recomputed: between the two budgets."""
    rows = table[(table.corpus == corpus) & (table.architecture == baseline)]
    (early, late), steps = rows.loss, rows.baseline_steps.to_numpy()
    assert np.log(early / late) / np.log(steps[1] / steps[0]) == pytest.approx(slope, abs=1e-4)


@pytest.mark.parametrize(
    ("architecture", "ours", "printed"),
    [("primer", (1.90, 1.90), (1.68, 1.91)), ("transformer++", (1.60, 1.58), (1.52, 1.64)),
     ("evolved", (0.87, 0.98), (0.89, 0.98))],
)  # fmt: skip
def test_speed_ups_from_that_slope(
    table: pd.DataFrame, architecture: str, ours: tuple[float, ...], printed: tuple[float, ...]
) -> None:
    """Ours, beside what the paper reads off curves."""
    rows = table.query("corpus == 'c4' and params == 1.1e8")
    vanilla, other = (rows.query("architecture == @name") for name in ("vanilla", architecture))
    k = np.log(vanilla.loss.iloc[0] / vanilla.loss.iloc[1]) / np.log(1 / 0.525)
    found = (vanilla.loss.to_numpy() / other.loss.to_numpy()) ** (1 / k)
    assert found == pytest.approx(ours, rel=0.01)
    assert other.speedup.to_numpy() == pytest.approx(printed)


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_a_switch_pays_when_it_saves_more_than_the_search_costs() -> None:
    """By the formula: at a loss of 2.8 the old one needs (3 / 2.8)^(1 / k), the new one saves 1 - 1 / 1.8 of it."""
    runs = {"architecture": ["old", "new"], "relative_compute": [1.0, 1.0]}
    codes = {**runs, "architecture": [0.0, 1.0]}
    sure = pinned(TRUE, Primer.prior(TWO), codes)
    compute = (3 / 2.8) ** 25
    saved = compute * (1 - 1 / 1.8)
    decision = TRUE.decisions()["switch"]
    found = bl.allocate(sure, decision, target=2.8, search_compute=[0.99 * saved, 1.01 * saved]).draws
    assert found["architecture"][0, 0].to_numpy().tolist() == [1, 0]
    assert found["relative_compute"][0, 0].to_numpy() == pytest.approx([compute / 1.8, compute], rel=1e-5)
    assert found["saved_compute"][0, 0].to_numpy() == pytest.approx([0.01 * saved, 0], abs=1e-5)


# --- Posteriors -------------------------------------------------------------------------------------------------------


def quantiles(values: object) -> np.ndarray:
    """Median and 95 %: that is what the figures below are of, though their source does not say so."""
    return np.quantile(np.asarray(values), [0.5, 0.025, 0.975])


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("gelu", (1.22, 1.11, 1.34)),
        ("transformer++", (1.57, 1.42, 1.73)),
        ("evolved", (0.92, 0.83, 1.01)),
        ("primer", (1.86, 1.68, 2.08)),
        ("primer-ez", (1.86, 1.68, 2.05)),
    ],
)
def test_gains_of_six_architectures(posterior: bl.Posterior, architecture: str, expected: tuple[float, ...]) -> None:
    """Ours, within 3 %."""
    assert posterior.ok, posterior.status
    assert quantiles(posterior.draws[f"gain.{architecture}"]) == pytest.approx(expected, rel=0.03)


def test_the_line(posterior: bl.Posterior) -> None:
    """Ours."""
    for name, mean, sd in (("l0", 2.986, 0.002), ("k", 0.0207, 0.0008)):
        draws = posterior.draws[name]
        assert float(draws.mean()) == pytest.approx(mean, abs=0.5 * sd)
        assert float(draws.std()) == pytest.approx(sd, rel=0.4)
    assert np.median(posterior.draws["noise.scale"]) == pytest.approx(0.0008, rel=0.2)


def test_which_architecture(posterior: bl.Posterior) -> None:
    """Ours: one of the two Primers in every draw, and which is a toss-up; Evolved Transformer is likely a loss."""
    found = bl.allocate(posterior, relative_compute=1.0).summary()
    shares = found.reset_index("quantity").set_index("quantity")["median"].to_dict()
    assert shares["architecture=primer"] + shares["architecture=primer-ez"] > 0.98
    assert 0.3 < shares["architecture=primer"] < 0.7
    assert float((posterior.draws["gain.primer"] > 1).mean()) == 1
    assert 0.02 < float((posterior.draws["gain.evolved"] > 1).mean()) < 0.2
    switch = Primer.prior(C4).decisions()["switch"]
    at = float(np.log(19.82))  # what the baseline reaches with a million steps
    saved = bl.allocate(posterior, switch, target=at, search_compute=0.0).draws["saved_compute"]
    low, high = np.quantile(saved, [0.05, 0.95])
    assert low < 1 - 1 / 1.91 < high  # published: Primer's factor is 1.91 there


@pytest.mark.slow
def test_recovery() -> None:
    """Ours: two architectures, 27 budgets each, scatter 0.3 %."""
    budgets = np.geomspace(0.05, 20, 27)
    design = {"architecture": np.repeat(TWO, 27), "relative_compute": np.tile(budgets, 2)}
    runs = bl.simulate(TRUE, design, noise=bl.LogNormal(scale=0.003), seed=1)
    posterior = advised_fit(Primer.prior(TWO), runs, seed=1, progress=False)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name, truth in (("l0", 3.0), ("k", 0.04), ("gain.new", 1.8)):
        assert found.loc[name, "lower"] < truth < found.loc[name, "upper"], name
    assert found.loc["gain.new", "upper"] / found.loc["gain.new", "lower"] < 1.5
