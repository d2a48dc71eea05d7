"""Compute-optimal inference: the published line, the published table, and our laws of voting and of size.

Each expected figure says where it comes from: *published*, *recomputed* from published numbers, or *ours*. The paper
publishes a line and a table; every other number is of our models, on simulated votes where votes are needed.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw.models.inference_error import PYTHIA, InferenceError, among
from bayeslaw.models.inference_size import InferenceSize
from bayeslaw.models.voting import hoeffding, two_answers, voting_accuracy

LINE = InferenceSize.published()["wu2024"]
# Table 1: FLOPs per question and accuracy in % on 500 questions, of weighted voting over samples and of REBASE.
TABLE = {
    "Mistral-7B": (256, 8.70e14, 42.8, 32, 1.36e14, 45.0),
    "Llemma-7B": (256, 10.0e14, 45.5, 32, 1.48e14, 46.8),
    "Llemma-34B": (64, 12.1e14, 46.7, 32, 7.08e14, 49.2),
}
SAMPLES = (1, 4, 16, 64, 256)

# --- The line of sizes ------------------------------------------------------------------------------------------------


def test_the_published_line() -> None:
    """Recomputed: the best size at four budgets, from log10 C = 1.19 log10 N + 2.03."""
    budgets = np.array([1e12, 1e13, 1e14, 1e15])
    assert LINE(inference_flops=budgets) == pytest.approx(np.array([0.2389, 1.6538, 11.450, 79.28]) * 1e9, rel=1e-3)
    assert LINE.derived()["intercept"] == pytest.approx(2.03)
    assert LINE.derived()["optimal_params_exponent"] == pytest.approx(0.840, abs=5e-4)


def test_the_budget_at_which_a_size_is_best() -> None:
    """The line read backwards, by the search and by the formula."""
    posterior = pinned(LINE, InferenceSize.prior(), {"inference_flops": [1e12, 1e15]})
    target = [0.2389e9, 1.6538e9, 11.45e9]
    for method in ("search", "closed_form"):
        found = bl.allocate(posterior, method=method, target=target).draws["inference_flops"].median(("chain", "draw"))
        assert found.to_numpy() == pytest.approx([1e12, 1e13, 1e14], rel=2e-3)


@pytest.mark.slow
def test_the_line_is_recovered_from_an_envelope() -> None:
    """Ours: the best of five sizes at twelve budgets where the truth is the published line. Choosing among few sizes
    is a scatter of about a third, and it leaves the exponent uncertain by a fifth: the paper states none."""
    sizes, budgets = np.array(list(PYTHIA.values())), np.geomspace(2e12, 1e14, 12)
    best = sizes[np.abs(np.log(LINE(inference_flops=budgets)[:, None] / sizes)).argmin(1)]
    posterior = advised_fit(InferenceSize, {"inference_flops": budgets, "params": best}, seed=1)
    assert posterior.ok, posterior.status
    exponent = posterior.summary(0.95).loc["optimal_params_exponent"]
    assert exponent["lower"] < 0.840 < exponent["upper"]
    assert 0.1 < exponent["upper"] - exponent["lower"] < 0.5
    assert 0.1 < posterior.summary().loc["noise.scale", "median"] < 0.5


# --- The published table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "less"), [("Mistral-7B", 6.4), ("Llemma-7B", 6.8), ("Llemma-34B", 1.7)])
def test_rebase_needs_less_compute(model: str, less: float) -> None:
    """Published: "7x" is of the two 7 B models. The gain in accuracy is below its standard error unless paired."""
    _, sampled, before, _, rebase, after = TABLE[model]
    assert sampled / rebase == pytest.approx(less, abs=0.1)
    error = 100 * np.sqrt(2 * 0.45 * 0.55 / 500)
    assert 0 < after - before < error
    assert error == pytest.approx(3, abs=0.2)


def test_a_7b_reaches_34b_at_half_the_compute() -> None:
    """Published, "about 2x fewer FLOPs", read off curves that are not in the table. In the table 7 B with REBASE reaches
    what 34 B reaches by sampling, at an eighth of the compute."""
    small, large = TABLE["Llemma-7B"], TABLE["Llemma-34B"]
    assert small[5] >= large[2]
    assert large[1] / small[4] == pytest.approx(8.2, abs=0.05)


def table_posterior() -> bl.Posterior:
    """Our law on the four rows of the Llemma models: 7 parameters, so the prior has much to say."""
    rows = []
    for model, params in (("Llemma-7B", 7e9), ("Llemma-34B", 34e9)):
        n, _, before, m, _, after = TABLE[model]
        rows += [("weighted_majority", params, n, before), ("rebase", params, m, after)]
    frame = pd.DataFrame(rows, columns=["method", "params", "samples", "accuracy"])
    runs = frame.assign(error=1 - frame.accuracy / 100, trials=500.0).drop(columns="accuracy")
    return advised_fit(
        InferenceError.prior(("weighted_majority", "rebase")), runs, draws=2000, target_accept=0.95, seed=1
    )


@pytest.mark.slow
def test_what_the_table_alone_says() -> None:
    """Ours: at 1.4e14 FLOPs per question REBASE is the better in seven of eight draws; which size is, four rows do not
    say. Tokens per sample are what the table's FLOPs imply: 280 for sampling, 330 for REBASE."""
    posterior = table_posterior()
    assert posterior.ok, posterior.status
    sample_tokens = TABLE["Llemma-7B"][1] / (2 * 7e9 * 256)
    cost = TABLE["Llemma-7B"][4] / 32 / (TABLE["Llemma-7B"][1] / 256)
    assert (sample_tokens, cost) == pytest.approx((279, 1.18), rel=0.01)
    decision = among({"7B": 7e9, "34B": 34e9}, ("weighted_majority", "rebase"), {"rebase": cost})
    found = bl.allocate(posterior, decision, inference_flops=1.4e14, sample_tokens=sample_tokens).summary()
    share = found.reset_index("quantity").set_index("quantity")["median"]
    assert share["method=weighted_majority"] + share["method=rebase"] == pytest.approx(1)
    assert share["model=7B"] + share["model=34B"] == pytest.approx(1)
    assert share["method=rebase"] == pytest.approx(0.873, abs=0.03)
    assert share["model=7B"] == pytest.approx(0.55, abs=0.06)


