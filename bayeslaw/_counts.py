"""Noise of shares that are counted: right answers among `trials`, each share a count divided by its trials."""

from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import constraints

from bayeslaw._noise import AbstractNoise

# The concentration of problems that are all the same, beyond which Gamma functions cancel; its inverse is that of
# problems that are always or never solved.
_ALIKE = 1e8


def right_and_wrong(mean: Any, concentration: Any) -> tuple[Any, Any]:
    """Both parameters of the Beta distribution of a problem's chance, within what densities and slopes can bear."""
    nu = jnp.clip(concentration, 1 / _ALIKE, _ALIKE)
    return jnp.maximum(mean * nu, 1e-30), jnp.maximum((1 - mean) * nu, 1e-30)  # where the mean is 0 or 1


class Binomial(AbstractNoise):
    """y = c / trials, c ~ Binomial(trials, mean): answers that are right or wrong independently of each other.

    For an accuracy or an error that is counted over `trials` answers to one question, or over questions that are all
    alike. It has no parameter of its own; where questions differ use `BetaBinomial`.
    """

    def observe(self, mean: Any, trials: Any) -> dist.Distribution:  # type: ignore[override]
        sure = jnp.clip(mean, 1e-100, 1 - 1e-16)  # a chance of 0 or 1 has no slope
        return Share(dist.BinomialProbs(sure, _whole(trials)), trials)

    @classmethod
    def prior(cls) -> "Binomial":
        return cls()


class BetaBinomial(AbstractNoise):
    """y = c / trials, c ~ Binomial(trials, p), p ~ Beta(mean nu, (1 - mean) nu): each problem has its own chance p.

    A row is one problem, sampled `trials` times. The law says with its `concentration` nu how alike problems are: they
    are all the same when nu is large, and either always or never solved when it is near zero.
    """

    def observe(self, mean: Any, concentration: Any, trials: Any) -> dist.Distribution:  # type: ignore[override]
        return Share(dist.BetaBinomial(*right_and_wrong(mean, concentration), _whole(trials)), trials)

    @classmethod
    def prior(cls) -> "BetaBinomial":
        return cls()


def _whole(trials: Any) -> Any:
    return jnp.asarray(trials).astype(int)


class Share(dist.Distribution):
    """A count divided by its trials. NumPyro's transforms are for continuous variables."""

    arg_constraints = {"trials": constraints.positive}
    support = constraints.unit_interval  # type: ignore[assignment]
    pytree_data_fields = ("counts", "trials")

    def __init__(self, counts: dist.Distribution, trials: Any, *, validate_args: bool | None = None):
        self.counts, self.trials = counts, trials
        super().__init__(batch_shape=counts.batch_shape, validate_args=validate_args)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        return self.counts.sample(key, sample_shape) / self.trials

    def log_prob(self, value: Any) -> Any:  # type: ignore[override]
        return self.counts.log_prob(jnp.round(value * self.trials))
