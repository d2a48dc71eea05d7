"""What training and answering cost: FLOPs, bytes moved, seconds, dollars. Formulas that compose, units in names.

As `bl.costs`. Every argument is a number or an array, of NumPy or of JAX, and arrays broadcast: with draws of a price,
of a utilisation or of a length in place of a number the result is a distribution too. Tokens and parameters are counts,
bytes and FLOPs are not scaled (80e9, not 80), bandwidths are per second.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayeslaw._accelerators import ACCELERATORS as ACCELERATORS
from bayeslaw._accelerators import Accelerator as Accelerator
from bayeslaw._bills import days_on as days_on
from bayeslaw._bills import dollars_on as dollars_on
from bayeslaw._bills import hours_on as hours_on
from bayeslaw._bills import serving_bytes as serving_bytes
from bayeslaw._bills import weight_bytes as weight_bytes

# --- FLOPs of tokens --------------------------------------------------------------------------------------------------


def training_flops(params: Any, tokens: Any) -> Any:
    """FLOPs of training, 6 params tokens: 2 for the forward pass, 4 for the backward one (Kaplan et al. 2020)."""
    return 6 * params * tokens


def generation_flops(params: Any, tokens: Any) -> Any:
    """FLOPs of reading or writing tokens, 2 params tokens, attention left out; of a mixture, the active parameters."""
    return 2 * params * tokens


def token_flops(params: Any, position: Any, n_layers: Any, d_model: Any) -> Any:
    """FLOPs of the token at a position, its attention counted: 2 params + 4 n_layers d_model position (without grouped
    queries)."""
    return 2 * params + 4 * n_layers * d_model * position


# --- A request and its cache of keys and values (Kinetics, Sadhukhan et al. 2025, arXiv 2506.05333) -------------------


def kv_elements(n_layers: Any, kv_heads: Any, head_dim: Any) -> Any:
    """Elements that a token leaves in the cache: a key and a value of each layer and head."""
    return 2 * n_layers * kv_heads * head_dim


def kv_bytes(elements: Any, bytes_per_element: Any = 2) -> Any:
    """Bytes that a token leaves in the cache; 2 bytes an element in 16 bits."""
    return elements * bytes_per_element


def cached_tokens_read(
    prompt_tokens: Any, generated_tokens: Any, kv_budget: Any = None, generated_squared: Any = None
) -> Any:
    """Cached tokens that attention reads while an answer is written: the sum over its tokens of those before it.

    prompt_tokens generated_tokens + generated_tokens^2 / 2 in dense attention; with a `kv_budget` no more than that
    many a token. For answers of random length give the means of the length and of its square, `generated_squared`: that
    is exact where all of them, or none, fill the budget.
    """
    squared = generated_tokens**2 if generated_squared is None else generated_squared
    if kv_budget is None:
        return prompt_tokens * generated_tokens + squared / 2
    xp = _namespace(prompt_tokens, generated_tokens, kv_budget, squared)
    most = prompt_tokens + generated_tokens
    kept = xp.minimum(kv_budget, most)
    unfilled = xp.maximum(kept - prompt_tokens, 0)  # tokens written before the budget binds
    dense = prompt_tokens * generated_tokens + squared / 2
    return xp.where(kv_budget < most, kept * generated_tokens - unfilled**2 / 2, dense)


def request_flops(
    params: Any,
    elements: Any,
    queries_per_kv: Any,
    prompt_tokens: Any,
    generated_tokens: Any,
    samples: Any = 1,
    kv_budget: Any = None,
    generated_squared: Any = None,
) -> Any:
    """FLOPs of writing `samples` answers to one prompt, of parameters and attention; those of reading it are left out.

    `elements` are those of `kv_elements`, `queries_per_kv` the query heads that share a head of keys and values.
    """
    read = cached_tokens_read(prompt_tokens, generated_tokens, kv_budget, generated_squared)
    return samples * (generation_flops(params, generated_tokens) + 2 * queries_per_kv * elements * read)


def request_bytes(
    elements: Any,
    prompt_tokens: Any,
    generated_tokens: Any,
    samples: Any = 1,
    kv_budget: Any = None,
    generated_squared: Any = None,
    bytes_per_element: Any = 2,
) -> Any:
    """Bytes of cache read while `samples` answers to one prompt are written; weights are shared by a large batch, and
    left out.

    In dense attention all samples read the prompt's cache at once; with a `kv_budget` each reads its own choice of it.
    A budget that holds prompt and answer is dense attention.
    """
    squared = generated_tokens**2 if generated_squared is None else generated_squared
    dense = prompt_tokens * generated_tokens + samples * squared / 2
    if kv_budget is None:
        return kv_bytes(elements, bytes_per_element) * dense
    sparse = samples * cached_tokens_read(prompt_tokens, generated_tokens, kv_budget, generated_squared)
    xp = _namespace(prompt_tokens, generated_tokens, kv_budget, samples, squared)
    return kv_bytes(elements, bytes_per_element) * xp.where(
        kv_budget >= prompt_tokens + generated_tokens, dense, sparse
    )


def search_flops(
    elements: Any, queries_per_kv: Any, prompt_tokens: Any, generated_tokens: Any, block: Any, samples: Any = 1
) -> Any:
    """FLOPs of choosing what to attend to by the mean key of every block of so many cached tokens (block top-k)."""
    return samples * queries_per_kv * elements * cached_tokens_read(prompt_tokens, generated_tokens) / block


def search_bytes(
    elements: Any,
    prompt_tokens: Any,
    generated_tokens: Any,
    block: Any,
    samples: Any = 1,
    bytes_per_element: Any = 2,
) -> Any:
    """Bytes read by the same: keys alone, half of the elements; all samples read the prompt's at once."""
    dense = request_bytes(elements, prompt_tokens, generated_tokens, samples, bytes_per_element=bytes_per_element)
    return dense / (2 * block)