# --- Size and method --------------------------------------------------------------------------------------------------

TRUE = InferenceError(
    single=0.7, eta=0.25, limit={"majority": 0.75, "rebase": 0.7}, v={"majority": 0.5, "rebase": 0.9},
    methods=("majority", "rebase"),
)  # fmt: skip


def test_error_by_hand() -> None:
    """All methods agree at one sample; the share `limit` of that error stays."""
    alone = 1 / (1 + (0.3 / 0.7) * (34 / 7) ** 0.25)
    for method in TRUE.methods:
        error = TRUE(method=method, params=34e9, samples=[1, 4, 1e12])
        limit = TRUE.limit[method]
        assert error == pytest.approx(
            alone * np.array([1, limit + (1 - limit) * 4 ** -TRUE.v[method], limit]), rel=1e-5
        )


def test_the_best_size_grows_with_the_budget() -> None:
    """Ours. With a floor that all sizes share, exp(u - s ln N) n^-v, the best size at n = C / (2 N T) is the same at
    every budget; with a share of the error of one sample it grows somewhat faster than the budget. The published line,
    of a discrete family, has an exponent of 0.84: neither form implies it."""
    sizes, budgets = np.geomspace(1e8, 1e12, 400), np.array([3e12, 3e13, 3e14])
    samples = budgets[:, None] / (2 * sizes * 300)
    shared = np.where(samples >= 1, 0.4 + 0.3 * (sizes / 7e9) ** -0.2 * samples**-0.5, np.inf).argmin(1)
    assert len(set(shared)) == 1
    ours = TRUE(method="rebase", params=np.broadcast_to(sizes, samples.shape), samples=np.maximum(samples, 1))
    best = np.where(samples >= 1, ours, np.inf).argmin(1)
    growth = [np.log(sizes[b] / sizes[a]) / np.log(10) for a, b in pairwise(best)]
    assert all(1 < one < 1.4 for one in growth), growth
    assert best[-1] < len(sizes) - 1


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Four sizes, two methods, five numbers of samples, 500 questions each, simulated."""
    grid = np.meshgrid([1.4e9, 2.8e9, 6.9e9, 1.2e10], SAMPLES, TRUE.methods, indexing="ij")
    table = {"params": grid[0].ravel(), "samples": grid[1].ravel(), "method": grid[2].ravel(), "trials": 500.0}
    runs = bl.simulate(TRUE, table, seed=0)
    return advised_fit(InferenceError.prior(TRUE.methods), runs, chains=2, draws=1000, warmup=500, seed=1)


def test_size_and_method_by_draw(posterior: bl.Posterior) -> None:
    """Ours: the parameters come back, and so does the best plan where one is clearly the best; the plan with the least
    expected error loses little in any draw (its regret)."""
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name in ("single", "eta", "limit.majority", "limit.rebase", "v.majority", "v.rebase"):
        field, _, method = name.partition(".")
        value = getattr(TRUE, field)[method] if method else getattr(TRUE, field)
        assert found.loc[name, "lower"] < value < found.loc[name, "upper"], name
    decision, given = among(PYTHIA, TRUE.methods), {"inference_flops": [3e12, 1e14], "sample_tokens": 300.0}
    best = bl.allocate(posterior, decision, **given)
    shares = best.summary()["median"]
    assert shares.xs((1e14, 300.0))["method=rebase"] > 0.95
    models = [max(PYTHIA, key=lambda one, c=c: shares.xs((c, 300.0))[f"model={one}"]) for c in given["inference_flops"]]
    assert PYTHIA[models[0]] < PYTHIA[models[1]]  # the more compute, the larger
    assert (best.draws["samples"] >= 1).all()
    sizes = [size for size in PYTHIA.values() if size <= 3e12 / 600]
    plans = {"params": sizes, "samples": [3e12 // (600 * size) for size in sizes], "method": "rebase", "trials": 500.0}
    errors = bl.predict(posterior, plans, misfit=False).draws["error"].stack(all=("chain", "draw")).to_numpy()
    regret = (errors - errors.min(0)).mean(1)
    assert regret.min() < 0.005
    assert regret.max() > 0.01


# --- Voting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        pytest.param(0.3, 0.2, (0.3000, 0.5775, 0.7141, 0.8724, 0.9887), id="the right answer leads"),
        pytest.param(0.25, 0.3, (0.2500, 0.4271, 0.3942, 0.2948, 0.1401), id="a wrong answer leads"),
    ],
)
def test_voting_between_two_answers(right: float, wrong: float, expected: tuple[float, ...]) -> None:
    """Ours; and by simulation at 16 samples. The second row rises and then falls: no monotone curve fits it."""
    assert [two_answers(right, wrong, n) for n in SAMPLES] == pytest.approx(expected, abs=1e-4)
    x, y, _ = np.random.default_rng(0).multinomial(16, [right, wrong, 1 - right - wrong], 100_000).T
    assert np.mean(x > y) + np.mean((x == y) & (x > 0)) / 2 == pytest.approx(expected[2], abs=0.006)  # 4 sd


def test_voting_at_the_ends() -> None:
    assert two_answers(1.0, 0.0, 5) == pytest.approx(1.0)
    assert two_answers(0.0, 0.5, 5) == pytest.approx(0.0)
    assert two_answers(0.4, 0.4, 50) == pytest.approx(0.5)  # but for 50 samples without either


def test_hoeffding() -> None:
    """Ours: for a lead of 0.1; the bound is far above the exact chance of a miss."""
    factor = hoeffding(1, 0.1, np.array(SAMPLES))
    assert factor == pytest.approx([0.9950, 0.9802, 0.9231, 0.7261, 0.2780], abs=1e-4)
    assert (hoeffding(2, 0.1, np.array(SAMPLES)) > [1 - two_answers(0.3, 0.2, n) for n in SAMPLES]).all()


def questions(concentration: float, lead: float, rng: np.random.Generator) -> np.ndarray:
    """Chances of six answers on 200 questions, of which the first is the right one and favoured."""
    return rng.dirichlet(concentration * np.array([lead, *[(1 - lead) / 5] * 5]), 200)


@pytest.mark.parametrize("lead", [0.2, 0.3, 0.4, 0.5])
def test_limit_of_voting(lead: float) -> None:
    """Ours: four models, 256 votes on each of 200 questions with six answers. The limit is the share of questions on
    which the right answer is the likeliest; with 256 votes it is known to a few questions."""
    rng = np.random.default_rng(int(100 * lead))
    chances = questions(3.0, lead, rng)
    votes = rng.multinomial(256, chances)
    truth = (chances.argmax(1) == 0).mean()
    found = voting_accuracy(votes, np.zeros(200, int))
    low, high = np.quantile(found, [0.005, 0.995])
    assert low <= truth <= high
    assert found.std() < 0.02


def test_accuracy_of_fewer_votes_than_were_drawn() -> None:
    """Ours: voting accuracy at 1, 16 and 64 samples, from 64 votes a question; truth by simulation of many votes."""
    rng = np.random.default_rng(1)
    chances = questions(3.0, 0.35, rng)
    votes = rng.multinomial(64, chances)
    means = []
    for n in (1, 16, 64):
        counted = rng.multinomial(n, chances, (400, 200))
        top = counted == counted.max(2, keepdims=True)
        truth = (top[..., 0] / top.sum(2)).mean()
        found = voting_accuracy(votes, np.zeros(200, int), samples=n, draws=200)
        assert found.mean() == pytest.approx(truth, abs=3 * found.std())
        means.append(found.mean())
    assert means[0] < means[1] < means[2]  # on the mean over questions it does rise here
    assert means[0] == pytest.approx(votes[:, 0].mean() / 64, abs=0.02)
