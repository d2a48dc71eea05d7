"""Where the pictures of laws are drawn: for each column the ends of its axis, and its value where it is not on one."""

from collections.abc import Mapping

import numpy as np

from bayeslaw._columns import COLUMNS, format_number

RANGES: Mapping[str, tuple[float, float, float]] = {
    "params": (1e7, 1e9, 1e12),
    "active_params": (1e8, 1e9, 1e11),
    "total_params": (1e9, 1e10, 1e12),
    "average_params": (1e7, 1e9, 1e11),
    "nonembedding_params": (1e7, 1e9, 1e12),
    "tokens": (1e9, 2e10, 1e13),
    "unique_tokens": (1e7, 2e10, 1e12),
    "flops": (1e18, 1e21, 1e26),
    "steps": (1e3, 1e4, 1e6),
    "batch_tokens": (2**15, 2**19, 2**24),
    "lr": (1e-5, 1e-3, 1e-1),
    "aspect_ratio": (10, 80, 1000),
    "ff_ratio": (1, 4, 16),
    "kv_size": (16, 64, 512),
    "loss": (2, 3, 5),
    "capability": (-1, 0, 2),
    "ensemble_size": (1, 3, 30),
    "samples": (1, 16, 1e4),
    "verifications": (1, 8, 32),
    "size_ratio": (1, 3, 30),
    "chain_ratio": (1 / 64, 1, 64),
    "prm_score": (30, 60, 90),
    "after_tokens": (10, 2000, 3e4),
    "cap_tokens": (300, 8000, 1e5),
    "inference_flops": (1e11, 1e13, 1e16),
    "activation_ratio": (0.01, 0.06, 1),
    "granularity": (1, 8, 32),
    "experts": (1, 8, 512),
    "sparsity": (0, 0.8, 0.99),
    "visual_tokens": (1, 36, 600),
    "teacher_steps": (5e3, 4e4, 3e5),
    "student_steps": (1e4, 1.2e5, 1e6),
    "datastore_tokens": (1e8, 1e11, 1e13),
    "documents": (1, 20, 1000),
    "shots": (1, 8, 256),
    "iterations": (1, 2, 30),
    "document_value": (-1, 0, 1),
    "shot_value": (-1, 0, 1),
    "generated_tokens": (100, 2000, 1e5),
    "attempts": (0, 6, 30),
    "relative_compute": (0.1, 1, 10),
    "bits": (1, 4, 16),
    "qat_fraction": (0.01, 0.3, 0.99),
    "tokens_per_byte": (3, 1000, 1e6),
    "vocab_size": (4e3, 3.3e4, 1e6),
    "d_model": (256, 1024, 16384),
    "bits_weights": (4, 8, 16),
    "bits_activations": (4, 8, 16),
    "bits_kv": (4, 8, 16),
    "bits_post": (3, 4, 8),
    "bit_operations": (1e10, 2.6e11, 1e13),
    "peak_flops": (1e14, 3e14, 2e15),
    "memory_ratio": (0.1, 0.4, 5),
    "network_ratio": (0.1, 0.3, 5),
    "upstream": (0, 0.6, 1),
    "width": (1, 4, 64),
}

# Laws whose question is not along their first column.
MAIN: Mapping[str, str] = {
    "DataConstrained": "tokens",
    "Farseer": "tokens",
    "QAT": "qat_fraction",
    "Vocabulary": "vocab_size",
    "Precision": "bits_weights",
    "PostTraining": "tokens",
    "EfficiencyLeverage": "activation_ratio",
    "FineGrainedMoE": "granularity",
    "JointMoE": "experts",
    "MoESparsity": "sparsity",
    "RoutedMoE": "experts",
    "VisualTokens": "visual_tokens",
    "TrainToTest": "samples",
    "TrainToTestCoverage": "samples",
    "CoverageBySize": "samples",
    "InferenceError": "samples",
    "OurTestTimeCompute": "samples",
    "OurRewardAware": "samples",
    "OurReasoningSparsity": "total_params",
    "OurRecallSparsity": "total_params",
    "OurRetrieval": "datastore_tokens",
    "OurDepthWidth": "aspect_ratio",
    "OurThinkingCap": "cap_tokens",
    "OurVerification": "verifications",
    "OurKinetics": "cap_tokens",
    "OurGraph": "width",
    "OurPipeline": "samples",
    "Ensemble": "ensemble_size",
}

# Values that suit one law only, and which row of those it counts is drawn, where that is not the last.
OTHERS: Mapping[str, Mapping[str, float | str]] = {
    "DataConstrained": {"unique_tokens": 1e10},
    "OurKinetics": {"after_tokens": 0, "params": 8e9},
    "OurThinkingCap": {"after_tokens": 0},
    "OurVerification": {"counted": "chosen"},
    "RoutedMoE": {"params": 1e8},
}


def ends(column: str) -> tuple[float, float]:
    low, _, high = RANGES.get(column) or _usual(column)
    return low, high


def usual(column: str) -> float:
    return (RANGES.get(column) or _usual(column))[1]


def _usual(column: str) -> tuple[float, float, float]:
    """For a column that has no row here: from the notation table, or around one."""
    known = COLUMNS.get(column)
    low, high = known.usual if known is not None else (-np.inf, np.inf)
    if known is not None and not np.isfinite([low, high]).all():
        low, high = known.low, known.high
    if not np.isfinite([low, high]).all():
        return (0.1, 1.0, 10.0)
    return (low, float(np.sqrt(low * high)) if low > 0 else (low + high) / 2, high)


def spaced(column: str, count: int = 50) -> np.ndarray:
    """Points along an axis, in equal ratios where it spans more than a factor of ten."""
    low, high = ends(column)
    return np.geomspace(low, high, count) if logarithmic(column) else np.linspace(low, high, count)


def logarithmic(column: str) -> bool:
    low, high = ends(column)
    return low > 0 and high / low > 10 and not column.startswith("bits")


def said(column: str, value: float | str) -> str:
    return f"{column} = {value if isinstance(value, str) else format_number(value, column)}"
