"""Plans of repeated sampling: how many samples reach a coverage, and which model reaches it at the lowest price."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from bayeslaw._costs import generation_flops
from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._target import bisect
from bayeslaw._tree import evaluate

_MOST = 1e12  # samples; a posterior that says so says that sampling does not get there
_NEVER = 300 * log(10)


def samples_needed(law: Any, target: Any, **columns: Any) -> Array:
    """The least number of samples, not rounded, with which a law's coverage reaches the target; 1e300 is never."""
    found = bisect(lambda x: evaluate(law, {**columns, "samples": jnp.exp(x)}) < target, 0.0, _NEVER)
    return jnp.exp(found)


samples_to_reach = Decision(
    question="How many samples per problem reach this coverage?",
    choose={"samples": LogRange(1.0, _MOST)},
    given=("target",),
    derive=lambda samples: {},
    report=("samples",),
    objective=lambda law, plan: jnp.abs(evaluate(law, plan) - plan["target"]),
    closed_form=lambda law, target: {"samples": samples_needed(law, target)},
)
"""Not rounded. The ends of the box are answers: one sample does, or sampling does not get there."""


def cheapest_model(prices: Mapping[str, float]) -> Decision:
    """The decision among models, for `Pooled(..., by="model")`; prices per sample, in dollars, FLOPs or any unit."""

    def derive(law: Any, model: Any, target: Any) -> dict[str, Any]:
        place = jnp.asarray(model).astype(int)
        price = jnp.asarray([prices.get(name, jnp.nan) for name in law.categories()["model"]])[place]
        samples = _whole(samples_needed(law.member({"model": place}), target))
        return {"samples": samples, "question_price": price * samples}

    return Decision(
        question="Which model reaches this coverage at the lowest price per question?",
        choose={"model": Choices(tuple(prices))},
        given=("target",),
        derive=derive,
        report=("model", "samples", "question_price"),
        objective=lambda law, plan: jnp.log(plan["question_price"]),
    )


def cheapest_size(sizes: tuple[float, ...]) -> Decision:
    """The decision among sizes of one family: a sample costs 2 params sample_tokens FLOPs."""

    def derive(law: Any, params: Any, target: Any, sample_tokens: Any) -> dict[str, Any]:
        samples = _whole(samples_needed(law, target, params=params))
        flops = samples * generation_flops(params, sample_tokens)
        return {"samples": samples, "inference_flops": flops}

    return Decision(
        question="Which size of a family reaches this coverage with the least compute per question?",
        choose={"params": Choices(sizes, ordered_ends=True)},
        given=("target", "sample_tokens"),
        derive=derive,
        report=("params", "samples", "inference_flops"),
        objective=lambda law, plan: jnp.log(plan["inference_flops"]),
    )


def _whole(samples: Array) -> Array:
    return jnp.ceil(samples * (1 - 1e-9))
