"""The runs of Muennighoff et al. 2023: training on repeated data."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_data_constrained() -> pd.DataFrame:
    """296 runs of Muennighoff et al. 2023 (arXiv 2305.16264, Apache-2.0): data seen 1 to 9000 times.

    Columns: run (name at the source), params (count), tokens (seen), unique_tokens, epochs (tokens / unique_tokens),
    loss (final, C4 validation, nats per token), and the flag in_paper_fit: the 182 runs of the published fit
    (`runs[runs.in_paper_fit]`). Ships with the package. Of the other 114, 64 repeat 16 settings with 4 seeds each.
    Runs of hundreds of epochs overfit, up to 8.1 nats in the fit and 11.0 outside.
    """
    return shipped("data_constrained", ("params", "tokens", "unique_tokens"))
