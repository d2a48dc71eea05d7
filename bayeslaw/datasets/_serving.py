"""Throughput of four serving engines."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_serving() -> pd.DataFrame:
    """Four engines serving LLaMA-2-70B on eight A100 (Zhu et al. 2024, arXiv 2408.12757).

    Columns: method (vllm, deepspeed, tensorrt-llm, nanoflow), model, accelerator, accelerators, active_params,
    peak_flops (data sheet), memory_ratio, network_ratio, fraction (of the paper's optimum, as printed), throughput
    (tokens/s of one accelerator, prompts counted). Ships with the package: figures printed in the paper.
    """
    return shipped("serving", ("accelerators",))
