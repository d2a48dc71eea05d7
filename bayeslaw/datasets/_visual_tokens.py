"""The scores of Li et al. 2024: size of the language model by number of visual tokens."""

import re

import pandas as pd

from bayeslaw.datasets._store import Remote, converted, fetch, shipped

_VALUES = Remote(
    "llava_token_compression/values.py",
    "locuslab/llava-token-compression/bdedebdf8f4bf7a48c916357ec1dc5dc2720b606/scaling_law_code",
    "396fa38212a3899873931f43e27840330f592e9845ab50abec32ee15d12ab0f8",
)
_TABLE = (
    "llava_token_compression/scores.csv",
    "e3ac308a136bab43963a7b91eb579e247421f81e97bd74de3a8b5a49a63b031c",
)
_TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)


def load_visual_tokens() -> pd.DataFrame:
    """28 models of Li et al. 2024 (arXiv 2411.03312): 4 language models, 1 to 576 visual tokens, visual reasoning.

    Columns: params (of the language model), visual_tokens, score (mean over benchmarks, 0 to 1), error (1 - score).
    Ships with the package: figures typed from a repository that states no licence. One number per cell, no repeats.
    """
    runs = shipped("visual_tokens", ("params", "visual_tokens"))
    return runs.assign(error=1 - runs["score"])


def fetch_visual_tokens_ocr() -> pd.DataFrame:
    """The same 28 models on benchmarks that ask to read text off an image.

    Columns as in `load_visual_tokens`, and the flag doubtful: 7 B at 576 tokens, a copy of the figure of 4 B. No
    licence is stated: downloaded on first use. Raises `InputError` when it is neither cached nor reachable.
    """
    table = converted(*_TABLE)
    if table is not None:
        found = pd.read_csv(table).query("benchmark == 'ocr'")
        runs = pd.DataFrame(
            {"params": 1e9 * found["llm_params_b"], "visual_tokens": found["visual_tokens"], "score": found["score"]}
        ).reset_index(drop=True)
    else:
        runs = _read(fetch(_VALUES).read_text(encoding="utf-8"))
    runs = runs.astype(float)
    return runs.assign(error=1 - runs["score"], doubtful=(runs["params"] == 7e9) & (runs["visual_tokens"] == 576))


def _read(text: str) -> pd.DataFrame:
    """The lists of scores, one per size, in the comments below the heading of these tasks."""
    lists = re.findall(r'scores\["([\d.]+)"\]\s*=\s*\[([^\]]*)\]', text.partition("#OCR tasks")[2])
    rows = [
        (1e9 * float(size), tokens, float(score))
        for size, scores in lists
        for tokens, score in zip(_TOKENS, scores.split(","), strict=True)
    ]
    return pd.DataFrame(rows, columns=["params", "visual_tokens", "score"])
