"""The runs of Hoffmann et al. 2022, read from a figure twice and simulated once."""

import numpy as np
import pandas as pd

from bayeslaw._errors import InputError
from bayeslaw.datasets._store import Remote, fetch, shipped

_EPOCH = Remote(
    "chinchilla_epoch/svg_extracted_data.csv",
    "epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e/data",
    "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
)


def load_chinchilla() -> pd.DataFrame:
    """234 runs of Hoffmann et al. 2022, digitised from Figure 4 by K. Takano (Apache-2.0).

    Columns: params (count, embeddings included), tokens (count), flops, loss (nats per token). Ships with the
    package. Read from a colour scale: losses are good to about 0.01. The runs with fewer than about
    0.4 tokens per parameter are already left out by the source.
    """
    return shipped("chinchilla")


def fetch_chinchilla_epoch() -> pd.DataFrame:
    """245 runs of Hoffmann et al. 2022, extracted from the SVG of Figure 4 by Epoch AI (no licence stated).

    Columns: params, tokens (= flops / (6 params)), flops, loss (nats per token), and the flag outlier: the five
    highest losses, which every published refit leaves out (`runs[~runs.outlier]` are their 240).
    Downloaded on first use. Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(fetch(_EPOCH))
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
