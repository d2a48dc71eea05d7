"""The data sets of the benchmark, each with params, tokens (or what its law reads), loss and flops."""

from collections.abc import Callable

import numpy as np
import pandas as pd

import bayeslaw as bl


def _named(frame: pd.DataFrame, *more: str) -> pd.DataFrame:
    frame = frame.rename(columns={"nonembedding_params": "params"} if "params" not in frame else {})
    frame = frame.assign(flops=6.0 * frame.params * frame.tokens)
    return frame[["params", "tokens", *more, "loss", "flops"]].reset_index(drop=True)


def chinchilla() -> pd.DataFrame:
    return _named(bl.load_chinchilla())


def data_constrained() -> pd.DataFrame:
    """The runs that saw every token once."""
    return _named(bl.load_data_constrained().query("epochs <= 1 and in_paper_fit"))


def farseer() -> pd.DataFrame:
    return _named(bl.fetch_farseer().query("not duplicate"))


def gemstones() -> pd.DataFrame:
    """Twelve checkpoints of each of the 22 models, at the same tokens; checkpoints of a model are one run."""
    runs = bl.fetch_gemstones()
    wanted = np.geomspace(runs.tokens.min(), runs.tokens.max(), 12)
    steps = np.unique(np.abs(runs.tokens.to_numpy()[:, None] - wanted).argmin(axis=0))
    kept = runs[runs.tokens.isin(runs.tokens.iloc[steps])]
    return _named(kept.assign(group=kept.run), "group")


def misfitting() -> pd.DataFrame:
    """The best of the learning rates of each cell."""
    runs = bl.fetch_misfitting().query("not doubtful")
    return _named(runs.sort_values("loss").groupby(["params", "tokens"], as_index=False).first())


def overtraining(corpus: str) -> Callable[[], pd.DataFrame]:
    return lambda: _named(bl.load_overtraining().query(f"corpus == {corpus!r} and tokens >= 10 * params"))


def porian() -> pd.DataFrame:
    """RefinedWeb, tuned hyperparameters, head counted, at least three tokens per parameter."""
    runs = bl.fetch_porian().query("dataset == 'rw' and hparams == 'tuned' and val == 'val' and not missing")
    kinds = runs.param_count.unique()
    runs = runs[runs.param_count == ("standard" if "standard" in kinds else kinds[0])]
    return _named(runs[runs.tokens >= 3 * runs.params])


def routed_lms() -> pd.DataFrame:
    """Dense models and those routed by S-BASE, all on the same tokens; the law reads params and experts."""
    runs = bl.load_routed_lms().query("in_main_law and router in ('Dense', 'S-Base')")
    return _named(runs.assign(tokens=130e9), "experts")


def steplaw() -> pd.DataFrame:
    """The best of the hyperparameters of each cell."""
    runs = bl.fetch_steplaw_dense().query("not diverged")
    return _named(runs.sort_values("loss").groupby(["nonembedding_params", "tokens"], as_index=False).first())


DATA: dict[str, Callable[[], pd.DataFrame]] = {
    "chinchilla": chinchilla,
    "data_constrained": data_constrained,
    "farseer": farseer,
    "gemstones": gemstones,
    "misfitting": misfitting,
    "overtraining_c4": overtraining("c4"),
    "overtraining_redpajama": overtraining("redpajama"),
    "overtraining_refinedweb": overtraining("refinedweb"),
    "porian": porian,
    "routed_lms": routed_lms,
    "steplaw": steplaw,
}
DEVELOPMENT = ("chinchilla", "farseer", "misfitting", "overtraining_redpajama", "porian")
"""Every other one by name of the ten that have params and tokens: choices were made on these. The rest is reported
beside them and was looked at once, when the choices had been made."""
