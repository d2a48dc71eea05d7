"""Ludziejewski et al. 2025 on mixtures of experts within compute and memory: published, or ours from Table 3."""

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw.models import Chinchilla, JointMoE
from bayeslaw.models.moe_plans import D0, N0, compute_optimal, shape
from bayeslaw.models.routed_moe import expanded

LAW = JointMoE.published()["ludziejewski2025"]
EXPERTS = np.array([1, 2, 4, 8, 16, 32])
RUNS = {"active_params": [79e6, 2.7e9], "tokens": [5e8, 8e10], "experts": [1, 32]}
# Table 1, in billions: active parameters and tokens.
OPTIMA = {
    1e20: [(1.7, 9.7), (1.5, 11.4), (1.2, 13.9), (0.990, 17), (0.810, 20.7), (0.669, 24.9)],
    1e21: [(5.7, 29.3), (5, 33), (4.4, 38), (3.8, 44.3), (3.3, 51.2), (2.85, 58.4)],
    1e22: [(18.8, 88.6), (17.4, 96), (15.8, 105.4), (14.4, 115.8), (13.2, 126.5), (12.2, 136.9)],
}
# Table 4: m, mu, n, nu.
FIXED = {
    1: (30.3640, -0.1817, 53.9838, -0.1965), 2: (27.7982, -0.1780, 66.8401, -0.2065),
    4: (24.8462, -0.1731, 87.7022, -0.2192), 8: (21.8330, -0.1676, 119.9126, -0.2338),
    16: (19.0159, -0.1617, 167.5073, -0.2494), 32: (16.5424, -0.1557, 234.6726, -0.2652),
}  # fmt: skip
MEMORY = {"memory_bytes": [24e9, 80e9, 640e9], "context_tokens": 16_384}


@pytest.fixture(scope="module")
def sure() -> bl.Posterior:
    return pinned(LAW, JointMoE.prior(), RUNS)


def best(flops: float, experts: float) -> dict[str, float]:
    active = float(compute_optimal.closed_form(LAW, flops, experts)["active_params"])  # type: ignore[misc]
    tokens = flops / (6 * active)
    return {
        "active_params": active,
        "tokens": tokens,
        "loss": float(LAW(active_params=active, tokens=tokens, experts=experts)),
    }


@pytest.mark.parametrize("flops", OPTIMA)
def test_table_1(flops: float) -> None:
    """Published: optimal active parameters and tokens; 2.5 %, for two digits and coefficients of four."""
    found = [best(flops, experts) for experts in EXPERTS]
    pairs = np.array([(one["active_params"], one["tokens"]) for one in found]) / 1e9
    # 1.7 and 1.5 and 1.2 are printed to two digits: half a unit is up to 4 %
    np.testing.assert_allclose(pairs, OPTIMA[flops], rtol=0.025)


def test_table_4() -> None:
    """Published: the law of each number of experts. Exponents to 1.5e-4: rounding of the four digits of beta and zeta alone
    moves nu by up to 1.4e-4 at E = 1, where 1.2e-4 is measured (the card says 1e-4)."""
    for experts, (m, mu, n, nu) in FIXED.items():
        (size, alpha), (data, beta) = LAW.at(float(experts))
        assert (-float(alpha), -float(beta)) == pytest.approx((mu, nu), abs=1.5e-4)
        assert (float(size) * N0 ** float(alpha), float(data) * D0 ** float(beta)) == pytest.approx((m, n), rel=3e-3)


def test_losses_and_expanded_experts() -> None:
    """Ours, from the published coefficients."""
    assert [best(1e20, experts)["loss"] for experts in EXPERTS] == pytest.approx(
        [2.5897, 2.5745, 2.5540, 2.5291, 2.5013, 2.4724], abs=5e-4
    )
    assert LAW(active_params=1e9, tokens=2e10, experts=[1, 8, 32]) == pytest.approx([2.5776, 2.5088, 2.4546], abs=5e-4)
    assert LAW(active_params=7e9, tokens=2e12, experts=[1, 8]) == pytest.approx([2.0641, 2.0121], abs=5e-4)
    assert LAW(active_params=1e8, tokens=1e9, experts=4) == pytest.approx(3.3211, abs=5e-4)
    hats = np.asarray(expanded(EXPERTS, LAW.start, LAW.most))
    assert hats == pytest.approx([2.0732, 3.0556, 5.0005, 8.8124, 16.139, 29.704], rel=1e-4, abs=1e-3)


