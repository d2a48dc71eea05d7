"""The allocations that Kinetics fits (Sadhukhan et al. 2025, arXiv 2506.05333): tokens and KV budget by compute."""

from typing import Any

import jax.numpy as jnp

ALLOCATIONS = {
    "aime24": (91.68, 0.80, 81.77, 0.25),
    "aime25": (213.58, 0.74, 140.92, 0.17),
    "livecodebench": (22.08, 0.92, 161.83, 0.19),
}
LEAST_BUDGET = 32  # the smallest KV budget of the paper


def published_allocation(task: str, tera_eflops: Any) -> tuple[Any, Any]:
    """Tokens and KV budget of Qwen3-8B, best-of-N with sparse attention, at so many 1e12 eFLOPs per request.

    Fits of the paper (Fig. 7 and 24): c1 x^e1 and c2 x^e2 - 212. The second is negative at little compute, where it was
    not fitted: never less than the smallest budget of the paper, 32.
    """
    c1, e1, c2, e2 = ALLOCATIONS[task]
    budget = jnp.maximum(c2 * jnp.asarray(tera_eflops) ** e2 - 212, LEAST_BUDGET)
    return c1 * jnp.asarray(tera_eflops) ** e1, budget
