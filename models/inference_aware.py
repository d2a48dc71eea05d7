"""Inference-aware training: how large a model, and how long, when it will serve a known number of tokens."""

from collections.abc import Mapping
from math import log

import numpyro.distributions as dist

from bayeslaw._decision import Decision
from bayeslaw._tree import Scalar
from bayeslaw.models.chinchilla import Chinchilla
from bayeslaw.models.inference_plans import dollars, serve, serve_like, smaller


class InferenceAware(Chinchilla):
    """loss = E + a (params / 1e9)^-alpha + b (tokens / 2e10)^-beta

    Sardana, Portes, Doubov, Frankle 2023 (arXiv 2401.00448) and de Vries' post "Go smol or go home", 2023: the law of
    Chinchilla, and what to train when a loss is wanted and serving counts, at 6 FLOPs per parameter and training
    token and 2 per parameter and served token (attention and memory traffic are left out). Loss in nats per token.

    - `E`: irreducible loss; a target below it cannot be reached, and the share of draws in which that is so is stated.
    - `a`, `b`: what a 1 B model loses to its size and a 20 B-token run to its data, in nats.
    - `alpha`, `beta`: how fast those two shrink. They alone say what a smaller model costs, as a share.

    Prior, 90 %: E 0.88 to 3.3, a and b 0.10 to 2.6, alpha and beta 0.14 to 0.75.
    Departure from the paper: coefficients are uncertain, and a reference model's loss is that of each draw, so that E
    drops out. Demand and prices are given; give many values to see what their uncertainty adds.
    """

    @classmethod
    def prior(cls) -> "InferenceAware":
        size, exponent = dist.LogNormal(log(0.5), 1.0), dist.LogNormal(log(0.33), 0.5)
        return cls(E=dist.LogNormal(log(1.7), 0.4), a=size, alpha=exponent, b=size, beta=exponent)

    @classmethod
    def published(cls) -> Mapping[str, Chinchilla]:
        """`sardana2023`: Hoffmann et al.'s third fit as the paper and its code use it; its own refit is not printed."""
        return {"sardana2023": cls.raw(E=1.69, A=406.4, alpha=0.336, B=410.7, beta=0.283)}

    def derived(self) -> Mapping[str, Scalar]:
        """A, B, the exponent of the optimal size, and the least size, as a share of the compute-optimal one, that
        reaches the same loss with whatever amount of data."""
        return {**super().derived(), "least_relative_params": (1 + self.alpha / self.beta) ** (-1 / self.alpha)}

    def decisions(self) -> Mapping[str, Decision]:
        return {**super().decisions(), "serve": serve, "serve_like": serve_like, "dollars": dollars, "smaller": smaller}
