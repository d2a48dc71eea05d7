"""The runs of Scaling Laws with Vocabulary: sizes by vocabularies, each with its checkpoints."""

import pandas as pd

from bayeslaw.datasets._store import Remote, fetch

_FILE = Remote(
    "vocab_scaling/exp_data.csv",
    "sail-sg/scaling-with-vocab/6701cc202af8b075a46eef8e9d263b3f2ebe012c",
    "6571e877469a44cb50b2d05e1fa485587369ee1c47941a4b3b2bfef80496f1b2",
)


def fetch_vocabulary() -> pd.DataFrame:
    """1200 checkpoints of the 60 runs of Tao et al. 2024 (arXiv 2407.13623): 6 sizes, each with 10 vocabularies.

    Columns: curve (`316M-4096`, the size without vocabulary and the vocabulary), nonembedding_params (without input and
    output layer), vocab_size, d_model, vocab_params (of the output layer), characters, tokens, flops, normalised_loss
    (loss less that of the frequencies of tokens, nats per token: comparable between vocabularies), and the flag early:
    the 146 checkpoints before 2.18e17 FLOPs, which the paper leaves out. Checkpoints of a run are not independent. No
    licence is stated: downloaded on first use. Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(fetch(_FILE))
    size, layer = raw["Non_vocab_parameters"], raw["vocab_size"] * raw["embed_dim"]
    name = (size / 1e6).round().astype(int).astype(str) + "M-" + raw["vocab_size"].astype(int).astype(str)
    columns = {
        "curve": name,
        "nonembedding_params": size.astype(float),
        "vocab_size": raw["vocab_size"].astype(float),
        "d_model": raw["embed_dim"].astype(float),
        "vocab_params": layer.astype(float),
        "characters": raw["num_characters"],
        "tokens": raw["FLOPs"] / (6 * (size + layer)),
        "flops": raw["FLOPs"],
        "normalised_loss": raw["Lossu"],
        "early": raw["FLOPs"] < 2.18e17,
    }
    return pd.DataFrame(columns)
