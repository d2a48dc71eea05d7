"""Our model of search with a reward model: which policy, reward model, method and number of samples."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._pooled import Pooled
from bayeslaw._tree import Scalar, nth
from bayeslaw.models.reward_plans import search_method

UNREAD = ("cot", "majority")  # methods that read no reward model; the first, a single answer, is the baseline
METHODS = (*UNREAD, "tts")  # tts: the best of several searches, as the paper's tables have it


class OurRewardAware(AbstractLaw):
    """accuracy = sigmoid(level + (gain + by_prm ln(prm_score / 50)) (d + bend d (1 - d))), d = log2(samples) / 8

    Our model, of one policy on one benchmark: Liu et al. 2025 (arXiv 2502.06703) print tables and fit no law of
    accuracy (`PRMLine` is their one line). A row is a method with so many samples on `trials` questions. Policies learn
    from each other in `by_policy(runs)`, bins of difficulty in the same way. Only shares that are whole counts are
    data: 44.6 % of 30 questions is a mean over many answers. With one sample there is nothing to choose from, and all
    methods are the first one, a single answer.

    - `level`: logit of the accuracy of a single answer.
    - `gain`: for each other method the logits gained by 256 samples, with a reward model that scores 50.
    - `by_prm`: logits added to that by e times the score of the reward model (in %, on ProcessBench), where it is read.
    - `bend`: how early the gain comes: 0 is as much by each doubling, 1 none by the last.
    - `methods`: the methods, the first of which answers once. `unread`: those of them that read no reward model.

    A table with one number of samples says nothing of bend, one with one reward model nothing of by_prm. Scores of
    reward models go with their size and data. The same questions under all methods count as independent, so
    intervals of differences are too wide.
    Prior, 90 %: level 0.08 to 0.92 as an accuracy, gain -0.2 to 1.8, by_prm -0.09 to 0.89 (twice the score: 0.28), bend
    0.14 to 0.86.
    """

    response: ClassVar = "accuracy"

    level: Scalar
    gain: dict[str, Scalar]
    by_prm: Scalar
    bend: Scalar
    methods: tuple[str, ...] = eqx.field(static=True)
    unread: tuple[str, ...] = eqx.field(static=True, default=UNREAD)

    def mean(self, method: Array, prm_score: Array, samples: Array) -> Array:  # type: ignore[override]
        d = jnp.log2(samples) / 8
        gain = nth([0.0, *(self.gain[name] for name in self.methods[1:])], method)
        reads = nth([name not in self.unread for name in self.methods], method)
        judged = jnp.where(reads > 0, self.by_prm * jnp.log(prm_score / 50), 0.0)
        return jax.nn.sigmoid(self.level + (gain + judged) * (d + self.bend * d * (1 - d)))

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls, methods: tuple[str, ...] = METHODS) -> "OurRewardAware":
        return cls(
            level=dist.Normal(0.0, 1.5),
            gain={name: dist.Normal(0.8, 0.6) for name in methods[1:]},
            by_prm=dist.Normal(0.4, 0.3),
            bend=dist.Beta(2.0, 2.0),
            methods=tuple(methods),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"method": search_method(self.methods)}


def by_policy(runs: Any, methods: tuple[str, ...] = METHODS) -> Pooled:
    """The law with policies as groups: they differ in their level (sd 0.5 to 2.7 logits) and in what methods gain (0.1
    to 0.8)."""
    gains = {f"gain.{name}": dist.LogNormal(log(0.3), 0.6) for name in methods[1:]}
    law = OurRewardAware.prior(methods)
    return Pooled(
        law, runs, by="model", share=("by_prm", "bend"), spread={"level": dist.LogNormal(log(1.2), 0.5), **gains}
    )
