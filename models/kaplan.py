"""Kaplan's law of size and data: how much data a model needs, and what a limited data set costs."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate

N0, D0 = 1e9, 2e10  # the reference run: 1 B parameters, 20 B tokens
BOUNDLESS = 1e60  # tokens: data without end


class Kaplan(AbstractLaw):
    """loss = (u^(1/beta) + v^(1/beta))^beta,
    u = n (nonembedding_params / 1e9)^-alpha, v = d (unique_tokens / 2e10)^-beta

    Kaplan et al. 2020 (arXiv 2001.08361), Eq. 1.5. Loss in nats per token of WebText2; the size leaves out embeddings;
    unique_tokens is the data set, on which training stops early, however many passes that takes.

    - `n`: the loss of a 1 B model with data without end, in nats; N_c = 1e9 n^(1/alpha) in the paper.
    - `d`: the loss of a boundless model on 20 B tokens, in nats; D_c = 2e10 d^(1/beta).
    - `alpha`, `beta`: how fast those two shrink (alpha_N and alpha_D); 0.08 means ten times more removes 17 %.

    There is no irreducible loss, so predictions far beyond the runs are too low. `enough_data` is the paper's question;
    `compute_optimal`, one pass over the data at 6 N D, is ours: the paper's own budget rule is that of `KaplanSteps`.
    Departure from the paper: the losses at a reference run instead of N_c and D_c, which lie 1e5 times beyond any run.
    Prior, 90 %: n 1.5 to 3.9, d 1.3 to 3.4, exponents 0.035 to 0.18.
    """

    falls: ClassVar = ("nonembedding_params", "unique_tokens")

    n: Scalar
    alpha: Scalar
    d: Scalar
    beta: Scalar

    def mean(self, nonembedding_params: Array, unique_tokens: Array) -> Array:  # type: ignore[override]
        u = jnp.log(self.n) - self.alpha * jnp.log(nonembedding_params / N0)
        v = jnp.log(self.d) - self.beta * jnp.log(unique_tokens / D0)
        return jnp.exp(self.beta * jnp.logaddexp(u / self.beta, v / self.beta))

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's scales; data grow as size^data_exponent at constant overfitting, size as
        flops^optimal_params_exponent in `compute_optimal`."""
        N_c, D_c = N0 * self.n ** (1 / self.alpha), D0 * self.d ** (1 / self.beta)
        ratio = self.alpha / self.beta
        return {"N_c": N_c, "D_c": D_c, "data_exponent": ratio, "optimal_params_exponent": 1 / (1 + ratio)}

    @classmethod
    def raw(cls, N_c: float, alpha: float, D_c: float, beta: float) -> "Kaplan":
        """The law from the coefficients that the paper prints."""
        return cls(n=(N_c / N0) ** alpha, alpha=alpha, d=(D_c / D0) ** beta, beta=beta)

    @classmethod
    def prior(cls) -> "Kaplan":
        return cls(
            n=dist.LogNormal(log(2.4), 0.3),
            alpha=dist.LogNormal(log(0.08), 0.5),
            d=dist.LogNormal(log(2.1), 0.3),
            beta=dist.LogNormal(log(0.08), 0.5),
        )

    @classmethod
    def published(cls) -> Mapping[str, "Kaplan"]:
        """Table 2. Table 5 has other numbers, of L(N) and L(D) fitted each by itself."""
        return {"kaplan2020": cls.raw(N_c=6.4e13, alpha=0.076, D_c=1.8e13, beta=0.103)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal, "enough_data": enough_data}


def _closed_form(law: Kaplan, flops: Any) -> dict[str, Any]:
    ratio = law.alpha / law.beta
    budget = ratio * (law.n / law.d) ** (1 / law.beta) * flops / (6 * N0 * D0)
    return {"nonembedding_params": N0 * budget ** (1 / (1 + ratio))}


def _one_pass(nonembedding_params: Any, flops: Any) -> dict[str, Any]:
    tokens = flops / (6 * jnp.asarray(nonembedding_params))
    return {"unique_tokens": tokens, "tokens_per_param": tokens / nonembedding_params}


compute_optimal = Decision(
    question="Which size, and how much data in one pass, give the lowest loss for a training budget?",
    choose={"nonembedding_params": LogRange(1e6, 1e16)},
    given=("flops",),
    derive=_one_pass,
    report=("nonembedding_params", "unique_tokens", "tokens_per_param"),
    closed_form=_closed_form,
)


def _enough(law: Kaplan, nonembedding_params: Any, overfitting: Any) -> dict[str, Any]:
    u = law.n * (nonembedding_params / N0) ** -law.alpha
    return {"unique_tokens": D0 * (law.d / u) ** (1 / law.beta) / jnp.expm1(jnp.log1p(overfitting) / law.beta)}


def _within_tolerance(law: Any, plan: Mapping[str, Any]) -> Any:
    loss, limit = (evaluate(law, {**plan, "unique_tokens": tokens}) for tokens in (plan["unique_tokens"], BOUNDLESS))
    enough = loss <= (1 + plan["overfitting"] + 1e-12) * limit  # but for rounding
    return jnp.where(enough, jnp.log(plan["unique_tokens"]), jnp.inf)


enough_data = Decision(
    question="How much data does this size need for a loss within a tolerance of that with data without end?",
    choose={"unique_tokens": LogRange(1e4, 1e19)},
    given=("nonembedding_params", "overfitting"),
    derive=lambda: {},
    report=("unique_tokens",),
    objective=_within_tolerance,
    closed_form=_enough,
)
