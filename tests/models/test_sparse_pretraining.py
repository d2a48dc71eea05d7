"""Sparse pre-training: the schedule's arithmetic, the published model cards, and what simulated runs tell.

Each expected figure says where it comes from: *published* (model cards), *second-hand* (reviews), *recomputed* from
published data, or *ours*. No coefficients and no table of losses are published: the truth of the simulated runs is the
dense refit of arXiv 2404.10102, so nothing here shows that the law is right, only what it says and that it is fitted.
"""

from typing import Literal

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw.models.sparse_pretraining import (
    SparsePretraining,
    average_density,
    compute_optimal,
    density_at_rule,
    steps_at_rule,
)

TRUTH = SparsePretraining(E=1.8172, a=482.01 * 1e8**-0.3478, alpha=0.3478, b=2085.43 * 1e10**-0.3658, beta=0.3658)
SMALLEST = TRUTH.decisions()["smallest"]
SPARSITY = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
# steps, first and last pruning step, final sparsity, linear-layer parameters averaged over training (model cards)
CARDS = {"20p": (11200, 2500, 8100, 0.2), "40p": (13050, 2500, 8875, 0.4), "60p": (16375, 2500, 10100, 0.6)}
LINEAR, STEP = 1.14e9, 8e6  # parameters at the start, tokens per step as the cards count them


def stepped(card: str, events: int, shape: str = "geometric") -> np.ndarray:
    """The density at each step of a card's run, pruned every 100 steps."""
    steps, start, _, sparsity = CARDS[card]
    done = np.clip((np.arange(steps) - start) // 100 + 1, 0, events) / events
    return {
        "geometric": (1 - sparsity) ** done,
        "linear": 1 - sparsity * done,
        "cubic": 1 - sparsity * (1 - (1 - done) ** 3),
    }[shape]


def continuous(card: str) -> float:
    steps, start, end, sparsity = CARDS[card]
    return float(average_density(sparsity, start / steps, end / steps))


# --- The schedule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("card", "published", "tolerance"), [("20p", 0.8919, 2e-4), ("40p", 0.7651, 5e-4)])
def test_average_density_of_the_cards(card: str, published: float, tolerance: float) -> None:
    """Published: 0.8919 and 0.7651. Ours: 56 and 64 pruning steps give them."""
    assert stepped(card, {"20p": 56, "40p": 64}[card]).mean() == pytest.approx(published, abs=tolerance)


def test_average_density_of_60p() -> None:
    """Published, two digits: 0.69 / 1.14."""
    assert stepped("60p", 76).mean() == pytest.approx(0.69 / 1.14, abs=0.005 / 1.14)


@pytest.mark.parametrize(
    ("card", "events", "expected"), [("20p", 56, 0.8919), ("40p", 64, 0.7649), ("40p", 63, 0.7635), ("60p", 76, 0.6080)]
)
def test_pruning_in_steps(card: str, events: int, expected: float) -> None:
    """Ours; and the formula in continuous time is what many small prunings tend to."""
    assert stepped(card, events).mean() == pytest.approx(expected, abs=2e-4)
    assert 0 < continuous(card) - stepped(card, events).mean() < 3e-3


@pytest.mark.parametrize(("card", "expected"), [("20p", 0.8928), ("40p", 0.7660), ("60p", 0.6099)])
def test_pruning_in_continuous_time(card: str, expected: float) -> None:
    """Ours."""
    assert continuous(card) == pytest.approx(expected, abs=2e-4)


def test_average_density_of_80p() -> None:
    """Published, two digits: 0.45 / 1.14, by the rule (its steps are not confirmed)."""
    assert float(density_at_rule(0.8)) == pytest.approx(0.45 / 1.14, abs=0.005 / 1.14)


def test_density_at_the_rule() -> None:
    """Ours."""
    assert density_at_rule(SPARSITY[1:]) == pytest.approx([0.8926, 0.7662, 0.6103, 0.3991], abs=2e-4)
    assert float(density_at_rule(0.0)) == pytest.approx(1.0, abs=1e-8)
    assert float(density_at_rule(0.8)) / 0.2 == pytest.approx(1.995, abs=0.002)
    assert float(average_density(0.8, 0.25, 0.75)) == pytest.approx(0.549, abs=5e-4)  # units mixed up: wrong


def test_lossless_compression_is_up_to_two() -> None:
    """Second-hand: a model up to twice as small at sparsity 0.8, at equal quality and compute."""
    assert float(density_at_rule(0.8)) / 0.2 == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("card", "expected", "published"),
    [
        ("20p", (0.2231, 0.7211), (0.2232, 0.7232)),
        ("40p", (0.1915, 0.6808), (0.1916, 0.6801)),
        ("60p", (0.1526, 0.6186), (0.1527, 0.6168)),
    ],
)
def test_the_rule_in_steps(card: str, expected: tuple[float, float], published: tuple[float, float]) -> None:
    """Ours, and the cards': 25 and 75 % of the compute as shares of the steps. Both ways round it is one schedule."""
    found = [float(one) for one in steps_at_rule(CARDS[card][3])]
    assert found == pytest.approx(expected, abs=1e-4)
    assert found == pytest.approx(published, abs=0.003)
    assert float(average_density(CARDS[card][3], *found)) == pytest.approx(float(density_at_rule(CARDS[card][3])))


