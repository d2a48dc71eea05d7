"""What training and answering cost: FLOPs, bytes moved, seconds, dollars. Formulas that compose, units in names."""

from typing import Any


def training_flops(params: Any, tokens: Any) -> Any:
    """FLOPs of training, 6 params tokens: 2 for the forward pass, 4 for the backward one (Kaplan et al. 2020)."""
    return 6 * params * tokens


def generation_flops(params: Any, tokens: Any) -> Any:
    """FLOPs of reading or writing tokens, 2 params tokens, attention left out; of a mixture, the active parameters."""
    return 2 * params * tokens
