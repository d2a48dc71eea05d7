"""Table 2 of AgentTTS: fused samples."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_agent_tts() -> pd.DataFrame:
    """Answers fused of 1 to 90 samples of a 3 B model at three temperatures (Wang et al. 2025, arXiv 2508.00890).

    Columns: temperature, samples, successes, trials (50 questions, inferred), accuracy (their ratio, as printed). Ships
    with the package: figures printed in the paper.
    """
    table = shipped("agent_tts", ("samples", "successes", "trials"))
    return table.assign(accuracy=table["successes"] / table["trials"])
