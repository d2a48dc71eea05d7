"""The runs of Sardana et al. 2023: small models trained for very long."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_inference_aware() -> pd.DataFrame:
    """47 runs of Sardana et al. 2023 (arXiv 2401.00448, Apache-2.0): 6 sizes, 10 to 10,000 tokens per parameter.

    Columns: params (count; 1.51e8 to 6.05e9), tokens (seen), tokens_per_param (as planned; tokens is that times
    params), loss (final training loss, smoothed, nats per token). Ships with the package. Only the smallest size goes
    beyond 1000 tokens per parameter, and the largest has one run.
    """
    return shipped("inference_aware", ("params", "tokens", "tokens_per_param"))
