"""Our model of test-time compute: which strategy and how many samples for questions of each difficulty."""

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
from bayeslaw.models.strategy_plans import exchange, strategy

METHODS = ("best_of_n", "beam", "revisions")


class OurTestTimeCompute(AbstractLaw):
    """accuracy = sigmoid(level + by_size ln(size_ratio) + rise log2(samples) + bend log2(samples)^2)

    Our model, of the questions of one bin of difficulty. Snell et al. 2024 (arXiv 2408.03314) plot accuracies and fit
    no law; their only closed form, the rate at which samples stand in for parameters, is `exchange_rate`. A row is a
    strategy with so many samples on the `trials` questions of a bin. All strategies agree at one sample. Several bins,
    which learn from each other: `by_difficulty(runs)`. One strategy problem by problem: `Coverage`.

    - `level`: logit of the accuracy of a single answer of the small model.
    - `by_size`: logits gained by e times its parameters; size_ratio is 1 for the small model.
    - `rise`: for each strategy the logits gained by the first doubling of samples, less bend.
    - `bend`: how that changes with each doubling: below zero it saturates, or the verifier is fooled.
    - `methods`: the strategies.

    Samples count what a strategy asks of the model: beam search with lookahead of k steps costs samples (k + 1), the
    `cost` of `strategy`. The same questions under all strategies count as independent, so intervals of differences are
    too wide. Quintiles of difficulty move with the model; the 2048 samples a question that make them are in no budget.
    Prior, 90 %: level 0.03 to 0.81 as an accuracy, by_size 0.01 to 0.99 (a 14 times larger model gains 0.02 to 2.6
    logits), rise -0.18 to 0.48, bend -0.043 to 0.023.
    """

    response: ClassVar = "accuracy"

    level: Scalar
    by_size: Scalar
    rise: dict[str, Scalar]
    bend: dict[str, Scalar]
    methods: tuple[str, ...] = eqx.field(static=True)

    def mean(self, method: Array, size_ratio: Array, samples: Array) -> Array:  # type: ignore[override]
        doublings = jnp.log2(samples)
        rise, bend = (nth([one[name] for name in self.methods], method) for one in (self.rise, self.bend))
        single = self.level + self.by_size * jnp.log(size_ratio)
        return jax.nn.sigmoid(single + rise * doublings + bend * doublings**2)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls, methods: tuple[str, ...] = METHODS) -> "OurTestTimeCompute":
        return cls(
            level=dist.Normal(-1.0, 1.5),
            by_size=dist.Normal(0.5, 0.3),
            rise={name: dist.Normal(0.15, 0.2) for name in methods},
            bend={name: dist.Normal(-0.01, 0.02) for name in methods},
            methods=tuple(methods),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"strategy": strategy(self.methods), "exchange": exchange(self.methods)}


def by_difficulty(runs: Any, methods: tuple[str, ...] = METHODS) -> Pooled:
    """The law with bins of difficulty as groups: they differ much in their level (sd 0.7 to 4.8 logits), and in what a
    strategy does as far as the runs say."""
    spread = {"level": dist.LogNormal(log(1.8), 0.6)}
    return Pooled(OurTestTimeCompute.prior(methods), runs, by="difficulty", spread=spread)
