"""Plans of serving: which accelerators, how many, and which engine, for a demand."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp

from bayeslaw import _costs as costs
from bayeslaw._decision import Choices, Decision
from bayeslaw._tree import evaluate

ENGINES = ("vllm", "deepspeed", "tensorrt-llm", "nanoflow")
PRICES = {"A100": 1.5, "H100": 3.0, "H200": 3.8, "B200": 6.0}  # dollars an hour, round figures of ours
GROUPS = (1, 2, 4, 8)  # accelerators that share every layer


def step_ratios(
    machine: Any, group_size: Any, prompt_tokens: Any, generated_tokens: Any, *, active_params: Any, total_params: Any,
    d_model: Any, n_layers: Any, kv_bytes: Any, bytes_per_param: Any = 2,
) -> tuple[Any, Any]:  # fmt: skip
    """memory_ratio and network_ratio of steps over the largest batch whose cache fits beside the weights.

    `machine` has the fields of `Accelerator`. memory_ratio is negative where the weights alone do not fit.
    """
    free = group_size * machine.memory_bytes - bytes_per_param * total_params
    batch = costs.largest_batch(free, kv_bytes, prompt_tokens, generated_tokens)
    computing = costs.compute_seconds(batch, active_params, group_size * machine.flops)
    memory = costs.memory_seconds(machine.memory_bytes, machine.memory_bandwidth)
    one_way = group_size * machine.network_bandwidth / 2
    network = costs.network_seconds(group_size, batch, d_model, n_layers, one_way)
    return memory / computing, network / computing


def fleet(
    prices: Mapping[str, float] = PRICES, engines: tuple[str, ...] = ENGINES, *, active_params: float = 70e9,
    total_params: float = 70e9, d_model: float = 8192, n_layers: float = 80, kv_bytes: float = 327_680,
) -> Decision:  # fmt: skip
    """The decision for these prices an hour and this model; LLaMA-2-70B in 16 bits when left out.

    The capacity is that of the law in each draw: P(n accelerators of a kind suffice) is the share of draws of `within`
    that kind that need no more than n. Of two plans at one price the one with more to spare is the better. A demand or
    a price that is not known is as many scenarios.
    """
    model = {"active_params": active_params, "total_params": total_params}
    model |= {"d_model": d_model, "n_layers": n_layers, "kv_bytes": kv_bytes}
    sheets = list(costs.ACCELERATORS.values())
    hourly = [prices.get(name, float("inf")) for name in costs.ACCELERATORS]

    def derive(law: Any, accelerator: Any, group_size: Any, method: Any, requests_per_second: Any, prompt_tokens: Any,
               generated_tokens: Any) -> dict[str, Any]:  # fmt: skip
        place = jnp.asarray(accelerator).astype(int)
        fields = ("memory_bytes", "memory_bandwidth", "network_bandwidth", "flops")
        machine = SimpleNamespace(**{name: jnp.asarray([getattr(x, name) for x in sheets])[place] for name in fields})
        memory, network = step_ratios(machine, group_size, prompt_tokens, generated_tokens, **model)
        plan = {"method": method, "active_params": active_params, "peak_flops": machine.flops}
        plan |= {"memory_ratio": memory, "network_ratio": network}
        demand = requests_per_second * (prompt_tokens + generated_tokens)
        throughput = evaluate(law, plan)
        count = group_size * jnp.ceil(demand / (group_size * throughput))
        price = count * jnp.asarray(hourly)[place]
        return plan | {"accelerators": count, "dollars_per_hour": price, "load": demand / (count * throughput)}

    return Decision(
        question="Which accelerators, how many, and which engine serve a demand at the lowest price?",
        choose={
            "accelerator": Choices(tuple(prices)),
            "group_size": Choices(GROUPS),
            "method": Choices(tuple(engines)),
        },
        given=("requests_per_second", "prompt_tokens", "generated_tokens"),
        derive=derive,
        report=("accelerator", "group_size", "method", "accelerators", "dollars_per_hour"),
        objective=lambda law, plan: plan["dollars_per_hour"] * (1 + 1e-6 * plan["load"]),
    )
