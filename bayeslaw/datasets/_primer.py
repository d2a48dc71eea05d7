"""Table 5 of So et al. 2021: architectures at equal training compute."""

import numpy as np
import pandas as pd

from bayeslaw.datasets._store import shipped


def load_primer() -> pd.DataFrame:
    """15 architectures of So et al. 2021 (arXiv 2109.08668) at two training budgets each.

    Columns: corpus (c4, pg19), params, architecture, baseline, baseline_steps (the compute, in its steps),
    relative_compute (1 at a million of them), perplexity, loss (its logarithm, nats per token), speedup (as printed; 1
    for a baseline). Ships with the package: figures printed in the paper. Compare within a corpus and a baseline.
    """
    runs = shipped("primer", ("params", "baseline_steps"))
    return runs.assign(relative_compute=runs["baseline_steps"] / 1e6, loss=np.log(runs["perplexity"]))
