"""Public data, by verb: `load_*` ships with the package, `fetch_*` downloads once, `make_*` simulates.

Every data set has a card (`card("chinchilla")`): what a row is, units, source, licence, known defects.
Downloads go to the user's cache folder, or to the folder named by the environment variable `BAYESLAW_DATA`,
are checked against a SHA-256 and used from there afterwards, without network. Suspicious rows are
flagged in a column (`outlier`), never dropped.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from bayeslaw._errors import InputError

_REMOTE = {
    "chinchilla_epoch/svg_extracted_data.csv": (
        "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/"
        "92258837425e1b5f2851d624287f0120583a3d0e/data/svg_extracted_data.csv",
        "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
    ),
}

DATASETS = {
    "chinchilla": "load_chinchilla",
    "chinchilla_epoch": "fetch_chinchilla_epoch",
    "chinchilla_simulated": "make_chinchilla",
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


def _fetch(name: str) -> Path:
    """The cached file, downloaded if need be, with its checksum enforced."""
    import pooch

    url, digest = _REMOTE[name]
    folder, file = name.split("/")
    cache = pooch.create(
        path=pooch.os_cache("bayeslaw"), base_url="", env="BAYESLAW_DATA", registry={name: f"sha256:{digest}"},
        urls={name: url}, retry_if_failed=1,
    )  # fmt: skip
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        return Path(cache.fetch(name))
    except Exception as error:  # requests, OS and checksum errors alike
        target = Path(cache.abspath) / folder / file
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{name} is not in the cache and could not be downloaded ({type(error).__name__}: {reason}). Connect to "
            f"the network once, or download {url} yourself and put it at {target}; BAYESLAW_DATA names another "
            "cache folder."
        ) from error
    finally:
        logger.setLevel(level)
