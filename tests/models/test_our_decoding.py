"""Our models of decoding procedures: methods by counts, tokens at equal accuracy, chains of proposals, refinement.

The papers (arXiv 2412.16260, 2505.13672, 2504.03790, 2504.01931) have no law. Each expected figure says where it comes
from: *published*, *recomputed* from published figures, or *ours*.
"""

import itertools

import numpy as np
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.special import expit, logit
from scipy.stats import beta

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models.our_methods import OurMethods
from bayeslaw.models.our_refinement import OurRefinement, accepts, effective_samples
from bayeslaw.models.our_token_efficiency import METHODS, OurTokenEfficiency

# --- Methods by counts ------------------------------------------------------------------------------------------------

SECONDS = {"quiet_star": 554.66, "rebase": 8.47, "both": 143.66}
SOLVED = {"quiet_star": 41.0, "rebase": 14.0, "both": 12.0}


@pytest.fixture(scope="module")
def methods() -> bl.Posterior:
    """Recomputed: 41, 14 and 12 of 128, from the decimals of the accuracies; that there were 128 is not stated."""
    runs = {"method": list(SOLVED), "trials": 128.0, "accuracy": [count / 128 for count in SOLVED.values()]}
    return advised_fit(OurMethods.prior(SECONDS), runs, seed=1, progress=False)


def test_counts_behind_the_published_accuracies() -> None:
    """Published 32.03, 10.94 and 9.38 %: with these two decimals no smaller number of problems will do for all three."""
    for count, percent in zip(SOLVED.values(), (32.03, 10.94, 9.38), strict=True):
        assert 100 * count / 128 == pytest.approx(percent, abs=0.005 + 1e-9)
    fits = [
        n for n in range(1, 129) if all(abs(100 * round(n * p / 100) / n - p) < 0.00501 for p in (32.03, 10.94, 9.38))
    ]
    assert fits[-1] == 128
    assert fits[0] in (64, 128)


def test_accuracy_per_cost_and_price_of_a_better_answer() -> None:
    """Ours, from Jeffreys' posteriors, 95 %: 2.52 and 4.66 % per TFLOP, ratio 1.87 [1.03, 3.14]; one more right answer
    by Quiet-STaR costs 49.6 TFLOPs [33.9, 92.2]."""
    assert pytest.approx((2.52, 4.66), abs=0.005) == (32.03 / 12.73, 10.94 / 2.35)
    rng = np.random.default_rng(0)
    dear, cheap = (rng.beta(count + 0.5, 128.5 - count, 400_000) for count in (41, 14))
    ratio = (cheap / 2.35) / (dear / 12.73)
    assert pytest.approx(1.85, abs=0.01) == 4.655 / 2.516  # of the point estimates; 1.87 is the median
    assert np.median(ratio) == pytest.approx(1.87, abs=0.03)
    assert np.quantile(ratio, [0.025, 0.975]) == pytest.approx([1.03, 3.14], abs=0.03)
    price = (12.73 - 2.35) / (dear - cheap)
    assert np.median(price) == pytest.approx(49.6, abs=1)
    assert np.quantile(price, [0.025, 0.975]) == pytest.approx([33.9, 92.2], abs=1)


def test_one_of_three_published_methods(methods: bl.Posterior) -> None:
    """Ours: P(REBASE better than both together) is 0.66, no evidence; that either beats Quiet-STaR is out."""
    assert methods.ok, methods.status
    share = {name: methods.draws[f"share.{name}"] for name in SOLVED}
    assert (share["rebase"] > share["both"]).mean() == pytest.approx(0.66, abs=0.03)  # of 4,000 draws
    exact = beta(15, 115).sf(np.linspace(0, 1, 20_001)) @ beta(13, 117).pdf(np.linspace(0, 1, 20_001)) / 20_000
    assert exact == pytest.approx(0.66, abs=0.01)
    for name, count in SOLVED.items():
        ends = beta.ppf([0.05, 0.95], count + 1, 129 - count)
        assert np.quantile(share[name], [0.05, 0.95]) == pytest.approx(ends, abs=0.01)
    table = bl.alternatives(methods, methods.prior.decisions()["best"]).summary()
    assert table["p_best"].to_numpy() == pytest.approx([1, 0, 0], abs=1e-3)


def test_which_method_is_worth_it() -> None:
    """Ours: below some 50 TFLOPs per right answer the cheap one, above it the dear one, in between who knows."""
    runs = {"method": ["quiet_star", "rebase"], "trials": 128.0, "accuracy": [41 / 128, 14 / 128]}
    posterior = advised_fit(OurMethods, runs, seed=1, progress=False)
    values = [10.0, 49.6, 300.0]
    table = bl.alternatives(posterior, answer_value=values).summary()
    dear = table["p_best"].xs("quiet_star", level="method").to_numpy()
    assert dear[0] == 0
    assert 0.35 < dear[1] < 0.65
    assert dear[2] > 0.99
    cheap = bl.alternatives(posterior, posterior.prior.decisions()["per_cost"]).summary()
    assert cheap["p_best"].xs("rebase", level="method").to_numpy() == pytest.approx([0.98], abs=0.015)


