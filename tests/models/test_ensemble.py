"""Ensembles on a fixed text: the numbers of Kim et al. 2025 (arXiv 2509.14786) and ours, reproduced.

Each says where its expected figure comes from: *published* in the authors' code, *second-hand* where readers of the paper
quote it, or *ours*.
"""

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw.models import Ensemble
from bayeslaw.models.ensemble import members

SIZES = np.array([0.15, 0.3, 0.6, 1.4])  # parameters in 1e9
ENSEMBLE = Ensemble.published()["kim2025"]


def test_two_of_300m_beat_one_of_600m() -> None:
    """Ours: 3.463 against 3.514 from the two printed curves; the claim itself is second-hand.

    Put together as one law the curves disagree by 0.01 nats (3.590 and 3.601 for one model of 300 M).
    """
    pair, single = 0.25 / 2**1.02 + 3.34, 0.05 / 0.6**1.02 + 3.43
    assert (pair, single) == pytest.approx((3.463, 3.514), abs=1e-3)
    assert ENSEMBLE(params=3e8, ensemble_size=2) == pytest.approx(pair, abs=0.012)
    assert ENSEMBLE(params=6e8, ensemble_size=1) == pytest.approx(single, abs=1e-3)
    assert ENSEMBLE(params=3e8, ensemble_size=1) == pytest.approx(0.05 / 0.3**1.02 + 3.43, abs=1e-9)
    assert ENSEMBLE(params=1e15, ensemble_size=1e9) == pytest.approx(3.17, abs=0.011)  # the limit of both: second-hand


def test_distillation() -> None:
    """Published: a student of 300 M at 3.3635; second-hand: 3.32 for its eight teachers, 3.57 for one model, 83 % kept.

    The printed ensemble law has the teachers at 3.37, above the 3.32 of ensemble-tuned settings.
    """
    teachers, student, self_distilled, single = 3.32, 3.3635, 3.43243, 3.57
    kept = (single - student) / (single - teachers)
    assert kept == pytest.approx(0.83, abs=0.005)
    assert student < self_distilled < single
    printed = 0.25 / 8**1.02 + 3.34
    assert printed == pytest.approx(3.37, abs=0.001)


@pytest.fixture(scope="module")
def ensembles() -> pd.DataFrame:
    """Simulated from the published curves: the paper's four sizes, one to five members, scatter 0.3 %."""
    size, count = np.meshgrid(SIZES * 1e9, np.arange(1.0, 6.0), indexing="ij")
    runs = {"params": size.ravel(), "ensemble_size": count.ravel()}
    return bl.simulate(ENSEMBLE, runs, noise=bl.LogNormal(scale=0.003), seed=1)


@pytest.fixture(scope="module")
def fitted(ensembles: pd.DataFrame) -> bl.Posterior:
    return advised_fit(Ensemble, ensembles, draws=500, warmup=500, target_accept=0.95, seed=1)


def test_a_known_world_is_recovered(fitted: bl.Posterior) -> None:
    """Its five parameters and the limit of many large members, 98 % intervals."""
    assert fitted.ok, fitted.status
    found = fitted.summary(prob=0.98)
    for name in ("E", "u", "nu", "v", "kappa"):
        assert found.lower[name] < getattr(ENSEMBLE, name) < found.upper[name], name


def test_members_closed_form(fitted: bl.Posterior) -> None:
    """The search against the formula, draw by draw, one model alone being a corner; the truth in the 98 % interval."""
    total = [1e8, 4e9]
    found = [
        bl.allocate(fitted, members, total_params=total, method=method).draws for method in ("search", "closed_form")
    ]
    np.testing.assert_allclose(found[0]["ensemble_size"], found[1]["ensemble_size"], rtol=1e-3)
    np.testing.assert_allclose(found[0]["loss"], found[1]["loss"], rtol=1e-9)
    np.testing.assert_allclose(
        found[0]["params"] * found[0]["ensemble_size"], np.broadcast_to(total, found[0]["loss"].shape), rtol=1e-9
    )
    assert members.closed_form is not None
    truth = [float(members.closed_form(ENSEMBLE, total_params=one)["ensemble_size"]) for one in total]
    low, high = np.quantile(found[0]["ensemble_size"], [0.01, 0.99], axis=(0, 1))
    assert ((low <= np.maximum(truth, 1)) & (np.maximum(truth, 1) <= high)).all()


def test_menu_of_sizes(fitted: bl.Posterior) -> None:
    """The best of all that fit, by hand; the budget is kept; 100 M parameters buy none of the sizes."""
    total = 1.25e9
    menu = fitted.prior.decisions()["menu"]
    found = bl.allocate(fitted, menu, total_params=total).draws
    size, count = np.meshgrid(SIZES * 1e9, np.arange(1.0, 33.0), indexing="ij")
    law = fitted.law
    loss = law.E + law.u * (found["params"].to_numpy()[..., 0] / 3e8) ** -law.nu
    loss = loss + law.v * found["ensemble_size"].to_numpy()[..., 0] ** -law.kappa
    every = (
        law.E[..., None, None]
        + law.u[..., None, None] * (size / 3e8) ** -law.nu[..., None, None]
        + law.v[..., None, None] * count ** -law.kappa[..., None, None]
    )
    best = np.where(size * count <= total, every, np.inf).min(axis=(-2, -1))
    np.testing.assert_allclose(loss, best, rtol=1e-12)
    assert (found["params"] * found["ensemble_size"] <= total).all()
    with pytest.raises(bl.InputError, match="out of reach in every draw"):
        bl.allocate(fitted, menu, total_params=1e8)
