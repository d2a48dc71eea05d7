"""Fine-grained mixtures of experts: model size, tokens and the granularity of the experts for a training budget."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate, power

N0, D0 = 1e9, 1e10  # the reference run: 1 B parameters, 10 B tokens
EXPANSION = 64  # experts at granularity 1, in all of the paper's runs: the law says nothing of their number
TOTAL = (4 + 8 * EXPANSION) / 12  # all parameters over active ones, without embeddings: 43


class FineGrainedMoE(AbstractLaw):
    """loss = c + (g granularity^-gamma + a) (nonembedding_params / 1e9)^-alpha + b (tokens / 1e10)^-beta

    Krajewski et al. 2024 (arXiv 2402.07871), Eq. 9, on C4, in nats per token. nonembedding_params are those of all
    experts, 43 times the active ones; granularity is 4 width / expert width, twice what `EfficiencyLeverage` calls so.
    Dense models (`architecture` dense, mixtures if left out) have terms of their own, dense_a (N / 1e9)^-dense_alpha +
    dense_b (D / 1e10)^-dense_beta, and the same c; their granularity is ignored.

    - `c`: irreducible loss, far below any run: read losses and granularities, not c.
    - `a`, `alpha`: what 1e9 parameters leave to lose however fine the experts, in nats, and how fast that shrinks.
    - `g`, `gamma`: what experts of full width lose besides, and how fast splitting them removes that.
    - `b`, `beta`: what 1e10 tokens leave to lose, and how fast that shrinks.
    - `dense_a`, `dense_alpha`, `dense_b`, `dense_beta`: the same for dense models.

    Departure from the paper: centred; mixtures and dense models are fitted together.
    Prior, 90 %: c 0.37 to 2.7, a and dense_a 0.32 to 3.2, g 0.029 to 0.78, b and dense_b 0.25 to 2.5, the four
    exponents 0.066 to 0.34, gamma 0.31 to 1.2.
    """

    falls: ClassVar = ("nonembedding_params", "tokens", "granularity")

    c: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar
    g: Scalar
    gamma: Scalar
    dense_a: Scalar
    dense_alpha: Scalar
    dense_b: Scalar
    dense_beta: Scalar

    def mean(  # type: ignore[override]
        self, nonembedding_params: Array, tokens: Array, granularity: Array, architecture: Any = 1.0
    ) -> Array:
        size, data = nonembedding_params / N0, tokens / D0
        split = self.g * power(granularity, -self.gamma) + self.a
        mixture = split * power(size, -self.alpha) + self.b * power(data, -self.beta)
        dense = self.dense_a * power(size, -self.dense_alpha) + self.dense_b * power(data, -self.dense_beta)
        return self.c + jnp.where(jnp.asarray(architecture) > 0.5, mixture, dense)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"architecture": ("dense", "mixture")}

    def optional(self) -> tuple[str, ...]:
        return ("architecture",)

    def floor(self) -> Scalar:
        return self.c

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's coefficients of mixtures, of Table 1."""
        scale = N0**self.alpha
        return {"raw_a": self.a * scale, "raw_g": self.g * scale, "raw_b": self.b * D0**self.beta}

    @classmethod
    def prior(cls) -> "FineGrainedMoE":
        size, data, exponent = dist.LogNormal(0.0, 0.7), dist.LogNormal(log(0.8), 0.7), dist.LogNormal(log(0.15), 0.5)
        return cls(
            c=dist.LogNormal(0.0, 0.6), a=size, alpha=exponent, b=data, beta=exponent, g=dist.LogNormal(log(0.15), 1.0),
            gamma=dist.LogNormal(log(0.6), 0.4), dense_a=size, dense_alpha=exponent, dense_b=data, dense_beta=exponent,
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "FineGrainedMoE"]:
        """`krajewski2024`: Table 1 (second-hand, three sources agree), to two or three digits."""
        mixture = {"a": 18.1 * N0**-0.115, "alpha": 0.115, "b": 30.8 * D0**-0.147, "beta": 0.147}
        split = {"g": 2.1 * N0**-0.115, "gamma": 0.58}
        dense = {"dense_a": 16.3 * N0**-0.126, "dense_alpha": 0.126, "dense_b": 26.7 * D0**-0.127, "dense_beta": 0.127}
        return {"krajewski2024": cls(c=0.47, **mixture, **split, **dense)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"granularity": best_granularity}


def flops_per_token(active_params: Any, granularity: Any) -> Any:
    """Training compute of a token, routing included: (72 d^2 + 14 d 64 granularity) n_layers, n_layers = d / 64."""
    d_model = (64 * active_params / 12) ** (1 / 3)
    return 6 * active_params + 14 * d_model**2 * granularity * EXPANSION / 64


def dense_flops(law: Any, loss: Any) -> Any:
    """Training compute of the compute-optimal dense model of that loss."""
    gap, both = loss - law.c, law.dense_alpha + law.dense_beta
    params = N0 * (gap * law.dense_beta / both / law.dense_a) ** (-1 / law.dense_alpha)
    return 6 * params * D0 * (gap * law.dense_alpha / both / law.dense_b) ** (-1 / law.dense_beta)


def _plan(law: Any, active_params: Any, granularity: Any, flops: Any) -> dict[str, Any]:
    size = {"nonembedding_params": TOTAL * active_params, "tokens": flops / flops_per_token(active_params, granularity)}
    loss = evaluate(law, law.complete({**size, "granularity": granularity, "architecture": jnp.asarray(1.0)}))
    return {**size, "leverage": dense_flops(law, loss) / flops}


best_granularity = Decision(
    question="For a budget, how finely should experts be split, and how large and how long trained be the model?",
    choose={
        "granularity": Choices(tuple(2.0**i for i in range(9)), ordered_ends=True),
        "active_params": LogRange(1e5, 1e14),
    },
    given=("flops",),
    derive=_plan,
    report=("granularity", "active_params", "nonembedding_params", "tokens", "leverage"),
)
