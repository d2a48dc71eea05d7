"""Infinite compute: with a fixed text and all the compute one likes, which recipe, and what is it worth?"""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, nth, power

D0 = 209_715_200.0  # the reference run: the paper's 200 M seed tokens
RECIPES = ("standard", "regularised", "joint")


class InfiniteCompute(AbstractLaw):
    """loss = E + a[recipe] (unique_tokens / 2.097e8)^-delta[recipe]

    Kim et al. 2025 (arXiv 2509.14786): what is left of the loss when only the text is scarce. `recipe` is `standard`
    (the best run over sizes and epochs), `regularised` (weight decay tuned, the limit of large models) or `joint` (the
    limit of large ensembles of large regularised models). Loss in nats per token.

    - `E`: entropy of the text, one for all recipes: they see the same text through the same tokenizer. The paper fits
      one per recipe: give a dictionary by recipe, as `a` has it, to do so.
    - `a`: what a recipe loses to 210 M seed tokens, in nats. A = a 0.2097^delta in the paper, of tokens in 1e9.
    - `delta`: how fast that shrinks; 0.23 means ten times the text removes 41 % of it.

    Recipes are independent in the prior instead of partially pooled: three groups would say little of their own spread,
    and the prior of that spread much of the efficiency.
    Departure from the paper: one E, see above; one step from the losses instead of nested least squares.
    Prior, 90 %: E 1.3 to 2.5, each a 0.66 to 3.4, each delta 0.13 to 0.48; scatter of a loss 0.1 to 2.6 %.
    """

    falls: ClassVar = ("unique_tokens",)

    E: Scalar
    a: dict[str, Scalar]
    delta: dict[str, Scalar]

    def mean(self, unique_tokens: Array, recipe: Array) -> Array:  # type: ignore[override]
        a, delta, floor = (_of(recipe, leaf) for leaf in (self.a, self.delta, self.E))
        return floor + a * power(unique_tokens / D0, -delta)

    def floor(self) -> Scalar:
        return jnp.min(jnp.stack(list(self.E.values()))) if isinstance(self.E, dict) else self.E

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"recipe": RECIPES}

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.005), 1.0))

    def effective_tokens(self, loss: Any) -> Any:
        """The text that the standard recipe would need for this loss; infinite where none is enough."""
        gap = loss - _of(0, self.E)
        a, delta = self.a["standard"], self.delta["standard"]
        return jnp.where(gap > 0, D0 * (jnp.where(gap > 0, gap, 1.0) / a) ** (-1 / delta), jnp.inf)

    def derived(self) -> Mapping[str, Scalar]:
        """A of the paper, tokens in 1e9, and the data efficiency at 210 M tokens, by recipe."""
        found = {f"A[{one}]": self.a[one] * (D0 / 1e9) ** self.delta[one] for one in RECIPES}
        for place, one in enumerate(RECIPES[1:], start=1):
            loss = self.mean(jnp.asarray(D0), jnp.asarray(place))
            found[f"data_efficiency[{one}]"] = self.effective_tokens(loss) / D0
        return found

    @classmethod
    def raw(cls, E: Any, A: Mapping[str, float], B: Mapping[str, float]) -> "InfiniteCompute":
        """The law from A / D^B + E by recipe, D in 1e9 tokens."""
        return cls(E=E, a={one: A[one] * (D0 / 1e9) ** -B[one] for one in RECIPES}, delta=dict(B))

    @classmethod
    def prior(cls) -> "InfiniteCompute":
        return cls(
            E=dist.LogNormal(log(1.8), 0.2),
            a={one: dist.LogNormal(log(1.5), 0.5) for one in RECIPES},
            delta={one: dist.LogNormal(log(0.25), 0.4) for one in RECIPES},
        )

    @classmethod
    def published(cls) -> Mapping[str, "InfiniteCompute"]:
        """Second-hand, as the paper's readers quote it, rounded to two digits: 0.02 nats where printed losses check."""
        return {
            "kim2025": cls.raw(
                E={"standard": 1.89, "regularised": 1.96, "joint": 1.90},
                A={"standard": 1.30, "regularised": 1.03, "joint": 0.88},
                B={"standard": 0.23, "regularised": 0.23, "joint": 0.24},
            )
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"recipe": recipe}


def _of(recipe: Any, leaf: Any) -> Any:
    """A parameter of the recipe at that position, or the one of all."""
    return nth([leaf[one] for one in RECIPES], recipe) if isinstance(leaf, dict) else leaf


def _efficiency(law: InfiniteCompute, recipe: Any, unique_tokens: Any) -> dict[str, Any]:
    effective = law.effective_tokens(law.mean(unique_tokens, recipe))
    return {"effective_tokens": effective, "data_efficiency": effective / unique_tokens}


recipe = Decision(
    question="Which recipe makes the most of this text, and how much more text is that worth?",
    choose={"recipe": Choices(RECIPES)},
    given=("unique_tokens",),
    derive=_efficiency,
    report=("recipe", "effective_tokens", "data_efficiency"),
)
