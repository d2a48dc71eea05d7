"""The points of Porian et al. 2024: loss against size at fixed compute."""

from pathlib import Path

import numpy as np
import pandas as pd

from bayeslaw.datasets._pickles import read_pickled
from bayeslaw.datasets._store import Remote, converted, fetch

_ORIGIN = "formll/resolving-scaling-law-discrepancies/0dc60d91b8a525858a3067fc9e4a46ff5374cc6f/data"
_PICKLES = [  # their order is that of the rows
    Remote(f"porian/{name}.pickle.xz", _ORIGIN, sha256)
    for name, sha256 in {
        "summary_df": "afbf07ec92d23182f56a44dd43599f2a7e9716fd70492fbc0a35f6093272b74f",
        "summary_df_owt2": "7aed67d1ad9bc1d7b0518e3814cee1129216b423b4538d4b724873dd670cff30",
        "summary_df_att": "40218b8320817bf3c34f82c57aaa28c53ccb5feb9bb3928ee6fc70868ac22af7",
        "summary_df_kaplan_tuned_hparams": "09b6b91c9c6fa0e4c2684dcbed82475ee62d6c4fc60db5ca2ce5653b08f0ae55",
    }.items()
]
_TABLE = ("porian/runs_isoflop.csv", "f49ae9fa7f4656f487c530321b24a50fc02f7bf72d181b557de9a6ddd7c6f75c")


def fetch_porian() -> pd.DataFrame:
    """1748 points of Porian et al. 2024 (arXiv 2406.19146): loss against size at fixed compute, in 15 settings.

    Columns: source (file), dataset (rw RefinedWeb, owt2 OpenWebText2), hparams (base, tuned), warmup (long, short),
    decay (kaplan, chinchilla, const), param_count (kaplan: without the head; standard: with it; attention: with
    attention's FLOPs too), val (train or val loss), flops, params (counted that way), tokens, loss (nats per token),
    and the flag missing (3 budgets without a figure). The repository has the text of an MIT licence. Downloaded on
    first use, as pickles read with an unpickler that admits tables and arrays only. Raises `InputError` when it is
    neither cached nor reachable.
    """
    table = converted(*_TABLE)
    if table is not None:
        found = pd.read_csv(table).rename(columns={"n": "params"})
    else:
        tables = [_flatten(read_pickled(fetch(one)), Path(one.place).name.split(".")[0]) for one in _PICKLES]
        found = pd.concat(tables, ignore_index=True)
    return found.assign(missing=found["loss"].isna())


def _flatten(settings: pd.DataFrame, source: str) -> pd.DataFrame:
    """One row per model and budget from the published table of settings, whose cells are tables of arrays."""
    labels = ["dataset", "hparams", "warmup", "decay", "param_count", "val"]
    sizes = ["orig_n", "orig_t", "orig_loss"]
    rows = []
    for setting in settings.to_dict("records"):
        for budget in setting["data"].to_dict("records"):
            first = [source, *(setting[one] for one in labels), float(budget["flops"])]
            # a budget that too few models reach has a NaN for an array
            rows += [[*first, *point] for point in zip(*(np.atleast_1d(budget[one]) for one in sizes), strict=True)]
    found = pd.DataFrame(rows, columns=["source", *labels, "flops", "params", "tokens", "loss"])
    return found.astype({"params": float, "tokens": float, "loss": float})
