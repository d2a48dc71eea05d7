"""Plans of a wanted loss, for any law of Chinchilla's form: cheapest to train and serve, or smaller than optimal.

Training takes 6 FLOPs per parameter and token, serving 2. Only the loss above the floor matters: where a reference
model says what is wanted, its loss is that of the same draw, and the floor drops out.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from bayeslaw._decision import Decision, LogRange
from bayeslaw._target import bisect
from bayeslaw._tree import arguments
from bayeslaw.models.chinchilla import D0, N0


def _reference(law: Any, params: Any) -> tuple[Any, Any]:
    """Tokens and loss of the compute-optimal model of this size."""
    from_size = law.a * (jnp.asarray(params) / N0) ** -law.alpha
    from_data = from_size * law.alpha / law.beta
    return D0 * (law.b / from_data) ** (1 / law.beta), law.E + from_size + from_data


def _optimal(law: Any, target: Any) -> Any:
    """The size that reaches the target with the least training compute; NaN at or below E."""
    return N0 * (law.a * (1 + law.alpha / law.beta) / (target - law.E)) ** (1 / law.alpha)


def _served(law: Any, params: Any, target: Any, inference_tokens: Any) -> dict[str, Any]:
    """The plan of a size: tokens that reach the target (NaN where none do), and what training and serving take."""
    gap = target - law.E - law.a * (params / N0) ** -law.alpha
    tokens = D0 * (law.b / gap) ** (1 / law.beta)
    best = _optimal(law, target)
    least = best * (6 * _reference(law, best)[0] + 2 * inference_tokens)
    total = params * (6 * tokens + 2 * inference_tokens)
    found = {"target": target, "tokens": tokens, "flops": 6 * params * tokens}
    return {**found, "total_flops": total, "relative_params": params / best, "relative_cost": total / least}


def _cheapest(law: Any, target: Any, inference_tokens: Any) -> dict[str, Any]:
    """The root of the first-order condition in ln tokens: its left side falls throughout, and ends below zero."""
    gap = target - law.E
    least = jnp.log(law.b / gap) / law.beta  # with an infinite model

    def too_few(x: Any) -> Any:
        served = inference_tokens / (3 * D0 * jnp.exp(x))
        return law.b * jnp.exp(-law.beta * x) * (1 + law.beta / law.alpha * (1 + served)) > gap

    x = bisect(too_few, least, least + 100.0)
    return {"params": N0 * (law.a / (gap - law.b * jnp.exp(-law.beta * x))) ** (1 / law.alpha)}


_SIZES = {"params": LogRange(1e6, 1e14)}
_REPORT = ("params", "tokens", "tokens_per_param", "flops", "total_flops", "relative_params", "relative_cost")


def _total(law: Any, plan: Mapping[str, Any]) -> Any:
    return jnp.log(plan["total_flops"])


serve = Decision(
    question="Which model reaches this loss at the least compute of training and serving together?",
    choose=_SIZES,
    given=("target", "inference_tokens"),
    derive=_served,
    report=_REPORT,
    objective=_total,
    closed_form=_cheapest,
)
serve_like = Decision(
    question="Which model is as good as the compute-optimal one of this size, and cheapest to train and serve?",
    choose=_SIZES,
    given=("reference_params", "inference_tokens"),
    derive=lambda law, params, reference_params, inference_tokens: _served(
        law, params, _reference(law, reference_params)[1], inference_tokens
    ),
    report=_REPORT,
    objective=_total,
    closed_form=lambda law, reference_params, inference_tokens: _cheapest(
        law, _reference(law, reference_params)[1], inference_tokens
    ),
)


def _bill(
    law, params, target, prompt_tokens, generated_tokens, training_price, inference_price, training_utilisation,
    prompt_utilisation, generation_utilisation,
) -> dict[str, Any]:  # fmt: skip
    per_flop = training_price / training_utilisation
    serving = inference_price * (prompt_tokens / prompt_utilisation + generated_tokens / generation_utilisation)
    plan = _served(law, params, target, serving / per_flop)
    training, total = plan["flops"] * per_flop, plan.pop("total_flops") * per_flop
    return {**plan, "priced_tokens": serving / per_flop, "training_dollars": training, "total_dollars": total}


dollars = Decision(
    question="Which model reaches this loss with the smallest bill for training and serving?",
    choose=_SIZES,
    given=arguments(_bill, skip=("law", "params")),
    derive=_bill,
    report=(*_REPORT[:4], "training_dollars", "total_dollars", "relative_params", "relative_cost"),
    objective=lambda law, plan: jnp.log(plan["total_dollars"]),
    # Dollars are FLOPs with served tokens at their price in tokens of training.
    closed_form=lambda law, **given: _cheapest(law, given["target"], _bill(law, N0, **given)["priced_tokens"]),
)


def _equal(law: Any, relative_params: Any, reference_params: Any) -> dict[str, Any]:
    """de Vries: the tokens with which a smaller or larger model is as good as the compute-optimal one."""
    longer = (1 + law.beta / law.alpha * (1 - relative_params**-law.alpha)) ** (-1 / law.beta)
    params, tokens = relative_params * reference_params, longer * _reference(law, reference_params)[0]
    return {"params": params, "tokens": tokens, "flops": 6 * params * tokens, "relative_cost": relative_params * longer}


def _smallest(law: Any, reference_params: Any, overhead: Any) -> dict[str, Any]:
    """Bisection between the least size that can be as good, where the cost has no end, and the compute-optimal one."""

    def too_dear(x: Any) -> Any:
        return ~(_equal(law, jnp.exp(x), reference_params)["relative_cost"] <= 1 + overhead)

    least = -jnp.log1p(law.alpha / law.beta) / law.alpha
    return {"relative_params": jnp.exp(bisect(too_dear, least, jnp.zeros(())))}


smaller = Decision(
    question="How small a model is as good as the compute-optimal one of this size, for so much more training compute?",
    choose={"relative_params": LogRange(1e-6, 1.0)},
    given=("reference_params", "overhead"),
    derive=_equal,
    report=("relative_params", *_REPORT[:4]),
    objective=lambda law, plan: jnp.abs(jnp.log(plan["relative_cost"]) - jnp.log1p(plan["overhead"])),
    closed_form=_smallest,
)
