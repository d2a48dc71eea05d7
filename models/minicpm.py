"""MiniCPM: tokens per parameter of small models, one evaluation text at a time."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, StudentT
from bayeslaw._tree import Scalar, power

N0, D0 = 1e9, 2e10  # the reference run: 1 B parameters, 20 B tokens
UNIT = 1e9  # the paper counts parameters and tokens in billions


class MiniCPM(AbstractLaw):
    """nats_per_byte = E + a (nonembedding_params / 1e9)^-alpha + b (tokens / 2e10)^-beta

    Hu et al. 2024 (arXiv 2404.06395), Eq. 2: the Chinchilla formula for the loss per byte of one evaluation corpus, of
    runs that end with a decay of the learning rate (WSD: one run at a constant rate gives several such ends). The base
    of the paper's logarithm is not stated; nats are assumed, and the optimum does not depend on it.

    - `E`: irreducible loss per byte of that text; L_0 in the paper.
    - `a`: what a 1 B model (without embeddings) loses to its size; the paper's C_N.
    - `b`: what a 20 B-token run loses to its data; C_D = b 20^beta in the paper, which counts tokens in 1e9.
    - `alpha`, `beta`: how fast those two shrink.

    The paper's runs have 10 to 60 tokens per parameter and its optimum 192: outside the runs. Its 36 points at a
    scatter of 0.3 % leave a factor of three between the ends of a 95 % interval. For several corpora,
    `Pooled(MiniCPM, runs, by="corpus")`; losses per byte do not compare with losses per token.
    Departure from the paper: b is the term at 20 B tokens, not at 1 B, and the corpora can be fitted together.
    Prior, 90 %: E 0.13 to 0.68, a 0.015 to 0.41, b 0.03 to 0.78, alpha and beta 0.14 to 0.54; scatter 0.1 to 2.6 %.
    """

    response: ClassVar = "nats_per_byte"
    falls: ClassVar = ("nonembedding_params", "tokens")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        size = self.a * power(nonembedding_params / N0, -self.alpha)
        return self.E + size + self.b * power(tokens / D0, -self.beta)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b")

    def noise(self) -> AbstractNoise:
        return StudentT(df=StudentT.prior().df, scale=dist.LogNormal(log(0.005), 1.0))

    def derived(self) -> Mapping[str, Scalar]:
        """C_D, and K^2 and eta of Eq. 3: tokens per parameter = (flops / 6e18)^-eta / K^2."""
        C_D, total = self.b * (D0 / UNIT) ** self.beta, self.alpha + self.beta
        K2 = (self.alpha * self.a / (self.beta * C_D)) ** (2 / total)
        return {"C_D": C_D, "K2": K2, "eta": (self.beta - self.alpha) / total}

    @classmethod
    def raw(cls, C_N: float, alpha: float, C_D: float, beta: float, L_0: float) -> "MiniCPM":
        """The law from the coefficients that the paper prints, of parameters and tokens in 1e9."""
        return cls(E=L_0, a=C_N, alpha=alpha, b=C_D * (D0 / UNIT) ** -beta, beta=beta)

    @classmethod
    def prior(cls) -> "MiniCPM":
        return cls(
            E=dist.LogNormal(log(0.3), 0.5),
            a=dist.LogNormal(log(0.08), 1.0),
            alpha=dist.LogNormal(log(0.28), 0.4),
            b=dist.LogNormal(log(0.15), 1.0),
            beta=dist.LogNormal(log(0.28), 0.4),
        )

    @classmethod
    def published(cls) -> Mapping[str, "MiniCPM"]:
        """`average` is the paper's fit of the mean loss, not the mean of the five: its exponents stand in the text, its
        other coefficients, and all of the five corpora, are second-hand, from the text boxes of Figure 10."""
        return {
            "average": cls.raw(C_N=7.15e-2, alpha=0.29, C_D=3.00e-1, beta=0.23, L_0=0.31),
            "code": cls.raw(C_N=3.32e-2, alpha=0.37, C_D=2.17e-1, beta=0.34, L_0=0.17),
            "english_wikihow": cls.raw(C_N=8.08e-2, alpha=0.26, C_D=2.97e-1, beta=0.18, L_0=0.27),
            "chinese_wikihow": cls.raw(C_N=5.14e-2, alpha=0.35, C_D=3.90e-1, beta=0.18, L_0=0.40),
            "ultratext": cls.raw(C_N=7.54e-2, alpha=0.30, C_D=2.92e-1, beta=0.30, L_0=0.25),
            "chinese_yayi": cls.raw(C_N=1.53e-1, alpha=0.19, C_D=3.76e-1, beta=0.17, L_0=0.35),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal}


def _closed_form(law: MiniCPM, flops: Any) -> dict[str, Any]:
    """Eq. 3, in the units of the reference run."""
    balance = (law.alpha * law.a / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    return {"nonembedding_params": N0 * balance * (flops / (6 * N0 * D0)) ** (law.beta / (law.alpha + law.beta))}


def _tokens(nonembedding_params: Any, flops: Any) -> dict[str, Any]:
    tokens = flops / (6 * jnp.asarray(nonembedding_params))
    return {"tokens": tokens, "tokens_per_param": tokens / nonembedding_params}


compute_optimal = Decision(
    question="Which size, and how many tokens, give the lowest loss on this text for a training budget?",
    choose={"nonembedding_params": LogRange(1e6, 1e14)},
    given=("flops",),
    derive=_tokens,
    report=("nonembedding_params", "tokens", "tokens_per_param"),
    closed_form=_closed_form,
)
