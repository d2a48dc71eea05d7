"""Henighan's frontier: how large a model of images, video, text or mathematics should be for a budget."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, StudentT
from bayeslaw._tree import Scalar, evaluate, power

PF_DAY = 8.64e19  # FLOPs of one petaflop/s-day, the reference budget


class AutoregressiveSize(AbstractLaw):
    """nonembedding_params = n (flops / 8.64e19)^beta

    Henighan et al. 2020 (arXiv 2010.14701), Table 1: the best size for a budget, N_opt = (C / C_opt)^beta with C in
    petaflop/s-days. A run in the table is the best size found at one budget, in one kind of data (`domain`):
    `Pooled(AutoregressiveSize, runs, by="domain")` lets domains share what they have in common.

    - `n`: the best size at one petaflop/s-day, in parameters without embeddings.
    - `beta`: its exponent; 0.7 means ten times the budget goes into a model five times as large, twice the data.

    The paper reads it off the hulls of learning curves, with no correction for the batch, and finds exponents above
    those of later work, as Kaplan does. The loss at the optimum is `AutoregressiveCompute`, not `Autoregressive`.
    Departure from the paper: n instead of C_opt, a budget of a thousand operations. Prior, 90 %: n 5e7 to 1.3e9, beta
    0.49 to 0.81; scatter of a size that was read off 2 to 52 %, as minima are flat.
    """

    response: ClassVar = "nonembedding_params"

    n: Scalar
    beta: Scalar

    def mean(self, flops: Array) -> Array:  # type: ignore[override]
        return self.n * power(flops / PF_DAY, self.beta)

    def noise(self) -> AbstractNoise:
        return StudentT(df=StudentT.prior().df, scale=dist.LogNormal(log(0.1), 1.0))

    def derived(self) -> Mapping[str, Scalar]:
        """C_opt in petaflop/s-days; data grow as size^data_exponent along the frontier."""
        return {"C_opt": self.n ** (-1 / self.beta), "data_exponent": (1 - self.beta) / self.beta}

    @classmethod
    def raw(cls, C_opt: float, beta: float) -> "AutoregressiveSize":
        """The law from the coefficients that the paper prints."""
        return cls(n=C_opt**-beta, beta=beta)

    @classmethod
    def prior(cls) -> "AutoregressiveSize":
        return cls(n=dist.LogNormal(log(2.5e8), 1.0), beta=dist.Normal(0.65, 0.1))

    @classmethod
    def published(cls) -> Mapping[str, "AutoregressiveSize"]:
        """Table 1, by domain (text-image pairs for both parts together); and Kaplan et al. 2020, Table 6."""
        return {
            "language": cls.raw(3.3e-13, 0.73),
            "language_kaplan2020": cls(n=1.3e9, beta=0.73),
            "image_8x8": cls.raw(5.3e-14, 0.64),
            "image_16x16": cls.raw(4.8e-12, 0.75),
            "image_32x32": cls.raw(1.6e-13, 0.65),
            "image_vq_16x16": cls.raw(6.2e-14, 0.64),
            "image_vq_32x32": cls.raw(9.4e-13, 0.7),
            "text_to_image": cls.raw(9.4e-13, 0.7),
            "image_to_text": cls.raw(3.3e-12, 0.72),
            "video_vq_16x16x16": cls.raw(1.13e-12, 0.71),
            "math": cls.raw(2.3e-12, 0.69),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal}


def _tokens(nonembedding_params: Any, flops: Any) -> dict[str, Any]:
    tokens = flops / (6 * jnp.asarray(nonembedding_params))
    return {"tokens": tokens, "tokens_per_param": tokens / nonembedding_params}


def _away(law: Any, plan: Mapping[str, Any]) -> Any:
    """How far a size is from the frontier, on a log scale: the nearest one of a menu is chosen."""
    return jnp.abs(jnp.log(plan["nonembedding_params"]) - jnp.log(evaluate(law, plan)))


compute_optimal = Decision(
    question="Which size, and how many tokens, are best for a budget?",
    choose={"nonembedding_params": LogRange(1.0, 1e18)},
    given=("flops",),
    derive=_tokens,
    report=("nonembedding_params", "tokens", "tokens_per_param"),
    objective=_away,
    closed_form=lambda law, flops: {"nonembedding_params": law.mean(flops)},
)
