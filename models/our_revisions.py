"""Our model of revisions: how many answers in a row, and how many beside each other."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate
from bayeslaw.models.strategy_plans import QUESTIONS

WIDEST = 256.0  # of 256 generations all in one chain, or none


class OurRevisions(AbstractLaw):
    """accuracy = sigmoid(level + tilt r + bend r^2), r = log2(chain_ratio)

    Our model, of questions of one difficulty at one number of generations. Snell et al. 2024 (arXiv 2408.03314) plot
    accuracy against the ratio of sequential revisions to parallel answers, and fit no law. Several bins of difficulty
    or numbers of generations: `Pooled(OurRevisions, runs, by="difficulty")`. Strategies: `OurTestTimeCompute`.

    - `level`: logit of the accuracy with chains as long as there are many.
    - `tilt`: logits gained by twice the ratio, there. Positive: longer chains are better.
    - `bend`: how that changes with each doubling of the ratio. Below zero the best is 2^(-tilt / (2 bend));
      otherwise one of the ends is best, all in one chain or no revision at all.

    Prior, 90 %: level 0.05 to 0.88 as an accuracy, tilt -0.49 to 0.49, bend -0.05 to 0.05: no ratio is preferred.
    """

    response: ClassVar = "accuracy"

    level: Scalar
    tilt: Scalar
    bend: Scalar

    def mean(self, chain_ratio: Array) -> Array:  # type: ignore[override]
        r = jnp.log2(chain_ratio)
        return jax.nn.sigmoid(self.level + self.tilt * r + self.bend * r**2)

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls) -> "OurRevisions":
        return cls(level=dist.Normal(-0.5, 1.5), tilt=dist.Normal(0.0, 0.3), bend=dist.Normal(0.0, 0.03))

    def decisions(self) -> Mapping[str, Decision]:
        return {"ratio": ratio}


def _closed_form(law: Any, generations: Any) -> dict[str, Any]:
    """The vertex, or far beyond the better end."""
    vertex = -law.tilt / (2 * jnp.where(law.bend < 0, law.bend, -1.0))
    end = jnp.where(law.tilt >= 0, 1000.0, -1000.0)
    r = jnp.where(law.bend < 0, jnp.clip(vertex, -1000.0, 1000.0), end)
    return {"chain_ratio": jnp.clip(2.0**r, 1 / generations, generations)}


ratio = Decision(
    question="How many revisions in a row for each answer beside it, of so many generations?",
    choose={"chain_ratio": LogRange(1 / WIDEST, WIDEST)},
    given=("generations",),
    derive=lambda chain_ratio: {"trials": QUESTIONS},
    report=("chain_ratio",),
    objective=lambda law, plan: jnp.where(
        jnp.abs(jnp.log(plan["chain_ratio"])) <= jnp.log(plan["generations"]) + 1e-9, -evaluate(law, plan), jnp.inf
    ),
    closed_form=_closed_form,
)
"""With fewer than 256 generations the ratio ends earlier than the box: all of them in one chain, or none."""
