"""The best vocabulary: the numbers of Tao et al. 2024 (arXiv 2407.13623), and what its runs really say.

Each expected figure says where it comes from: *recomputed* from the published data and code (with what the paper
prints), or *ours*.
"""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.optimize import brentq, least_squares, minimize

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models import Vocabulary, VocabularySize
from bayeslaw.models import vocabulary_plans as plans
from bayeslaw.models.vocabulary_size import LOG_K1, optimal_characters, optimal_flops

PUBLISHED = Vocabulary.published()["tao2024"]
SIZES = np.array([3, 7, 13, 30, 70, 130, 300]) * 1e9
SMALL = np.array([33e6, 85e6, 151e6, 302e6, 631e6, 1.13e9, 2.87e9])
COLUMNS = ("nonembedding_params", "vocab_size", "d_model", "tokens")


@float64
def width(params: object) -> np.ndarray:
    return np.asarray(plans.width(params))


@float64
def tokens_per_character(entries: object) -> np.ndarray:
    return np.asarray(plans.tokens_per_character(entries))


@pytest.fixture(scope="module")
def table(fetched) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    return fetched("vocabulary")


@pytest.fixture(scope="module")
def runs(table: pd.DataFrame) -> pd.DataFrame:
    """The 1054 checkpoints that the paper fits."""
    return table[~table.early].reset_index(drop=True)


def root(law: Vocabulary, params: float, flops: float) -> float:
    """The entries with the least loss, from the first-order condition, in the paper's units."""
    raw, n, d, c = law.derived(), params / 1e6, float(width(params)) / 1e3, flops / 1e15
    alpha, gamma = law.alpha, law.gamma

    def slope(x: float) -> float:
        v = np.exp(x)
        gain = np.log(raw["A2"] * gamma * d) - (gamma + 1) * np.log(v * d)
        cost = np.log(alpha * raw["B"] * 6**alpha * d) + (alpha - 1) * np.log(n + v * d) - alpha * np.log(c)
        return gain - cost

    return 1e3 * float(np.exp(brentq(slope, np.log(1e-3), np.log(1e7))))


def roots(law: Vocabulary, sizes: np.ndarray = SIZES) -> np.ndarray:
    """At the compute with which approach 1 has a size optimal."""
    return np.array([root(law, size, optimal_flops(size)) for size in sizes])


# --- The data, and tokens per character -------------------------------------------------------------------------------


