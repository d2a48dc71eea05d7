"""Henighan's laws of images, video, text and mathematics: how far the loss is from its floor."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate, power

N0, PF_DAY = 1e8, 8.64e19  # the reference runs: 100 M parameters; FLOPs of one petaflop/s-day


class Autoregressive(AbstractLaw):
    """loss = E + a (nonembedding_params / 1e8)^-alpha

    Henighan et al. 2020 (arXiv 2010.14701), Eq. 1.1, of trained-out models of one kind of data (`domain` in a table).
    Loss in nats per token; per image or clip it is that times the tokens of one (192, 768 and 3072 for pixels).

    - `E`: what no model removes, read as the entropy of the data; zero for text, see `text`.
    - `a`: what a 100 M model loses to its size, in nats; N_0 = 1e8 a^(1/alpha) in the paper.
    - `alpha`: how fast that shrinks; 0.15 means ten times more removes 29 %.

    Departure from the paper: a instead of N_0, a size of a few parameters. Prior, 90 %: E 0.6 to 6.3, a 0.03 to 1.4,
    alpha 0.057 to 0.30.
    """

    falls: ClassVar = ("nonembedding_params",)

    E: Scalar
    a: Scalar
    alpha: Scalar

    def mean(self, nonembedding_params: Array) -> Array:  # type: ignore[override]
        return self.E + self.a * power(nonembedding_params / N0, -self.alpha)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a")

    @classmethod
    def raw(cls, E: float, N_0: float, alpha: float) -> "Autoregressive":
        """The law from the coefficients that the paper prints, E + (N_0 / N)^alpha."""
        return cls(E=E, a=(N_0 / N0) ** alpha, alpha=alpha)

    @classmethod
    def prior(cls) -> "Autoregressive":
        return cls(dist.LogNormal(log(2.0), 0.7), dist.LogNormal(log(0.2), 1.2), dist.LogNormal(log(0.13), 0.5))

    @classmethod
    def text(cls) -> "Autoregressive":
        """The prior for text, which shows no floor: E is 0; 90 %: a 0.5 to 4.7, alpha 0.022 to 0.11."""
        return cls(0.0, dist.LogNormal(log(1.5), 0.7), dist.LogNormal(log(0.05), 0.5))

    @classmethod
    def published(cls) -> Mapping[str, "Autoregressive"]:
        """Table 1, by domain; of text-image pairs the part that is named last."""
        return {
            "language": cls.raw(0.0, 1.47e14, 0.070),
            "image_8x8": cls.raw(3.12, 8.0e1, 0.24),
            "image_16x16": cls.raw(2.64, 2.8e2, 0.22),
            "image_32x32": cls.raw(2.20, 6.3e1, 0.13),
            "image_vq_16x16": cls.raw(3.99, 2.7e4, 0.13),
            "image_vq_32x32": cls.raw(3.07, 1.9e4, 0.14),
            "text_to_image_text": cls.raw(0.0, 5.6e8, 0.037),
            "text_to_image_image": cls.raw(2.0, 5.1e3, 0.16),
            "image_to_text_text": cls.raw(0.0, 7.0e8, 0.039),
            "image_to_text_image": cls.raw(2.0, 5.5e3, 0.15),
            "video_vq_16x16x16": cls.raw(1.01, 3.7e4, 0.24),
            "math": cls.raw(0.28, 1.1e4, 0.16),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"smallest": smallest}


class AutoregressiveCompute(AbstractLaw):
    """loss = E + a (flops / 8.64e19)^-alpha

    Henighan et al. 2020 (arXiv 2010.14701), Eq. 1.1: the loss of the best model for a budget; 8.64e19 FLOPs are one
    petaflop/s-day. Its floor is a fit of its own, and for math and text-image pairs it lies below `Autoregressive` at
    the best size: the laws do not make one law of size and compute.

    - `E`: what no budget removes, in nats per token.
    - `a`: what is left above it after one petaflop/s-day; C_0 = a^(1/alpha) in the paper.
    - `alpha`: how fast that shrinks.

    Departure from the paper: a instead of C_0. Prior, 90 %: E 0.6 to 6.3, a 0.03 to 1.4, alpha 0.057 to 0.30.
    """

    falls: ClassVar = ("flops",)

    E: Scalar
    a: Scalar
    alpha: Scalar

    def mean(self, flops: Array) -> Array:  # type: ignore[override]
        return self.E + self.a * power(flops / PF_DAY, -self.alpha)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a")

    @classmethod
    def raw(cls, E: float, C_0: float, alpha: float) -> "AutoregressiveCompute":
        """The law from the coefficients that the paper prints, E + (C_0 / C)^alpha with C in petaflop/s-days."""
        return cls(E=E, a=C_0**alpha, alpha=alpha)

    @classmethod
    def prior(cls) -> "AutoregressiveCompute":
        return cls(dist.LogNormal(log(2.0), 0.7), dist.LogNormal(log(0.2), 1.2), dist.LogNormal(log(0.13), 0.5))

    @classmethod
    def published(cls) -> Mapping[str, "AutoregressiveCompute"]:
        """Table 1, by domain, of text-image pairs the image part; and Kaplan et al. 2020, Table 5, for C_min."""
        return {
            "language": cls.raw(0.0, 3.47e8, 0.048),
            "language_kaplan2020": cls.raw(0.0, 3.1e8, 0.050),
            "image_8x8": cls.raw(3.13, 1.8e-8, 0.19),
            "image_16x16": cls.raw(2.64, 1.6e-8, 0.16),
            "image_32x32": cls.raw(2.21, 3.6e-9, 0.1),
            "image_vq_16x16": cls.raw(4.09, 6.1e-7, 0.11),
            "image_vq_32x32": cls.raw(3.17, 2.6e-6, 0.12),
            "text_to_image": cls.raw(1.93, 1.5e-6, 0.15),
            "image_to_text": cls.raw(1.97, 1.5e-6, 0.16),
            "video_vq_16x16x16": cls.raw(0.95, 2.2e-5, 0.14),
            "math": cls.raw(0.14, 1.4e-5, 0.17),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"cheapest": cheapest}


def _least(column: str, low: float, high: float, reference: float, question: str) -> Decision:
    """The least of a column that brings the loss down to a target."""
    return Decision(
        question=question,
        choose={column: LogRange(low, high)},
        given=("target",),
        derive=lambda: {},
        report=(column,),
        objective=lambda law, plan: jnp.where(evaluate(law, plan) <= plan["target"], jnp.log(plan[column]), jnp.inf),
        closed_form=lambda law, target: {column: reference * (law.a / jnp.asarray(target - law.E)) ** (1 / law.alpha)},
    )


smallest = _least("nonembedding_params", 1.0, 1e18, N0, "Which is the smallest size that reaches this loss?")
cheapest = _least("flops", 1e12, 1e36, PF_DAY, "Which is the smallest budget that reaches this loss?")
