"""The models of Gadre et al. 2024: over-training, loss and downstream error."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_overtraining() -> pd.DataFrame:
    """104 models of Gadre et al. 2024 (arXiv 2403.08540, MIT): 3 corpora, 6 sizes, 5 to 640 tokens per parameter.

    Columns: corpus (c4, redpajama, refinedweb: trained on), params (count, embeddings included), nonembedding_params,
    tokens, loss (C4 validation, nats per token), loss_low and loss_high (95 %, bootstrap over tokens), error (share of
    wrong answers, mean of 17 tasks), error_46 (mean of all 46), the accuracies arc_easy, lambada_openai, openbook_qa
    and hellaswag_zeroshot, lr (peak), weight_decay. Ships with the package. The interval holds neither seeds nor the
    misfit of a law; the runs with 5 tokens per parameter lie off the trend of the others.
    """
    return shipped("overtraining", ("params", "nonembedding_params", "tokens"))
