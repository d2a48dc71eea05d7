"""The cheapest way to a response: what to train when the aim is given and the bill counts, inference included."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._tree import evaluate

_HALVINGS = 60  # of an interval of ln: what is left is below rounding


def solve(law: Any, plan: Mapping[str, Any], column: str, low: float, high: float) -> Array:
    """The value of `column` at which the law's mean falls to `plan["target"]`: NaN where it does not between `low` and
    `high`. The mean must not rise with the column (loss with tokens)."""

    def above(x: Any) -> Array:
        return evaluate(law, law.complete({**plan, column: jnp.exp(x)})) > plan["target"]

    start, end = jnp.log(low), jnp.log(high)
    return jnp.where(above(end), jnp.nan, jnp.exp(bisect(above, start, end)))


def bisect(below: Callable[[Any], Any], low: Any, high: Any) -> Array:
    """Where `below` ends to hold between `low` and `high`, both on a scale on which halving makes sense."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        return jnp.where(below(middle), middle, ends[0]), jnp.where(below(middle), ends[1], middle)

    start, end = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.asarray(low, float), jnp.asarray(high, float)))
    return (start + end) / 2


def _derive(law: Any, params: Any, target: Any, inference_tokens: Any) -> dict[str, Any]:
    tokens = solve(law, {"params": params, "target": target}, "tokens", 1.0, 1e18)
    return {
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "total_flops": 6 * params * tokens + 2 * params * inference_tokens,
    }


cheapest = Decision(
    question="Which model reaches this response at the lowest compute, training and inference together?",
    choose={"params": LogRange(1e6, 1e14)},
    given=("target", "inference_tokens"),
    derive=_derive,
    report=("params", "tokens", "tokens_per_param", "flops", "total_flops"),
    objective=lambda law, plan: jnp.log(plan["total_flops"]),
)
"""For any law that reads params and tokens: 6 N D for training and 2 N T for T tokens of inference."""


@cache
def smallest(x: str, reference: float, closed_form: Callable[..., dict[str, Any]] | None = None) -> Decision:
    """For a law of one column. One decision for each column: a search is compiled for the decision it was given."""

    def objective(law: Any, plan: Mapping[str, Any]) -> Any:
        reached = evaluate(law, plan) <= plan["target"] * (1 + 1e-9)  # a formula's x is there but for rounding
        return jnp.where(reached, jnp.log(plan[x]), jnp.inf)

    return Decision(
        question=f"What is the smallest {x} at which the response falls to a target?",
        choose={x: LogRange(reference * 1e-3, reference * 1e9)},
        given=("target",),
        derive=lambda target: {},
        report=(x,),
        objective=objective,
        closed_form=closed_form,
    )
