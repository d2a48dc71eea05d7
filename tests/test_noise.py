"""Noise models against SciPy's densities and against their own samples."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from advised import advised_fit
from scipy import stats

import bayeslaw as bl
from bayeslaw._noise import ExGaussian
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla

MEAN, VALUE = np.array([2.0, 3.0]), np.array([2.05, 2.9])
LOG = np.log(VALUE) - np.log(MEAN)
CASES = [
    (bl.StudentT(df=3.0, scale=0.02), stats.t.logpdf(LOG, 3.0, scale=0.02) - np.log(VALUE)),
    (bl.LogNormal(scale=0.02), stats.norm.logpdf(LOG, scale=0.02) - np.log(VALUE)),
    (bl.Normal(scale=0.05), stats.norm.logpdf(VALUE, MEAN, 0.05)),
    (bl.OneSided(scale=0.02, excess=0.03), stats.exponnorm.logpdf(LOG, 1.5, scale=0.02) - np.log(VALUE)),
]


@pytest.mark.parametrize(("noise", "expected"), CASES, ids=lambda x: type(x).__name__)
@float64
def test_density(noise: bl.AbstractNoise, expected: np.ndarray) -> None:
    np.testing.assert_allclose(noise.observe(MEAN).log_prob(VALUE), expected, rtol=1e-9)


@pytest.mark.parametrize(("noise", "_expected"), CASES, ids=lambda x: type(x).__name__)
@float64
def test_samples_follow_the_density(noise: bl.AbstractNoise, _expected: np.ndarray) -> None:
    """Kolmogorov-Smirnov distance of 4000 samples from the integral of the density."""
    sample = np.sort(np.asarray(noise.observe(np.full(4000, 2.0)).sample(jax.random.key(0))))
    grid = np.linspace(1.0, 4.0, 200_001)
    density = np.exp(np.asarray(noise.observe(np.full(len(grid), 2.0)).log_prob(grid)))
    cdf = np.cumsum(density) * (grid[1] - grid[0])
    distance = np.max(np.abs(np.interp(sample, grid, cdf) - (np.arange(4000) + 0.5) / 4000))
    assert distance < 1.95 / np.sqrt(4000)  # exceeded once in a thousand seeds; this one is fixed


@float64
def test_ex_gaussian_far_in_both_tails() -> None:
    """Finite, with finite gradients, where the naive product of exp and erfc is 0 times infinity."""
    where = ExGaussian(0.0, 1e-3, 1.0)
    for value in (-0.5, -1e-2, 0.0, 1e-2, 5.0, 50.0):
        assert np.isfinite(where.log_prob(value))
        assert np.isfinite(jax.grad(where.log_prob)(value))
    assert float(where.log_prob(5.0)) == pytest.approx(-5.0 + 0.5e-6, rel=1e-9)


def test_extra_arguments_are_columns() -> None:
    class Shrinking(bl.AbstractNoise):
        scale: bl.Scalar

        def observe(self, mean: object, params: jax.Array) -> dist.Distribution:  # type: ignore[override]
            return dist.Normal(mean, self.scale * (params / 1e9) ** -0.5)

        @classmethod
        def prior(cls) -> "Shrinking":
            return cls(scale=dist.LogNormal(0.0, 1.0))

    assert Shrinking.prior().columns() == ("params",)
    made = bl.simulate(
        Chinchilla.published()["besiroglu2024"],
        {"params": np.repeat([1e9, 1e11], 2000), "tokens": 1e11},
        noise=Shrinking(scale=0.1),
    )
    spread = made.groupby("params").loss.std()
    # sd of a sd from 2000 normals is 1.6 %
    assert spread.iloc[0] == pytest.approx(0.1, rel=0.07)
    assert spread.iloc[1] == pytest.approx(0.01, rel=0.07)


def test_one_sided_noise_finds_the_frontier() -> None:
    """Runs never much better than the law and often much worse: StudentT's median is biased, the frontier is not."""
    rng = np.random.default_rng(3)
    flops = 10 ** rng.uniform(18, 22, 300)
    ratio = 10 ** rng.uniform(0.3, 2, 300)
    params = np.sqrt(flops / 6 / ratio)
    law = Chinchilla.published()["besiroglu2024"]
    table = {"params": params, "tokens": params * ratio}
    runs = bl.simulate(law, table, noise=bl.OneSided(scale=0.002, excess=0.05), seed=4)
    # scale and excess trade off where the excess is small: short steps
    frontier = advised_fit(Chinchilla, runs, noise=bl.OneSided, seed=1, target_accept=0.99)
    middle = advised_fit(Chinchilla, runs, noise=bl.StudentT, seed=1)
    assert frontier.ok
    where = {"params": [2e9], "tokens": [5e10]}
    truth = float(law(params=2e9, tokens=5e10))
    row = bl.predict(frontier, where, misfit=False).summary(0.95).iloc[0]
    assert row.lower < truth < row.upper
    assert bl.predict(middle, where, misfit=False).summary().iloc[0]["lower"] > truth


@pytest.mark.parametrize("excess", [0.3, 0.02, 5e-4, 2.6e-4, 2.4e-4, 1e-5, 1e-9, 1e-15])
@float64
def test_a_small_excess_cancels_nothing(excess: float) -> None:
    """SciPy's density cancels below a ratio of 1e-5; there it is the normal one, moved by the mean."""
    scale = 0.005
    value = np.linspace(-6 * scale, 6 * scale + 10 * excess, 25)
    ratio = excess / scale
    moved = stats.norm.logpdf(value, excess, scale)
    expected = stats.exponnorm.logpdf(value, ratio, 0, scale) if ratio > 1e-5 else moved
    density = ExGaussian(0.0, scale, excess)
    np.testing.assert_allclose(
        density.log_prob(value), expected, rtol=0, atol=1e-9 if ratio > 1e-5 else 2 * ratio**2 * 36 + 1e-9
    )
    slope = jax.vmap(jax.grad(lambda v, e: ExGaussian(0.0, scale, e).log_prob(v), argnums=(0, 1)), (0, None))
    assert all(np.isfinite(one).all() for one in slope(value, excess))