def test_the_runs(table: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Recomputed: 1054 of 1200; and the source's FLOPs are 6 (N + V d) times the tokens of its characters."""
    assert (len(table), len(runs), table.curve.nunique()) == (1200, 1054, 60)
    assert (table.groupby("curve").size() == 20).all()
    tokens = table.characters * tokens_per_character(table.vocab_size)
    np.testing.assert_allclose(table.tokens, tokens, rtol=1e-12)
    flops = 6 * (table.nonembedding_params + table.vocab_size * table.d_model) * tokens
    np.testing.assert_allclose(table.flops, flops, rtol=1e-12)
    assert table.normalised_loss.min() == pytest.approx(-5.34272, abs=1e-5)
    wrong = table.characters * tokens_per_character(table.vocab_size / 1000) / tokens
    assert (wrong.min(), wrong.max()) == pytest.approx((2.65, 3.01), abs=0.01)  # the card of the data


def test_tokens_per_character() -> None:
    """Recomputed. The fit has its least value beyond its data, where the law holds it."""
    assert tokens_per_character([4096, 32768, 128000]) == pytest.approx([0.33182, 0.25180, 0.22935], abs=5e-6)
    assert tokens_per_character([2e5, 3e5, 1e7]) == pytest.approx(np.full(3, tokens_per_character(2e5)), abs=0)
    assert np.exp(-plans.LINE / (2 * plans.SQUARE)) == pytest.approx(235021, rel=1e-4)


def test_widths() -> None:
    """Recomputed: a size at a limit has the width below it."""
    assert width([5e7, 5.1e7, 3e9, 7e10, 3e11, 2e12]).tolist() == [512, 768, 3200, 8192, 16384, 24576]


# --- Approaches 1 and 2 -----------------------------------------------------------------------------------------------

APPROACHES = {
    "approach1": (
        39368,
        62281,
        83429,
        141711,
        211860,
        236501,
        355894,
    ),  # printed: 39K, 62K, 83K, 142K, 212K, 237K, 356K
    "approach2": (
        42539,
        67450,
        90504,
        154071,
        230861,
        258138,
        389324,
    ),  # printed: 43K, 67K, 91K, 154K, 231K, 258K, 389K
}


@pytest.mark.parametrize("name", APPROACHES)
def test_powers_of_the_size(name: str) -> None:
    """Recomputed; by hand, and as the decision finds them."""
    law = VocabularySize.published()[name]
    entries = law(nonembedding_params=SIZES) / width(SIZES)
    assert entries == pytest.approx(APPROACHES[name], abs=1)
    posterior = pinned(law, VocabularySize.prior(), {"nonembedding_params": [3e7, 1e9]})
    for method in ("search", "closed_form"):
        found = bl.allocate(posterior, nonembedding_params=SIZES, method=method).draws["vocab_size"]
        assert found.median(("chain", "draw")).to_numpy() == pytest.approx(APPROACHES[name], abs=2)


def test_exponents_of_the_paper() -> None:
    """Published, to the digits of the text: 0.08 C^0.5 parameters, 0.20 C^0.42 of the vocabulary, 6.42 C^0.5 characters."""
    law = VocabularySize.published()["approach1"]
    assert np.exp(LOG_K1) == pytest.approx(0.083, abs=5e-4)
    assert optimal_characters(1.0) == pytest.approx(6.42, abs=5e-3)
    assert law.gamma / 2 == pytest.approx(0.42, abs=5e-3)
    assert law.level * optimal_flops(3e8) ** (-law.gamma / 2) == pytest.approx(0.20, abs=5e-3)
    assert VocabularySize.published()["approach2"].gamma == pytest.approx(0.83, abs=6e-3)


@float64
def cheapest(sizes: np.ndarray) -> np.ndarray:
    return np.asarray(plans.cheapest_vocabulary(jnp.asarray(sizes), plans.width(sizes)))


def test_cheapest_vocabulary_for_a_text() -> None:
    """Recomputed: the roots of approach 2; and ours: they are the least compute on a fine grid."""
    found = cheapest(SMALL)
    assert found == pytest.approx([10323, 15939, 24593, 32777, 40942, 49416, 65928], abs=2)
    entries = np.geomspace(1e3, 1.9e5, 20_000)
    for size, best in zip(SMALL, found, strict=True):
        compute = (size + entries * width(size)) * tokens_per_character(entries)
        assert best == pytest.approx(entries[compute.argmin()], rel=1e-3)


# --- Approach 3: the published coefficients ---------------------------------------------------------------------------


def test_approach_3() -> None:
    """Recomputed; printed: 37K, 60K, 81K, 142K, 218K, 248K, 383K. By the first-order condition and by the search."""
    expected = [36648, 59548, 81347, 141899, 217961, 248188, 383659]
    assert roots(PUBLISHED) == pytest.approx(expected, abs=2)
    small = [4662, 7032, 11549, 15759, 19853, 24631, 35272]
    assert roots(PUBLISHED, SMALL) == pytest.approx(small, abs=2)
    posterior = pinned(PUBLISHED, Vocabulary.prior(), {name: [1e9, 2e9] for name in COLUMNS})
    sizes = np.concatenate([SIZES, SMALL])
    found = bl.allocate(posterior, nonembedding_params=sizes, flops=optimal_flops(sizes))
    entries = found.draws["vocab_size"].median(("chain", "draw")).to_numpy()
    assert entries == pytest.approx([*expected, *small], rel=1e-4)
    assert not found.draws["at_edge"].any()


def test_approach_3_at_other_budgets() -> None:
    """Recomputed; the text has 24K, 35K and 43K for the last three."""
    base = optimal_flops(302e6)
    found = [root(PUBLISHED, 302e6, base * factor) for factor in (0.2, 0.5, 1, 2, 4, 6)]
    assert found == pytest.approx([10188, 13056, 15759, 19033, 23003, 25708], abs=2)
    found = [root(PUBLISHED, 2.87e9, flops) for flops in (2.8e20, 1.2e21, 2.3e21)]
    assert found == pytest.approx([23885, 35388, 42211], abs=2)


def test_loss_of_other_vocabularies_is_nearly_the_same() -> None:
    """Ours: nats above the best at 70 B with 20K to 800K entries, by the published coefficients."""
    size, wide = 70e9, float(width(70e9))

    def loss(entries: np.ndarray) -> np.ndarray:
        tokens = optimal_flops(size) / (6 * (size + entries * wide))
        return PUBLISHED(nonembedding_params=size, vocab_size=entries, d_model=wide, tokens=tokens)

    regret = loss(np.array([2e4, 5e4, 1e5, 4e5, 8e5])) - loss(np.array([217961.0]))
    assert regret == pytest.approx([0.00432, 0.00150, 0.00042, 0.00029, 0.00152], abs=2e-5)


def misfit(law: Vocabulary, runs: pd.DataFrame) -> tuple[float, float]:
    """Root mean square error, and share of the variance explained."""
    off = law(**{name: runs[name] for name in COLUMNS}) - runs.normalised_loss
    return float(np.sqrt((off**2).mean())), float(1 - (off**2).mean() / runs.normalised_loss.var(ddof=0))


def as_published(runs: pd.DataFrame) -> pd.DataFrame:
    """With tokens as the authors' script has them: vocab_size / 1000 in the tokens per character."""
    return runs.assign(tokens=runs.characters * tokens_per_character(runs.vocab_size / 1000))


def test_the_published_fit_holds_for_wrong_tokens(runs: pd.DataFrame) -> None:
    """Recomputed: it fits with vocab_size / 1000 in the tokens per character, and does not with the tokens there were."""
    rms, r2 = misfit(PUBLISHED, as_published(runs))
    assert (rms, r2) == pytest.approx((0.0908, 0.9716), abs=1e-4)
    rms, r2 = misfit(PUBLISHED, runs)
    assert (rms, r2) == pytest.approx((0.530, 0.036), abs=1e-3)


def test_a_refit_with_the_right_tokens(runs: pd.DataFrame) -> None:
    """Ours: one point of the ridge."""
    law = Vocabulary.raw(E=5.541, A1=1.899, A2=0.0608, B=1.332, alpha=0.4395, gamma=0.604)
    assert misfit(law, runs)[0] == pytest.approx(0.0970, abs=1e-4)
    assert roots(law) == pytest.approx([26.7e3, 44.5e3, 62.1e3, 111e3, 176e3, 204e3, 324e3], rel=0.01)


def fitted(runs: pd.DataFrame, gamma: float, huber: bool) -> tuple[float, float]:
    """With gamma held, by least squares or by Huber's loss beyond 0.001 as the paper: misfit and entries at 70 B."""
    n, v, t = (np.log(x) for x in (runs.nonembedding_params / 3e8, runs.vocab_params / 2**25, runs.tokens / 1e10))
    y = runs.normalised_loss.to_numpy()

    def at(alpha: float) -> np.ndarray:
        return np.stack([-np.ones_like(y), np.exp(-alpha * n), np.exp(-gamma * v), np.exp(-alpha * t)], axis=1)

    def residuals(z: np.ndarray) -> np.ndarray:
        return at(np.exp(z[0])) @ np.exp(z[1:]) - y

    start = np.log([0.45, 5.5, 0.15, 0.02, 0.5])
    best = least_squares(residuals, start).x
    if huber:
        # Huber's loss with a bend at 0.001 is all but the absolute error: smooth it down in steps.
        for bend in (0.1, 0.03, 0.01, 0.003, 0.001):

            def objective(z: np.ndarray, bend: float = bend) -> float:
                r = np.abs(residuals(z))
                return float(np.where(r <= bend, r**2 / 2, bend * (r - bend / 2)).sum() / bend)

            best = minimize(objective, best, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-14}).x
    alpha, E, a, c, b = np.exp(best)
    law = Vocabulary(E=E, a=a, alpha=alpha, c=c, gamma=gamma, b=b)
    return misfit(law, runs)[0], root(law, 70e9, optimal_flops(70e9))


