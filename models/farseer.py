"""Farseer: how much a model gains from data depends on its size."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, exp

N0, LOG_D0 = 1e9, log(2e10)  # the reference run: 1 B parameters, 20 B tokens


class Farseer(AbstractLaw):
    """bits_per_character = G(N) + B(N) tokens^-A(N), with N = nonembedding_params

    Li et al. 2025, Predictable Scale, Part II (arXiv 2506.10972), Eq. 3: G, B and A are exponentials of a power of N,
    exp(a3 N^gamma + b3) and so on. Here, with n = N / 1e9 and q(n; k) = (n^k - 1) / k, which is ln n at k = 0:
    G = g exp(-s_g q(n; gamma)), A = a exp(s_a q(n; alpha)), ln B = ln r + a ln 2e10 + (s_r + a s_a ln 2e10) q(n; beta).

    - `g`: what a 1 B model would still lose with endless data, in bits per character of the paper's English text.
    - `s_g`: by how much of itself that falls per e-fold of N, at 1 B.
    - `a`: the exponent of data at 1 B; 0.3 means ten times the data removes half of the data term.
    - `s_a`: relative change of that exponent per e-fold of N; negative: a larger model's data term falls more slowly.
    - `r`: what a 1 B model loses to having seen 20 B tokens only, in bits per character.
    - `s_r`: relative change of this per e-fold of N; positive: 20 B tokens leave a larger model more to gain.
    - `gamma`, `alpha`, `beta`: how the rates of G, A and B change with N; 0: not at all, below 0: they level off.

    Prior, 90 %: g 0.20 to 1.0, s_g 0.03 to 0.32, a 0.13 to 0.68, s_a -0.43 to 0.23, r 0.02 to 0.52, s_r -0.5 to 0.5,
    the three shapes -0.25 to 0.25. Departure from the paper: value and rate at a reference run, not nine coefficients
    that cancel as a shape nears 0. No constant floor: G falls for ever, or to g exp(s_g / gamma) if gamma < 0.
    """

    response: ClassVar = "bits_per_character"
    falls: ClassVar = ("tokens",)

    g: Scalar
    s_g: Scalar
    gamma: Scalar
    a: Scalar
    s_a: Scalar
    alpha: Scalar
    r: Scalar
    s_r: Scalar
    beta: Scalar

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        size = jnp.log(nonembedding_params / N0)
        floor = self.g * jnp.exp(-self.s_g * _stretch(size, self.gamma))
        exponent = self.a * jnp.exp(self.s_a * _stretch(size, self.alpha))
        log_B = jnp.log(self.r) + self.a * LOG_D0 + (self.s_r + self.a * self.s_a * LOG_D0) * _stretch(size, self.beta)
        return floor + exp(log_B - exponent * jnp.log(tokens))

    def summands(self) -> tuple[str, ...]:
        return ("g", "r")

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's coefficients for N in billions; a shape near 0 sends its pair to infinity."""
        a1, a3 = self.s_a / self.alpha, -self.s_g / self.gamma
        a2 = (self.s_r + self.a * self.s_a * LOG_D0) / self.beta
        b1, b2, b3 = jnp.log(self.a) - a1, jnp.log(self.r) + self.a * LOG_D0 - a2, jnp.log(self.g) - a3
        return {"a1": a1, "b1": b1, "a2": a2, "b2": b2, "a3": a3, "b3": b3}

    @classmethod
    def raw(cls, a1: float, alpha: float, b1: float, a2: float, beta: float, b2: float, a3: float, gamma: float,
            b3: float, *, unit: float = 1.0) -> "Farseer":  # fmt: skip
        """The law from the coefficients that papers print, for N in `unit` parameters (1e9: in billions)."""
        a1, a2, a3 = a1 * (N0 / unit) ** alpha, a2 * (N0 / unit) ** beta, a3 * (N0 / unit) ** gamma
        a, g = np.exp(a1 + b1), np.exp(a3 + b3)
        r, s_r = np.exp(a2 + b2 - a * LOG_D0), a2 * beta - a * a1 * alpha * LOG_D0
        return cls(g=g, s_g=-a3 * gamma, gamma=gamma, a=a, s_a=a1 * alpha, alpha=alpha, r=r, s_r=s_r, beta=beta)

    @classmethod
    def prior(cls) -> "Farseer":
        shape = dist.Normal(0.0, 0.15)
        return cls(
            g=dist.LogNormal(log(0.45), 0.5), s_g=dist.LogNormal(log(0.1), 0.7), gamma=shape,
            a=dist.LogNormal(log(0.3), 0.5), s_a=dist.Normal(-0.1, 0.2), alpha=shape,
            r=dist.LogNormal(log(0.1), 1.0), s_r=dist.Normal(0.0, 0.3), beta=shape,
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "Farseer"]:
        """`li2025`: Eq. 15; its three decimals do not determine the law, still less its optimum. `refit`: least squares
        on the log loss of the same runs, in yigitokar/scaling-laws-as-production-functions (farseer_eq3_theta.csv)."""
        return {
            "li2025": cls.raw(-0.124, 0.123, 0.424, 88.01, -0.1, -6.287, -0.021, 0.169, -0.091),
            "refit": cls.raw(-3.64018052694574, 0.04227158138097161, 2.426767169414907, 6.521067537526011,
                             -0.12577666979396562, -1.8538051793707684, -2.0823163727130565, 0.05307598573983473,
                             1.277014316755749, unit=1e9),
        }  # fmt: skip

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal}


def _stretch(size: Array, shape: Array) -> Array:
    """(n^shape - 1) / shape from size = ln n: smooth through shape = 0."""
    x = size * shape
    safe = jnp.where(jnp.abs(x) < 1e-5, 1.0, x)
    return size * jnp.where(jnp.abs(x) < 1e-5, 1 + x / 2 + x**2 / 6, jnp.expm1(safe) / safe)


compute_optimal = Decision(
    question="Which model size, and how many tokens, give the lowest loss for a training budget of 6 N D FLOPs?",
    choose={"tokens_per_param": LogRange(0.3, 1e5)},
    given=("flops",),
    derive=lambda tokens_per_param, flops: {
        "nonembedding_params": jnp.sqrt(flops / (6 * tokens_per_param)),
        "tokens": jnp.sqrt(flops * tokens_per_param / 6),
    },
    report=("nonembedding_params", "tokens", "tokens_per_param"),
)
"""From the least data per parameter among the runs. On a second branch the loss at fixed compute falls without end as
the model grows; a draw that is lowest there has its optimum on this edge, and is counted so."""
