"""The metrics of OptimalThinkingBench (Aggarwal et al. 2025, arXiv 2508.13141), as plain functions."""

from typing import Any

import numpy as np

from bayeslaw._errors import InputError

WINDOW = 1000.0  # tokens; the default of the authors' script, 100, is not what the paper uses


def auc_oaa(correct: Any, thought: Any, window: float = WINDOW) -> float:
    """Area under overthinking-adjusted accuracy, of easy questions: the mean of correct max(0, 1 - thought / window).

    That is the integral over t up to the window of the share of questions that are right with fewer than t tokens of
    thinking, over the window. Whatever is thought beyond it makes no difference. Raises `InputError` for tables that
    cannot be.
    """
    right, tokens = np.broadcast_arrays(np.asarray(correct, dtype=float), np.asarray(thought, dtype=float))
    if not ((right >= 0) & (right <= 1) & (tokens >= 0)).all() or not (window > 0 and right.size):
        raise InputError("needs questions that are right or not (0 to 1), tokens of at least 0 and a window above 0.")
    return float((right * np.maximum(0.0, 1 - tokens / window)).mean())


def f1(auc: Any, accuracy: Any) -> Any:
    """2 auc accuracy / (auc + accuracy): of the easy part's area and the hard part's accuracy, both in the same unit.

    A mean of two aggregates: average neither it over questions nor its parts over draws.
    """
    return 2 * auc * accuracy / (auc + accuracy + 1e-300)
