"""Our model of decoding procedures compared over tokens: how many fewer does one need for the same accuracy?"""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import logit
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate, nth

T0 = 1000.0  # reference tokens per problem
METHODS = ("best_of_n", "particle_filtering", "a_star")


class OurTokenEfficiency(AbstractLaw):
    """accuracy = sigmoid(level + s ln(generated_tokens / 1000))

    Our model for curves of accuracy over tokens, one per decoding procedure, as A*-decoding plots them (2025,
    arXiv 2505.13672), which fits no law. A row is a method at a number of tokens per problem, those solved among
    `trials`.

    - `level`: for each method the logit of its accuracy at 1,000 tokens.
    - `s`: logits gained by e times the tokens, by any method: so that one needs a fixed share of another's tokens,
      exp((level' - level) / s), at any accuracy. Where curves cross, that share depends on the accuracy at which it
      is read: fit `Pooled(OurTokenEfficiency, runs, by="method")` and look.
    - `methods`: their names, the baseline first.

    "Up to 3x fewer tokens" is the most over settings, no datum. Do not extrapolate beyond the tokens that were tried:
    there is no ceiling. Prior, 90 %: accuracy at 1,000 tokens 0.08 to 0.81; doubling the tokens adds 0.10 to 0.74.
    """

    response: ClassVar = "accuracy"

    level: dict[str, Scalar]
    s: Scalar
    methods: tuple[str, ...] = eqx.field(static=True)

    def mean(self, method: Array, generated_tokens: Array) -> Array:  # type: ignore[override]
        return jax.nn.sigmoid(self.level_of(method) + self.s * jnp.log(generated_tokens / T0))

    def level_of(self, method: Any) -> Array:
        """The level of the method at that position."""
        return nth([self.level[one] for one in self.methods], method)

    def derived(self) -> Mapping[str, Scalar]:
        """The tokens of the baseline over those of each other method, at equal accuracy."""
        first, *others = self.methods
        return {f"gain.{one}": jnp.exp((self.level[one] - self.level[first]) / self.s) for one in others}

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls, methods: tuple[str, ...] = METHODS) -> "OurTokenEfficiency":
        return cls(
            level={name: dist.Normal(-0.5, 1.2) for name in methods},
            s=dist.LogNormal(log(0.4), 0.6),
            methods=tuple(methods),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"tokens": _fewest(self.methods), "method": _best(self.methods)}


def _needed(law: Any, method: Any, target: Any) -> dict[str, Any]:
    level = law.level_of(method)
    gain = jnp.exp((level - law.level_of(0)) / law.s)
    return {"generated_tokens": T0 * jnp.exp((logit(target) - level) / law.s), "compute_gain": gain}


def _fewest(methods: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which method reaches an accuracy with the fewest tokens per problem?",
        choose={"method": Choices(methods)},
        given=("target",),
        derive=_needed,
        report=("method", "generated_tokens", "compute_gain"),
        objective=lambda law, plan: jnp.log(plan["generated_tokens"]),
    )


def _best(methods: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which method is the most accurate at a number of tokens per problem?",
        choose={"method": Choices(methods)},
        given=("generated_tokens",),
        derive=lambda law, method: {"compute_gain": jnp.exp((law.level_of(method) - law.level_of(0)) / law.s)},
        report=("method", "compute_gain"),
        objective=lambda law, plan: -evaluate(law, plan),
    )
