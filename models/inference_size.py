"""Compute-optimal inference: which size is best at a budget of FLOPs per question."""

from collections.abc import Mapping
from math import log

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, evaluate


class InferenceSize(AbstractLaw):
    """params = 1e9 10^((log10(inference_flops) - level) / slope)

    Wu et al. 2024 (arXiv 2408.00724): the size with the lowest error at a budget of FLOPs per question, a line through
    the envelope of a family of models. Not to be extrapolated: at larger budgets every size saturates.

    - `level`: log10 of the FLOPs per question at which 1 B parameters are best; 9 slope + intercept of the paper.
    - `slope`: how fast the budget grows with the size; the best size grows as the budget to the power 1 / slope.

    Prior, 90 %: level 11.6 to 13.9, slope 0.87 to 1.53. Noise, ours: a family has few sizes, a factor of two apart, so
    points scatter by 6 to 63 %.
    """

    response = "params"

    level: Scalar
    slope: Scalar

    def mean(self, inference_flops: Array) -> Array:  # type: ignore[override]
        return 1e9 * 10 ** ((jnp.log10(inference_flops) - self.level) / self.slope)

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.2), 0.7))

    def derived(self) -> Mapping[str, Scalar]:
        return {"intercept": self.level - 9 * self.slope, "optimal_params_exponent": 1 / self.slope}

    @classmethod
    def prior(cls) -> "InferenceSize":
        return cls(level=dist.Normal(12.74, 0.7), slope=dist.Normal(1.2, 0.2))

    @classmethod
    def published(cls) -> Mapping[str, "InferenceSize"]:
        """`wu2024`: slope 1.19 and intercept 2.03, without uncertainty."""
        return {"wu2024": cls(level=2.03 + 9 * 1.19, slope=1.19)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"budget": budget}


budget = Decision(
    question="At which inference budget per question does a model of this size (target) become the best one?",
    choose={"inference_flops": LogRange(1e6, 1e22)},
    given=("target",),
    derive=lambda inference_flops: {"inference_flops": inference_flops},
    report=("inference_flops",),
    objective=lambda law, plan: jnp.abs(jnp.log(evaluate(law, plan)) - jnp.log(plan["target"])),
    closed_form=lambda law, target: {"inference_flops": 10 ** (law.level + law.slope * (jnp.log10(target) - 9))},
)
