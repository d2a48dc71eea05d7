"""The runs of Farseer: a grid of model sizes and tokens."""

import pandas as pd

from bayeslaw.datasets._store import Remote, fetch

_RUNS = Remote(
    "farseer/1222_full.csv",
    "xiangzezhen01/LLM-perf/243573d6c873dec1e30542a83c65e8e0919dacc1/dataset/farseer",
    "e50df0fb1d00b39161408db23c929b8c89f021121cac350beed581b5c8719307",
)


def fetch_farseer() -> pd.DataFrame:
    """404 dense runs of Li et al. 2025 (Farseer, arXiv 2506.10972): 25 sizes by 11 to 18 numbers of tokens.

    Columns: nonembedding_params, tokens, bits_per_character (English validation text, what the paper fits), loss
    (training loss, smoothed, nats per token), lr (peak) and batch_tokens (both set by Step Law, not searched), d_model,
    d_ff, n_heads, n_layers, and the flag duplicate: 4 rows that repeat an earlier run exactly (`runs[~runs.duplicate]`
    has 400). No licence is stated: downloaded on first use. Raises `InputError` when it is neither cached nor
    reachable.
    """
    raw = pd.read_csv(fetch(_RUNS))
    columns = {
        "nonembedding_params": raw["N"].astype(float),
        "tokens": raw["D"].astype(float),
        "bits_per_character": raw["L"],
        "loss": raw["smooth loss"],
        "lr": raw["lr"],
        "batch_tokens": raw["bs"] * 2048.0,  # sequences of 2048 tokens
        "d_model": raw["h"],
        "d_ff": raw["ffnh"],
        "n_heads": raw["numh"],
        "n_layers": raw["numl"],
    }
    runs = pd.DataFrame(columns)
    return runs.assign(duplicate=runs.duplicated())
