"""Public data, by verb: `load_*` ships with the package, `fetch_*` downloads once, `make_*` simulates.

Every data set has a card (`card("chinchilla")`): what a row is, units, source, licence, known defects.
Downloads go to the user's cache folder, or to the folder named by the environment variable `BAYESLAW_DATA`,
are checked against a SHA-256 and used from there afterwards, without network. Suspicious rows are
flagged in a column (`outlier`, `diverged`, `doubtful`, `missing`), never dropped.
"""

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from bayeslaw._errors import InputError

# Where each folder of the cache comes from: repository, commit and folder on GitHub.
_SOURCES = {
    "chinchilla_epoch": "epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e/data",
    "gemstones": "mcleish7/gemstone-scaling-laws/5f420478f6057b0cbb4d13405fb10ca64675bccb/wandb_dfs",
    "misfitting": "hadasah/scaling_laws/1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1/data",
    "porian": "formll/resolving-scaling-law-discrepancies/0dc60d91b8a525858a3067fc9e4a46ff5374cc6f/data",
    "steplaw": "step-law/steplaw/32a8f4cc50247695fb56cc6c9117abdf67c97763/data",
}

# The SHA-256 of every file that is downloaded, by its place in the cache. The order of Porian's is that of the rows.
_SHA256 = {
    "chinchilla_epoch/svg_extracted_data.csv": "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
    "gemstones/wandb_df_for_fitting_hot_100b+_477.jsonl": (
        "c7a56e023c2cee6be296defc284126778c62387023a6e0c01e57599999591f5d"
    ),
    "misfitting/scaling_results.csv": "193b4b7665365112605417e2ef06d55efe599cfa08412354e3ae42c3af7a9f58",
    "misfitting/scaling_results_last_ckpt_only.csv": "cd96b9eb8e5b2adc80e6739a642dd8554590edc96234d36859ab6ed0f5c30562",
    "porian/summary_df.pickle.xz": "afbf07ec92d23182f56a44dd43599f2a7e9716fd70492fbc0a35f6093272b74f",
    "porian/summary_df_owt2.pickle.xz": "7aed67d1ad9bc1d7b0518e3814cee1129216b423b4538d4b724873dd670cff30",
    "porian/summary_df_att.pickle.xz": "40218b8320817bf3c34f82c57aaa28c53ccb5feb9bb3928ee6fc70868ac22af7",
    "porian/summary_df_kaplan_tuned_hparams.pickle.xz": (
        "09b6b91c9c6fa0e4c2684dcbed82475ee62d6c4fc60db5ca2ce5653b08f0ae55"
    ),
    "steplaw/dense_lr_bs_loss.csv": "9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c",
    "steplaw/moe_lr_bs_loss.csv": "653d585244a7b227423007e8b796bc16d76f6d24eb87b1919b8f048a91897b92",
}

# The same figures already turned into a CSV table, used in place of the download when they lie in the cache.
_CONVERTED = {
    "gemstones/hot_100b_plus.csv": "8651b819123613843452445aef2dd88f676a4127027d8fad6e79016cf6566f6a",
    "porian/runs_isoflop.csv": "f49ae9fa7f4656f487c530321b24a50fc02f7bf72d181b557de9a6ddd7c6f75c",
}

DATASETS = {
    "chinchilla": "load_chinchilla",
    "chinchilla_epoch": "fetch_chinchilla_epoch",
    "chinchilla_simulated": "make_chinchilla",
    "gemstones": "fetch_gemstones",
    "misfitting": "fetch_misfitting",
    "porian": "fetch_porian",
    "steplaw_dense": "fetch_steplaw_dense",
    "steplaw_heldout": "load_steplaw_heldout",
    "steplaw_moe": "fetch_steplaw_moe",
}
"""Data set by name, and the function that gives it."""


def card(name: str) -> str:
    """The card of a data set, as Markdown. Raises `InputError` for an unknown name."""
    path = files("bayeslaw") / "_data" / f"{name}.md"
    if name not in DATASETS or not path.is_file():
        raise InputError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}.")
    return path.read_text(encoding="utf-8")


def load_chinchilla() -> pd.DataFrame:
    """234 runs of Hoffmann et al. 2022, digitised from Figure 4 by K. Takano (Apache-2.0).

    Columns: params (count, embeddings included), tokens (count), flops, loss (nats per token). Ships with the
    package. Read from a colour scale: losses are good to about 0.01. The runs with fewer than about
    0.4 tokens per parameter are already left out by the source.
    """
    with (files("bayeslaw") / "_data" / "chinchilla.csv").open("rb") as file:
        return pd.read_csv(file)


def load_steplaw_heldout() -> pd.DataFrame:
    """117 runs of one cell that `fetch_steplaw_dense` lacks: 1.07 B parameters, 100 B tokens (PlanarG/active-sl, MIT).

    Columns: nonembedding_params, tokens, lr (peak), batch_tokens, loss (nats per token, smoothed). Ships with the
    package, to judge what is predicted from the smaller runs. Best: 2.0762 at lr 1.381e-3 and 512 sequences of 2048
    tokens.
    """
    with (files("bayeslaw") / "_data" / "steplaw_heldout.csv").open("rb") as file:
        return pd.read_csv(file).astype({"nonembedding_params": float, "tokens": float, "batch_tokens": float})


