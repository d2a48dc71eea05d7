"""The public models of Ruan et al. 2024: compute and benchmark scores."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_observational() -> pd.DataFrame:
    """148 public base models in 47 families, gathered by Ruan et al. 2024 (arXiv 2405.10938, Apache-2.0).

    Columns: model, family, params (count), tokens, flops (= 6 params tokens), the scores mmlu, arc_c, hellaswag,
    winograd, truthfulqa, gsm8k, xwinograd and humaneval (0 to 1), the tasks parsinlu_qa, word_unscrambling,
    ipa_transliterate, arithmetic_3ds, arithmetic_3da, arithmetic_2dm and arithmetic_2da (0 to 1) and
    ipa_transliterate_bleu (0 to 100), known for at most 84 models, and the flag doubtful: btlm-3b-8k-base, whose
    tokens and flops are 1000 times too high. Ships with the package. Unknown values are NaN: 25 models lack tokens
    and flops.
    """
    return shipped("observational", ("params", "tokens", "flops"))
