"""Plans of quantisation-aware training: how long, at how many bits, and when it costs nothing."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from bayeslaw._decision import Choices, Decision, LogRange, Range
from bayeslaw._tree import evaluate


def _phases(qat_fraction: Any, tokens: Any) -> dict[str, Any]:
    return {"qat_tokens": qat_fraction * tokens, "fp_tokens": (1 - qat_fraction) * tokens}


def _within(law: Any, bits: Any, memory_bytes: Any, tokens: Any) -> dict[str, Any]:
    params = 8 * memory_bytes / bits
    share = law.best_fraction(params, tokens, bits)
    return {"params": params, "qat_fraction": share, **_phases(share, tokens)}


def _cost(law: Any, params: Any, tokens: Any, bits: Any) -> dict[str, Any]:
    """The best plan, and its loss less that of as many tokens in full precision."""
    share = law.best_fraction(params, tokens, bits)
    plan = {"params": params, "tokens": tokens, "bits": bits, "qat_fraction": share}
    full = evaluate(law, law.complete({**plan, "qat_fraction": jnp.zeros_like(share)}))
    return {"qat_fraction": share, "quantisation_loss": evaluate(law, law.complete(plan)) - full}


def _least(column: str) -> Any:
    """The column, to be small, where quantisation costs no more than the tolerance."""

    def objective(law: Any, plan: Mapping[str, Any]) -> Any:
        return jnp.where(plan["quantisation_loss"] <= plan["tolerance"], jnp.log(plan[column]) + 1, jnp.inf)

    return objective


fraction = Decision(
    question="Which share of the tokens should be trained quantisation-aware?",
    choose={"qat_fraction": Range(0.0005, 0.9995)},
    given=("params", "tokens", "bits"),
    derive=_phases,
    report=("qat_fraction", "qat_tokens", "fp_tokens"),
    closed_form=lambda law, params, tokens, bits: {"qat_fraction": law.best_fraction(params, tokens, bits)},
)
bit_width = Decision(
    question="How many bits per weight, and so how many weights, give the lowest loss in so much memory?",
    choose={"bits": Choices((1, 2, 4, 6))},
    given=("memory_bytes", "tokens"),
    derive=_within,
    report=("bits", "params", "qat_fraction", "qat_tokens"),
)
"""The menu is the paper's; the share of QAT is the best for each width. P(4 bits) is the share of draws with 4."""
match_bits = Decision(
    question="What is the least number of bits that costs no more than the tolerance over full precision?",
    choose={"bits": Choices((1, 2, 3, 4, 5, 6))},
    given=("params", "tokens", "tolerance"),
    derive=_cost,
    report=("bits", "qat_fraction", "quantisation_loss"),
    objective=_least("bits"),
)
"""P(4 bits are enough) is the share of draws with at most 4; NaN are those in which 6 are not."""
match_tokens = Decision(
    question="What is the least number of tokens at which so few bits cost no more than the tolerance?",
    choose={"tokens": LogRange(1e8, 1e16)},
    given=("params", "bits", "tolerance"),
    derive=_cost,
    report=("tokens", "qat_fraction", "quantisation_loss"),
    objective=_least("tokens"),
)
"""Against full precision with as many tokens. NaN are the draws in which what bits cost whatever the tokens is more."""
