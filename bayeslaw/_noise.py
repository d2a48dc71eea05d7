"""Noise models: how a run scatters around the law.

Each says with `observe(mean)` what the distribution of the response is. Further arguments of
`observe` are columns it reads, so a noise that grows with size or counts trials needs no new mechanism;
an argument `tuned` is the law's mean at tuned hyperparameters, `concentration` what the law's method of that name says.
"""

import abc
from math import log, pi
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr
from numpyro.distributions import constraints
from numpyro.distributions.transforms import AffineTransform, ExpTransform

from bayeslaw._tree import Scalar, arguments


class AbstractNoise(eqx.Module):
    """A noise model: declare the parameters as fields, then `observe` and `prior`."""

    scales: ClassVar[tuple[str, ...]] = ()
    """The parameters that say how widely ln y scatters around ln mean, if `observe` is exp of a `Normal` or `StudentT`:
    then `misfit` can tell the noise from what the law gets wrong."""

    @abc.abstractmethod
    def observe(self, mean: Any, **columns: Any) -> dist.Distribution:
        """The distribution of the response where the law says `mean`."""

    @classmethod
    @abc.abstractmethod
    def prior(cls) -> "AbstractNoise":
        """The noise with a distribution in each leaf."""

    def columns(self) -> tuple[str, ...]:
        """The columns that `observe` reads besides the mean."""
        return arguments(type(self).observe, skip=("self", "mean", "tuned", "concentration"))


def _tails() -> dist.Distribution:
    """Degrees of freedom: 1 + Gamma(2, rate 0.1)."""
    return dist.TransformedDistribution(dist.Gamma(2.0, 0.1), AffineTransform(1.0, 1.0, domain=constraints.positive))


def _log_t(df: Any, mean: Any, scale: Any) -> dist.Distribution:
    """ln y = ln mean + scale t(df). Responses were checked when they were read; to check them again at each
    evaluation doubles its cost."""
    t = dist.StudentT(df, jnp.log(mean), scale, validate_args=False)
    return dist.TransformedDistribution(t, ExpTransform(), validate_args=False)


class StudentT(AbstractNoise):
    """ln y = ln mean + scale * t(df): robust, the default.

    The law is the median of a run. A few runs far off (a diverged or mis-read one) do not move the
    fit: the residuals of the Chinchilla refit have kurtosis 16.7, and Gaussian noise bends the answer.

    - `scale`: typical relative scatter; prior LogNormal(log 0.01, 1), 0.2 to 5 % (90 %).
    - `df`: 1 is Cauchy-like tails, above 30 Gaussian; prior 1 + Gamma(2, rate 0.1).

    The mean of exp(t) is infinite, so predictions are reported as medians and quantiles.
    """

    scales = ("scale",)
    df: Scalar
    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return _log_t(self.df, mean, self.scale)

    @classmethod
    def prior(cls) -> "StudentT":
        return cls(df=_tails(), scale=dist.LogNormal(log(0.01), 1.0))


class UntunedT(AbstractNoise):
    """ln y = ln mean + (scale + spread ln(mean / tuned)) * t(df): the worse a run is tuned, the more it scatters.

    For laws with hyperparameter penalties (`tuned` is the mean with tuned hyperparameters; where a law has none the
    two are equal and this is `StudentT`). No formula for the cost of a bad learning rate is right far from the optimum,
    and runs there are less stable; without `spread` they set the scatter of all runs, and pull on the tuned law.

    - `scale`: typical relative scatter of a tuned run; prior LogNormal(log 0.005, 1), 0.1 to 2.6 % (90 %).
    - `spread`: further relative scatter as a share of the loss from bad tuning; prior LogNormal(log 0.1, 1).
    - `df`: as in `StudentT`.
    """

    scales = ("scale", "spread")
    df: Scalar
    scale: Scalar
    spread: Scalar

    def observe(self, mean: Any, tuned: Any) -> dist.Distribution:  # type: ignore[override]
        scale = self.scale + self.spread * jnp.abs(jnp.log(mean) - jnp.log(tuned))
        return _log_t(self.df, mean, scale)

    @classmethod
    def prior(cls) -> "UntunedT":
        return cls(df=_tails(), scale=dist.LogNormal(log(0.005), 1.0), spread=dist.LogNormal(log(0.1), 1.0))


class AdditiveT(AbstractNoise):
    """y = mean + scale * t(df): as `StudentT`, on the response itself.

    For responses that may be zero or negative (a capability, an accuracy) with outliers among them. Prior of `scale`:
    LogNormal(log 0.02, 1); of `df`: as in `StudentT`.
    """

    df: Scalar
    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.StudentT(self.df, mean, self.scale)

    @classmethod
    def prior(cls) -> "AdditiveT":
        return cls(df=_tails(), scale=dist.LogNormal(log(0.02), 1.0))