@pytest.mark.parametrize(
    ("gamma", "rms", "entries"), [(0.3, 0.0971, 450e3), (0.6, 0.0965, 204e3), (1.0, 0.0969, 75e3), (1.5, 0.0973, 30e3)]
)
def test_the_exponent_of_the_vocabulary_is_not_identified_by_hubers_loss(
    runs: pd.DataFrame, gamma: float, rms: float, entries: float
) -> None:
    """Ours: the misfit moves by a hundredth, the answer by a factor of fifteen."""
    found = fitted(runs, gamma, huber=True)
    assert found[0] == pytest.approx(rms, abs=1e-4)
    assert found[1] == pytest.approx(entries, rel=0.1)


@pytest.mark.parametrize(("gamma", "entries"), [(0.3, 180e3), (0.6, 105e3), (1.0, 47e3), (1.5, 20e3)])
def test_nor_is_it_by_least_squares(runs: pd.DataFrame, gamma: float, entries: float) -> None:
    """Ours."""
    found = fitted(runs, gamma, huber=False)
    assert found[0] == pytest.approx(0.0865, abs=1e-4)
    assert found[1] == pytest.approx(entries, rel=0.1)


# --- Posteriors -------------------------------------------------------------------------------------------------------

ASKED = np.array([3, 7, 13, 70, 300]) * 1e9


