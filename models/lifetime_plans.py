"""One budget for training a model and for answering all its questions with it, so many samples each."""

from dataclasses import replace
from typing import Any

from bayeslaw._costs import generation_flops, training_flops
from bayeslaw._decision import Decision, LogRange
from bayeslaw._tree import evaluate


def _tokens(params: Any, samples: Any, total_flops: Any, queries: Any, sample_tokens: Any) -> dict[str, Any]:
    """The tokens that are left for training once all answers are paid for; below zero where none are."""
    inference = generation_flops(params, queries * samples * sample_tokens)
    training = total_flops - inference
    tokens = training / training_flops(params, 1.0)
    return {"tokens": tokens, "inference_share": inference / total_flops}


lifetime = Decision(
    question="One budget for training and all queries, so many samples each: how large a model, on how many tokens?",
    choose={"params": LogRange(1e6, 1e14)},
    given=("total_flops", "queries", "samples", "sample_tokens"),
    derive=_tokens,
    report=("params", "tokens", "tokens_per_param", "inference_share"),
)
"""For any law that reads params, tokens and samples. Attention and the prompts are left out of the bill."""
lifetime_samples = replace(
    lifetime,
    question="One budget for training and for all queries: how large a model, how many tokens and samples per query?",
    choose={"params": LogRange(1e6, 1e14), "samples": LogRange(1.0, 1e4)},
    given=("total_flops", "queries", "sample_tokens"),
    report=("params", "tokens", "tokens_per_param", "samples", "inference_share"),
)


def covered(decision: Decision) -> Decision:
    """The same for the highest response, such as coverage."""
    return replace(decision, objective=lambda law, plan: -evaluate(law, plan))
