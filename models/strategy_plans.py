"""Plans of test-time compute: a strategy for a budget of generations, and samples or parameters for the same FLOPs."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from bayeslaw._decision import Choices, Decision
from bayeslaw._tree import evaluate

LADDER = tuple(2.0**i for i in range(9))  # samples, 1 to 256
QUESTIONS = 100.0  # of a bin of the paper's 500: the size of a new run in a decision


def exchange_rate(size_ratio: Any, inference_ratio: Any, flops_per_token: float = 2.0) -> Any:
    """By how much the small model may multiply its inference for the FLOPs that a size_ratio times larger one costs.

    M + (6 / flops_per_token) (M - 1) / R, where R, inference_ratio, is tokens of inference over a model's life for each
    of its pre-training. A parameter takes 6 FLOPs for these and 2 for those (first version of arXiv 2408.03314), or 4
    with a verifier of equal size (its ICLR version, which halves R as well).
    """
    return size_ratio + 6 / flops_per_token / inference_ratio * (size_ratio - 1)


def strategy(methods: tuple[str, ...], cost: Mapping[str, float] | None = None) -> Decision:
    """The decision for these strategies; `cost` in generations per sample (1 where it is not named), such as
    `{"lookahead": 4}`."""
    price = np.array([dict(cost or {}).get(name, 1.0) for name in methods])

    def derive(method: Any, samples: Any, generations: Any) -> dict[str, Any]:
        used = samples * jnp.asarray(price)[jnp.asarray(method).astype(int)]
        return {"size_ratio": 1.0, "trials": QUESTIONS, "used": used}

    return Decision(
        question="Which strategy, and how many samples, for a budget of generations per question?",
        choose={"method": Choices(methods), "samples": Choices(LADDER, ordered_ends=True)},
        given=("generations",),
        derive=derive,
        report=("method", "samples"),
        objective=lambda law, plan: jnp.where(plan["used"] <= plan["generations"], -evaluate(law, plan), jnp.inf),
    )


def exchange(methods: tuple[str, ...], flops_per_token: float = 2.0) -> Decision:
    """The decision between samples of the small model and `generations` of one size_ratio times larger."""

    def derive(spend_on: Any, size_ratio: Any, inference_ratio: Any, generations: Any) -> dict[str, Any]:
        more = jnp.floor(generations * exchange_rate(size_ratio, inference_ratio, flops_per_token))
        small = jnp.asarray(spend_on) == 0
        ratio, samples = jnp.where(small, 1.0, size_ratio), jnp.where(small, more, generations)
        return {"size_ratio": ratio, "samples": samples, "trials": QUESTIONS}

    return Decision(
        question="At equal FLOPs, more samples of a small model or a larger one, and by which strategy?",
        choose={"spend_on": Choices(("samples", "params")), "method": Choices(methods)},
        given=("size_ratio", "inference_ratio", "generations"),
        derive=derive,
        report=("spend_on", "method", "samples"),
        objective=lambda law, plan: -evaluate(law, plan),
    )
