"""Optimal sparsity of a mixture of experts: what share of its parameters should rest, for a compute budget."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, power

N0, D0 = 1e9, 1e10  # the reference run: a dense model of 1 B parameters on 10 B tokens


class MoESparsity(AbstractLaw):
    """loss = e + a (total_params / 1e9)^-alpha + b (tokens / 1e10)^-beta + c (1 - sparsity)^lam
    + d (1 - sparsity)^-(gamma + tilt) (total_params / 1e9)^-gamma

    Abnar et al. 2025 (arXiv 2501.12370), Eq. 6 (second-hand). Loss in nats per token; total_params of all experts;
    sparsity is 1 - active_params / total_params, which carries over to models with attention and shared experts, where
    the share of routed experts that rest does not. No router cost, and no interaction of sparsity with tokens.

    - `e`: irreducible loss, far below any run and bound up with c and d: read losses, not e.
    - `a`, `alpha`: what 1e9 parameters in all leave to lose, in nats, and how fast that shrinks.
    - `b`, `beta`: the same for 1e10 tokens.
    - `c`, `lam` (-lambda in the paper): what being dense costs, and how fast sparsity removes it.
    - `d`, `gamma`: what 1e9 active parameters leave to lose, and how fast that shrinks.
    - `tilt`: delta - gamma of the paper; at 0 the last term knows active parameters alone.

    Departure from the paper: centred. Prior, 90 %: e 0.62 to 2.3, a 0.019 to 0.52, b and d 0.11 to 1.5, c 0.08 to 1.1,
    alpha 0.26 to 0.97, beta 0.18 to 0.68, lam 0.063 to 0.46, gamma 0.07 to 0.36, tilt within 0.082.
    """

    falls: ClassVar = ("total_params", "tokens")

    e: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar
    c: Scalar
    lam: Scalar
    d: Scalar
    gamma: Scalar
    tilt: Scalar

    def mean(self, total_params: Array, tokens: Array, sparsity: Array) -> Array:  # type: ignore[override]
        size, active = total_params / N0, 1 - sparsity
        scale = self.a * power(size, -self.alpha) + self.b * power(tokens / D0, -self.beta)
        used = self.d * power(active, -self.gamma - self.tilt) * power(size, -self.gamma)
        return self.e + scale + self.c * power(active, self.lam) + used

    def floor(self) -> Scalar:
        return self.e

    def summands(self) -> tuple[str, ...]:
        return ("e", "a", "b", "c", "d")

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's coefficients, of Table 3, as far as they are others."""
        raw = {"raw_a": self.a * N0**self.alpha, "raw_b": self.b * D0**self.beta, "raw_d": self.d * N0**self.gamma}
        return {**raw, "delta": self.gamma + self.tilt}

    @classmethod
    def raw(cls, alpha, beta, lam, delta, gamma, a, b, c, d, e) -> "MoESparsity":
        """The law from the coefficients of Table 3; its lambda is negative."""
        return cls(e=e, a=a * N0**-alpha, alpha=alpha, b=b * D0**-beta, beta=beta, c=c, lam=-lam, d=d * N0**-gamma,
                   gamma=gamma, tilt=delta - gamma)  # fmt: skip

    @classmethod
    def prior(cls) -> "MoESparsity":
        return cls(
            e=dist.LogNormal(log(1.2), 0.4), a=dist.LogNormal(log(0.1), 1.0), alpha=dist.LogNormal(log(0.5), 0.4),
            b=dist.LogNormal(log(0.4), 0.8), beta=dist.LogNormal(log(0.35), 0.4), c=dist.LogNormal(log(0.3), 0.8),
            lam=dist.LogNormal(log(0.17), 0.6), d=dist.LogNormal(log(0.4), 0.8), gamma=dist.LogNormal(log(0.16), 0.5),
            tilt=dist.Normal(0.0, 0.05),
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "MoESparsity"]:
        """`abnar2025`: Table 3 (second-hand, two sources agree)."""
        return {
            "abnar2025": cls.raw(alpha=0.5962, beta=0.3954, lam=-0.1666, delta=0.1603, gamma=0.1595, a=16612.50,
                                 b=5455.67, c=0.4598, d=17.26, e=0.94)
        }  # fmt: skip

    def decisions(self) -> Mapping[str, Decision]:
        return {"sparsity": best_sparsity, "size": best_size, "size_and_sparsity": both}


def _plan(activation_ratio: Any, total_params: Any, flops: Any) -> dict[str, Any]:
    active = activation_ratio * total_params
    return {"sparsity": 1 - activation_ratio, "active_params": active, "tokens": flops / (6 * active)}


# Searched by what is active: near 1 sparsity is too coarse. The paper's runs end at a sparsity of 0.98.
_ACTIVE = {"activation_ratio": LogRange(0.02, 1.0)}
_REPORT = ("sparsity", "activation_ratio", "total_params", "active_params", "tokens")

best_sparsity = Decision(
    question="What share of so many parameters should rest, for a training budget?",
    choose=_ACTIVE,
    given=("flops", "total_params"),
    derive=_plan,
    report=_REPORT,
)
best_size = Decision(
    question="How many parameters in all, and tokens, for a training budget and a sparsity?",
    choose={"total_params": LogRange(1e6, 1e14)},
    given=("flops", "sparsity"),
    derive=lambda total_params, sparsity, flops: (
        _plan(1 - sparsity, total_params, flops) | {"activation_ratio": 1 - jnp.asarray(sparsity)}
    ),
    report=_REPORT,
)
both = Decision(
    question="How many parameters within what memory allows, and what share of them should rest?",
    choose={"total_params": LogRange(1e6, 1e10), **_ACTIVE},  # the limit is the answer: set yours with within()
    given=("flops",),
    derive=_plan,
    report=_REPORT,
)
