"""Our model of verification, for the question of Singhi et al. 2025 (arXiv 2504.01005): solve more often, or verify?

Each expected figure says where it comes from: *published*, *second-hand*, *recomputed* from published figures, or *ours*.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from advised import advised_fit
from pinned import pinned
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import beta

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models import selection
from bayeslaw.models.our_verification import KINDS, OurVerification
from bayeslaw.models.verification_plans import BUDGETS, SAMPLES, exponents, overtakes, verify
from bayeslaw.models.voting import two_answers

INDEPENDENT = 1e8  # verdicts that do not persist
VERDICTS = bl.Choices((1.0, 2.0, 4.0, 8.0, 16.0, 32.0))
WITH_VERDICTS = verify.within(verifications=VERDICTS)


def law(persistence: float, rival: float = 0.3) -> OurVerification:
    """Beta(0.5, 0.8) questions; verdicts that find 0.8 of the right answers and 0.3 of the wrong ones right."""
    return OurVerification(
        rate={"solved": 0.5 / 1.3, "right": 0.8, "wrong": 0.3, "rival": rival},
        alike={"solved": 1.3, "right": persistence, "wrong": persistence, "rival": 4.0},
    )


def certain(persistence: float, rival: float = 0.3) -> bl.Posterior:
    return pinned(law(persistence, rival), OurVerification.prior(), {"counted": range(5), "trials": [64.0] * 5})


# --- Formulas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "samples", "verifications", "persistence", "expected"),
    [
        (0.3, 8, 4, INDEPENDENT, 0.842656),
        (0.3, 8, 4, 2.0, 0.716590),
        (0.1, 32, 8, INDEPENDENT, 0.916402),
        (0.1, 32, 8, 2.0, 0.585718),
        (0.1, 32, 64, 2.0, 0.754599),
    ],
)
def test_best_of_one_question(p: float, samples: int, verifications: int, persistence: float, expected: float) -> None:
    """Ours; a simulation beside it."""

    @float64
    def exact() -> float:
        right, wrong = (selection.positive_verdicts(rate, persistence, verifications, 64) for rate in (0.8, 0.3))
        return float(selection.best_of(p, samples, right, wrong))

    assert exact() == pytest.approx(expected, abs=1e-6)
    rng = np.random.default_rng(0)
    truth = rng.random((100_000, samples)) < p
    rate = np.where(truth, 0.8, 0.3)
    if persistence != INDEPENDENT:
        rate = rng.beta(rate * persistence, (1 - rate) * persistence)
    scores = rng.binomial(verifications, rate) + rng.random(truth.shape) / 2
    picked = truth[np.arange(len(truth)), scores.argmax(1)].mean()
    assert picked == pytest.approx(expected, abs=0.006)  # four standard errors


@pytest.mark.parametrize(
    ("p", "w", "expected"),
    [(0.3, 0.2, (0.3, 0.5775, 0.7141, 0.8724, 0.9887)), (0.25, 0.3, (0.25, 0.4271, 0.3942, 0.2948, 0.1401))],
)
def test_majority_of_one_question(p: float, w: float, expected: tuple[float, ...]) -> None:
    """Ours: where a wrong answer is the most frequent one, more samples are worse."""
    for samples, accuracy in zip((1, 4, 16, 64, 256), expected, strict=True):
        found = float(float64(selection.majority)(p, w, samples, most=256))
        assert found == pytest.approx(accuracy, abs=1e-4)
        assert found == pytest.approx(two_answers(p, w, samples), abs=1e-10)


@pytest.mark.parametrize(("mean", "alike"), [(0.4, 1.3), (0.1, 0.5), (0.99, 3.0), (0.3, 100.0)])
def test_averages_over_questions(mean: float, alike: float) -> None:
    """Against adaptive quadrature; the majority of many samples against the sum over all of them."""
    x, y = mean * alike, (1 - mean) * alike

    def average(function: object) -> float:
        def term(logit: float) -> float:
            p = 1 / (1 + np.exp(-logit))
            density = np.exp(-x * np.logaddexp(0, -logit) - y * np.logaddexp(0, logit) - betaln(x, y))
            return density * (function(p) - p)  # type: ignore[operator]

        middle = np.log(x / y)
        return mean + quad(term, middle - 40, middle + 30, limit=400, points=[middle - 3, middle, middle + 3])[0]

    with jax.enable_x64(True):
        right, wrong = (selection.positive_verdicts(rate, 2.0, 8, 32) for rate in (0.8, 0.3))
        best = jax.jit(lambda p: selection.best_of(p, 16.0, right, wrong))
        found = selection.over_questions(selection.choosing(16.0, right, wrong), mean, alike)
        assert float(found) == pytest.approx(average(lambda p: float(best(p))), abs=1e-6)
        vote = jax.jit(lambda p: selection.majority(p, 0.3 * (1 - p), 256.0, 256))
        for most, near in ((256, 0.002), (64, 0.002)):
            found = selection.over_questions(selection.voting(mean, alike, 0.3, 256.0, most), mean, alike)
            assert float(found) == pytest.approx(average(lambda p: float(vote(p))), abs=near)


def test_corners() -> None:
    """One sample leaves nothing to choose; nor does a verifier that says the same of all. More verdicts than `most`
    are refused."""
    one = law(2.0)(counted="chosen", samples=1, verifications=[0, 1, 32])
    assert one == pytest.approx(0.5 / 1.3, abs=1e-7)
    blind = OurVerification(rate={**law(2.0).rate, "wrong": 0.8}, alike=law(2.0).alike)
    assert blind(counted="chosen", samples=64, verifications=8) == pytest.approx(0.5 / 1.3, abs=1e-6)
    assert np.isnan(law(2.0)(counted="chosen", samples=4, verifications=33))
    wide = OurVerification(rate=law(2.0).rate, alike=law(2.0).alike, most=64)
    assert np.isfinite(wide(counted="chosen", samples=4, verifications=64))
    without = law(2.0)(counted="right", samples=1, verifications=0)
    assert without == pytest.approx(0.8)


@float64
def test_gradients_at_the_corners() -> None:
    def accuracy(rate: dict[str, float], samples: float, verifications: float) -> jax.Array:
        return OurVerification(rate=rate, alike=law(2.0).alike).chosen(samples, verifications)

    for solved in (1e-4, 1 - 1e-4):
        for samples, verifications in ((1.0, 0.0), (1.0, 4.0), (256.0, 32.0), (4096.0, 0.0)):
            rate = {**law(2.0).rate, "solved": solved}
            slopes = jax.jit(jax.grad(accuracy))(rate, samples, verifications)
            assert all(bool(jnp.isfinite(one)) for one in slopes.values())


# --- Decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persistence", "plans", "accuracy", "slopes"),
    [
        (INDEPENDENT, [(4, 2), (16, 4), (64, 8)], [0.554, 0.741, 0.882], (0.61, 0.39)),
        (2.0, [(4, 2), (8, 8), (32, 16)], [0.534, 0.644, 0.755], (0.42, 0.58)),
    ],
)
def test_best_plans_and_exponents(
    persistence: float, plans: list[tuple[int, int]], accuracy: list[float], slopes: tuple[float, float]
) -> None:
    """Ours: errors of the verifier that persist turn the balance from solutions to verdicts, on menus of powers of 2."""
    budgets = [2.0**i for i in range(2, 12)]
    found = bl.allocate(certain(persistence), WITH_VERDICTS, sample_budget=budgets, verdict_cost=1.0).draws
    at = found.isel(chain=0, draw=0, scenario=[2, 5, 8])
    assert list(zip(at["samples"].to_numpy(), at["verifications"].to_numpy(), strict=True)) == plans
    assert at["accuracy"].to_numpy() == pytest.approx(accuracy, abs=1e-3)
    both = exponents(found).median()
    assert (float(both["a"]), float(both["b"])) == pytest.approx(slopes, abs=0.02)


def test_exponents_of_power_laws() -> None:
    """Slopes draw by draw; where a budget has no verdicts there is no exponent."""
    budgets = np.array([4.0, 16.0, 64.0])
    plans = {
        "samples": np.stack([budgets**0.6, 2 * budgets**0.4]),
        "verifications": np.stack([budgets**0.4, [0, 1, 2]]),
    }
    draws = xr.Dataset(
        {k: (("draw", "scenario"), v) for k, v in plans.items()}, {"sample_budget": ("scenario", budgets)}
    )
    found = exponents(draws)
    assert found["a"].to_numpy() == pytest.approx([0.6, 0.4])
    assert found["b"].to_numpy() == pytest.approx([0.4, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("a", "b", "factors", "total"),
    [(0.57, 0.39, (3.72, 2.46), 0.96), (0.75, 0.32, (5.62, 2.09), 1.07), (0.69, 0.43, (4.90, 2.69), 1.12)],
)
def test_published_exponents(a: float, b: float, factors: tuple[float, float], total: float) -> None:
    """Recomputed: what ten times the budget does to samples and verdicts; second-hand exponents, whose sum an endless
    budget would make 1."""
    assert (10**a, 10**b) == pytest.approx(factors, abs=0.01)
    assert a + b == pytest.approx(total)


def test_the_budget_from_which_verdicts_pay() -> None:
    """By hand, from the accuracies of the menu; voting stops helping, and verdicts go on. (Published: the vote is
    matched at 8 times its budget, "up to"; second-hand: at 4 to 64 times.)"""
    truth = law(2.0)
    found = bl.allocate(certain(2.0), overtakes, verdict_cost=[1.0, 2.0]).draws.median(("chain", "draw"))
    menu = [(s, v) for s in SAMPLES for v in VERDICTS.values]
    grid = pd.DataFrame(menu, columns=["samples", "verifications"])
    grid["accuracy"] = truth(counted="chosen", samples=grid.samples, verifications=grid.verifications)
    for i, cost in enumerate((1.0, 2.0)):
        for budget in BUDGETS:
            can = grid[grid.samples * (1 + cost * grid.verifications) <= budget]
            voted = truth(counted="chosen", samples=budget, verifications=0)
            if len(can) and can.accuracy.max() > voted:
                assert float(found["sample_budget"][i]) == budget
                assert float(found["accuracy_gain"][i]) == pytest.approx(can.accuracy.max() - voted, abs=1e-5)
                break
    assert float(found["sample_budget"][1]) > float(found["sample_budget"][0])


def test_a_useless_verifier_never_pays() -> None:
    blind = OurVerification(rate={**law(2.0).rate, "wrong": 0.8}, alike=law(2.0).alike)
    sure = pinned(blind, OurVerification.prior(), {"counted": range(5), "trials": [64.0] * 5})
    with pytest.raises(bl.InputError, match="out of reach in every draw"):
        bl.allocate(sure, overtakes, verdict_cost=[1.0, 2.0])


# --- Posteriors -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Of a simulated design: 64 questions of 64 answers, and 16 verdicts on each of 128 answers."""
    counts = {"solved": (64, 64.0), "right": (64, 16.0), "wrong": (64, 16.0), "rival": (32, 40.0)}
    design = {
        "counted": np.repeat(list(counts), [rows for rows, _ in counts.values()]),
        "trials": np.repeat([trials for _, trials in counts.values()], [rows for rows, _ in counts.values()]),
    }
    runs = bl.simulate(law(2.0), design, seed=1)
    return advised_fit(OurVerification, runs, seed=1, chains=2, draws=250, progress=False)