# --- Tokens at equal accuracy -----------------------------------------------------------------------------------------


def test_three_times_fewer_tokens() -> None:
    """Ours: at s = 0.5 that is 0.549 logits. (Published, an abstract's "up to": 3 times fewer tokens than best-of-N.)"""
    assert 0.5 * np.log(3) == pytest.approx(0.549, abs=1e-3)
    levels = dict(zip(METHODS, (0.0, 0.2, 0.5 * np.log(3)), strict=True))
    law = OurTokenEfficiency(level=levels, s=0.5, methods=METHODS)
    same = law(method=["best_of_n", "a_star"], generated_tokens=[3000, 1000])
    assert same[0] == pytest.approx(same[1])
    assert float(float64(law.derived)()["gain.a_star"]) == pytest.approx(3.0)


def test_recovery_of_token_gains() -> None:
    """Ours: three methods at five numbers of tokens, 500 problems each; the gain to within a factor of 1.5 or so."""
    levels = dict(zip(METHODS, (-0.5, -0.3, 0.05), strict=True))
    truth = OurTokenEfficiency(level=levels, s=0.5, methods=METHODS)
    design = {
        "method": np.repeat(METHODS, 5),
        "generated_tokens": np.tile(500 * 2.0 ** np.arange(5), 3),
        "trials": 500.0,
    }
    posterior = advised_fit(OurTokenEfficiency, bl.simulate(truth, design, seed=1), seed=1, progress=False)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name, value in {**{f"level.{one}": level for one, level in levels.items()}, "s": 0.5}.items():
        assert found.loc[name, "lower"] < value < found.loc[name, "upper"], name
    low, high = found.loc["gain.a_star", ["lower", "upper"]]
    assert low < np.exp(0.55 / 0.5) < high
    assert high / low < 2.5
    table = bl.alternatives(posterior, target=0.6).summary()
    assert table["p_best"].xs("a_star", level="method").to_numpy() > 0.99
    plan = bl.allocate(posterior, target=0.6).draws
    tokens = float(plan["generated_tokens"].median())
    assert tokens == pytest.approx(1000 * np.exp((logit(0.6) - 0.05) / 0.5), rel=0.15)
    assert float(plan["accuracy"].median()) == pytest.approx(0.6)
    at = bl.alternatives(posterior, truth.decisions()["method"], generated_tokens=4000.0).summary()
    assert at["p_best"].xs("a_star", level="method").to_numpy() > 0.99


# --- Chains of proposals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("correlation", "expected"), [(0.5, 341.3), (0.9, 53.9), (0.98, 10.3)])
def test_effective_samples(correlation: float, expected: float) -> None:
    """Ours: of a chain of 1024; and that they are what the variance of its mean says."""
    assert effective_samples(1024, correlation) == pytest.approx(expected, abs=0.1)
    lags = np.arange(1, 20_000)
    assert 1 / (1 + 2 * np.sum(correlation**lags)) == pytest.approx(effective_samples(1, correlation), abs=1e-9)


@pytest.mark.parametrize(("with_lengths", "distance"), [(True, 0.0), (False, 0.158)])
def test_the_chain_has_its_target(with_lengths: bool, distance: float) -> None:
    """Ours: a toy of 15 sequences, letters a and b, a stop with chance 0.3, at most three letters; its exact transition
    matrix has the target only with the factor of lengths."""
    words = [w for n in range(4) for w in itertools.product("ab", repeat=n)]
    assert len(words) == 15

    def length(word: tuple[str, ...]) -> int:  # counts the stop
        return len(word) + 1

    def model(word: tuple[str, ...], start: int = 0) -> float:
        """The chance of the word's rest from that place on."""
        chance = np.prod([0.7 * (0.6 if letter == "a" else 0.4) for letter in word[start:]])
        return chance * (0.3 if len(word) < 3 else 1.0)

    assert sum(model(word) for word in words) == pytest.approx(1)
    reward = {word: word.count("b") - 0.3 * length(word) for word in words}
    target = np.array([model(word) * np.exp(reward[word] / 0.7) for word in words])
    target /= target.sum()
    chain = np.zeros((15, 15))
    for i, old in enumerate(words):
        for place in range(length(old)):
            for j, new in enumerate(words):
                if new[:place] == old[:place] and len(new) >= place:
                    lengths = (length(new), length(old)) if with_lengths else (1, 1)
                    accept = float(float64(accepts)(reward[new], reward[old], 0.7, *lengths))
                    chain[i, j] += model(new, place) / length(old) * accept
    chain += np.diag(1 - chain.sum(1))
    stationary = np.linalg.matrix_power(chain, 2000)[0]
    assert np.abs(stationary - target).sum() / 2 == pytest.approx(distance, abs=1e-3)
    if with_lengths:
        assert np.abs(target @ chain - target).max() < 1e-14


