"""Efficiency leverage: how much dense compute a mixture of experts saves, and how sparse and fine to make it."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, evaluate, power

C0 = 1e20  # the reference budget, FLOPs


class EfficiencyLeverage(AbstractLaw):
    """leverage = (activation_ratio + start)^-e, e = e0 + s log10(flops / 1e20) - q (log2(granularity / best))^2

    Tian et al. 2025 (arXiv 2507.17702), Eq. 5 and Table 2. leverage is the compute of the dense model over that of the
    mixture at equal loss; flops are those of training; activation_ratio is (active + shared) / (all + shared) experts;
    granularity is 2 width / expert width, half of what `FineGrainedMoE` calls so.

    - `e0`: exponent at 1e20 FLOPs and the best granularity; at 0.5 a hundredth of the experts saves six times.
    - `s`: what e gains per tenfold compute: mixtures pay more the larger the budget.
    - `q`, `best`: what e loses per squared doubling away from the best granularity, and that granularity.
    - `start`: the activation ratio below which little more is saved.

    Departures from the paper: centred; its A_max (5e16) is left out, as it changes nothing. The paper names no bases of
    its logarithms: 10 for compute and 2 for granularity are the only ones that give its leverage above 7.
    A dense model has a leverage of 0.99, not 1: the law is 1 at an activation ratio of 1 - start.
    Prior, 90 %: e0 0.26 to 0.97, s -0.03 to 0.13, q 0.006 to 0.063, best 3.6 to 35, start 0.006 to 0.063.
    """

    response = "leverage"

    e0: Scalar
    s: Scalar
    q: Scalar
    best: Scalar
    start: Scalar

    def mean(self, flops: Array, activation_ratio: Array, granularity: Array) -> Array:  # type: ignore[override]
        return power(activation_ratio + self.start, -self.exponent(flops, granularity))

    def exponent(self, flops: Any, granularity: Any) -> Any:
        return self.e0 + self.s * jnp.log10(flops / C0) - self.q * jnp.log2(granularity / self.best) ** 2

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.HalfNormal(0.1))

    def derived(self) -> Mapping[str, Scalar]:
        """a, d, beta and gamma of the paper's Table 2."""
        doublings = jnp.log2(self.best)
        return {
            "a": 20 * self.s + self.q * doublings**2 - self.e0,
            "d": -self.s,
            "beta": -2 * self.q * doublings,
            "gamma": self.q,
        }

    @classmethod
    def raw(cls, a: float, d: float, gamma: float, beta: float, A_start: float) -> "EfficiencyLeverage":
        """The law from the coefficients of Table 2."""
        doublings = -beta / (2 * gamma)
        return cls(e0=gamma * doublings**2 - a - 20 * d, s=-d, q=gamma, best=2**doublings, start=A_start)

    @classmethod
    def prior(cls) -> "EfficiencyLeverage":
        return cls(
            e0=dist.LogNormal(log(0.5), 0.4), s=dist.Normal(0.05, 0.05), q=dist.LogNormal(log(0.02), 0.7),
            best=dist.LogNormal(3.5 * log(2.0), log(2.0)), start=dist.LogNormal(log(0.02), 0.7),
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "EfficiencyLeverage"]:
        """`tian2025`: Table 2, to its three digits."""
        return {"tian2025": cls.raw(a=1.23, d=-7.61e-2, gamma=1.67e-2, beta=-1.17e-1, A_start=1.63e-2)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"worth_its_memory": worth_its_memory, "most_leverage": most_leverage}


def recipe(flops: Any, *, dense: bool = False) -> dict[str, Any]:
    """The paper's plan of a training budget: Table 1 (M FLOPs per token, forward and backward, are 6 active_params; the
    mixture's is of activation ratio 7.8 % and granularity 2) and Eq. 3 (batch in tokens: a reconstruction)."""
    factor, exponent = (0.0655, 0.5422) if dense else (0.1915, 0.5095)
    data, growth = (15.2582, 0.4578) if dense else (5.2232, 0.4905)
    sizes = {"active_params": factor * power(flops, exponent) / 6, "tokens": data * power(flops, growth)}
    return {**sizes, "lr": 1.1576 * power(flops, -0.1529), "batch_tokens": 0.0694 * power(flops, 0.3644)}


def _plan(activation_ratio: Any, flops: Any) -> dict[str, Any]:
    plan = recipe(flops)
    return {**plan, "total_params": plan["active_params"] / activation_ratio}


def _knee(law: EfficiencyLeverage, flops: Any, least_saving: Any) -> dict[str, Any]:
    """Where d ln leverage / d ln activation_ratio is the saving asked for: -e A / (A + start)."""
    worth, e = -jnp.log2(1 - least_saving), law.e0 + law.s * jnp.log10(flops / C0)
    ratio = worth * law.start / jnp.where(e > worth, e - worth, jnp.nan)
    return {"activation_ratio": jnp.where(e > worth, ratio, jnp.inf), "granularity": law.best}


_WHERE = {"activation_ratio": LogRange(0.008, 1.0), "granularity": LogRange(1.0, 128.0)}  # runs: 0.8 % and more, to 16
_REPORT = ("activation_ratio", "granularity", "active_params", "total_params", "tokens", "lr", "batch_tokens")

worth_its_memory = Decision(
    question="How sparse and fine should the experts be, if twice the parameters must save this share of the compute?",
    choose=_WHERE,
    given=("flops", "least_saving"),
    derive=_plan,
    report=_REPORT,
    objective=lambda law, plan: (
        -jnp.log(evaluate(law, plan)) + jnp.log2(1 - plan["least_saving"]) * jnp.log(plan["activation_ratio"])
    ),
    closed_form=_knee,
)
most_leverage = Decision(
    question="How sparse and fine should the experts be, if parameters cost nothing?",
    choose=_WHERE,  # a sparser mixture always saves more: the answer is the edge, the sparsest that was tried
    given=("flops",),
    derive=_plan,
    report=_REPORT,
    objective=lambda law, plan: -jnp.log(evaluate(law, plan)),
)
