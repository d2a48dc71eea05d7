"""Train-to-test: what two budgets buy at stated coefficients, and a fit of real counts of right answers.

Each expected figure says where it comes from: *second-hand*, or *ours*. The paper's coefficients are not known; those of
approach 1 are the Chinchilla refit of arXiv 2404.10102 with an illustrative g and gamma.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

import bayeslaw as bl
from bayeslaw._joint import as_joint
from bayeslaw._tree import float64, leaves
from bayeslaw.models.train_to_test import TrainToTest, train_to_test
from bayeslaw.models.train_to_test_coverage import TrainToTestCoverage

A, B = 482.01 * 1e9**-0.3478, 2085.43 * 1e10**-0.3658
ILLUSTRATIVE = TrainToTest(E=1.8172, a=A, alpha=0.3478, b=B, beta=0.3658, g=2.0, gamma=0.3)
RUNS = {"params": [1e8, 1e10], "tokens": [2e9, 3e11], "samples": [1.0, 1e4]}


def coverage_law(t0: float, a: float, alpha: float, b: float, beta: float, t3: float, t4: float) -> TrainToTestCoverage:
    """From the constants of the paper."""
    return TrainToTestCoverage(level=t0 - a - b, a=a, alpha=alpha, b=b, beta=beta, alike=t3 + t4 * (a + b), t4=t4)


# Maximum likelihood on the GSM8K counts, to the digits of the acceptance table.
CARD = coverage_law(t0=-3.964, a=0.061, alpha=1.513, b=1.666, beta=0.442, t3=3.367, t4=0.727)

# --- Approach 1 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certain() -> bl.Posterior:
    """Each draw is the illustrative law."""
    return pinned(ILLUSTRATIVE, TrainToTest.prior(), RUNS, bl.Normal)


@pytest.mark.parametrize("method", ["search", "closed_form"])
def test_three_budgets_of_inference(certain: bl.Posterior, method: Literal["search", "closed_form"]) -> None:
    """Ours: size, tokens per parameter, samples and response at 1e21 FLOPs of training."""
    given = {"train_flops": 1e21, "inference_flops": [2e11, 2e13, 2e15], "sample_tokens": 1.0}
    draws = bl.allocate(certain, method=method, **given).draws.median(("chain", "draw"))
    assert draws["params"].to_numpy() == pytest.approx([4.527e8, 1.416e9, 2.283e9], rel=1e-3)
    assert draws["tokens_per_param"].to_numpy() == pytest.approx([813, 83.1, 32.0], rel=2e-3)  # three digits
    assert draws["samples"].to_numpy() == pytest.approx([221, 7.06e3, 4.38e5], rel=2e-3)
    assert draws["coverage_loss"].to_numpy() == pytest.approx([2.8063, 2.4597, 2.3473], rel=1e-4)


def optimum(law: TrainToTest, **given: float) -> float:
    assert train_to_test.closed_form is not None
    return float(float64(train_to_test.closed_form)(law, **given)["params"])


def test_without_a_gain_from_samples_it_is_chinchilla() -> None:
    """Ours: g = 0."""
    law = TrainToTest(E=1.8172, a=A, alpha=0.3478, b=B, beta=0.3658, g=0.0, gamma=0.3)
    params = optimum(law, train_flops=1e21, inference_flops=2e20, sample_tokens=1.0)
    assert params == pytest.approx(2.778e9, rel=1e-3)
    assert 1e21 / (6 * params**2) == pytest.approx(21.6, rel=2e-3)


def test_one_budget_for_training_and_a_life_of_answers(certain: bl.Posterior) -> None:
    """Ours, against a fine grid of sizes: the plan spends the budget exactly; without queries it is Chinchilla's."""
    given = {"total_flops": 1e22, "queries": 1e9, "samples": 16.0, "sample_tokens": 500.0}
    found = bl.allocate(certain, TrainToTest.prior().decisions()["lifetime"], **given).draws.median(("chain", "draw"))
    params, tokens = float(found["params"][0]), float(found["tokens"][0])
    assert 6 * params * tokens + 2 * params * 1e9 * 16 * 500 == pytest.approx(1e22, rel=1e-9)
    sizes = np.geomspace(1e8, 1e10, 20001)
    left = (1e22 - 2 * sizes * 8e12) / (6 * sizes)
    loss = np.where(left > 0, ILLUSTRATIVE(params=sizes, tokens=np.maximum(left, 1.0), samples=16.0), np.inf)
    assert params == pytest.approx(sizes[loss.argmin()], rel=1e-3)
    assert float(found["inference_share"][0]) == pytest.approx(2 * params * 8e12 / 1e22, rel=1e-9)
    none = bl.allocate(certain, TrainToTest.prior().decisions()["lifetime"], **{**given, "queries": 1.0})
    chinchilla = 1e9 * (0.3478 * A / (0.3658 * B) * (1e22 / 6e19) ** 0.3658) ** (1 / (0.3478 + 0.3658))
    assert float(none.draws["params"].median()) == pytest.approx(chinchilla, rel=1e-4)  # one query


