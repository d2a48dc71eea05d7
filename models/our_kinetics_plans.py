"""Plans of chains of thought: model, samples and cap within eFLOPs per request."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Array

from bayeslaw import _costs as costs
from bayeslaw._decision import Choices, Decision


class Decoder(NamedTuple):
    """What the cost of a request asks of a model."""

    params: float
    n_layers: int
    n_heads: int
    kv_heads: int
    head_dim: int = 128

    @property
    def elements(self) -> int:
        return costs.kv_elements(self.n_layers, self.kv_heads, self.head_dim)


QWEN3: Mapping[str, Decoder] = {
    "Qwen3-0.6B": Decoder(0.752e9, 28, 16, 8),
    "Qwen3-1.7B": Decoder(2.03e9, 28, 16, 8),
    "Qwen3-4B": Decoder(4.02e9, 36, 32, 8),
    "Qwen3-8B": Decoder(8.19e9, 36, 32, 8),
    "Qwen3-14B": Decoder(14.77e9, 40, 40, 8),
    "Qwen3-32B": Decoder(32.76e9, 64, 64, 8),
}
SAMPLES = (1, 2, 4, 8, 16, 32)
CAPS = tuple(range(2000, 32001, 2000))

MOST = 32  # samples, in `coverage`
_NODES = np.array([NormalDist().inv_cdf((1 + u) / 2) for u in np.polynomial.legendre.leggauss(12)[0]])
_WEIGHTS = np.polynomial.legendre.leggauss(12)[1] / 2


def coverage(law: Any, model: Any, params: Any, samples: Any, cap_tokens: Any) -> Array:
    """The share of problems that at least one of so many chains solves, at most 32.

    E[(1 - F p)^n] is a hypergeometric function, of which each n follows from the two before; then the mean over
    problems, which differ in F.
    """
    mu, z = law.chance(model, params), jnp.log(cap_tokens / law.length) - law.between * _NODES
    x, nu, share = mu * law.nu, law.nu, ndtr(z / law.within)

    def step(state: Any, n: Any) -> Any:
        before, last, kept = state
        after = ((2 * n + nu - (x + n) * share) * last - n * (1 - share) * before) / (nu + n)
        return (last, after, jnp.where(n < samples, after, kept)), None

    one = jnp.ones_like(share)
    failed = jax.lax.scan(step, (one, one, one), jnp.arange(float(MOST)))[0][2]
    return jnp.where(samples <= MOST, 1 - failed @ _WEIGHTS, jnp.nan)


def chain_tokens(law: Any, cap_tokens: Any) -> tuple[Array, Array]:
    """Means of a chain's tokens and of their square, cut at the cap, over problems and chains."""
    sd, middle, cap = jnp.sqrt(law.between**2 + law.within**2), jnp.log(law.length), jnp.log(cap_tokens)

    def moment(power: int) -> Array:
        below = log_ndtr((cap - middle) / sd - power * sd) + power * middle + (power * sd) ** 2 / 2
        return jnp.exp(below) + jnp.exp(power * cap + log_ndtr((middle - cap) / sd))

    return moment(1), moment(2)


def chains(
    models: Mapping[str, Decoder] = QWEN3, accelerator: costs.Accelerator | None = None, *, sparse: bool = False
) -> Decision:
    """The decision on this hardware (that of the paper when left out), with dense attention or a given KV budget.

    `inference_flops` are eFLOPs per request, on average over problems: seconds times the device's FLOPs per second. The
    law does not know what a small KV budget costs in accuracy; a sparse plan assumes nothing. What is maximised is the
    `coverage` of all samples; the response is that of a single one.
    """
    device = costs.ACCELERATORS["B200-sparse"] if accelerator is None else accelerator
    shapes = tuple(models.values())

    def plan(law: Any, model: Any, samples: Any, cap_tokens: Any, prompt_tokens: Any, budget: Any) -> dict[str, Any]:
        menu = jnp.asarray([models.get(name, shapes[0]) for name in law.models], dtype=float)
        params, layers, heads, kv_heads, head_dim = menu[jnp.asarray(model).astype(int)]
        elements = costs.kv_elements(layers, kv_heads, head_dim)
        length, squared = chain_tokens(law, cap_tokens)
        request = {"samples": samples, "kv_budget": budget, "generated_squared": squared}
        flops = costs.request_flops(params, elements, heads / kv_heads, prompt_tokens, length, **request)
        moved = costs.request_bytes(elements, prompt_tokens, length, **request)
        return {
            "coverage": coverage(law, model, params, samples, cap_tokens),
            "counted": 2.0, "params": params, "problem": float(len(law.problems)), "after_tokens": 0.0, "trials": 32.0,
            "generated_tokens": length, "cost_flops": costs.equivalent_flops(flops, moved, device.intensity),
        }  # fmt: skip

    def dense(law: Any, model: Any, samples: Any, cap_tokens: Any, prompt_tokens: Any) -> dict[str, Any]:
        return plan(law, model, samples, cap_tokens, prompt_tokens, None)

    def within_budget(law: Any, model: Any, samples: Any, cap_tokens: Any, prompt_tokens: Any, kv_budget: Any) -> Any:
        return plan(law, model, samples, cap_tokens, prompt_tokens, kv_budget)

    return Decision(
        question="Which model, how many samples and how long a chain solve most problems at a cost per request?",
        choose={
            "model": Choices(tuple(models)),
            "samples": Choices(SAMPLES, ordered_ends=True),
            "cap_tokens": Choices(CAPS, ordered_ends=True),
        },
        given=("inference_flops", "prompt_tokens", *(("kv_budget",) if sparse else ())),
        derive=within_budget if sparse else dense,
        report=("model", "samples", "cap_tokens", "coverage", "generated_tokens", "cost_flops"),
        objective=_affordable,
    )


def _affordable(law: Any, plan: Mapping[str, Any]) -> Any:
    return jnp.where(plan["cost_flops"] <= plan["inference_flops"], -plan["coverage"], jnp.inf)
