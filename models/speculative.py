"""Speculative decoding: how many tokens a small model should draft for a large one to check."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Choices, Decision, Integers
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, nth

LONGEST = 60  # tokens of a draft
METHODS = {"single": 1.0, "greedy": 2.0}  # and their candidates per token


class Speculative(AbstractLaw):
    """acceptance = rate of the method, that of a context being Beta(rate alike, (1 - rate) alike)

    Leviathan et al. 2022 (arXiv 2211.17192), with contexts that differ, a model of ours: E = sum over j = 0 to g of
    E[alpha^j] tokens per step of the target model, of g drafted ones, which is more than at the mean alpha; speedup =
    E / (1 + draft_cost g + ...). Hu et al. 2025 (arXiv 2502.18779) say which acceptance `drafts` candidates per token
    can reach: `models.transport`. A row is a context, proposals accepted among `trials` tested ones: what follows the
    first that is refused was never tested, and is no trial.

    - `rate`: mean share of proposals accepted, for each method: a draft model, a number of candidates, a way to verify.
    - `alike`: how alike contexts are. Where they differ a draft is worth more, and should be longer.
    - `methods`, `drafts`: their names, and the candidates per token of each.

    Within a context acceptances count as independent. Prior, 90 %: rate 0.45 to 0.90, alike 1.6 to 22.
    """

    response: ClassVar = "acceptance"

    rate: dict[str, Scalar]
    alike: Scalar
    methods: tuple[str, ...] = eqx.field(static=True)
    drafts: tuple[float, ...] = eqx.field(static=True)

    def mean(self, method: Array) -> Array:  # type: ignore[override]
        return nth([self.rate[one] for one in self.methods], method)

    def concentration(self, method: Array) -> Array:  # type: ignore[override]
        return jnp.asarray(self.alike, dtype=float)

    def tokens(self, method: Any, draft_length: Any) -> Array:
        """Tokens per step of the target model, the mean over contexts; NaN for drafts of more than 60."""
        rate, j = self.mean(jnp.asarray(method)), np.arange(LONGEST)
        # E[alpha^(j + 1)] from E[alpha^j]: a factor (a + j) / (a + b + j) each.
        moments = jnp.cumprod((rate * self.alike + j) / (self.alike + j))
        total = 1 + jnp.sum(jnp.where(j < draft_length, moments, 0.0))
        return jnp.where(jnp.asarray(draft_length) <= LONGEST, total, jnp.nan)

    def candidates(self, method: Any) -> Array:
        """How many drafts of a token the method has."""
        return nth(self.drafts, method)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    @classmethod
    def prior(cls, methods: Mapping[str, float] = METHODS) -> "Speculative":
        """Of methods by name, with the candidates per token of each: `Speculative.prior({"eagle": 1})`."""
        return cls(
            rate={name: dist.Beta(7.0, 3.0) for name in methods},
            alike=dist.LogNormal(log(6.0), 0.8),
            methods=tuple(methods),
            drafts=tuple(float(number) for number in methods.values()),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"draft": _draft(self.methods)}


def _plan(
    law: Any, method: Any, draft_length: Any, draft_cost: Any, check_cost: Any, step_overhead: Any
) -> dict[str, Any]:
    """What a step costs: drafting one token after the other (all candidates at once), and checking each candidate."""
    tokens, drafts = law.tokens(method, draft_length), law.candidates(method)
    used = jnp.where(jnp.asarray(draft_length) > 0, step_overhead, 0.0)
    cost = 1 + draft_cost * draft_length + check_cost * drafts * draft_length + used
    return {"drafts": drafts, "tokens_per_step": tokens, "speedup": tokens / cost}


def _draft(methods: tuple[str, ...]) -> Decision:
    """A draft of 0 is plain decoding, and an edge of the menu. check_cost, of one more token to check, is nothing for a
    few at a small batch, where weights are what is read, and a whole token's above the roofline's ridge."""
    return Decision(
        question="How many tokens to draft, and by which method, for the largest speed-up?",
        choose={"method": Choices(methods), "draft_length": Integers(0, LONGEST)},
        given=("draft_cost", "check_cost", "step_overhead"),
        derive=_plan,
        report=("method", "draft_length", "drafts", "tokens_per_step", "speedup"),
        objective=lambda law, plan: -plan["speedup"],
    )