def test_samples_are_chosen_where_they_are_worth_their_tokens(certain: bl.Posterior) -> None:
    """Ours: the more queries there are, the smaller the model and the fewer the samples of each; at the optimum no other
    number of samples is better."""
    decisions = TrainToTest.prior().decisions()
    queries = np.array([1e6, 1e8, 1e10])
    given = {"total_flops": 1e22, "queries": queries, "sample_tokens": 500.0}
    found = bl.allocate(certain, decisions["lifetime_samples"], **given).draws.median(("chain", "draw"))
    for name in ("params", "samples"):
        assert (np.diff(found[name]) <= 0).all()
    best = found["coverage_loss"].to_numpy()
    for factor in (0.5, 2.0):
        samples = np.clip(found["samples"].to_numpy() * factor, 1.0, 1e4)
        other = bl.allocate(certain, decisions["lifetime"], **given, samples=samples).draws["coverage_loss"]
        assert (other.median(("chain", "draw")).to_numpy() >= best - 1e-9).all()
    with pytest.raises(bl.InputError, match=r"inference_share would be 1e\+07 at best"):
        bl.allocate(certain, decisions["lifetime"], **{**given, "queries": 1e20}, samples=1.0)


def test_where_one_sample_is_all_that_fits(certain: bl.Posterior) -> None:
    """The corner: the largest size that can answer once, by the formula and by the search; half of it with answers
    twice as long."""
    for tokens, best in ((1.0, 5e6), (2.0, 2.5e6)):
        given = {"train_flops": 1e21, "inference_flops": 1e7, "sample_tokens": tokens}
        assert optimum(ILLUSTRATIVE, **given) == pytest.approx(best, rel=1e-9)
        found = bl.allocate(certain, **given).draws.median()
        assert float(found["params"]) == pytest.approx(best, rel=1e-5)
        assert float(found["samples"]) == pytest.approx(1.0, rel=1e-5)


def test_search_finds_the_root() -> None:
    """In 40 draws from the prior, with corners among them."""
    joint = as_joint(TrainToTest, bl.Normal)
    values = float64(jax.vmap(joint.sample_prior))(jax.random.split(jax.random.key(3), 80))
    posterior = pinned(ILLUSTRATIVE, TrainToTest.prior(), RUNS, bl.Normal)
    for name in joint.sites():
        posterior.tree["posterior"][name][:] = np.asarray(values[name]).reshape(2, 40)
    given = {"train_flops": [1e20, 1e23], "inference_flops": [1e12, 1e16], "sample_tokens": 300.0}
    search, closed = (bl.allocate(posterior, method=method, **given).draws for method in ("search", "closed_form"))
    inside = ~closed["at_edge"].to_numpy()  # beyond 1 M to 1e14 parameters there is no agreement to ask for
    assert inside.mean() > 0.7
    ratio = search["params"].to_numpy() / closed["params"].to_numpy()
    # The bottom is flat: where the size is off by more, the response is not.
    assert np.quantile(np.abs(np.log(ratio[inside])), 0.95) < 1e-3
    for name in ("coverage_loss", "regret"):
        np.testing.assert_allclose(search[name].to_numpy()[inside], closed[name].to_numpy()[inside], atol=1e-7)


