"""The runs of (Mis)Fitting Scaling Laws: a few learning rates a cell."""

import pandas as pd

from bayeslaw.datasets._store import Remote, fetch

_ORIGIN = "hadasah/scaling_laws/1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1/data"
_FINISHED = Remote(
    "misfitting/scaling_results_last_ckpt_only.csv",
    _ORIGIN,
    "cd96b9eb8e5b2adc80e6739a642dd8554590edc96234d36859ab6ed0f5c30562",
)
_CHECKPOINTS = Remote(
    "misfitting/scaling_results.csv", _ORIGIN, "193b4b7665365112605417e2ef06d55efe599cfa08412354e3ae42c3af7a9f58"
)


def fetch_misfitting(*, checkpoints: bool = False) -> pd.DataFrame:
    """261 runs of Li et al. 2025, (Mis)Fitting Scaling Laws (arXiv 2502.18969): 1 to 4 learning rates a cell.

    Columns: params, nonembedding_params, tokens, lr (peak), batch_tokens (1,048,576 in all), flops, loss (C4, nats
    per token), sweep, and the flag doubtful: 42 rows of one sweep hold 21 runs twice, some under two learning rates.
    There is no flag diverged: no run did, the worst ends 11 % above the best of its cell. With `checkpoints` all 4852
    checkpoints, doubtful too where they go beyond the plan, and planned_tokens. No licence is stated: downloaded on
    first use. Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(fetch(_CHECKPOINTS if checkpoints else _FINISHED))
    batch = raw["D"] / raw["current_steps"]
    doubtful = (raw["sweep"] == "2024_11_10-23_08_29_sweep_test") | (raw["current_steps"] > raw["total_steps"])
    columns = {
        "params": raw["N"].astype(float),
        "nonembedding_params": raw["N_no_emb"].astype(float),
        "tokens": raw["D"].astype(float),
        "lr": raw["peak_lr"],
        "batch_tokens": batch,
        "flops": raw["C"].astype(float),  # some are integers above 2^63, read as objects
        "loss": raw["C4 Eval Loss"],
        "sweep": raw["sweep"],
        "doubtful": doubtful,
    }
    if checkpoints:
        columns["planned_tokens"] = raw["total_steps"] * batch
    return pd.DataFrame(columns)
