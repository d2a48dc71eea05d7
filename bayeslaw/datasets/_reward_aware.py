"""Accuracies of search with process reward models."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_reward_aware() -> pd.DataFrame:
    """80 accuracies of policies with and without search (Liu et al. 2025, arXiv 2502.06703), from three printed tables.

    Columns: table (frontier, policies, systems_7b: their settings differ, do not pool them), model (policy), params,
    tokens (of training), method (cot, majority, tts, own), samples (256 is assumed), prm (reward model by size),
    benchmark (math500, aime24), accuracy, trials (500, 30), successes (NaN where accuracy is no whole count),
    train_flops, inference_flops (as printed, of four systems). Ships with the package.
    """
    return shipped("reward_aware", ("trials",))