def test_the_single_sample_design_is_chinchillas(certain: bl.Posterior) -> None:
    """Ours: what a size chosen without regard to inference loses, and that it shrinks with the budget of inference."""
    given = {"train_flops": 1e21, "inference_flops": [2e11, 2e13, 2e15], "sample_tokens": 1.0}
    found = bl.allocate(certain, **given).draws.median(("chain", "draw"))
    assert found["single_sample_params"].to_numpy() == pytest.approx([2.778e9] * 3, rel=1e-3)
    regret = found["regret"].to_numpy()
    tokens, samples = 1e21 / (6 * 2.778e9), np.array([2e11, 2e13, 2e15]) / (2 * 2.778e9)
    at_single = ILLUSTRATIVE(params=2.778e9, tokens=tokens, samples=samples)
    assert regret == pytest.approx(at_single - found["coverage_loss"].to_numpy(), abs=2e-4)
    assert (np.diff(regret) < 0).all()
    assert regret[0] > 0.1


@pytest.mark.parametrize(
    ("params", "low", "high"),
    [(37e6, 3000, 3200), (84e6, 600, 610), (149e6, 190, 195), (455e6, 20, 21), (901e6, 5, 6)],
)
def test_sizes_of_the_published_comparison(params: float, low: float, high: float) -> None:
    """Second-hand: at 2.56e19 FLOPs the overtrained designs have 37, 84 and 149 M, the others 455 to 901 M. The first
    are of hundreds to thousands of tokens per parameter, as reported; the scores follow from coefficients not known."""
    law = TrainToTest(E=1.8172, a=A, alpha=0.3478, b=B, beta=0.3658, g=2.0, gamma=0.3)
    plan = float64(train_to_test.columns)(
        law, {"params": params}, {"train_flops": 2.56e19, "inference_flops": 2e9, "sample_tokens": 1.0}
    )
    assert low < float(plan["tokens"]) / params < high
    assert float(plan["samples"]) == pytest.approx(2e9 / (2 * params))  # 27 answers of one token at 37 M


@pytest.mark.slow
def test_recovery_of_the_loss_law() -> None:
    """Ours: 4 sizes, 4 token counts, 5 numbers of samples, 2 % scatter. E and g trade off; the plan does not."""
    grid = np.meshgrid([1e8, 4e8, 1.6e9, 6e9], [3e9, 1.2e10, 5e10, 2e11], [1, 8, 64, 512, 4096], indexing="ij")
    table = {name: one.ravel() for name, one in zip(("params", "tokens", "samples"), grid, strict=True)}
    truth = TrainToTest(E=0.5, a=0.5, alpha=0.5, b=0.4, beta=0.45, g=2.0, gamma=0.35)
    runs = bl.simulate(truth, table, noise=bl.LogNormal(scale=0.02), seed=0)
    posterior = advised_fit(TrainToTest, runs, noise=bl.LogNormal, seed=1)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name, value in leaves(truth):
        assert found.loc[name, "lower"] < value < found.loc[name, "upper"], name
    given = {"train_flops": 1e20, "inference_flops": 6e13, "sample_tokens": 300.0}
    best = bl.allocate(posterior, **given).draws["params"].to_numpy()
    low, high = np.quantile(best, [0.005, 0.995])
    assert low < optimum(truth, **given) < high
    assert np.log(high / low) < 1.0


# --- Approach 2: the formula ------------------------------------------------------------------------------------------


def test_coverage_is_the_beta_mean() -> None:
    """Against SciPy, a sum over draws of p, and the accuracy of one answer."""
    lost = 0.061 * 0.4**-1.513 + 1.666 * 3**-0.442
    mu, nu = 1 / (1 + np.exp(3.964 + lost)), np.exp(3.367 + 0.727 * lost)
    samples = np.array([1.0, 10.0, 1000.0, 1e5])
    found = CARD(params=4e8, tokens=3e10, samples=samples)
    exact = -np.expm1(betaln(mu * nu, (1 - mu) * nu + samples) - betaln(mu * nu, (1 - mu) * nu))
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    assert found[0] == pytest.approx(mu)
    p = np.random.default_rng(0).beta(mu * nu, (1 - mu) * nu, 200_000)
    assert found[1] == pytest.approx((1 - (1 - p) ** 10).mean(), rel=0.03)  # 4 standard errors