def test_coefficients_come_back() -> None:
    """Published, Table 3, through the centred form and back."""
    raw = LAW.derived()
    expected = {"raw_a": 35.91, "raw_alpha": -0.1889, "raw_delta": -0.2285, "raw_b": 35.98, "raw_beta": -0.1775,
                "raw_omega": 0.5529, "E_start": 2.0732}  # fmt: skip
    assert {name: float(value) for name, value in raw.items()} == pytest.approx(expected, rel=1e-5)


def test_the_search_finds_the_closed_form(sure: bl.Posterior) -> None:
    found = [bl.allocate(sure, method=m, flops=1e21, experts=[1, 8, 32]).draws for m in ("search", "closed_form")]
    np.testing.assert_allclose(found[0]["active_params"], found[1]["active_params"], rtol=1e-3)
    (size, alpha), (data, beta) = LAW.at(8.0)
    same = Chinchilla.raw(
        E=LAW.c,
        A=float(size) * N0 ** float(alpha),
        alpha=float(alpha),
        B=float(data) * D0 ** float(beta),
        beta=float(beta),
    )
    chinchilla = same.decisions()["compute_optimal"].closed_form
    assert chinchilla is not None
    assert float(chinchilla(same, flops=1e21)["params"]) == pytest.approx(best(1e21, 8)["active_params"], rel=1e-5)


def test_shapes() -> None:
    """Ours; agrees with the paper's list of models."""
    for d_model, experts, active, total in (
        (512, 32, 79e6, 664e6),
        (1024, 32, 321e6, 5.00e9),
        (2304, 1, 2.72e9, 2.72e9),
    ):
        assert shape(d_model, experts) == pytest.approx((active, total), rel=0.01)


def test_table_2(sure: bl.Posterior) -> None:
    """Published: the best number of experts at 24, 80 and 640 GB; ours agree in nine of twelve and are one step off in
    three, where the two losses differ by 0.004 to 0.007 nats."""
    table = {1e21: (16, 32, 32), 1e22: (4, 16, 32), 1e23: (1, 8, 32), 1e24: (1, 1, 16)}
    off = {(1e21, 0): 32, (1e23, 1): 4, (1e24, 2): 8}
    decision = LAW.decisions()["experts"]
    for flops, row in table.items():
        found = bl.allocate(sure, decision, flops=flops, **MEMORY).draws["experts"].median(("chain", "draw")).to_numpy()
        assert list(found) == [off.get((flops, i), experts) for i, experts in enumerate(row)]


def test_regret_of_the_papers_choice(sure: bl.Posterior) -> None:
    """Ours: losses with our number of experts and with the paper's, at the three cells that differ."""
    cells = [
        (1e21, 24e9, 32, 16, 2.2894, 2.2932),
        (1e23, 80e9, 4, 8, 2.0053, 2.0111),
        (1e24, 640e9, 8, 16, 1.8560, 1.8627),
    ]
    for flops, memory_bytes, ours, paper, *losses in cells:
        given = {"flops": flops, "memory_bytes": memory_bytes, "context_tokens": 16_384}
        found = [
            float(
                bl.allocate(sure, LAW.decisions()["experts"].within(experts=bl.Choices((float(n),))), **given)
                .draws["loss"]
                .median()
            )
            for n in (ours, paper)
        ]
        assert found == pytest.approx(losses, abs=1e-3)


def test_rule_of_thumb() -> None:
    """Published: at equal total size, up to 8 experts on E times the tokens beat the compute-optimal dense model. Ours: the
    losses at 1e22 FLOPs, 2.1575 dense. Total size is taken from the architecture."""
    dense = best(1e22, 1)
    assert dense["loss"] == pytest.approx(2.1575, abs=1e-3)
    widths = np.geomspace(64, 65536, 40_000)
    losses = []
    for experts in (2, 4, 8, 16, 32):
        active, total = shape(widths, experts)
        same = active[np.abs(np.log(total / dense["active_params"])).argmin()]
        losses.append(float(LAW(active_params=same, tokens=experts * dense["tokens"], experts=experts)))
    assert losses == pytest.approx([2.134, 2.121, 2.118, 2.124, 2.138], abs=1e-3)


