"""The runs of Step Law: learning rate by batch, dense and mixtures of experts, and one larger cell held out."""

import pandas as pd

from bayeslaw.datasets._store import Remote, fetch, shipped

_ORIGIN = "step-law/steplaw/32a8f4cc50247695fb56cc6c9117abdf67c97763/data"
_DENSE = Remote(
    "steplaw/dense_lr_bs_loss.csv", _ORIGIN, "9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c"
)
_MOE = Remote("steplaw/moe_lr_bs_loss.csv", _ORIGIN, "653d585244a7b227423007e8b796bc16d76f6d24eb87b1919b8f048a91897b92")


def load_steplaw_heldout() -> pd.DataFrame:
    """117 runs of one cell that `fetch_steplaw_dense` lacks: 1.07 B parameters, 100 B tokens (PlanarG/active-sl, MIT).

    Columns: nonembedding_params, tokens, lr (peak), batch_tokens, loss (nats per token, smoothed). Ships with the
    package, to judge what is predicted from the smaller runs. Best: 2.0762 at lr 1.381e-3 and 512 sequences of 2048
    tokens.
    """
    return shipped("steplaw_heldout", ("nonembedding_params", "tokens", "batch_tokens"))


def fetch_steplaw_dense() -> pd.DataFrame:
    """1911 dense runs of Li et al. 2025 (Step Law, arXiv 2503.04715): learning rate by batch in 17 (size, data) cells.

    Columns: nonembedding_params, tokens, lr (peak; the schedules end at 1e-5), batch_tokens, loss (final training
    loss, smoothed, nats per token), last_loss (the same, unsmoothed), d_model, d_ff, n_heads, n_layers, and the flag
    diverged (loss above 4: 181 runs). No licence is stated: downloaded on first use. Raises `InputError` when it is
    neither cached nor reachable.
    """
    return _steplaw(pd.read_csv(fetch(_DENSE)))


def fetch_steplaw_moe() -> pd.DataFrame:
    """708 mixture-of-experts runs of Li et al. 2025 (Step Law, arXiv 2503.04715) in 16 (active size, data) cells.

    Columns as `fetch_steplaw_dense` gives them (no run diverged; d_ff is the width of the one dense layer), and
    active_params (used per token), experts and experts_per_token. No licence is stated: downloaded on first use.
    Raises `InputError` when it is neither cached nor reachable.
    """
    raw = pd.read_csv(fetch(_MOE))
    return _steplaw(raw).assign(
        active_params=raw["Na"].astype(float), experts=raw["nume"], experts_per_token=raw["topk"]
    )


def _steplaw(raw: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "nonembedding_params": raw["N"].astype(float),
        "tokens": raw["D"].astype(float),
        "lr": raw["lr"],
        "batch_tokens": raw["bs"] * 2048.0,  # sequences of 2048 tokens
        "loss": raw["smooth loss"],
        "last_loss": raw["loss"],
        "d_model": raw["h"],
        "d_ff": raw["ffnh"],
        "n_heads": raw["numh"],
        "n_layers": raw["numl"],
        "diverged": raw["smooth loss"] > 4.0,  # no run ends between 3.16 and 4.17
    }
    return pd.DataFrame(columns)
