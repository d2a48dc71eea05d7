"""Our model of experts and reasoning: total parameters have a best number of tokens each."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate

EXPERTS, ACTIVE = (8, 16, 32, 64, 128, 256), (2, 4, 8, 16)  # what the paper trained, and one smaller
VOCABULARY = 99.5e3  # ours, from the released sizes
ITEMS = 1319.0  # questions of GSM8K: over which a new run is counted in a decision


class OurReasoningSparsity(AbstractLaw):
    """accuracy = chance + (1 - chance) sigmoid(c0 + c1 ln(active_params / 1e9) - c3 x^2), x = ln(ratio / best_ratio)

    Our model, of a reasoning task; ratio is tokens over total_params. Nakamura et al. 2025 (arXiv 2508.18672) plot
    it and give no formula: with tokens and active parameters fixed, accuracy first rises and then falls with the total
    parameters of a mixture of experts. Several tasks: `Pooled(OurReasoningSparsity, runs, by="task", share=("c3",))`.

    - `c0`: logit of the accuracy of 1 B active parameters at the best total.
    - `c1`: logits gained by e times the active parameters, that is, by a larger top-k at the same total.
    - `c3`: what e times too many or too few total parameters cost, in logits.
    - `best_ratio`: training tokens per total parameter at the best total; about 20 in the paper (second-hand).
    - `chance`: accuracy of a guess, fixed: 0 for answers written out, 1 / choices otherwise.

    Runs on one number of tokens cannot say that the best is in tokens per parameter and not in total parameters as
    such; vary the tokens. The peak may come from repeating little reasoning text, and then moves with the mixture.
    Prior, 90 %: c0 -3.5 to 1.5, c1 0.16 to 1.6, c3 0.027 to 0.37, best_ratio 6 to 63.
    """

    response: ClassVar = "accuracy"

    c0: Scalar
    c1: Scalar
    c3: Scalar
    best_ratio: Scalar
    chance: Scalar = 0.0

    def mean(self, active_params: Array, total_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        off = jnp.log(tokens / total_params / self.best_ratio)
        return share(self.chance, self.c0 + self.c1 * jnp.log(active_params / 1e9) - self.c3 * off**2)

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls) -> "OurReasoningSparsity":
        return cls(
            c0=dist.Normal(-1.0, 1.5),
            c1=dist.LogNormal(log(0.5), 0.7),
            c3=dist.LogNormal(log(0.1), 0.8),
            best_ratio=dist.LogNormal(log(20.0), 0.7),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"total": total, "experts": experts}


def share(chance: Any, logit: Any) -> Any:
    """A share of right answers that is at least that of a guess."""
    return chance + (1 - chance) * jax.nn.sigmoid(logit)


def family_params(d_model: Any, experts: Any) -> Any:
    """Parameters of the released family with so many experts; with the active ones in place of all, those per token."""
    return 96 * d_model**2 * experts + 64 * d_model**2 + 2 * VOCABULARY * d_model


def _mixture(d_model: Any, experts: Any, experts_per_token: Any, tokens: Any) -> dict[str, Any]:
    total = family_params(d_model, experts)
    return {
        "total_params": total,
        "active_params": family_params(d_model, experts_per_token),
        "activation_ratio": experts_per_token / experts,
        "tokens_per_param": tokens / total,
        "trials": ITEMS,
    }


experts = Decision(
    question="How many experts of this width, and how many of them active, within a training budget on so many tokens?",
    choose={"experts": Choices(EXPERTS, ordered_ends=True), "experts_per_token": Choices(ACTIVE)},
    given=("d_model", "tokens", "flops"),
    derive=_mixture,
    report=("experts", "experts_per_token", "activation_ratio", "total_params", "tokens_per_param"),
    objective=lambda law, plan: jnp.where(
        (6 * plan["active_params"] * plan["tokens"] <= plan["flops"]) & (plan["experts_per_token"] <= plan["experts"]),
        -evaluate(law, plan),
        jnp.inf,
    ),
)
total = Decision(
    question="How many total parameters for so many tokens and active parameters?",
    choose={"total_params": LogRange(1e8, 1e14)},
    given=("tokens", "active_params"),
    derive=lambda total_params, tokens: {"tokens_per_param": tokens / total_params, "trials": ITEMS},
    report=("total_params", "tokens_per_param"),
    objective=lambda law, plan: -evaluate(law, plan),
    closed_form=lambda law, tokens, active_params: {"total_params": tokens / law.best_ratio},
)
