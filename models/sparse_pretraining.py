"""Sparse pre-training: the loss of a model that is pruned while it trains, and how small it ends."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange, Range
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate, float64, power

N0, D0 = 1e8, 1e10  # the reference run: 100 M parameters on average, 10 B tokens
START, END = 0.25, 0.75  # the paper's rule: prune between these shares of the training compute
SAME = 1.005  # losses within half a percent count as equal


class SparsePretraining(AbstractLaw):
    """loss = E + a (average_params / 1e8)^-alpha + b (tokens / 1e10)^-beta

    Jin et al. 2025 (arXiv 2501.12486), Eq. 2 (second-hand): the Chinchilla law with the size averaged over the steps of
    training. Sizes are those of linear layers. `average_density` gives average_params / params of a schedule in steps,
    `density_at_rule` that of the paper's rule, which is in units of compute. No coefficients are published.

    - `E`: irreducible loss in nats per token.
    - `a`, `alpha`: what 1e8 parameters on average lose to their number, in nats, and how fast that shrinks.
    - `b`, `beta`: the same for 10 B tokens.
    - `w`: ours, left out (0) unless `prior(final=True)`; the size that counts is average_params^(1 - w) final_params^w,
      with final_params those left at the end. The paper says 0. Runs of one size cannot tell it from alpha.
    - `kappa`: ours, left out (0) unless `prior(schedule=True)`; nats added per squared distance of prune_start_compute
      and prune_end_compute from 0.25 and 0.75. The average alone is blind to when one prunes.

    Prior, 90 %: E 1.2 to 2.7, a 0.19 to 1.9, b 0.13 to 1.3, alpha and beta 0.21 to 0.57, w -0.16 to 0.16, kappa below
    0.59. Compute is 6 average_params tokens: it is saved only where pruned weights cost nothing.
    """

    falls: ClassVar = ("average_params", "tokens")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar
    w: Scalar | None = None
    kappa: Scalar | None = None

    def mean(self, average_params: Array, tokens: Array, **more: Array) -> Array:  # type: ignore[override]
        size = average_params
        if self.w is not None:
            size = average_params * power(more["final_params"] / average_params, self.w)
        loss = self.E + self.a * power(size / N0, -self.alpha) + self.b * power(tokens / D0, -self.beta)
        if self.kappa is None:
            return loss
        return loss + self.kappa * ((more["prune_start_compute"] - START) ** 2 + (more["prune_end_compute"] - END) ** 2)

    def columns(self) -> tuple[str, ...]:
        final = () if self.w is None else ("final_params",)
        schedule = () if self.kappa is None else ("prune_start_compute", "prune_end_compute")
        return ("average_params", "tokens", *final, *schedule)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b")

    def derived(self) -> Mapping[str, Scalar]:
        """A and B of the papers, and the exponent of the best average size: average_params* ~ flops^exponent."""
        exponent = self.beta / (self.alpha + self.beta)
        return {"A": self.a * N0**self.alpha, "B": self.b * D0**self.beta, "optimal_params_exponent": exponent}

    @classmethod
    def prior(cls, *, final: bool = False, schedule: bool = False) -> "SparsePretraining":
        return cls(
            E=dist.LogNormal(log(1.8), 0.25),
            a=dist.LogNormal(log(0.6), 0.7),
            alpha=dist.LogNormal(log(0.35), 0.3),
            b=dist.LogNormal(log(0.4), 0.7),
            beta=dist.LogNormal(log(0.35), 0.3),
            w=dist.Normal(0.0, 0.1) if final else None,
            kappa=dist.HalfNormal(0.3) if schedule else None,
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal, "smallest": smallest, "sparsity": best_sparsity}


def _while_pruning(sparsity: Any) -> Any:
    """The density averaged over a geometric decline from 1 to 1 - s: s / -ln(1 - s), and 1 at s = 0."""
    s = jnp.maximum(sparsity, 1e-9)
    return -s / jnp.log1p(-s)


def _at_rule(sparsity: Any) -> Any:
    """average_params / params when pruning between 25 and 75 % of the compute, a step costing what is left."""
    return 1 / (START + (END - START) / _while_pruning(sparsity) + (1 - END) / (1 - sparsity))


@float64
def average_density(sparsity: Any, start: Any, end: Any) -> np.ndarray:
    """average_params / params when pruning, geometrically, from `start` to `end`, as shares of the steps."""
    s = np.asarray(sparsity, dtype=float)
    return start + (end - start) * np.asarray(_while_pruning(s)) + (1 - end) * (1 - s)


@float64
def density_at_rule(sparsity: Any) -> np.ndarray:
    """The same for the paper's rule, 25 and 75 % as shares of the compute, where a step costs what is left."""
    return np.asarray(_at_rule(np.asarray(sparsity, dtype=float)))


def steps_at_rule(sparsity: Any) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of pruning by that rule, as shares of the steps."""
    density = density_at_rule(sparsity)
    return START * density, 1 - (1 - END) * density / (1 - np.asarray(sparsity))


def _closed_form(law: SparsePretraining, flops: Any, sparsity: Any) -> dict[str, Any]:
    """Chinchilla's optimum for the average size; `w` multiplies the size term by a power of the compression."""
    left = 1.0 if law.w is None else (_at_rule(sparsity) / (1 - sparsity)) ** (law.w * law.alpha)
    balance = (law.alpha * law.a * left / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    return {"average_params": N0 * balance * (flops / (6 * N0 * D0)) ** (law.beta / (law.alpha + law.beta))}


def _plan(average_params: Any, sparsity: Any, flops: Any) -> dict[str, Any]:
    params, tokens = average_params / _at_rule(sparsity), flops / (6 * average_params)
    sizes = {"average_params": average_params, "params": params, "final_params": params * (1 - sparsity)}
    return {**sizes, "tokens": tokens, "prune_start_compute": START, "prune_end_compute": END}


def _final_size_at_equal_loss(law: SparsePretraining, plan: Mapping[str, Any]) -> Any:
    dense = _plan(**_closed_form(law, plan["flops"], 0.0), sparsity=0.0, flops=plan["flops"])
    return jnp.where(evaluate(law, plan) <= SAME * evaluate(law, dense), jnp.log(plan["final_params"]), jnp.inf)


compute_optimal = Decision(
    question="At a training budget and a final sparsity, which average size gives the lowest loss?",
    choose={"average_params": LogRange(1e6, 1e14)},
    given=("flops", "sparsity"),
    derive=_plan,
    report=("average_params", "params", "final_params", "tokens"),
    closed_form=_closed_form,
)

smallest = Decision(
    question="How small can the final model be at the loss of the best dense one of the same training budget?",
    choose={"sparsity": Range(0.0, 0.8)},  # the paper's runs end at 0.8: without `w` the answer is this edge
    given=("flops",),
    derive=lambda law, sparsity, flops: _plan(**_closed_form(law, flops, sparsity), sparsity=sparsity, flops=flops),
    report=("sparsity", "params", "average_params", "final_params", "tokens"),
    objective=_final_size_at_equal_loss,
)

best_sparsity = Decision(
    question="For a final size and a training budget, how much larger should the model start?",
    choose={"sparsity": Range(0.0, 0.8)},
    given=("final_params", "flops"),
    derive=lambda sparsity, final_params, flops: _plan(
        final_params * _at_rule(sparsity) / (1 - sparsity), sparsity, flops
    ),
    report=("sparsity", "params", "average_params", "tokens"),
)
