"""Plans of a mixture of experts by `JointMoE`: for a training budget, within a memory, or with its serving paid.

A model of the paper's shape: n_layers = d_model / 64, gated experts of hidden width 3 d_model, one per token, and two
embedding matrices. Ours, from the paper's list of models (within 1 %).
"""

from typing import Any

import jax.numpy as jnp

from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._target import bisect

N0, D0 = 1e9, 1e10  # the reference run of `JointMoE`
VOCABULARY = 50257
BYTES = 2  # of a weight, and of a number in the cache of keys and values


def shape(d_model: Any, experts: Any) -> tuple[Any, Any]:
    """Active and total parameters of a model of that width."""
    cube, embeddings = d_model**3 / 64, 2 * VOCABULARY * d_model
    return 13 * cube + embeddings, (4 + 9 * experts) * cube + embeddings


def memory(d_model: Any, experts: Any, context_tokens: Any) -> Any:
    """Bytes of all weights and of keys and values of the context."""
    return BYTES * (shape(d_model, experts)[1] + 2 * context_tokens * d_model**2 / 64)


def _width(below: Any) -> Any:
    return jnp.exp(bisect(lambda x: below(jnp.exp(x)), 0.0, 16.0))


def _best_size(law: Any, flops: Any, experts: Any) -> dict[str, Any]:
    """Chinchilla's optimum for the coefficients of so many experts."""
    (m, mu), (n, nu) = law.at(experts)
    balance = (mu * m / (nu * n)) ** (1 / (mu + nu))
    return {"active_params": N0 * balance * (flops / (6 * N0 * D0)) ** (nu / (mu + nu))}


def _within(law: Any, experts: Any, flops: Any, memory_bytes: Any, context_tokens: Any) -> dict[str, Any]:
    """The loss has one minimum in the size, so the best that fits is the best of all, or else the largest that fits."""
    fits = _width(lambda d: memory(d, experts, context_tokens) <= memory_bytes)
    best = _width(lambda d: shape(d, experts)[0] <= _best_size(law, flops, experts)["active_params"])
    d_model = jnp.minimum(fits, best)
    active, total = shape(d_model, experts)
    sizes = {"d_model": d_model, "active_params": active, "total_params": total}
    return {**sizes, "tokens": flops / (6 * active)}


compute_optimal = Decision(
    question="How many active parameters, and tokens, give the lowest loss for a training budget and so many experts?",
    choose={"active_params": LogRange(1e6, 1e14)},
    given=("flops", "experts"),
    derive=lambda active_params, flops: {"tokens": flops / (6 * jnp.asarray(active_params))},
    report=("active_params", "tokens"),
    closed_form=_best_size,
)
experts_in_memory = Decision(
    question="How many experts of which width, if weights and cache must fit into a memory?",
    # One expert is a dense model, a true end; 32 is where the paper's runs end.
    choose={"experts": Choices((1.0, 2.0, 4.0, 8.0, 16.0, 32.0), ordered_ends=True)},
    given=("flops", "memory_bytes", "context_tokens"),
    derive=_within,
    report=("experts", "d_model", "active_params", "total_params", "tokens"),
)
serve = Decision(
    question="How many active parameters, if the budget pays for training and for serving so many tokens?",
    choose={"active_params": LogRange(1e6, 1e14)},
    given=("total_flops", "inference_tokens", "experts"),
    # Fewer than one token: what serving leaves does not pay for training.
    derive=lambda active_params, total_flops, inference_tokens: {
        "tokens": (total_flops / active_params - 2 * inference_tokens) / 6
    },
    report=("active_params", "tokens"),
)
