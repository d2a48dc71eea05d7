"""Plans of a graph of calls: width, depth and model within a budget."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from bayeslaw import _costs as costs
from bayeslaw._decision import Choices, Decision
from bayeslaw._tree import evaluate


class Node(NamedTuple):
    """What the cost of a call asks of a model."""

    params: Any
    n_layers: Any
    d_model: Any


LLAMA3: Mapping[str, Node] = {
    "Llama-3.2-1B": Node(1.24e9, 16, 2048),
    "Llama-3.2-3B": Node(3.21e9, 28, 3072),
    "Llama-3.1-8B": Node(8.03e9, 32, 4096),
}
WIDTHS, DEPTHS = tuple(range(1, 33)), tuple(range(1, 17))


def graph_flops(width: Any, iterations: Any, node: Node, prompt_tokens: Any, generated_tokens: Any) -> Any:
    """FLOPs of `width` chains of so many calls side by side, and one call that fuses their ends; a single chain needs
    none."""
    model = (node.params, prompt_tokens, generated_tokens, node.n_layers, node.d_model)
    return width * costs.chain_flops(iterations, *model) + jnp.where(width > 1, costs.node_flops(width, *model), 0.0)


def unit_flops(node: Node, prompt_tokens: Any, generated_tokens: Any) -> Any:
    """The unit of budgets: one call of this model without parents."""
    return costs.node_flops(0, node.params, prompt_tokens, generated_tokens, node.n_layers, node.d_model)


def graph(
    models: Mapping[str, Node] = LLAMA3, widths: tuple[int, ...] = WIDTHS, depths: tuple[int, ...] = DEPTHS
) -> Decision:
    """The decision for these models; `budget_units` are calls of the first of them without parents."""
    nodes = tuple(models.values())

    def derive(law: Any, model: Any, width: Any, iterations: Any, prompt_tokens: Any, generated_tokens: Any) -> Any:
        menu = jnp.asarray([models.get(name, nodes[0]) for name in law.models], dtype=float)
        node = Node(*menu[jnp.asarray(model).astype(int)])
        cost = graph_flops(width, iterations, node, prompt_tokens, generated_tokens)
        return {"params": node.params, "cost_units": cost / unit_flops(nodes[0], prompt_tokens, generated_tokens),
                "trials": 100.0}  # fmt: skip

    return Decision(
        question="Which model, how many calls side by side and how many one after the other, within a budget?",
        choose={
            "model": Choices(tuple(models)),
            "width": Choices(widths, ordered_ends=True),
            "iterations": Choices(depths, ordered_ends=True),
        },
        given=("task", "budget_units", "prompt_tokens", "generated_tokens"),
        derive=derive,
        report=("model", "width", "iterations", "cost_units"),
        objective=_affordable,
    )


def _affordable(law: Any, plan: Mapping[str, Any]) -> Any:
    return jnp.where(plan["cost_units"] <= plan["budget_units"], -evaluate(law, plan), jnp.inf)