@pytest.mark.parametrize(
    ("card", "events", "shares"),
    [("20p", 56, (0.250, 0.752)), ("40p", 64, (0.251, 0.749)), ("60p", 76, (0.251, 0.748))],
)
def test_compute_before_pruning_starts_and_ends(card: str, events: int, shares: tuple[float, float]) -> None:
    """Recomputed from the cards: the authors' runs keep their rule in compute."""
    _, start, end, _ = CARDS[card]
    compute = np.cumsum(stepped(card, events))
    assert [compute[start - 1] / compute[-1], compute[end - 1] / compute[-1]] == pytest.approx(shares, abs=0.003)


@pytest.mark.parametrize(("shape", "while_pruning", "expected"), [("linear", 0.9, 0.8946), ("cubic", 0.85, 0.8696)])
def test_other_schedules_do_not_give_the_card(shape: str, while_pruning: float, expected: float) -> None:
    """Ours: expected figures in continuous time; in 56 steps they are 0.001 to 0.002 lower, and neither is 0.8919."""
    steps, start, end, sparsity = CARDS["20p"]
    found = (start + (end - start) * while_pruning + (steps - end) * (1 - sparsity)) / steps
    assert found == pytest.approx(expected, abs=2e-4)
    in_steps = stepped("20p", 56, shape).mean()
    assert 0 < found - in_steps < 3e-3
    assert min(abs(found - 0.8919), abs(in_steps - 0.8919)) > 1.5e-3


def test_the_cards_have_equal_compute() -> None:
    """Ours: 6 average_params tokens."""
    found = [6 * LINEAR * continuous(card) * CARDS[card][0] * STEP for card in CARDS]
    assert found == pytest.approx([5.48e20, 5.45e20, 5.42e20], rel=0.01)
    assert max(found) / min(found) < 1.02


def test_sparse_against_its_small_dense_pair() -> None:
    """Published: losses 2.182 +- 0.017 and 2.209 +- 0.021. Ours: of the 0.027 the law explains 0.0085, the two models
    being of 0.69 and 0.65 B; the rest is within the errors."""
    explained = float(TRUTH(average_params=0.65e9, tokens=131e9) - TRUTH(average_params=0.69e9, tokens=131e9))
    assert explained == pytest.approx(0.0085, abs=5e-4)
    assert abs((2.209 - 2.182) - explained) < np.hypot(0.017, 0.021)


# --- The law and its decisions, at the truth ---------------------------------------------------------------------------


def test_loss_of_the_truth() -> None:
    """Ours: 162 M parameters at the start."""
    density = density_at_rule(SPARSITY)
    same_tokens = TRUTH(average_params=162e6 * density, tokens=32.4e9)
    same_compute = TRUTH(average_params=162e6 * density, tokens=32.4e9 / density)
    assert same_tokens == pytest.approx([2.7880, 2.8151, 2.8533, 2.9140, 3.0412], abs=5e-4)
    assert same_compute == pytest.approx([2.7880, 2.8030, 2.8256, 2.8648, 2.9561], abs=5e-4)


