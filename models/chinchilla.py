"""The Chinchilla law: how much model and how much data for a training budget."""

from collections.abc import Mapping
from math import exp, log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, power

N0, D0 = 1e9, 2e10  # the reference run: 1 B parameters, 20 B tokens


class Chinchilla(AbstractLaw):
    """loss = E + a (params / 1e9)^-alpha + b (tokens / 2e10)^-beta

    Hoffmann et al. 2022 (arXiv 2203.15556), Eq. 2; refit by Besiroglu et al. 2024 (arXiv 2404.10102).
    Loss in nats per token; params count embeddings; tokens are those seen in training (one epoch).

    - `E`: irreducible loss, the entropy of the text; no budget goes below it.
    - `a`: what a 1 B model loses to its size, in nats; A = a 1e9^alpha in the papers.
    - `b`: what a 20 B-token run loses to its data, in nats; B = b 2e10^beta in the papers.
    - `alpha`, `beta`: how fast those two shrink; 0.35 means ten times more removes 55 % of the term.

    Departure from the papers: the two terms are given by their size at a reference run instead of at one
    parameter and one token, where A and alpha (B and beta) are correlated beyond 0.99.
    Prior, 90 %: E 1.04 to 2.78, a 0.07 to 1.8, b 0.08 to 2.1, alpha and beta 0.17 to 0.64.
    """

    falls: ClassVar = ("params", "tokens")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar

    def mean(self, params: Array, tokens: Array) -> Array:  # type: ignore[override]
        return self.E + self.a * power(params / N0, -self.alpha) + self.b * power(tokens / D0, -self.beta)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b")

    def derived(self) -> Mapping[str, Scalar]:
        """A and B of the papers, and the exponent of the optimal size: params* ~ flops^(beta / (alpha + beta))."""
        return {
            "A": self.a * N0**self.alpha,
            "B": self.b * D0**self.beta,
            "optimal_params_exponent": self.beta / (self.alpha + self.beta),
        }

    @classmethod
    def raw(cls, E: float, A: float, alpha: float, B: float, beta: float) -> "Chinchilla":
        """The law from the coefficients that papers print, E + A / N^alpha + B / D^beta."""
        return cls(E=E, a=A * N0**-alpha, alpha=alpha, b=B * D0**-beta, beta=beta)

    @classmethod
    def prior(cls) -> "Chinchilla":
        return cls(
            E=dist.LogNormal(log(1.7), 0.3),
            a=dist.LogNormal(log(0.35), 1.0),
            alpha=dist.LogNormal(log(0.33), 0.4),
            b=dist.LogNormal(log(0.4), 1.0),
            beta=dist.LogNormal(log(0.33), 0.4),
        )

    @classmethod
    def published(cls) -> Mapping[str, "Chinchilla"]:
        """`hoffmann2022`: from the paper's TeX source (Eq. 10 prints 1.69, 406.4, 0.34, 410.7, 0.28; rounding the
        exponents moves tokens per parameter at 5.76e23 FLOPs from 59 to 93). `besiroglu2024`: 240 runs, refit."""
        return {
            "hoffmann2022": cls.raw(
                E=exp(0.5267228), A=exp(6.0073404), alpha=0.33917084, B=exp(6.0179186), beta=0.2849083
            ),
            "besiroglu2024": cls.raw(E=1.81686, A=482.006, alpha=0.34781, B=2085.434, beta=0.36585),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal}


def _closed_form(law: Chinchilla, flops: Any) -> dict[str, Any]:
    """Hoffmann et al. 2022, Eq. 4, in the units of the reference run."""
    balance = (law.alpha * law.a / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    budget = flops / (6 * N0 * D0)
    return {"params": N0 * balance * budget ** (law.beta / (law.alpha + law.beta))}


compute_optimal = Decision(
    question="Which model size, and how many tokens, give the lowest loss for a training budget?",
    choose={"params": LogRange(1e6, 1e14)},
    given=("flops",),
    derive=lambda params, flops: {"tokens": flops / (6 * jnp.asarray(params))},
    report=("params", "tokens", "tokens_per_param"),
    closed_form=_closed_form,
)
