"""Scores of Shao et al. 2024 without and with a datastore."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_retrieval() -> pd.DataFrame:
    """Llama-2 7B on four tasks without and with 1.44 T tokens to retrieve from (Shao et al. 2024, arXiv 2407.12854).

    Columns: task (triviaqa, nq, mmlu, medqa), params, tokens (of pre-training), datastore_tokens (0 or 1.4412e12),
    accuracy (0 to 1). Ships with the package; second-hand figures. The ends of a curve, nothing between.
    """
    return shipped("retrieval", ("params", "tokens", "datastore_tokens"))