def test_loss_at_a_final_size() -> None:
    """Ours: the sparser, the lower, as long as the average size is below its optimum."""
    average = 1e8 / (1 - SPARSITY) * density_at_rule(SPARSITY)
    found = TRUTH(average_params=average, tokens=3e20 / (6 * average))
    assert found == pytest.approx([2.7223, 2.6971, 2.6677, 2.6319, 2.5839], abs=5e-4)


@pytest.fixture(scope="module")
def certain() -> bl.Posterior:
    """Each draw is the truth."""
    return pinned(TRUTH, SparsePretraining.prior(), {"average_params": [5e7, 1e10], "tokens": [1e9, 1e11]}, bl.Normal)


@pytest.mark.parametrize("method", ["search", "closed_form"])
def test_best_average_size(certain: bl.Posterior, method: Literal["search", "closed_form"]) -> None:
    """Ours, at the truth and 3e20 FLOPs: sizes and loss."""
    found = bl.allocate(certain, method=method, flops=3e20, sparsity=0.8).draws.isel(scenario=0).median()
    sizes = [float(found[name]) for name in ("average_params", "tokens", "params", "final_params")]
    assert sizes == pytest.approx([1.499e9, 3.336e10, 3.756e9, 7.51e8], rel=5e-3)
    assert float(found["loss"]) == pytest.approx(2.4224, abs=5e-4)


def test_smallest_final_model(certain: bl.Posterior) -> None:
    """Ours: without a price of sparsity it is at the edge, and the result says so."""
    found = bl.allocate(certain, SMALLEST, flops=3e20)
    assert found.edge_share.item() == 1.0
    best = found.draws.median().squeeze()
    assert float(best["sparsity"]) == pytest.approx(0.8)
    assert float(best["average_params"] / best["final_params"]) == pytest.approx(1.995, abs=0.002)
    assert float(best["loss"]) == pytest.approx(2.4224, abs=5e-4)


def test_the_price_of_sparsity_bounds_it() -> None:
    """Where the final size counts for a tenth, half a percent of the loss is spent at a sparsity inside the box."""
    law = SparsePretraining(TRUTH.E, TRUTH.a, TRUTH.alpha, TRUTH.b, TRUTH.beta, w=0.3)
    runs = {"average_params": [5e7, 1e10], "tokens": [1e9, 1e11], "final_params": [1e7, 1e10]}
    found = bl.allocate(pinned(law, SparsePretraining.prior(final=True), runs, bl.Normal), SMALLEST, flops=3e20)
    best = found.draws.median().squeeze()
    assert found.edge_share.item() == 0.0
    assert 0.3 < float(best["sparsity"]) < 0.7
    assert float(best["loss"]) == pytest.approx(1.005 * 2.4224, abs=5e-4)


def test_sparsity_for_a_final_size(certain: bl.Posterior) -> None:
    """Ours: the sparsest while the average size is below its optimum; dense where the final size is above it."""
    decision = TRUTH.decisions()["sparsity"]
    best = bl.allocate(certain, decision, final_params=[1e8, 1.2e9, 1e10], flops=3e20).draws.median(("chain", "draw"))
    assert best["sparsity"].to_numpy()[[0, 2]] == pytest.approx([0.8, 0.0], abs=1e-4)
    assert 0.05 < float(best["sparsity"][1]) < 0.75
    assert float(best["average_params"][1]) == pytest.approx(1.499e9, rel=5e-3)  # interior: the optimum of the average


# --- Simulated runs ---------------------------------------------------------------------------------------------------


