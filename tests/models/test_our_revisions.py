"""Our model of revisions in a row and answers beside each other (Snell et al. 2024, arXiv 2408.03314).

Every figure is ours: the paper's curves are in figures.
"""

import numpy as np
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.special import expit

import bayeslaw as bl
from bayeslaw._tree import leaves
from bayeslaw.models.our_revisions import OurRevisions

TRUE = OurRevisions(level=-0.3, tilt=0.12, bend=-0.02)
RUNS = {"chain_ratio": [1.0, 1.0], "trials": [1.0, 1.0]}


def test_accuracy_by_hand() -> None:
    assert TRUE(chain_ratio=[0.25, 1, 8]) == pytest.approx(expit([-0.3 - 0.24 - 0.08, -0.3, -0.3 + 0.36 - 0.18]))


@pytest.mark.parametrize(
    ("tilt", "bend", "expected"),
    [
        pytest.param(0.12, -0.02, 8.0, id="the vertex"),
        pytest.param(-0.12, -0.02, 1 / 8, id="more beside each other"),
        pytest.param(0.12, 0.01, 256.0, id="all in one chain"),
        pytest.param(-0.12, 0.01, 1 / 256, id="no revision"),
        pytest.param(0.12, -0.001, 256.0, id="the vertex is beyond the end"),
    ],
)
def test_best_ratio(tilt: float, bend: float, expected: float) -> None:
    """By the formula and by the search; and where only 4 generations are to be had."""
    sure = pinned(OurRevisions(level=-0.3, tilt=tilt, bend=bend), OurRevisions.prior(), RUNS)
    for method in ("search", "closed_form"):
        found = bl.allocate(sure, method=method, generations=[256, 4]).draws["chain_ratio"]
        log_ratio = np.log2(found.median(("chain", "draw")).to_numpy())
        assert log_ratio[0] == pytest.approx(np.log2(expected), abs=1e-3)
        assert log_ratio[1] == pytest.approx(np.clip(np.log2(expected), -2, 2), abs=1e-3)


def test_recovery_and_how_little_is_known_of_the_ratio() -> None:
    """Nine ratios, 500 questions each: the parameters come back; the best ratio is known to a factor of a few."""
    table = {"chain_ratio": 2.0 ** np.arange(-8, 9, 2), "trials": 500.0}
    posterior = advised_fit(OurRevisions, bl.simulate(TRUE, table, seed=3), chains=2, seed=1, progress=False)
    found = posterior.summary(0.99)
    for name, value in leaves(TRUE):
        assert found.lower[name] < value < found.upper[name], name
    log_ratio = np.log2(bl.allocate(posterior, generations=256).draws["chain_ratio"])
    low, high = np.quantile(log_ratio, [0.005, 0.995])
    assert low < 3 < high
    assert 1 < high - low < 8