def fetch_chinchilla_epoch() -> pd.DataFrame:
    """245 runs of Hoffmann et al. 2022, extracted from the SVG of Figure 4 by Epoch AI (no licence stated).

    Columns: params, tokens (= flops / (6 params)), flops, loss (nats per token), and the flag outlier: the five
    highest losses, which every published refit leaves out (`runs[~runs.outlier]` are their 240).
    Downloaded on first use. Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(_fetch("chinchilla_epoch/svg_extracted_data.csv"))
    params, flops, loss = (raw[name].to_numpy() for name in ("Model Size", "Training FLOP", "loss"))
    outlier = np.zeros(len(raw), dtype=bool)
    outlier[np.argsort(-loss, kind="stable")[:5]] = True
    columns = {"params": params, "tokens": flops / (6 * params), "flops": flops, "loss": loss, "outlier": outlier}
    return pd.DataFrame(columns)


def fetch_steplaw_dense() -> pd.DataFrame:
    """1911 dense runs of Li et al. 2025 (Step Law, arXiv 2503.04715): learning rate by batch in 17 (size, data) cells.

    Columns: nonembedding_params, tokens, lr (peak; the schedules end at 1e-5), batch_tokens, loss (final training
    loss, smoothed, nats per token), last_loss (the same, unsmoothed), d_model, d_ff, n_heads, n_layers, and the flag
    diverged (loss above 4: 181 runs). No licence is stated: downloaded on first use. Raises `InputError` when it is
    neither cached nor reachable.
    """
    return _steplaw(pd.read_csv(_fetch("steplaw/dense_lr_bs_loss.csv")))


def fetch_steplaw_moe() -> pd.DataFrame:
    """708 mixture-of-experts runs of Li et al. 2025 (Step Law, arXiv 2503.04715) in 16 (active size, data) cells.

    Columns as `fetch_steplaw_dense` gives them (no run diverged; d_ff is the width of the one dense layer), and
    active_params (used per token), experts and experts_per_token. No licence is stated: downloaded on first use.
    Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(_fetch("steplaw/moe_lr_bs_loss.csv"))
    return _steplaw(raw).assign(
        active_params=raw["Na"].astype(float), experts=raw["nume"], experts_per_token=raw["topk"]
    )


def _steplaw(raw: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "nonembedding_params": raw["N"].astype(float),
        "tokens": raw["D"].astype(float),
        "lr": raw["lr"],
        "batch_tokens": raw["bs"] * 2048.0,  # sequences of 2048 tokens
        "loss": raw["smooth loss"],
        "last_loss": raw["loss"],
        "d_model": raw["h"],
        "d_ff": raw["ffnh"],
        "n_heads": raw["numh"],
        "n_layers": raw["numl"],
        "diverged": raw["smooth loss"] > 4.0,  # no run ends between 3.16 and 4.17
    }
    return pd.DataFrame(columns)


def fetch_misfitting(*, checkpoints: bool = False) -> pd.DataFrame:
    """261 runs of Li et al. 2025, (Mis)Fitting Scaling Laws (arXiv 2502.18969): 1 to 4 learning rates a cell.

    Columns: params, nonembedding_params, tokens, lr (peak), batch_tokens (1,048,576 in all), flops, loss (C4, nats
    per token), sweep, and the flag doubtful: 42 rows of one sweep hold 21 runs twice, some under two learning rates.
    There is no flag diverged: no run did, the worst ends 11 % above the best of its cell. With `checkpoints` all 4852
    checkpoints, doubtful too where they go beyond the plan, and planned_tokens. No licence is stated: downloaded on
    first use. Raises `InputError` when it is neither cached nor reachable.
    """
    name = "scaling_results.csv" if checkpoints else "scaling_results_last_ckpt_only.csv"
    raw = pd.read_csv(_fetch(f"misfitting/{name}"))
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


def fetch_gemstones() -> pd.DataFrame:
    """3850 checkpoints of the 22 models of McLeish et al. 2025, Gemstones (arXiv 2502.06857, MIT): width by depth.

    Columns: run, params, tokens, batch_tokens (4,194,304 in all), d_model, n_layers, loss (nats per token). Constant
    learning rate, neither swept nor given, no cool-down; no flag diverged, for none did. Checkpoints of a run are not
    independent: 22 curves, not 3850 points. Downloaded on first use. Raises `InputError` when it is neither cached nor
    reachable.
    """
    converted = _converted("gemstones/hot_100b_plus.csv")
    if converted is not None:
        raw = pd.read_csv(converted)
    else:
        raw = pd.read_json(_fetch("gemstones/wandb_df_for_fitting_hot_100b+_477.jsonl"), lines=True)
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