# --- Refine or restart ------------------------------------------------------------------------------------------------

REFINE = OurRefinement(mu=0.3, nu=2.0, u=-0.8, v=0.5)


def test_rounds_of_refinement() -> None:
    """Ours: Beta(0.6, 1.4) problems, 0.3 at first."""
    rounds = [1, 2, 3, 4]
    hazard = REFINE(counted="refined", iterations=rounds, attempts=0)
    assert hazard == pytest.approx([0.2142, 0.1419, 0.0911, 0.0573], abs=1e-4)
    after = REFINE(counted="solved", iterations=[0, *rounds], attempts=[0, *rounds])
    assert after == pytest.approx([0.3, 0.4499, 0.5279, 0.5710, 0.5956], abs=1e-4)
    fresh = REFINE(counted="fresh", iterations=rounds, attempts=0)
    assert fresh == pytest.approx([0.2, 0.15, 0.12, 0.1], abs=1e-12)
    assert (hazard > fresh).tolist() == [True, False, False, False]


def sure(law: OurRefinement) -> bl.Posterior:
    return pinned(law, OurRefinement.prior(), {"counted": [0.0, 2.0], "iterations": [0.0, 3.0], "trials": [9.0, 9.0]})


def test_one_refinement_then_fresh() -> None:
    """Ours: while the next refinement beats the next fresh sample; a corner where it never does."""
    found = bl.allocate(sure(REFINE), attempts=[1, 6, 20]).draws
    assert found["iterations"][0, 0].to_numpy().tolist() == [1, 1, 1]
    failed = 0.7 * (1 - 0.2142) * np.prod([1 - 0.6 / (2 + t) for t in range(2, 7)])
    assert float(found["accuracy"][0, 0, 1]) == pytest.approx(1 - failed, abs=1e-4)
    never = OurRefinement(mu=0.3, nu=2.0, u=-1.5, v=0.5)
    assert expit(-2.0) < 0.2
    found = bl.allocate(sure(never), attempts=[1, 6, 20]).draws
    assert (found["iterations"] == 0).all()
    assert np.abs(found["accuracy_gain"]).max() < 1e-12


def test_recovery_of_refinement() -> None:
    """Ours: 200 problems, six refinements and six fresh samples each; then when to stop is known to a round or two."""
    rng = np.random.default_rng(0)
    rows = []
    for kind, first in (("fresh", 0), ("refined", 1)):
        left = 200
        for t in range(first, 6 + first):
            chance = float(REFINE(counted=kind, iterations=t, attempts=0))
            right = rng.binomial(left, chance)
            rows.append((kind, float(t), float(left), right / left))
            left -= right
    runs = dict(zip(("counted", "iterations", "trials", "accuracy"), map(list, zip(*rows, strict=True)), strict=True))
    posterior = advised_fit(OurRefinement, runs, seed=1, progress=False)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name in ("mu", "nu", "u", "v"):
        assert found.loc[name, "lower"] < getattr(REFINE, name) < found.loc[name, "upper"], name
    table = bl.alternatives(posterior, attempts=6.0).summary()
    assert table["p_best"].sum() == pytest.approx(1)
    assert table["possible"].loc[6.0, 7.0] == 0
    near = table["p_best"].loc[6.0].loc[0.0:3.0]
    assert near.sum() > 0.9
    assert table["regret"].loc[6.0, 1.0] < 0.01  # one refinement is hardly ever a mistake


def test_nothing_need_be_given_and_a_new_run_has_as_many_answers_as_one_says(methods: bl.Posterior) -> None:
    best = methods.prior.decisions()["best"]
    one, many = bl.allocate(methods, best).draws, bl.allocate(methods, best, trials=128).draws
    assert one.sizes["scenario"] == 1
    assert set(np.unique(one["accuracy_new_run"])) <= {0.0, 1.0}
    counts = many["accuracy_new_run"].to_numpy() * 128
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    assert counts.max() > 20
    assert "quiet_star" in bl.allocate(methods, best).__repr__()
    with pytest.raises(bl.InputError, match="'flops' is not a quantity of this decision"):
        bl.allocate(methods, best, flops=1e21)


def test_more_attempts_than_the_law_knows() -> None:
    runs = {"counted": ["fresh", "solved"], "iterations": [0, 3], "attempts": [0, 50], "trials": 9, "accuracy": 1 / 3}
    with pytest.raises(bl.InputError, match="row 1 counts what 50 attempts solve; this law knows up to 32"):
        bl.fit(OurRefinement, runs)
