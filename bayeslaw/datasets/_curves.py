"""Curves for laws of one variable: the extrapolation benchmark, and curves that rise and fall."""

import numpy as np
import pandas as pd

from bayeslaw.datasets._pickles import read_pickled
from bayeslaw.datasets._store import Remote, converted, fetch

_ORIGIN = "DongWooLee-Eli/nslpfn/10a5a60911a2a22ef453d8b4ddf1408b6a6075d9/data"
_LANGUAGE = Remote(
    "revisiting_benchmark/benchmark.lang.csv",
    _ORIGIN,
    "63c346db00a66b692e1ea9a0f71a2f2b267e55f74be5b863a92e199dffbf0983",
)
_VISION = Remote(
    "revisiting_benchmark/benchmark.vision.csv",
    _ORIGIN,
    "23b00692d71e58aa5a2a941e831d57688e0977fdcf5f5125ff7b64283b5d9e83",
)
_DESCENT = Remote(
    "double_descent/dd_data.pkl", _ORIGIN, "b2a217fd64878a915f472a951dd5d60426bd4bb8fe0536ed6148a950da082198"
)
_WIDTHS = {
    "min": Remote(
        "double_descent/min_val_loss_over_n_embd.npy",
        _ORIGIN,
        "10cd4c96b5931c2b3c022a621fba1b3c9382c9933ca1c22aa8676210b62e45c7",
    ),
    "final": Remote(
        "double_descent/final_val_loss_over_n_embd.npy",
        _ORIGIN,
        "caafc6f14b4bd91891889f85c82b6e757b89b870880b15973a73354edac33878",
    ),
}
_DESCENT_TABLE = (
    "double_descent/nakkiran_double_descent.csv",
    "bb9487f26da397b49e02bc79963e471587ec1d90f08ff4b0a707d2386dcd4d3c",
)
_WIDTHS_TABLE = (
    "double_descent/nanogpt_n_embd.csv",
    "a4c47081e58f0e1f7483eb562dfa50d4fe8100425a478f5dd4dec722cdfdec53",
)
_WIDTH = [6, 12, 24, 48, 96, 192, 384]  # the arrays have no axis; this is the one of the source's own reader


def fetch_learning_curves() -> pd.DataFrame:
    """20,282 points on the 92 curves of Alabdulmohsin et al. 2022 (arXiv 2209.06640, Apache-2.0), to extrapolate.

    Columns: domain (IC image classification, NMT translation, LM language modelling, BB BIG-bench), task, model,
    seen_examples (examples, or tokens in LM and BB), loss (error rate in IC, log perplexity in NMT, rescaled log loss
    in LM, score of the task in BB; all fall), train (True: to be fitted; False: further on, to judge with), and the
    flag duplicate: 687 rows of LM that repeat another exactly (`points[~points.duplicate]` has 19,595). Downloaded on
    first use. Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.concat([pd.read_csv(fetch(one)) for one in (_LANGUAGE, _VISION)], ignore_index=True)
    columns = {
        "domain": raw["Domain"],
        "task": raw["Task"],
        "model": raw["Model"],
        "seen_examples": raw["Seen Examples"],
        "loss": raw["Loss"],
        "train": raw["Training"] == 1,
    }
    points = pd.DataFrame(columns)
    return points.assign(duplicate=points.duplicated())


def fetch_double_descent() -> pd.DataFrame:
    """1097 points on 40 curves that rise and fall: Nakkiran et al. 2019 (arXiv 1912.02292), and widths of nanoGPT.

    Columns: task (name of the curve; 24 begin with nanogpt), x_label and x (model size, embedding dimension or sample
    size), y_label and y (test error, a fraction, or a loss; nats per token for nanoGPT). Gathered by Lee et al. 2025
    (arXiv 2505.23032); their repository is under the MIT licence, which says nothing on the curves of Nakkiran et al.
    Downloaded on first use: a pickle, read with an unpickler that admits tables and arrays only, and two arrays.
    Raises `InputError` when it is neither cached nor reachable.
    """
    table = converted(*_DESCENT_TABLE)
    descent = pd.read_csv(table) if table is not None else _descent(read_pickled(fetch(_DESCENT)))
    table = converted(*_WIDTHS_TABLE)
    widths = (
        pd.read_csv(table)
        if table is not None
        else pd.concat([_widths(np.load(fetch(one), allow_pickle=False), name) for name, one in _WIDTHS.items()])
    )
    named = pd.DataFrame(
        {
            "task": [f"nanogpt-{measure}-{hyper}" for measure, hyper in zip(widths.measure, widths.hyper, strict=True)],
            "x_label": "Embedding Dimension",
            "y_label": "Validation Loss",
            "x": widths["n_embd"].to_numpy(dtype=float),
            "y": widths["val_loss"].to_numpy(),
        }
    )
    return pd.concat([descent, named], ignore_index=True)


def _descent(curves: list[tuple[str, str, str, list[float], list[float]]]) -> pd.DataFrame:
    """One row per point from the published list of curves."""
    rows = [
        [task, x_label, y_label, float(x), float(y)]
        for task, x_label, y_label, xs, ys in curves
        for x, y in zip(xs, ys, strict=True)
    ]
    return pd.DataFrame(rows, columns=["task", "x_label", "y_label", "x", "y"])


def _widths(losses: np.ndarray, measure: str) -> pd.DataFrame:
    """One row per setting and width from the published array, settings by widths."""
    settings, widths = losses.shape
    columns = {
        "measure": measure,
        "hyper": np.repeat(np.arange(settings), widths),
        "n_embd": np.tile(_WIDTH, settings),
        "val_loss": losses.ravel(),
    }
    return pd.DataFrame(columns)