class LogNormal(AbstractNoise):
    """ln y = ln mean + scale * z: Gaussian on the log response; the law is the median of a run.

    For data known to hold no outliers. Prior of `scale`: LogNormal(log 0.01, 1).
    """

    scales = ("scale",)
    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.LogNormal(jnp.log(mean), self.scale)

    @classmethod
    def prior(cls) -> "LogNormal":
        return cls(scale=dist.LogNormal(log(0.01), 1.0))


class MeanLogNormal(AbstractNoise):
    """ln y = ln mean - scale^2 / 2 + scale * z: as `LogNormal`, but the law is the mean of a run, not its median.

    The noise of MIST (arXiv 2510.18900). Prior of `scale`: LogNormal(log 0.01, 1).
    """

    scales = ("scale",)
    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.LogNormal(jnp.log(mean) - self.scale**2 / 2, self.scale)

    @classmethod
    def prior(cls) -> "MeanLogNormal":
        return cls(scale=dist.LogNormal(log(0.01), 1.0))


class Normal(AbstractNoise):
    """y = mean + scale * z: Gaussian on the response itself, in its units (nats per token for a loss).

    For responses that may be zero or negative, or whose scatter does not shrink with them.
    Prior of `scale`: LogNormal(log 0.02, 1).
    """

    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.Normal(mean, self.scale)

    @classmethod
    def prior(cls) -> "Normal":
        return cls(scale=dist.LogNormal(log(0.02), 1.0))


class OneSided(AbstractNoise):
    """ln y = ln mean + scale * z + excess * e, with e exponential: a run can only be worse than the law by much.

    For responses where less is better, such as a loss. The law is the frontier of well-tuned runs (a stochastic
    frontier: Aigner, Lovell and Schmidt 1977, with the exponential of Meeusen and van den Broeck 1977); bad
    hyperparameters push runs above it.

    - `scale`: symmetric relative scatter; prior LogNormal(log 0.005, 1).
    - `excess`: mean relative loss from bad tuning; prior LogNormal(log 0.02, 1).
    """

    scale: Scalar
    excess: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.TransformedDistribution(ExGaussian(jnp.log(mean), self.scale, self.excess), ExpTransform())

    @classmethod
    def prior(cls) -> "OneSided":
        return cls(scale=dist.LogNormal(log(0.005), 1.0), excess=dist.LogNormal(log(0.02), 1.0))


class ExGaussian(dist.Distribution):
    """Normal(loc, scale) plus an independent exponential of mean `excess`. NumPyro has none."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "excess": constraints.positive}
    support = constraints.real  # type: ignore[assignment]
    reparametrized_params = ["loc", "scale", "excess"]
    pytree_data_fields = ("loc", "scale", "excess")

    def __init__(self, loc: Any, scale: Any, excess: Any, *, validate_args: bool | None = None):
        self.loc, self.scale, self.excess = jnp.broadcast_arrays(loc, scale, excess)
        super().__init__(batch_shape=jnp.shape(self.loc), validate_args=validate_args)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        shape = sample_shape + self.batch_shape
        normal, exponential = jax.random.split(key)
        noise = self.scale * jax.random.normal(normal, shape) + self.excess * jax.random.exponential(exponential, shape)
        return self.loc + noise

    def log_prob(self, value: Any) -> Any:  # type: ignore[override]
        # A growing exponential times a vanishing tail, whose logarithms cancel where the excess is small.
        ratio, z = self.scale / self.excess, (value - self.loc) / self.scale
        left = ratio > z
        small = _log_mills(jnp.where(left, ratio - z, 0.0)) - z**2 / 2
        large, beyond = jnp.where(left, 0.0, ratio), jnp.where(left, 0.0, z - ratio)
        return jnp.where(left, small, log_ndtr(beyond) + large * (large / 2 - z)) - jnp.log(self.excess)


def _log_mills(u: Any) -> Any:
    """ln of the standard normal's tail beyond u >= 0, plus u^2 / 2: Laplace's series where these cancel."""
    near, far = jnp.minimum(u, 20.0), jnp.maximum(u, 20.0)
    v = far**-2.0
    series = jnp.log1p(-v * (1 - 3 * v * (1 - 5 * v * (1 - 7 * v)))) - jnp.log(far) - 0.5 * log(2 * pi)
    return jnp.where(u > 20, series, log_ndtr(-near) + near**2 / 2)