def test_recovery(posterior: bl.Posterior) -> None:
    assert posterior.ok, posterior.status
    assert not any("cannot inform" in one.text or "repeat" in one.text for one in posterior.status)
    found, truth = posterior.summary(0.99), law(2.0)
    for part in ("rate", "alike"):
        for name, value in getattr(truth, part).items():
            row = found.loc[f"{part}.{name}"]
            assert row["lower"] < value < row["upper"], (part, name)
    assert found.loc["alike.right", "upper"] / found.loc["alike.right", "lower"] < 5


@pytest.mark.slow
def test_plans_of_a_posterior(posterior: bl.Posterior) -> None:
    """Ours: at 64 samples' worth verdicts pay almost surely, at 16 they do not; what is lost by a near plan is little."""
    found = bl.allocate(posterior, sample_budget=[16.0, 64.0], verdict_cost=1.0).draws
    worth = (found["verifications"] > 0).mean(("chain", "draw")).to_numpy()
    assert worth[0] < 0.2
    assert worth[1] > 0.8
    table = bl.alternatives(posterior, sample_budget=64.0, verdict_cost=1.0).summary()
    shares = table["p_best"].groupby("verifications").sum()
    assert shares.loc[0.0] == pytest.approx(1 - worth[1], abs=1e-9)
    assert table["possible"].loc[64.0, 1.0, 256.0, 32.0] == 0
    best = table["p_best"].idxmax()
    assert table.loc[best, "regret"] < 0.01
    accuracy = bl.predict(
        posterior, {"counted": "chosen", "samples": 8, "verifications": 4, "trials": 128.0}, misfit=False
    ).draws
    low, high = np.quantile(accuracy["accuracy"], [0.005, 0.995])
    assert low < law(2.0)(counted="chosen", samples=8, verifications=4) < high


def test_bad_runs() -> None:
    runs = {"counted": ["chosen", "solved"], "trials": 8.0, "accuracy": [0.5, 0.25]}
    with pytest.raises(bl.InputError, match="need the columns samples and verifications"):
        bl.fit(OurVerification, runs)
    with pytest.raises(bl.InputError, match="where the law knows solved, chosen"):
        bl.fit(OurVerification, {**runs, "counted": "verdict"})
    assert KINDS[1] == "chosen"


def test_quantiles_are_those_of_the_priors() -> None:
    """What the docstring claims, 90 %."""
    assert beta.ppf([0.05, 0.95], 7.0, 2.5) == pytest.approx([0.50, 0.92], abs=0.02)
    assert beta.ppf([0.05, 0.95], 3.5, 6.5) == pytest.approx([0.13, 0.60], abs=0.02)
