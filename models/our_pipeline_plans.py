"""Plans of a pipeline: model and samples of each stage within one budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from bayeslaw import _costs as costs
from bayeslaw._decision import Choices, Decision
from bayeslaw._errors import InputError
from bayeslaw._tree import evaluate

LLAMA3: Mapping[str, float] = {"Llama-3-3B": 3e9, "Llama-3-8B": 8e9, "Llama-3-70B": 70e9}  # parameters
SAMPLES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 100)
TWO_WIKI = ((2048, 128), (256, 64))  # tokens of prompt and answer of its stages (Table 4)
CHATDEV = ((1024, 1024), (1024, 512), (1024, 256))


def pipeline(
    models: Mapping[str, float] = LLAMA3,
    tokens: Sequence[tuple[float, float]] = TWO_WIKI,
    samples: Sequence[float] = SAMPLES,
) -> Decision:
    """The decision for these models and stages, `tokens` of prompt and answer each; 2Wiki's two when left out.

    Every plan is tried: with M models and K numbers of samples (M K)^stages of them, 1,521 for two stages as it stands.
    For three stages give fewer, as (1, 5, 20, 80): 1,728. A stage at its best leaves budget unspent.
    """
    count = len(tokens)
    if not 1 <= count <= 3:
        raise InputError(f"a pipeline has one to three stages; got tokens of {count}.")

    def plan(law: Any, choice: Mapping[str, Any]) -> dict[str, Any]:
        sizes, total, upstream, row = jnp.asarray([models.get(name, jnp.nan) for name in law.models]), 0.0, 0.6, {}
        for i, (prompt, written) in enumerate(tokens):
            model, drawn = choice[f"model_{i + 1}"], choice[f"samples_{i + 1}"]
            params = sizes[jnp.asarray(model).astype(int)]
            total = total + costs.stage_units(params, prompt, written, drawn)
            row = {"subtask": float(i), "model": model, "params": params, "samples": drawn, "upstream": upstream}
            upstream = evaluate(law, row)
        return {**row, "cost_units": total, "trials": 100.0}

    if count == 1:
        derive = lambda law, model_1, samples_1: plan(law, {"model_1": model_1, "samples_1": samples_1})
    elif count == 2:
        derive = lambda law, model_1, samples_1, model_2, samples_2: plan(
            law, {"model_1": model_1, "samples_1": samples_1, "model_2": model_2, "samples_2": samples_2}
        )
    else:
        derive = lambda law, model_1, samples_1, model_2, samples_2, model_3, samples_3: plan(
            law,
            {
                "model_1": model_1, "samples_1": samples_1, "model_2": model_2, "samples_2": samples_2,
                "model_3": model_3, "samples_3": samples_3,
            },
        )  # fmt: skip
    choose: dict[str, Choices] = {}
    for i in range(count):
        choose |= {f"model_{i + 1}": Choices(tuple(models)), f"samples_{i + 1}": Choices(tuple(samples))}
    return Decision(
        question="Which model and how many samples in each stage, within one budget?",
        choose=choose,
        given=("budget_units",),
        derive=derive,
        report=(*choose, "upstream", "cost_units"),
        objective=_affordable,
    )


def _affordable(law: Any, plan: Mapping[str, Any]) -> Any:
    return jnp.where(plan["cost_units"] <= plan["budget_units"], -evaluate(law, plan), jnp.inf)
