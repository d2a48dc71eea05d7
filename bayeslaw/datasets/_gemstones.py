"""The loss curves of Gemstones: 22 models, width by depth."""

import pandas as pd

from bayeslaw.datasets._store import Remote, converted, fetch

_LINES = Remote(
    "gemstones/wandb_df_for_fitting_hot_100b+_477.jsonl",
    "mcleish7/gemstone-scaling-laws/5f420478f6057b0cbb4d13405fb10ca64675bccb/wandb_dfs",
    "c7a56e023c2cee6be296defc284126778c62387023a6e0c01e57599999591f5d",
)
_TABLE = ("gemstones/hot_100b_plus.csv", "8651b819123613843452445aef2dd88f676a4127027d8fad6e79016cf6566f6a")


def fetch_gemstones() -> pd.DataFrame:
    """3850 checkpoints of the 22 models of McLeish et al. 2025, Gemstones (arXiv 2502.06857, MIT): width by depth.

    Columns: run, params, tokens, batch_tokens (4,194,304 in all), d_model, n_layers, loss (nats per token). Constant
    learning rate, neither swept nor given, no cool-down; no flag diverged, for none did. Checkpoints of a run are not
    independent: 22 curves, not 3850 points. Downloaded on first use. Raises `InputError` when it is neither cached nor
    reachable.
    """
    table = converted(*_TABLE)
    raw = pd.read_csv(table) if table is not None else pd.read_json(fetch(_LINES), lines=True)
    columns = {
        "run": raw["run_name"],
        "params": raw["params_active_precise"].astype(float),
        "tokens": raw["tokens"].astype(float),
        "batch_tokens": raw["tokens"] / raw["step"],
        "d_model": raw["width"],
        "n_layers": raw["depth"],
        "loss": raw["final_loss"],
    }
    return pd.DataFrame(columns)
