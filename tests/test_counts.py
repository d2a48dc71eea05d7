"""Noise of counted shares."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from scipy import stats

import bayeslaw as bl
from bayeslaw._fit import quiet_fit
from bayeslaw._tree import float64


class Solved(bl.AbstractLaw):
    """A share of right answers that grows with size, for these tests."""

    response = "accuracy"
    level: bl.Scalar
    alike: bl.Scalar

    def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return jax.nn.sigmoid(self.level + jnp.log(params / 1e9))

    def concentration(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return jnp.asarray(self.alike)

    @classmethod
    def prior(cls) -> "Solved":
        return cls(level=dist.Normal(0.0, 1.5), alike=dist.LogNormal(1.0, 1.0))


@float64
def test_densities_are_those_of_the_counts() -> None:
    """Against scipy's binomial and beta-binomial."""
    mean, trials, counts = jnp.array([0.2, 0.7]), jnp.array([10.0, 4000.0]), np.array([3, 2900])
    found = bl.Binomial().observe(mean, trials).log_prob(counts / trials)
    np.testing.assert_allclose(found, stats.binom.logpmf(counts, np.asarray(trials, int), np.asarray(mean)), rtol=1e-9)
    found = bl.BetaBinomial().observe(mean, jnp.full(2, 3.0), trials).log_prob(counts / trials)
    wanted = stats.betabinom.logpmf(
        counts, np.asarray(trials, int), 3.0 * np.asarray(mean), 3.0 * (1 - np.asarray(mean))
    )
    np.testing.assert_allclose(
        found, wanted, rtol=1e-6
    )  # of logarithms of Beta functions, which differ in their last digits


def test_a_known_world_is_recovered_from_counts() -> None:
    """Tables hold successes and trials; 99 % intervals of two parameters, 200 problems."""
    truth = Solved(level=-1.0, alike=2.0)  # type: ignore[arg-type]
    params = np.repeat([1e8, 1e9, 1e10, 1e11], 50)
    made = bl.simulate(truth, {"params": params, "trials": 100.0}, noise=bl.BetaBinomial, seed=3)
    table = made.assign(successes=made.accuracy * made.trials).drop(columns="accuracy")
    table = table.assign(problem=np.arange(200))
    posterior = advised_fit(Solved, table, noise=bl.BetaBinomial, seed=1, draws=500)
    assert posterior.ok
    notes = " ".join(map(str, posterior.status))
    assert "cannot inform" not in notes  # counts of problems inform the concentration, which no mean depends on
    assert "repeat an earlier one" not in notes  # another problem with the same count is no copy
    assert any("it was computed as successes / trials" in str(one) for one in posterior.status)
    found = posterior.summary(prob=0.99)
    for name, value in (("level", -1.0), ("alike", 2.0)):
        assert found.lower[name] < value < found.upper[name]
    new = bl.predict(posterior, {"params": 1e9, "trials": 10}, misfit=False).draws["accuracy_new_run"].to_numpy()
    np.testing.assert_allclose(np.round(new * 10) / 10, new)  # counts of ten


def test_more_right_answers_than_answers() -> None:
    table = {"params": [1e9] * 3, "trials": [10] * 3, "successes": [3, 11, 4]}
    with pytest.raises(bl.InputError, match="computed as successes / trials, must be between 0 and 1; found row 1"):
        bl.fit(Solved, table, noise=bl.BetaBinomial)


def test_one_problem_as_two_is_a_copy() -> None:
    """A row that repeats in all its columns is still pointed out; counts that have no name are not, of many problems some
    are answered as often as others."""
    truth = Solved(level=-1.0, alike=2.0)  # type: ignore[arg-type]
    made = bl.simulate(truth, {"params": [1e8, 1e9, 1e10], "trials": 9.0}, noise=bl.BetaBinomial, seed=3)
    for table, copies in ((made.assign(problem=[0, 1, 2]), True), (made, False)):
        posterior = quiet_fit(Solved, pd.concat([table, table.iloc[:1]]), noise=bl.BetaBinomial, draws=20, warmup=20)
        assert any("1 of 4 rows repeat an earlier one" in str(one) for one in posterior.status) == copies


def test_a_law_without_a_concentration_says_what_to_do() -> None:
    class Plain(bl.AbstractLaw):
        response = "accuracy"
        level: bl.Scalar

        def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return jax.nn.sigmoid(self.level + 0 * params)

        @classmethod
        def prior(cls) -> "Plain":
            return cls(level=dist.Normal(0.0, 1.0))

    table = {"params": [1e9] * 4, "trials": [10] * 4, "accuracy": [0.1, 0.2, 0.1, 0.3]}
    with pytest.raises(bl.InputError, match="Plain does not say how problems differ: use the noise Binomial"):
        bl.fit(Plain, table, noise=bl.BetaBinomial)


@float64
def test_additive_t_is_a_t_on_the_response() -> None:
    found = bl.AdditiveT(df=3.0, scale=0.1).observe(jnp.array([-0.2])).log_prob(jnp.array([0.1]))
    np.testing.assert_allclose(found, stats.t.logpdf(0.1, 3.0, -0.2, 0.1))
