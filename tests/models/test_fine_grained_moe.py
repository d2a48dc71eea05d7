"""Krajewski et al. 2024 on granularity: second-hand tables, and ours from second-hand coefficients."""

import itertools

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw.models import Chinchilla, FineGrainedMoE
from bayeslaw.models.fine_grained_moe import TOTAL, dense_flops, flops_per_token

LAW = FineGrainedMoE.published()["krajewski2024"]
# Table 2 (second-hand): active parameters, tokens, granularity, FLOPs, loss.
TABLE = [
    (100e6, 4.37e9, 8, 2.95e18, 3.133), (1e9, 28.94e9, 16, 1.93e20, 2.491), (3e9, 72.90e9, 16, 1.41e21, 2.245),
    (7e9, 137.60e9, 32, 6.46e21, 2.076), (70e9, 941.07e9, 32, 4.16e23, 1.694), (300e9, 2.96e12, 64, 5.69e24, 1.503),
    (1e12, 7.94e12, 64, 4.97e25, 1.367),
]  # fmt: skip
N, D, G, F, L = np.array(TABLE).T
RUNS = {
    "nonembedding_params": [1.3e8, 3.7e9],
    "tokens": [1.6e10, 1.3e11],
    "granularity": [1, 16],
    "architecture": [1, 1],
}


@pytest.fixture(scope="module")
def sure() -> bl.Posterior:
    return pinned(LAW, FineGrainedMoE.prior(), RUNS)


def test_compute_of_table_2() -> None:
    """Ours: cost with 72 d^2 + 14 d E G per layer and d = 64 n_layers; seven rows within half a percent."""
    assert flops_per_token(N, G) * D / F == pytest.approx(np.ones(7), abs=5e-3)


def test_losses_of_table_2() -> None:
    """Ours: with rounded coefficients 0.011 to 0.023 below the table; active or 64-fold sizes are far off."""
    found = LAW(nonembedding_params=TOTAL * N, tokens=D, granularity=G)
    assert found == pytest.approx([3.1097, 2.4714, 2.2264, 2.0596, 1.6802, 1.4903, 1.3558], abs=5e-4)
    assert TOTAL == 43
    assert ((found < L) & (found > L - 0.03)).all()
    for factor, low, high in ((1, 0.25, 0.78), (64, -0.091, -0.029)):
        wrong = LAW(nonembedding_params=factor * N, tokens=D, granularity=G) - L
        assert low < wrong.min() < wrong.max() < high


def test_the_terms_at_the_reference() -> None:
    """Ours: sizes of the terms at 1e9 parameters and 1e10 tokens; the coefficients come back."""
    terms = (LAW.a, LAW.g, LAW.b, LAW.dense_a, LAW.dense_b)
    assert terms == pytest.approx((1.670, 0.194, 1.044, 1.197, 1.434), abs=1e-3)
    raw = {name: float(value) for name, value in LAW.derived().items()}
    assert raw == pytest.approx({"raw_a": 18.1, "raw_g": 2.1, "raw_b": 30.8}, rel=1e-6)


def test_optima_of_table_2(sure: bl.Posterior) -> None:
    """Ours: granularity equal in all rows; sizes 1.4 to 2.5 % above, tokens 1.6 to 2.2 % below (rounded coefficients)."""
    found = bl.allocate(sure, flops=F).draws.median(("chain", "draw"))
    assert found["granularity"].to_numpy() == pytest.approx(G)
    size, data = found["active_params"].to_numpy() / N - 1, found["tokens"].to_numpy() / D - 1
    assert 0.009 < size.min() < size.max() < 0.030
    assert -0.027 < data.min() < data.max() < -0.011


def test_saving_against_dense(sure: bl.Posterior) -> None:
    """Second-hand: 20 times at 1e20 FLOPs, 40 beyond 1e25. Ours: 21.3, and 32.0, which two digits do not reproduce."""
    found = bl.allocate(sure, flops=[1e20, 1e25]).draws["leverage"].median(("chain", "draw")).to_numpy()
    assert found == pytest.approx([21.3, 32.0], rel=0.05)


def test_dense_optimum() -> None:
    """Ours: at 1.93e20 FLOPs, 8.54e8 parameters and 3.77e10 tokens reach 2.903; against Chinchilla's closed form."""
    dense = Chinchilla.raw(E=0.47, A=16.3, alpha=0.126, B=26.7, beta=0.127)
    closed = dense.decisions()["compute_optimal"].closed_form
    assert closed is not None
    params = float(closed(dense, flops=1.93e20)["params"])
    tokens = 1.93e20 / (6 * params)
    loss = float(LAW(nonembedding_params=params, tokens=tokens, granularity=1, architecture="dense"))
    assert (loss, params, tokens) == pytest.approx((2.903, 8.54e8, 3.77e10), rel=0.01)
    assert loss == pytest.approx(float(dense(params=params, tokens=tokens)), rel=1e-6)
    assert float(dense_flops(LAW, loss)) == pytest.approx(1.93e20, rel=1e-3)


def simulated() -> pd.DataFrame:
    sizes, data = (3e6, 7e6, 13e6, 25e6, 49e6, 85e6), (16e9, 33e9, 66e9, 130e9)
    mixtures = [(TOTAL * n, d, g, "mixture") for n, d, g in itertools.product(sizes, data, (1, 2, 4, 8, 16))]
    rows = [*mixtures, *((n, d, 1, "dense") for n, d in itertools.product(sizes, data))]
    return pd.DataFrame(rows, columns=["nonembedding_params", "tokens", "granularity", "architecture"])


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Ours: 120 mixtures and 24 dense models of the paper's sizes, Table 1 with a scatter of half a percent."""
    runs = bl.simulate(LAW, simulated(), noise=bl.LogNormal(scale=0.005), seed=1)
    return advised_fit(FineGrainedMoE, runs, noise=bl.LogNormal, seed=1)


def test_granularity_and_saving_with_their_intervals(posterior: bl.Posterior, sure: bl.Posterior) -> None:
    """Ours: c is not identified; granularity and saving at 1e20 FLOPs, where the paper has runs, are."""
    assert posterior.ok, posterior.status
    found = bl.allocate(posterior, flops=1e20).draws
    low, high = np.quantile(found["granularity"], [0.01, 0.99])
    truth = float(bl.allocate(sure, flops=1e20).draws["granularity"].median())
    assert low <= truth <= high
    assert low >= 4
    assert high <= 32
    low, high = np.quantile(found["leverage"], [0.01, 0.99])
    assert low < 21.3 < high < 4 * low
    gamma = posterior.summary(0.98).loc["gamma"]
    assert gamma["lower"] < 0.58 < gamma["upper"]
