"""Our models of experts and tasks; Nakamura et al. 2025 (arXiv 2508.18672) publish plots and no numbers.

Each expected figure says where it comes from: *recomputed* from the names of released models, *second-hand*, or *ours*.
"""

import numpy as np
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.special import logit

import bayeslaw as bl
from bayeslaw.models.our_reasoning_sparsity import ACTIVE, OurReasoningSparsity, family_params
from bayeslaw.models.our_recall_sparsity import OurRecallSparsity

D = 125e9  # tokens of the paper
REASONING = OurReasoningSparsity(c0=-1.3, c1=0.7, c3=0.12, best_ratio=20.0)  # invented
RECALL = OurRecallSparsity(c0=-1.0, c1=0.5, c2=0.25)  # invented
POWERS = 2 ** np.arange(4, 9)  # 16 to 256 experts


def design() -> dict[str, np.ndarray]:
    """Simulated: three widths, 16 to 256 experts, 2 to 16 of them active, four numbers of tokens."""
    d, e, k, tokens = (x.ravel() for x in np.meshgrid([512, 1024, 2048], POWERS, ACTIVE, [31e9, 62e9, 125e9, 250e9]))
    return {"active_params": family_params(d, k), "total_params": family_params(d, e), "tokens": tokens}


@pytest.mark.parametrize(
    ("d_model", "totals", "ratios"),
    [
        (512, (0.52, 0.92, 1.7, 3.3, 6.6), (240, 136, 74, 38, 18.9)),
        (1024, (1.9, 3.5, 6.7, 13.2, 26), (66, 36, 18.7, 9.5, 4.8)),
        (2048, (7.1, 13.6, 26.4, 52.2), (17.6, 9.2, 4.7, 2.4)),
    ],
)
def test_sizes_of_the_family(d_model: int, totals: tuple[float, ...], ratios: tuple[float, ...]) -> None:
    """Recomputed from the names of the models, by our formula: 3 %."""
    found = family_params(d_model, POWERS[: len(totals)])
    assert found / 1e9 == pytest.approx(totals, rel=0.03)
    assert D / found == pytest.approx(ratios, rel=0.03)


def test_active_sizes() -> None:
    """Recomputed from names (3 %; 1.1 stands for 1.08); ours: the totals at width 512 to 1 %."""
    widths = np.array([512, 1024, 2048])
    assert family_params(widths, 16) / 1e9 == pytest.approx([0.52, 1.9, 7.1], rel=0.03)
    assert family_params(widths, 8) / 1e9 == pytest.approx([0.32, 1.1, 3.9], rel=0.03)
    assert family_params(512, POWERS) / 1e9 == pytest.approx([0.521, 0.924, 1.73, 3.34, 6.56], rel=0.01)


def test_the_invented_truth() -> None:
    """Ours: at width 1024 and 8 active experts."""
    active, total = family_params(1024, 8), family_params(1024, POWERS)
    reasoning = REASONING(active_params=active, total_params=total, tokens=D)
    assert reasoning == pytest.approx([0.194, 0.216, 0.223, 0.212, 0.183], abs=0.002)
    recall = RECALL(active_params=active, total_params=total)
    assert recall == pytest.approx([0.201, 0.227, 0.257, 0.290, 0.327], abs=0.002)


def test_best_number_of_experts() -> None:
    """Ours: 256, 64 and 16 for reasoning by width (the first and last only by a hair: the best total lies between
    two); as many as there are for recall, which is the edge."""
    runs = {name: values[:4] for name, values in design().items()} | {"trials": np.full(4, 1319.0)}
    sure, recall = (pinned(law, type(law).prior(), runs) for law in (REASONING, RECALL))
    decision = REASONING.decisions()["experts"]
    for width, best in ((512, 256), (1024, 64), (2048, 16)):
        flops = 6 * D * family_params(width, 8) * 1.001
        found = bl.allocate(sure, decision, d_model=width, tokens=D, flops=flops)
        assert float(found.draws["experts"][0, 0, 0]) == best
        assert float(found.draws["experts_per_token"][0, 0, 0]) == 8  # as many as the budget pays for
        found = bl.allocate(recall, decision, d_model=width, tokens=D, flops=flops)
        assert (found.draws["experts"] == 256).all()
        assert found.edge_share == 1


def test_best_total() -> None:
    """Ours: 6.25e9 at 125e9 tokens; the search and the formula."""
    sure = pinned(REASONING, OurReasoningSparsity.prior(), {**design(), "trials": np.full(240, 1319.0)})
    for method in ("search", "closed_form"):
        found = bl.allocate(sure, method=method, tokens=D, active_params=1.1e9).draws
        assert found["total_params"].to_numpy() == pytest.approx(6.25e9, rel=1e-4)


def test_one_number_of_tokens_leaves_two_numbers_of_three() -> None:
    """Ours: with D fixed, a gain c2 by total parameters and a peak at TPP* are a peak at another TPP*."""
    c2, total = 0.25, family_params(1024, POWERS)
    both = logit(REASONING(active_params=1e9, total_params=total, tokens=D)) + c2 * np.log(total / 1e10)
    moved = np.log(20.0) - c2 / (2 * REASONING.c3)
    other = OurReasoningSparsity(c0=-1.3, c1=0.7, c3=REASONING.c3, best_ratio=np.exp(moved))
    apart = both - logit(other(active_params=1e9, total_params=total, tokens=D))
    assert np.ptp(apart) < 1e-9
    # Four times the tokens differ by a level, c2 ln 4, and that is what tells them apart.
    four = {"active_params": 1e9, "total_params": total, "tokens": 4 * D}
    shift = logit(REASONING(**four)) + c2 * np.log(total / 1e10) - logit(other(**four)) - apart
    assert shift == pytest.approx(c2 * np.log(4))


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """240 runs, 1,319 questions each, simulated."""
    runs = bl.simulate(REASONING, {**design(), "trials": 1319.0}, seed=1)
    return advised_fit(OurReasoningSparsity, runs, seed=1, progress=False)


def test_best_ratio_is_recovered(posterior: bl.Posterior) -> None:
    """Ours; second-hand for real tasks: about 20, to lie within 15 to 25."""
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name in ("c0", "c1", "c3", "best_ratio"):
        assert found.loc[name, "lower"] < getattr(REASONING, name) < found.loc[name, "upper"], name
    assert found.loc["best_ratio", "lower"] > 15
    assert found.loc["best_ratio", "upper"] < 25


def test_experts_by_probability(posterior: bl.Posterior) -> None:
    """Ours: 64 experts at width 1024 in nearly every draw; the best total of 6.25e9 is inside."""
    decision = OurReasoningSparsity.prior().decisions()["experts"]
    given = {"d_model": 1024, "tokens": D, "flops": 6 * D * family_params(1024, 8) * 1.001}
    best = bl.allocate(posterior, decision, **given).draws["experts"]
    assert float((best == 64).mean()) > 0.99
    low, high = np.quantile(bl.allocate(posterior, tokens=D, active_params=1.1e9).draws["total_params"], [0.005, 0.995])
    assert low < 6.25e9 < high


@pytest.mark.slow
def test_recall_is_recovered() -> None:
    """Ours: 10,042 questions each, simulated."""
    runs = bl.simulate(RECALL, {**design(), "trials": 10042.0}, seed=2)
    posterior = advised_fit(OurRecallSparsity, runs, seed=1, progress=False)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name in ("c0", "c1", "c2"):
        assert found.loc[name, "lower"] < getattr(RECALL, name) < found.loc[name, "upper"], name
