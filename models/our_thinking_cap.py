"""Our model of a cap on thinking: what it costs on hard questions and saves on easy ones."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._errors import InputError, Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate, nth
from bayeslaw.models.thinking_metrics import f1

PARTS = ("easy", "length", "hard")
FREE = 1e12  # tokens: no cap


class OurThinkingCap(AbstractLaw):
    """accuracy = easy, or 1 - S(cap) / S(from) of lengths, or low + (1 - low) gained Phi(ln(cap / half) / width)

    Our model, for the question that the metrics of Aggarwal et al. 2025 (arXiv 2508.13141) ask: think little on easy
    questions and enough on hard ones. All data are counts; `counted` says of what. A row "easy": right answers to easy
    questions. A row "length": of `trials` of these still thinking after after_tokens, how many end by cap_tokens; such
    rows of one run are independent of each other. A row "hard": right answers to hard questions, thinking cut off at
    cap_tokens. Where a column means nothing to a row, put 0. Several domains or models: `Pooled`.

    - `easy`: accuracy on easy questions, which a cap is taken not to change.
    - `median`, `spread`: of the tokens thought on them; S is the share that thinks longer, ln tokens being normal.
    - `low`: accuracy on hard questions without thinking. `gained`: what thinking without a cap gains, as a share
      of 1 - low.
    - `half`, `width`: the cap that leaves half of that gain, and over how many units of ln tokens it comes.

    The same hard questions under several caps count as independent: intervals of half and width are too narrow.
    Prior, 90 %: easy 0.71 to 0.99, median 77 to 2070 tokens, spread 0.41 to 1.55, low 0.05 to 0.52, gained 0.11 to
    0.81, half 390 to 10400 tokens, width 0.37 to 2.7.
    """

    response: ClassVar = "accuracy"

    easy: Scalar
    median: Scalar
    spread: Scalar
    low: Scalar
    gained: Scalar
    half: Scalar
    width: Scalar

    def mean(self, counted: Array, after_tokens: Array, cap_tokens: Array) -> Array:  # type: ignore[override]
        ends = -jnp.expm1(jnp.minimum(self._longer(cap_tokens) - self._longer(after_tokens), 0.0))
        reached = ndtr((_ln(cap_tokens) - jnp.log(self.half)) / self.width)
        return nth([self.easy, ends, self.low + (1 - self.low) * self.gained * reached], counted)

    def _longer(self, tokens: Array) -> Array:
        """The log of the share of easy questions that are thought about for longer."""
        return log_ndtr((jnp.log(self.median) - _ln(tokens)) / self.spread)

    def auc(self, cap_tokens: Array, window_tokens: Array) -> Array:
        """easy E[max(0, 1 - min(thought, cap) / window)]: the overthinking part of the metric."""
        cut = jnp.minimum(cap_tokens, window_tokens)
        z = (_ln(cut) - jnp.log(self.median)) / self.spread
        thought = self.median * jnp.exp(self.spread**2 / 2) * ndtr(z - self.spread) + cut * ndtr(-z)
        return self.easy * (1 - thought / window_tokens)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"counted": PARTS}

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        bad = (runs["counted"] == PARTS.index("length")) & (runs["cap_tokens"] <= runs["after_tokens"])
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"row {row} counts thoughts that end between {runs['after_tokens'][row]:g} and "
                f"{runs['cap_tokens'][row]:g} tokens: cap_tokens must be above after_tokens, which is 0 at the start."
            )
        return []

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls) -> "OurThinkingCap":
        return cls(
            easy=dist.Beta(9.0, 1.0),
            median=dist.LogNormal(log(400.0), 1.0),
            spread=dist.LogNormal(log(0.8), 0.4),
            low=dist.Beta(2.0, 6.0),
            gained=dist.Beta(2.0, 2.5),
            half=dist.LogNormal(log(2000.0), 1.0),
            width=dist.LogNormal(log(1.0), 0.6),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"cap": cap}


def _ln(tokens: Any) -> Array:
    return jnp.log(jnp.maximum(tokens, 1e-12))


def _plan(law: OurThinkingCap, thinking: Any, cap_tokens: Any, window_tokens: Any) -> dict[str, Any]:
    tokens = jnp.where(thinking == 0, 0.0, jnp.where(thinking == 2, FREE, cap_tokens))
    row = {"counted": 2.0, "after_tokens": 0.0, "cap_tokens": tokens, "trials": 1.0}
    area, hard = law.auc(tokens, window_tokens), evaluate(law, row)
    return {**row, "auc": area, "f1": f1(area, hard)}


cap = Decision(
    question="Should a model think, and up to how many tokens, for the best F1 of easy and hard questions?",
    choose={"thinking": Choices(("none", "capped", "free")), "cap_tokens": LogRange(10.0, 1e5)},
    given=("window_tokens",),
    derive=_plan,
    report=("thinking", "cap_tokens", "auc", "f1"),
    objective=lambda law, plan: -plan["f1"],
)
"""The accuracy of the result is that on hard questions; without a cap cap_tokens is 1e12. The paper's window: 1000."""