def test_serving_makes_models_smaller(sure: bl.Posterior) -> None:
    """Ours: the budget pays for both; against a fine grid."""
    given = {"total_flops": 1e22, "inference_tokens": [0.0, 1e12], "experts": 8}
    sizes = (
        bl.allocate(sure, LAW.decisions()["serve"], **given).draws["active_params"].median(("chain", "draw")).to_numpy()
    )
    grid = np.geomspace(1e8, 1e11, 200_000)
    tokens = (1e22 / grid - 2e12) / 6
    loss = np.where(tokens > 1, LAW(active_params=grid, tokens=np.maximum(tokens, 1), experts=8), np.inf)
    assert sizes[0] == pytest.approx(best(1e22, 8)["active_params"], rel=1e-3)
    assert sizes[1] == pytest.approx(grid[loss.argmin()], rel=2e-3)
    assert sizes[1] < sizes[0] / 2


# Appendix E, an extract: active parameters, experts, tokens in billions.
DESIGN = [
    (321e6, 32, (16, 8, 4, 2, 1, 0.5)), (1.1e9, 4, (80, 64, 48, 32, 16, 8, 4, 2, 1, 0.5)),
    (2.7e9, 1, (9.2, 5.5, 2.8, 2, 1.4, 0.98)), (169e6, 32, (8, 4, 2, 1, 0.5)),
    (709e6, 4, (35.3, 12.2, 10.6, 7.7, 5.3, 3.8)), (1.1e9, 1, (80, 64, 48, 32, 16, 8, 4, 2, 1, 0.5)),
    (709e6, 2, (49.8, 24.9, 12.5, 6.2, 3.1, 1.6, 0.78)), (426e6, 4, (31, 25.9, 20.7, 10.4, 5.2, 2.6, 1.3)), (79e6, 2, (2, 1, 0.5)),
]  # fmt: skip


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Ours: Table 3 simulated on 60 runs of the appendix, scatter half a percent; the paper publishes no losses."""
    rows = [(n, e, 1e9 * d) for n, e, tokens in DESIGN for d in tokens]
    runs = bl.simulate(
        LAW, pd.DataFrame(rows, columns=["active_params", "experts", "tokens"]), noise=bl.LogNormal(scale=0.005), seed=1
    )
    return advised_fit(JointMoE, runs, noise=bl.LogNormal, seed=1)


def test_truth_is_recovered(posterior: bl.Posterior) -> None:
    """Losses inside the design and the best size at 1e21 FLOPs; single coefficients are not identified."""
    assert posterior.ok, posterior.status
    there = {"active_params": [1e9, 3e8], "tokens": [2e10, 8e9], "experts": [8, 32]}
    low, high = np.quantile(
        bl.predict(posterior, there, misfit=False).draws["loss"].stack(d=("chain", "draw")), [0.005, 0.995], axis=-1
    )
    truth = LAW(**there)
    assert ((low < truth) & (truth < high)).all()
    assert (high - low < 0.2).all()
    size = bl.allocate(posterior, flops=1e21, experts=8).draws["active_params"]
    low, high = np.quantile(size, [0.005, 0.995])
    assert low < best(1e21, 8)["active_params"] < high < 10 * low


def test_experts_in_memory_are_uncertain(posterior: bl.Posterior) -> None:
    """Ours: sixty runs do not say which number of experts is best at 1e22 FLOPs in 24 GB. The truth simulated is 4, as in
    the paper, and has 8 % of the draws; 8, 16 and 32 (the edge of the runs, 41 %) share the rest."""
    found = bl.allocate(
        posterior, LAW.decisions()["experts"], flops=1e22, memory_bytes=24e9, context_tokens=16_384
    ).draws
    share = {n: float((found["experts"] == n).mean()) for n in (1, 2, 4, 8, 16, 32)}
    assert share[4] > 0.03
    assert min(share[n] for n in (8, 16, 32)) > 0.1
    assert max(share.values()) < 0.6