def test_rows_of_several_samples_are_refused() -> None:
    """Their successes are not beta-binomial; `fit` warns and the posterior is not ok."""
    status = TrainToTestCoverage.prior().check_design({"samples": np.array([1.0, 10.0])})
    assert [one.serious for one in status] == [True]
    assert TrainToTestCoverage.prior().check_design({"samples": np.ones(2)}) == []


# --- Approach 2: counts -----------------------------------------------------------------------------------------------


def usable(table: pd.DataFrame) -> pd.DataFrame:
    """Checkpoints of 160 M parameters and more, with 2e9 to 3e11 tokens."""
    return table[(table.params >= 1.6e8) & table.tokens.between(2e9, 3e11)].assign(samples=1.0)


@float64
def likeliest(runs: pd.DataFrame, start: Mapping[str, float]) -> tuple[TrainToTestCoverage, float]:
    """Maximum likelihood through the library's own density; the mean over rows of minus the log likelihood, without the
    binomial coefficient."""
    joint = as_joint(TrainToTestCoverage, None)
    names = list(start)
    # Rows of one checkpoint and count differ in nothing the law reads: evaluated once, and counted.
    grouped = runs.groupby(["params", "tokens", "trials", "successes"]).size().reset_index(name="rows")
    columns = {name: jnp.asarray(grouped[name].to_numpy(float)) for name in ("params", "tokens", "trials")}
    columns["samples"] = jnp.ones(len(grouped))
    n, c, rows = (grouped[name].to_numpy(float) for name in ("trials", "successes", "rows"))
    share = jnp.asarray(c / n)

    @jax.jit
    @jax.value_and_grad
    def cost(z: jax.Array) -> jax.Array:
        values = joint.constrain(dict(zip(names, z, strict=True)))
        return -(joint.fill(values).observe(columns).log_prob(share) * rows).sum() / rows.sum()

    first = joint.unconstrain({name: jnp.asarray(value) for name, value in start.items()})
    best = minimize(
        cost, np.array([float(first[name]) for name in names]), jac=True, method="BFGS", options={"gtol": 1e-6}
    )
    values = joint.constrain(dict(zip(names, map(float, best.x), strict=True)))
    coefficient = ((gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)) * rows).sum() / rows.sum()
    return TrainToTestCoverage(**{k: float(v) for k, v in values.items()}), float(best.fun + coefficient)


@pytest.fixture(scope="module")
def gsm8k(fetched: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return usable(fetched("monkeys", benchmark="gsm8k"))


@pytest.fixture(scope="module")
def fitted(gsm8k: pd.DataFrame) -> tuple[TrainToTestCoverage, float]:
    return likeliest(gsm8k, {"level": -4.0, "a": 0.3, "alpha": 0.8, "b": 0.8, "beta": 0.5, "alike": 3.5, "t4": 0.5})


def test_maximum_likelihood_on_gsm8k(gsm8k: pd.DataFrame, fitted: tuple[TrainToTestCoverage, float]) -> None:
    """Ours, from a start far off; the coefficients to the three digits given."""
    assert len(gsm8k) == 5379
    law, cost = fitted
    assert cost == pytest.approx(66.696, rel=5e-5)
    found = dict(leaves(law)) | dict(law.derived())
    expected = {"a": 0.061, "alpha": 1.513, "b": 1.666, "beta": 0.442, "t0": -3.964, "t3": 3.367, "t4": 0.727}
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=5e-3)


def test_budgets_of_inference_on_gsm8k(fitted: tuple[TrainToTestCoverage, float]) -> None:
    """Ours, at 1e20 FLOPs of training and answers of 300 tokens; what the single-sample design loses is small."""
    posterior = pinned(fitted[0], TrainToTestCoverage.prior(), {**RUNS, "trials": [1.0, 1.0]})
    given = {"train_flops": 1e20, "inference_flops": [6e11, 6e12, 6e13, 6e14], "sample_tokens": 300.0}
    found = bl.allocate(posterior, **given).draws.median(("chain", "draw"))
    assert found["params"].to_numpy() == pytest.approx([0.177e9, 0.183e9, 0.203e9, 0.231e9], rel=0.01)
    assert found["tokens_per_param"].to_numpy() == pytest.approx([530, 498, 403, 312], rel=0.02)  # (params)^-2
    assert found["samples"].to_numpy() == pytest.approx([5.6, 54.6, 492, 4320], rel=0.01)
    assert found["accuracy"].to_numpy() == pytest.approx([0.024, 0.174, 0.535, 0.798], abs=6e-4)
    assert found["single_sample_params"].to_numpy() == pytest.approx([0.388e9] * 4, rel=0.01)
    single = 0.388e9
    samples = np.array(given["inference_flops"]) / (600 * single)
    coverage = fitted[0](params=single, tokens=1e20 / (6 * single), samples=samples)
    assert found["regret"].to_numpy() == pytest.approx(found["accuracy"].to_numpy() - coverage, abs=5e-4)
    assert (found["regret"].to_numpy() > 0.005).all()