def equivalent_flops(flops: Any, bytes_moved: Any, intensity: Any) -> Any:
    """eFLOPs, flops + intensity bytes: what the device could have computed while it computed and then moved bytes.

    `intensity` is that of an `Accelerator`, FLOPs per byte. Nothing overlaps here; max(flops, intensity bytes) is the
    other extreme. Divided by the device's FLOPs per second they are seconds.
    """
    return flops + intensity * bytes_moved


# --- Nodes of a graph of calls (arXiv 2511.00086, second-hand) and stages of a pipeline (arXiv 2508.00890) ------------


def prefill_flops(params: Any, prompt_tokens: Any, n_layers: Any, d_model: Any) -> Any:
    """FLOPs of reading a prompt, attention without grouped queries counted."""
    return 2 * params * prompt_tokens + 2 * n_layers * d_model * prompt_tokens * (prompt_tokens + 1)


def decode_flops(params: Any, prompt_tokens: Any, generated_tokens: Any, n_layers: Any, d_model: Any) -> Any:
    """FLOPs of writing an answer to it."""
    attention = 2 * n_layers * d_model * generated_tokens * (2 * prompt_tokens + generated_tokens + 1)
    return 2 * params * generated_tokens + attention


def node_flops(
    parents: Any, params: Any, prompt_tokens: Any, generated_tokens: Any, n_layers: Any, d_model: Any
) -> Any:
    """FLOPs of a call whose prompt is the task's and the answers of `parents` other calls: a quadratic in `parents`."""
    read = prompt_tokens + parents * generated_tokens
    return prefill_flops(params, read, n_layers, d_model) + decode_flops(
        params, read, generated_tokens, n_layers, d_model
    )


def node_coefficients(
    params: Any, prompt_tokens: Any, generated_tokens: Any, n_layers: Any, d_model: Any
) -> tuple[Any, Any, Any]:
    """Coefficients of parents^2, of parents, and the constant, of `node_flops`. Where the first times parents exceeds
    the second, a fan-in is dear enough to be split into a tree."""
    width, both = n_layers * d_model, prompt_tokens + generated_tokens
    square = 2 * width * generated_tokens**2
    linear = 2 * params * generated_tokens + 2 * width * generated_tokens * (2 * both + 1)
    return square, linear, 2 * (params + width) * both + 2 * width * both**2


def fan_flops(width: Any, params: Any, prompt_tokens: Any, generated_tokens: Any, n_layers: Any, d_model: Any) -> Any:
    """FLOPs of `width` calls side by side and one that fuses their answers."""
    model = (params, prompt_tokens, generated_tokens, n_layers, d_model)
    return width * node_flops(0, *model) + node_flops(width, *model)


def chain_flops(depth: Any, params: Any, prompt_tokens: Any, generated_tokens: Any, n_layers: Any, d_model: Any) -> Any:
    """FLOPs of `depth` calls one after the other, each reading the answer before."""
    model = (params, prompt_tokens, generated_tokens, n_layers, d_model)
    return node_flops(0, *model) + (depth - 1) * node_flops(1, *model)