def answers(posterior: bl.Posterior) -> np.ndarray:
    """Lower end, median and upper end, 90 %, of the best number of entries at 3, 7, 13, 70 and 300 B: (5, 3)."""
    given = {"nonembedding_params": ASKED, "flops": optimal_flops(ASKED)}
    found = bl.allocate(posterior, posterior.prior.decisions()["vocabulary"], **given)
    assert float(found.draws["at_edge"].mean()) < 0.01
    return np.quantile(found.draws["vocab_size"], [0.05, 0.5, 0.95], axis=(0, 1)).T


@pytest.fixture(scope="module")
def corrected(runs: pd.DataFrame) -> bl.Posterior:
    """Tokens as they were; each run has an offset."""
    return advised_fit(plans.by_run(Vocabulary, runs), runs, seed=1)


@pytest.mark.slow  # minutes: the offsets of sixty runs
def test_what_the_runs_say(corrected: bl.Posterior) -> None:
    """Ours: 32K entries at 3 B, 240K at 70 B, each to a factor of two to three; the paper's points (37K, 60K, 81K, 218K,
    383K) are inside. Medians within 10 %, ends within 20 %: gamma carries them and its chains mix slowly."""
    assert corrected.ok, corrected.status
    found = answers(corrected)
    expected = [
        (14.4, 32.3, 61.2),
        (24.1, 55.3, 112.4),
        (33.8, 79.0, 169.8),
        (90.5, 239.7, 595.8),
        (155.4, 475.6, 1380.7),
    ]
    np.testing.assert_allclose(found[:, 1], 1e3 * np.array(expected)[:, 1], rtol=0.1)
    np.testing.assert_allclose(found, 1e3 * np.array(expected), rtol=0.2)
    paper = np.array([36648, 59548, 81347, 217961, 383659])
    assert ((found[:, 0] < paper) & (paper < found[:, 2])).all()
    assert np.median(corrected.draws["spread.E"]) == pytest.approx(0.057, rel=0.05)
    # a run's offset moves no optimum: a new run is asked for, or one that was seen
    given = {"nonembedding_params": 7e9, "flops": optimal_flops(7e9)}
    same = bl.allocate(corrected, **given, curve="33M-4096").draws["vocab_size"]
    np.testing.assert_allclose(same, bl.allocate(corrected, **given).draws["vocab_size"], rtol=1e-4)


@pytest.mark.slow  # minutes: the offsets of sixty runs
def test_what_the_runs_say_in_the_published_convention(runs: pd.DataFrame) -> None:
    """Ours: with vocab_size / 1000 in the tokens per character, as the authors' script has it, the answers are the same
    to a few percent: tokens of a run are all wrong by nearly one factor, which the other terms take up."""
    published = as_published(runs)
    posterior = advised_fit(plans.by_run(Vocabulary, published), published, seed=1)
    assert posterior.ok, posterior.status
    found = answers(posterior)
    expected = [
        (16.0, 32.8, 57.3),
        (26.5, 56.0, 105.9),
        (36.3, 79.4, 159.6),
        (94.1, 236.8, 571.2),
        (156.3, 459.8, 1307.4),
    ]
    np.testing.assert_allclose(found[:, 1], 1e3 * np.array(expected)[:, 1], rtol=0.1)
    np.testing.assert_allclose(found, 1e3 * np.array(expected), rtol=0.2)
    paper = np.array([36648, 59548, 81347, 217961, 383659])
    assert ((found[:, 0] < paper) & (paper < found[:, 2])).all()


def test_approach_1_from_the_runs(table: pd.DataFrame) -> None:
    """Ours: the best of sixty runs at fifteen budgets scatters by more than half, so the exponent is open; the published
    law and its vocabularies are inside the interval at every size."""
    best = plans.frontier(table, np.geomspace(2e17, 1e20, 15))
    assert len(best) == 15
    assert (best.normalised_loss.diff().dropna() < 0).all()
    posterior = advised_fit(VocabularySize, best[["nonembedding_params", "vocab_params"]], seed=1)
    assert posterior.ok, posterior.status
    gamma = posterior.summary().loc["gamma"]
    assert gamma[["lower", "median", "upper"]].to_list() == pytest.approx([0.61, 0.79, 0.97], abs=0.03)
    assert np.median(posterior.draws["noise.scale"]) == pytest.approx(0.56, rel=0.1)
    found = np.quantile(
        bl.allocate(posterior, nonembedding_params=ASKED).draws["vocab_size"], [0.05, 0.5, 0.95], axis=(0, 1)
    )
    assert found[1] == pytest.approx([40.6e3, 62.3e3, 81.0e3, 192e3, 303e3], rel=0.1)
    published = np.array(APPROACHES["approach1"])[[0, 1, 2, 4, 6]]
    assert ((found[0] < published) & (published < found[2])).all()