@pytest.mark.slow
def test_maximum_likelihood_on_math(fetched: Callable[..., pd.DataFrame]) -> None:
    """Ours: weakly identified; only the likelihood and the size exponent are asked for."""
    runs = usable(fetched("monkeys", benchmark="math"))
    assert len(runs) == 5376
    law, cost = likeliest(runs, {"level": -5.5, "a": 1.0, "alpha": 0.6, "b": 0.6, "beta": 2.0, "alike": 4.0, "t4": 0.5})
    assert cost == pytest.approx(51.580, rel=1e-4)
    found: list[Any] = [law.a, law.alpha, law.b, law.beta]
    assert found == pytest.approx([1.08, 0.615, 0.648, 3.30], rel=0.03)


@pytest.mark.slow
def test_posterior_of_every_eighth_problem(gsm8k: pd.DataFrame, fitted: tuple[TrainToTestCoverage, float]) -> None:
    """Ours: 17 problems of GSM8K under all checkpoints, sampled. The likeliest law of all problems is within their
    predictions; the best size is smaller than the single-sample design in most draws."""
    some = np.sort(gsm8k.problem.unique())[::8]
    posterior = advised_fit(TrainToTestCoverage, gsm8k[gsm8k.problem.isin(some)], chains=2, target_accept=0.98, seed=1)
    assert posterior.ok, posterior.status
    at = {"params": 1e9, "tokens": 3e11, "samples": 100.0, "trials": 1.0}
    low, high = np.quantile(bl.predict(posterior, at, misfit=False).draws["accuracy"], [0.005, 0.995])
    assert low < fitted[0](params=1e9, tokens=3e11, samples=100.0) < high
    found = bl.allocate(posterior, train_flops=1e20, inference_flops=6e13, sample_tokens=300.0)
    draws = found.draws.squeeze("scenario")
    assert float((draws["params"] < draws["single_sample_params"]).mean()) > 0.8
    assert float(draws["regret"].quantile(0.05)) >= 0


@pytest.mark.slow
def test_counts_are_recovered() -> None:
    """Ours: 20 checkpoints, 8 problems each with 2,000 answers. The truth is one that the prior does not pull away
    from: the likeliest law of GSM8K (alpha 1.5 and a 0.06, of the smallest sizes only) is at its 2 sd."""
    truth = coverage_law(t0=-3.5, a=0.3, alpha=0.8, b=1.5, beta=0.45, t3=3.3, t4=0.7)
    grid = np.meshgrid([1.6e8, 4e8, 1e9, 2.8e9, 6.9e9], np.geomspace(2e9, 3e11, 4), np.arange(8), indexing="ij")
    table = {"params": grid[0].ravel(), "tokens": grid[1].ravel(), "samples": 1.0, "trials": 2000.0}
    runs = bl.simulate(truth, table, seed=0)
    posterior = advised_fit(TrainToTestCoverage, runs, chains=2, target_accept=0.98, seed=1)
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name, value in leaves(truth):
        assert found.loc[name, "lower"] < value < found.loc[name, "upper"], name
    at = {"params": 1e9, "tokens": 3e11, "samples": 100.0, "trials": 1.0}
    coverage = bl.predict(posterior, at, misfit=False).draws["accuracy"].to_numpy()
    expected = float(truth(params=1e9, tokens=3e11, samples=100.0))
    assert coverage.mean() == pytest.approx(expected, abs=3 * coverage.std())
    assert coverage.std() < 0.1