def fetch_porian() -> pd.DataFrame:
    """1748 points of Porian et al. 2024 (arXiv 2406.19146): loss against size at fixed compute, in 15 settings.

    Columns: source (file), dataset (rw RefinedWeb, owt2 OpenWebText2), hparams (base, tuned), warmup (long, short),
    decay (kaplan, chinchilla, const), param_count (kaplan: without the head; standard: with it; attention: with
    attention's FLOPs too), val (train or val loss), flops, params (counted that way), tokens, loss (nats per token),
    and the flag missing (3 budgets without a figure). The repository has the text of an MIT licence. Downloaded on
    first use, as pickles read with an unpickler that admits tables and arrays only. Raises `InputError` when it is
    neither cached nor reachable.
    """
    converted = _converted("porian/runs_isoflop.csv")
    if converted is not None:
        found = pd.read_csv(converted).rename(columns={"n": "params"})
    else:
        names = [name for name in _SHA256 if name.startswith("porian/")]
        tables = [_flatten_porian(_read_tables(_fetch(one)), Path(one).name.split(".")[0]) for one in names]
        found = pd.concat(tables, ignore_index=True)
    return found.assign(missing=found["loss"].isna())


def _flatten_porian(settings: pd.DataFrame, source: str) -> pd.DataFrame:
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


# What a pickled table may ask for, by package: none of it reads, writes or runs anything. Whole packages would not do:
# pandas and NumPy have functions that do all three, and lead on to modules such as os.
_ADMITTED = {
    "pandas": {
        "DataFrame", "Series", "Index", "RangeIndex", "Int64Index", "UInt64Index", "Float64Index",
        "_new_Index", "BlockManager", "SingleBlockManager", "new_block", "_unpickle_block",
    },
    "numpy": {"ndarray", "dtype", "scalar", "_reconstruct", "_frombuffer"},
    "builtins": {"slice"},
}  # fmt: skip


def _read_tables(path: Path) -> pd.DataFrame:
    """A pickled table, admitting the few names that tables and arrays need and nothing else."""
    import lzma

    from pandas.compat.pickle_compat import Unpickler

    class Tables(Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if name in _ADMITTED.get(module.split(".")[0], ()):
                return super().find_class(module.replace("numpy.core", "numpy._core"), name)  # before NumPy 2
            raise InputError(f"{path.name} asks for {module}.{name}, which a table does not need; it is not read.")

    with lzma.open(path) as file:
        return Tables(file).load()


def make_chinchilla(runs: int = 240, *, seed: int = 0) -> pd.DataFrame:
    """Simulated runs from the refit of Besiroglu et al. 2024 (`Chinchilla.published()["besiroglu2024"]`).

    Budgets are spread evenly in log flops over 1e18 to 1e22, tokens per parameter over 1 to 200; noise is
    Student-t with 3 degrees of freedom and a scale of 0.4 % of the loss, as the posterior of the real runs has it.
    Columns: params, tokens, flops, loss; `attrs["simulated"]` says how they were made.
    """
    from bayeslaw._noise import StudentT
    from bayeslaw._predict import simulate
    from bayeslaw.models import Chinchilla

    if runs < 1:
        raise InputError(f"runs must be at least 1, got {runs!r}.")
    rng = np.random.default_rng(seed)
    flops = 10 ** rng.uniform(18, 22, runs)
    ratio = 10 ** rng.uniform(0, np.log10(200), runs)
    params = np.sqrt(flops / (6 * ratio))
    law = Chinchilla.published()["besiroglu2024"]
    made = simulate(law, {"params": params, "tokens": params * ratio}, noise=StudentT(df=3.0, scale=0.004), seed=seed)
    made.insert(2, "flops", flops)
    return made


def _cache() -> Path:
    import pooch

    return Path(os.environ.get("BAYESLAW_DATA") or pooch.os_cache("bayeslaw")).expanduser()


def _converted(name: str) -> Path | None:
    """The converted table if it lies in the cache and is the expected one."""
    import pooch

    path = _cache() / name
    return path if path.is_file() and pooch.file_hash(str(path)) == _CONVERTED[name] else None


def _fetch(name: str) -> Path:
    """The cached file, downloaded if need be, with its checksum enforced."""
    import pooch

    folder, file = name.split("/")
    url = f"https://raw.githubusercontent.com/{_SOURCES[folder]}/{file}"
    cache = pooch.create(
        path=_cache(), base_url="", registry={name: f"sha256:{_SHA256[name]}"}, urls={name: url}, retry_if_failed=1
    )
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        return Path(cache.fetch(name))
    except Exception as error:  # requests, OS and checksum errors alike
        target = Path(cache.abspath) / name
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{name} is not in the cache and could not be downloaded ({type(error).__name__}: {reason}). Connect to "
            f"the network once, or download {url} yourself and put it at {target}; BAYESLAW_DATA names another "
            "cache folder."
        ) from error
    finally:
        logger.setLevel(level)
