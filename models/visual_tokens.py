"""The visual-token law: how many visual tokens, and how large a language model, at an inference budget."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, Normal
from bayeslaw._tree import Scalar, evaluate, power

N0, V0 = 2e9, 36.0  # the reference: a language model of 2 B parameters reading 36 visual tokens
SIZES = (0.5e9, 1.8e9, 4e9, 7e9)  # the language models of the paper (Qwen-1.5)
TRAINED = (1, 4, 16, 36, 64, 144, 576)  # the compressions it trained


class VisualTokens(AbstractLaw):
    """error = E + c (params / 2e9)^-alpha (visual_tokens / 36)^-beta

    Li et al. 2024 (arXiv 2411.03312) for a vision-language model: params are those of its language model, visual tokens
    those left of an image after compression, error one minus the mean score of a set of benchmarks. A query costs
    2 params (query_tokens + visual_tokens) FLOPs; the vision encoder and the memory of keys and values are left out.

    - `E`: error that neither size nor tokens remove.
    - `c`: what a model of 2 B parameters that reads 36 visual tokens could still lose.
    - `alpha`: how fast that falls with size; at 0.08 ten times more parameters remove 17 %.
    - `beta`: how fast it falls with visual tokens. Only beta / alpha matters to the decision: where beta is the larger
      (reading text off images), every token pays; where it is the smaller, one token and the largest model are best for
      cached or empty prompts, and beta query_tokens / (alpha - beta) tokens otherwise.

    E, c and the exponents are a ridge: report their ratio. The paper's text counts text and visual tokens together in
    the formula, its code visual ones alone, which fits four times better and is what stands here.
    Departure from the paper: E is fitted with the rest where it minimises squared error over a coarse grid. Of its fit
    it prints the exponents alone (0.077 and 0.015, visual reasoning), so there is no published law here.
    Prior, 90 %: E 0.02 to 0.38, c 0.22 to 0.71, alpha 0.03 to 0.32, beta 0.009 to 0.095; scatter 0.1 to 2.6 points.
    """

    response: ClassVar = "error"
    falls: ClassVar = ("params", "visual_tokens")

    E: Scalar
    c: Scalar
    alpha: Scalar
    beta: Scalar

    def mean(self, params: Array, visual_tokens: Array) -> Array:  # type: ignore[override]
        return self.E + self.c * power(params / N0, -self.alpha) * power(visual_tokens / V0, -self.beta)

    def noise(self) -> AbstractNoise:
        return Normal(scale=dist.LogNormal(log(0.005), 1.0))

    def floor(self) -> Scalar:
        return self.E

    def derived(self) -> Mapping[str, Scalar]:
        """The ratio of the exponents, which alone sets the optimum, and the paper's c0 (params in 1e9)."""
        return {
            "exponent_ratio": self.beta / self.alpha,
            "c0": self.c * (N0 / 1e9) ** self.alpha * V0**self.beta,
        }

    @classmethod
    def raw(cls, c0: float, alpha: float, beta: float, E: float) -> "VisualTokens":
        """The law from the coefficients of the paper's code, E + c0 / (params / 1e9)^alpha / visual_tokens^beta."""
        return cls(E=E, c=c0 * (N0 / 1e9) ** -alpha * V0**-beta, alpha=alpha, beta=beta)

    @classmethod
    def prior(cls) -> "VisualTokens":
        return cls(
            E=dist.Uniform(0.0, 0.4),
            c=dist.LogNormal(log(0.4), 0.35),  # 0.5 puts a twentieth of errors above 1
            alpha=dist.LogNormal(log(0.1), 0.7),
            beta=dist.LogNormal(log(0.03), 0.7),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"compression": compression, "trained": trained, "menu": menu}


def _closed_form(law: VisualTokens, inference_flops: Any, query_tokens: Any) -> dict[str, Any]:
    """The budget does not matter. Without an optimum inside, every further token pays."""
    gap = law.alpha - law.beta
    inside = law.beta * query_tokens / jnp.where(gap > 0, gap, 1.0)
    return {"visual_tokens": jnp.where(gap > 0, inside, jnp.inf)}


def _affordable(law: VisualTokens, plan: Mapping[str, Any]) -> Any:
    cost = 2 * plan["params"] * (plan["query_tokens"] + plan["visual_tokens"])
    return jnp.where(cost <= plan["inference_flops"] * (1 + 1e-9), evaluate(law, plan), jnp.inf)


compression = Decision(
    question="How many visual tokens, and how large a language model, at a budget of FLOPs per query?",
    choose={"visual_tokens": LogRange(1.0, 576.0)},
    given=("inference_flops", "query_tokens"),
    derive=lambda visual_tokens, inference_flops, query_tokens: {
        "params": inference_flops / (2 * (query_tokens + visual_tokens))
    },
    report=("visual_tokens", "params"),
    closed_form=_closed_form,
)
trained = compression.within(visual_tokens=Choices(TRAINED, ordered_ends=True))
"""The same among the compressions that the paper trained."""
menu = Decision(
    question="Which of the paper's language models and compressions give the lowest error within a budget per query?",
    choose={"params": Choices(SIZES, ordered_ends=True), "visual_tokens": Choices(TRAINED, ordered_ends=True)},
    given=("inference_flops", "query_tokens"),
    derive=lambda: {},
    report=("params", "visual_tokens"),
    objective=_affordable,
)
