"""Coverage of repeated sampling, by counts: how many samples until one of them is right."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array
from scipy import special

from bayeslaw._counts import BetaBinomial, right_and_wrong
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar
from bayeslaw.models.coverage_plans import samples_to_reach


class Coverage(AbstractLaw):
    """accuracy = 1 - B(x, y + samples) / B(x, y), x = mu nu, y = (1 - mu) nu, of a problem's chance p ~ Beta(x, y)

    One model on one benchmark, after Schaeffer et al. 2025 (arXiv 2502.17578), fitted to counts: a row is one problem,
    its right answers counted in `trials`, with samples = 1. accuracy is the share of problems that one of `samples`
    answers gets right (coverage, pass@k): it needs a verifier that knows a right answer. Failures end as samples^-x,
    `tail`, a power law because of the problems that are hardly ever solved. Several models:
    `Pooled(Coverage, runs, by="model", spread=...)`, where mu of models that differ in size spreads over
    more than the default (sd of its logit 1.3 from 70 M to 12 B); models of one family by their size: `CoverageBySize`.

    - `mu`: chance that a single answer is right, on average over problems (pass@1).
    - `nu`: how alike problems are. Small: a few are always solved and most never; large: all have the chance mu.

    Prior, 90 %: mu 0.006 to 0.28, nu 0.9 to 120, tail 0.02 to 13. Where most problems are never solved in so many
    trials the tail is hardly known, and the prior says the rest.
    """

    response = "accuracy"

    mu: Scalar
    nu: Scalar

    def mean(self, samples: Array) -> Array:  # type: ignore[override]
        return beta_coverage(self.mu, self.nu, samples)

    def concentration(self, samples: Array) -> Array:  # type: ignore[override]
        return jnp.asarray(self.nu)

    def derived(self) -> Mapping[str, Scalar]:
        return {"tail": self.mu * self.nu}

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        return single_answers(runs)

    @classmethod
    def prior(cls) -> "Coverage":
        return cls(mu=dist.Beta(1.0, 9.0), nu=dist.LogNormal(log(10.0), 1.5))

    def decisions(self) -> Mapping[str, Decision]:
        return {"samples": samples_to_reach}


def beta_coverage(mu: Any, nu: Any, samples: Any) -> Array:
    """Coverage of so many samples where the chance of a problem is Beta with this mean and concentration."""
    x, y = right_and_wrong(mu, nu)
    coverage = -jnp.expm1(log_rise(y, x) - log_rise(y + samples, x))
    return jnp.where(samples == 1, mu, coverage)  # the same, without rounding


def log_rise(start: Any, by: Any) -> Array:
    """ln Gamma(start + by) - ln Gamma(start): where both are large, by Stirling's series, for they cancel."""
    near, large = jnp.minimum(start, 100.0), jnp.maximum(start, 100.0)
    end = large + by
    series = (1 / end - 1 / large) / 12 - (1 / end**3 - 1 / large**3) / 360
    far = (large - 0.5) * jnp.log1p(by / large) + by * (jnp.log(end) - 1) + series
    return jnp.where(start > 100, far, gammaln(near + by) - gammaln(near))


def single_answers(runs: Mapping[str, Any]) -> list[Status]:
    """Successes of a row with several samples are not beta-binomial."""
    if (runs["samples"] == 1).all():
        return []
    text = "rows with samples above 1: count single answers (samples = 1), or fit pass@k with noise=bl.Binomial."
    return [Status(text, serious=True)]


def pass_at_k(successes: Any, trials: Any, samples: Any) -> np.ndarray:
    """The chance that one of `samples` answers is right, unbiased, from so many right ones among `trials`.

    1 - C(trials - successes, samples) / C(trials, samples), elementwise; its mean over problems is coverage. Points of
    one such curve share their answers: they are no data to fit a law to with independent noise. Raises `InputError` for
    more samples than trials.
    """
    c, n, k = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (successes, trials, samples)))
    if not ((c >= 0) & (c <= n) & (k >= 1) & (k <= n)).all():
        raise InputError("pass@k needs 0 <= successes <= trials and 1 <= samples <= trials: more is extrapolation.")
    wrong = np.maximum(n - c - k, 0.0)
    logs = special.gammaln(n - c + 1) + special.gammaln(n - k + 1) - special.gammaln(wrong + 1) - special.gammaln(n + 1)
    return np.where(k > n - c, 1.0, np.where(k == 1, c / n, -np.expm1(logs)))
