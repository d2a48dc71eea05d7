"""Accuracy of search against the quality of its reward model: a published line."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, Normal
from bayeslaw._tree import Scalar
from bayeslaw.models.observational import reaches


class PRMLine(AbstractLaw):
    """accuracy = level + slope ln(prm_score / 50)

    Liu et al. 2025 (arXiv 2502.06703), Fig. 6: Y = 7.66 log X + 44.31, accuracy of search in % against the score X of
    its process reward model on ProcessBench in %; accuracy is a fraction. The base of the logarithm is not printed:
    with e the line is at the accuracies of the figure (66 to 92 %), with 10 far below them.

    - `level`: accuracy with a reward model that scores 50.
    - `slope`: accuracy gained by e times the score; 0.69 of that by twice.

    A line through reward models that differ in size and data as well: it does not say that a better score alone helps,
    and it ends where the measured scores do.
    Prior, 90 %: level 0.42 to 0.88, slope 0.01 to 0.19; scatter 0.4 to 10 points.
    """

    response: ClassVar = "accuracy"

    level: Scalar
    slope: Scalar

    def mean(self, prm_score: Array) -> Array:  # type: ignore[override]
        return self.level + self.slope * jnp.log(prm_score / 50)

    def noise(self) -> AbstractNoise:
        return Normal.prior()

    @classmethod
    def prior(cls) -> "PRMLine":
        return cls(level=dist.Normal(0.65, 0.14), slope=dist.LogNormal(log(0.05), 0.8))

    @classmethod
    def published(cls) -> Mapping[str, "PRMLine"]:
        """`liu2025`, with the natural logarithm."""
        return {"liu2025": cls(level=(44.31 + 7.66 * log(50)) / 100, slope=0.0766)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"score": score_to_reach}


def _score(law: Any, target: Any) -> dict[str, Any]:
    return {"prm_score": 50 * jnp.exp((target - law.level) / law.slope)}


score_to_reach = Decision(
    question="What is the least score of a reward model with which search reaches this accuracy?",
    choose={"prm_score": LogRange(1.0, 100.0)},
    given=("target",),
    derive=lambda prm_score: {},
    report=("prm_score",),
    objective=reaches("prm_score"),
    closed_form=_score,
)