STAGE_UNIT_FLOPS = 2 * 3e9 * 64
"""The unit of `stage_units`: 64 tokens written by a model of 3 B parameters."""


def stage_units(params: Any, prompt_tokens: Any, generated_tokens: Any, samples: Any) -> Any:
    """Cost of a stage in the units of AgentTTS: [params / 3e9 (prompt_tokens + samples generated_tokens) - 128] / 64.

    It starts at 128 tokens, so that a tiny stage costs less than nothing.
    """
    return (params / 3e9 * (prompt_tokens + samples * generated_tokens) - 128) / 64


def stage_samples(units: Any, params: Any, prompt_tokens: Any, generated_tokens: Any) -> Any:
    """The most samples of a stage within so many units, not rounded: the inverse of `stage_units`."""
    return ((64 * units + 128) * 3e9 / params - prompt_tokens) / generated_tokens


# --- Serving (NanoFlow, Zhu et al. 2024, arXiv 2408.12757); machine quantities are totals over the accelerators -------


def memory_seconds(memory_bytes: Any, memory_bandwidth: Any) -> Any:
    """Seconds to stream weights and cache once, as every step must."""
    return memory_bytes / memory_bandwidth


def compute_seconds(batch_tokens: Any, active_params: Any, flops_per_second: Any) -> Any:
    """Seconds of the dense work of one step over a batch of tokens, read and written alike."""
    return generation_flops(active_params, batch_tokens) / flops_per_second


def network_seconds(
    accelerators: Any,
    batch_tokens: Any,
    d_model: Any,
    n_layers: Any,
    one_way_bandwidth: Any,
    bytes_per_element: Any = 2,
) -> Any:
    """Seconds of the traffic between accelerators that share every layer (tensor parallelism); one-way bandwidth is
    half of what data sheets print."""
    return 4 * (accelerators - 1) * batch_tokens * d_model * bytes_per_element * n_layers / one_way_bandwidth


def largest_batch(cache_bytes: Any, kv_bytes: Any, prompt_tokens: Any, generated_tokens: Any) -> Any:
    """Tokens read and written in a step by as many requests as this much cache holds, at `kv_bytes` a token.

    A request holds its prompt and on average half of its answer, writes a token a step, and is read in as it comes.
    """
    requests = cache_bytes / (kv_bytes * (prompt_tokens + generated_tokens / 2))
    return requests * (prompt_tokens + generated_tokens) / generated_tokens


def throughput_bound(flops_per_second: Any, active_params: Any) -> Any:
    """Tokens per second, read and written, where compute alone binds: the most that there can be."""
    return flops_per_second / (2 * active_params)


def step_throughput(
    batch_tokens: Any, computing: Any, memory: Any = 0.0, network: Any = 0.0, *, overlapped: bool = True
) -> Any:
    """Tokens per second of steps that take so many seconds of each kind: the longest of them, or all in turn."""
    xp = _namespace(computing, memory, network)
    seconds = xp.maximum(xp.maximum(computing, memory), network) if overlapped else computing + memory + network
    return batch_tokens / seconds


def requests_per_second(tokens_per_second: Any, prompt_tokens: Any, generated_tokens: Any) -> Any:
    """Requests per second at a throughput that counts prompts as well."""
    return tokens_per_second / (prompt_tokens + generated_tokens)


# --- Time and money ---------------------------------------------------------------------------------------------------


def seconds(flops: Any, flops_per_second: Any, utilisation: Any = 1.0) -> Any:
    """Seconds of so many FLOPs (or eFLOPs) on hardware of that peak, used at that share of it."""
    return flops / (flops_per_second * utilisation)


def accelerator_hours(seconds: Any, accelerators: Any = 1) -> Any:
    """Hours of all accelerators together."""
    return seconds * accelerators / 3600


def dollars(hours: Any, dollars_per_hour: Any) -> Any:
    """Price of so many accelerator-hours."""
    return hours * dollars_per_hour


def dollars_per_million_tokens(tokens_per_second: Any, dollars_per_hour: Any) -> Any:
    """Price of a million tokens; throughput and price are both of one accelerator, or both of all."""
    return 1e6 * dollars_per_hour / (3600 * tokens_per_second)


def _namespace(*values: Any) -> Any:
    """jax.numpy where an argument is JAX's, else NumPy, which keeps 64 bits whatever the user's JAX settings."""
    return jnp if any(isinstance(value, jax.Array) for value in values) else np