def design() -> pd.DataFrame:
    """The 30 runs of the design: three sizes, five sparsities, 10 and 20 tokens per parameter."""
    size, sparsity, ratio = (
        one.ravel() for one in np.meshgrid([58e6, 162e6, 468e6], SPARSITY, [10, 20], indexing="ij")
    )
    density = density_at_rule(sparsity)
    runs = {"average_params": size * density, "final_params": size * (1 - sparsity), "tokens": ratio * size}
    return pd.DataFrame(runs)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return bl.simulate(TRUTH, design(), noise=bl.Normal(scale=0.005), seed=2).assign(final_params=design().final_params)


@pytest.fixture(scope="module")
def posterior(runs: pd.DataFrame) -> bl.Posterior:
    """With w, which the paper says is 0, among the parameters."""
    return advised_fit(
        SparsePretraining.prior(final=True),
        runs,
        noise=bl.Normal(dist.HalfNormal(0.03)),
        chains=2,
        draws=3000,
        warmup=1000,
        seed=1,
    )


def test_what_thirty_runs_tell(posterior: bl.Posterior) -> None:
    """Ours. E, alpha and beta are known poorly from so short a range; the loss in it, w and the decision are not."""
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)  # E lies at the end of the 95 % interval in this world, within Monte Carlo error
    for name, value in {"E": 1.8172, "alpha": 0.3478, "beta": 0.3658, "w": 0.0}.items():
        assert found.loc[name, "lower"] < value < found.loc[name, "upper"], name
    assert found.loc["w", "sd"] < 0.05  # the prior's is 0.1
    assert found.loc["noise.scale", "lower"] < 0.005 < found.loc["noise.scale", "upper"]
    new = {"average_params": 162e6 * 0.3991, "final_params": 162e6 * 0.2, "tokens": 6e9}
    loss = bl.predict(posterior, new, misfit=False).summary(0.95).droplevel([*new]).loc["loss"]
    truth = float(TRUTH(average_params=new["average_params"], tokens=6e9))
    assert loss["lower"] < truth < loss["upper"]
    assert loss["upper"] - loss["lower"] < 0.05
    best = bl.allocate(posterior, flops=3e19, sparsity=0.8)
    average = best.draws["average_params"].to_numpy()
    low, high = np.quantile(average, [0.025, 0.975])
    assert low < float(closed(flops=3e19)) < high
    np.testing.assert_allclose(
        bl.allocate(posterior, method="closed_form", flops=3e19, sparsity=0.8).draws["average_params"],
        average,
        rtol=1e-4,
    )


def closed(flops: float) -> float:
    assert compute_optimal.closed_form is not None
    return compute_optimal.closed_form(TRUTH, flops=flops, sparsity=0.0)["average_params"]


@pytest.mark.slow
def test_a_schedule_off_the_rule_is_seen() -> None:
    """Ours: the sweep of the design (dense share by pruning share of the compute, at 162 M) with a penalty of 0.2."""
    law = SparsePretraining(TRUTH.E, TRUTH.a, TRUTH.alpha, TRUTH.b, TRUTH.beta, kappa=0.2)
    starts, shares = (one.ravel() for one in np.meshgrid([0, 0.25, 0.5, 0.75], [0.25, 0.5, 0.75, 1.0], indexing="ij"))
    keep = starts + shares <= 1
    ends, starts = (starts + shares)[keep], starts[keep]
    density = 1 / (starts + (ends - starts) * np.log(5) / 0.8 + (1 - ends) / 0.2)  # of the steps, at sparsity 0.8
    sweep = {"average_params": 162e6 * density, "tokens": 3.24e9 / density}
    table = pd.DataFrame({**sweep, "prune_start_compute": starts, "prune_end_compute": ends})
    both = pd.concat(
        [design()[["average_params", "tokens"]].assign(prune_start_compute=0.25, prune_end_compute=0.75), table]
    )
    runs = bl.simulate(law, both, noise=bl.Normal(scale=0.005), seed=0)
    prior = SparsePretraining.prior(schedule=True)
    posterior = advised_fit(prior, runs, noise=bl.Normal(dist.HalfNormal(0.03)), seed=1)
    assert posterior.ok, posterior.status
    kappa = posterior.summary(0.95).loc["kappa"]
    assert kappa["lower"] < 0.2 < kappa["upper"]
    assert kappa["sd"] < 0.03
