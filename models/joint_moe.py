"""Joint mixture-of-experts law: active size, tokens and number of experts, for a budget of compute and of memory."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, power
from bayeslaw.models.moe_plans import D0, N0, compute_optimal, experts_in_memory, serve
from bayeslaw.models.routed_moe import expanded


class JointMoE(AbstractLaw):
    """loss = c + a exp(delta h) (active_params / 1e9)^(-alpha + gamma h)
    + b exp(omega h) (tokens / 1e10)^(-beta + zeta h)

    Ludziejewski et al. 2025 (arXiv 2502.05172), Eq. 4, on FineWeb-Edu, in nats per token; h = ln(E_hat / E_hat(1)) is 0
    for a dense model and grows with experts, E_hat levelling off at `most` (`bayeslaw.models.routed_moe.expanded`).
    active_params are those one token uses (one expert per layer), **both embeddings included**.

    - `c`: irreducible loss. `a`, `b`: what a dense model of 1 B parameters, and 10 B tokens, leave to lose, in nats.
    - `alpha`, `beta`: how fast those shrink, for a dense model.
    - `delta`, `omega`: how the two terms change with experts at the reference run; negative is a gain.
    - `gamma`: positive, where experts help less the larger the model; `zeta`: negative, the more the more tokens.
    - `start`: E_hat of a dense model is 1 + start. `most`: where E_hat ends; runs of 32 experts do not tell.

    Departure from the paper: centred, at sizes of runs and at the dense model; at one parameter and one token, as
    printed, omega and zeta cancel to a tenth. An exponent that experts would turn positive is held at 0.
    Prior, 90 %: c 0.92 to 2.5, a and b 0.13 to 1.9, alpha and beta 0.11 to 0.57, delta and omega within 0.16,
    gamma within 0.033, zeta within 0.082, start 0.32 to 3.2, most 112 to 805.
    """

    falls: ClassVar = ("active_params", "tokens")

    c: Scalar
    a: Scalar
    alpha: Scalar
    gamma: Scalar
    delta: Scalar
    b: Scalar
    beta: Scalar
    zeta: Scalar
    omega: Scalar
    start: Scalar
    most: Scalar

    def mean(self, active_params: Array, tokens: Array, experts: Array) -> Array:  # type: ignore[override]
        (m, mu), (n, nu) = self.at(experts)
        return self.c + m * power(active_params / N0, -mu) + n * power(tokens / D0, -nu)

    def at(self, experts: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Size and exponent of both terms of the Chinchilla law that holds for so many experts."""
        h = jnp.log(expanded(experts, self.start, self.most) / (1 + self.start))
        size = self.a * jnp.exp(self.delta * h), jnp.maximum(self.alpha - self.gamma * h, 0.0)
        return size, (self.b * jnp.exp(self.omega * h), jnp.maximum(self.beta - self.zeta * h, 0.0))

    def floor(self) -> Scalar:
        return self.c

    def summands(self) -> tuple[str, ...]:
        return ("c", "a", "b")

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's coefficients, of Table 3: those at one parameter and one token."""
        log_start, delta = jnp.log1p(self.start), self.delta - self.gamma * log(N0)
        omega = self.omega - self.zeta * log(D0)
        return {
            "raw_a": self.a * N0**self.alpha * jnp.exp(-delta * log_start), "raw_delta": delta,
            "raw_alpha": -self.alpha - self.gamma * log_start,
            "raw_b": self.b * D0**self.beta * jnp.exp(-omega * log_start), "raw_omega": omega,
            "raw_beta": -self.beta - self.zeta * log_start, "E_start": 1 + self.start,
        }  # fmt: skip

    @classmethod
    def raw(cls, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max, c) -> "JointMoE":
        """The law from the coefficients of Table 3."""
        A, B = -alpha - gamma * log(E_start), -beta - zeta * log(E_start)
        return cls(
            c=c, a=a * E_start**delta * N0**-A, alpha=A, gamma=gamma, delta=delta + gamma * log(N0),
            b=b * E_start**omega * D0**-B, beta=B, zeta=zeta, omega=omega + zeta * log(D0),
            start=E_start - 1, most=E_max,
        )  # fmt: skip

    @classmethod
    def prior(cls) -> "JointMoE":
        size, exponent, change = dist.LogNormal(log(0.5), 0.8), dist.LogNormal(log(0.25), 0.5), dist.Normal(0.0, 0.1)
        return cls(
            c=dist.LogNormal(log(1.5), 0.3), a=size, alpha=exponent, gamma=dist.Normal(0.0, 0.02), delta=change,
            b=size, beta=exponent, zeta=dist.Normal(0.0, 0.05), omega=change,
            start=dist.LogNormal(0.0, 0.7), most=dist.LogNormal(log(300.0), 0.6),
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "JointMoE"]:
        """`ludziejewski2025`: Table 3, to its four digits."""
        return {
            "ludziejewski2025": cls.raw(
                a=35.91, alpha=-0.1889, delta=-0.2285, gamma=0.0098, b=35.98, beta=-0.1775, omega=0.5529, zeta=-0.0259,
                E_start=2.0732, E_max=290.4521, c=1.3637,
            )
        }  # fmt: skip

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal, "experts": experts_in_memory, "serve": serve}
