"""Coverage of repeated sampling with models of one family, by their size."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision
from bayeslaw._errors import Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, power
from bayeslaw.models.coverage import beta_coverage, single_answers
from bayeslaw.models.coverage_plans import cheapest_size

SIZES = (7e7, 1.6e8, 4.1e8, 1e9, 2.8e9, 6.9e9, 1.2e10)  # Pythia


class CoverageBySize(AbstractLaw):
    """accuracy = 1 - B(x, y + samples) / B(x, y), logit mu = level + by_params ln(params / 1e9)

    A law of ours around the counts of Schaeffer et al. 2025 (arXiv 2502.17578): `Coverage` of a family of models, with
    x = mu nu, y = (1 - mu) nu and nu = alike (params / 1e9)^alike_by_params. Models that differ from the line:
    `Pooled(CoverageBySize, runs, by="model", share=("by_params", "alike_by_params"))`.

    - `level`: logit of the chance that a single answer of a 1 B model is right.
    - `by_params`: logits gained by e times the parameters.
    - `alike`: how alike problems are to a 1 B model (nu of `Coverage`).
    - `alike_by_params`: the power of the size with which that changes. Below zero: a larger model knows some problems
      well, a small one guesses at all of them.

    Prior, 90 %: a 1 B model is right in 0.0015 to 0.18 of its answers, by_params 0.04 to 1.36, alike 1.0 to 100,
    alike_by_params -0.96 to 0.36. Problems are the same under all models, which counts as independent: intervals are
    too narrow.
    """

    response = "accuracy"

    level: Scalar
    by_params: Scalar
    alike: Scalar
    alike_by_params: Scalar

    def mean(self, params: Array, samples: Array) -> Array:  # type: ignore[override]
        chance = jax.nn.sigmoid(self.level + self.by_params * jnp.log(params / 1e9))
        return beta_coverage(chance, self.concentration(params, samples), samples)

    def concentration(self, params: Array, samples: Array) -> Array:  # type: ignore[override]
        return self.alike * power(params / 1e9, self.alike_by_params)

    def derived(self) -> Mapping[str, Scalar]:
        """The exponent with which failures of a 1 B model end in the number of samples."""
        return {"tail": jax.nn.sigmoid(jnp.asarray(self.level, float)) * self.alike}

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        return single_answers(runs)

    @classmethod
    def prior(cls) -> "CoverageBySize":
        return cls(
            level=dist.Normal(-4.0, 1.5),
            by_params=dist.Normal(0.7, 0.4),
            alike=dist.LogNormal(log(10.0), 1.4),
            alike_by_params=dist.Normal(-0.3, 0.4),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"size": cheapest_size(SIZES)}
