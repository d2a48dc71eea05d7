"""Around the vocabulary laws: tokens from characters, widths, the paper's approaches 1 and 2, and their decisions."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._pooled import Pooled
from bayeslaw._target import bisect
from bayeslaw._tree import as_prior, evaluate, float64, sites

LARGEST = 200_000  # entries up to which tokens per character were measured; it is held there beyond
SQUARE, LINE, LEVEL = 0.00639222, -0.15811069, 1.20470122
LIMITS = (5e7, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10, 2e10, 5e10, 1e11, 2e11, 5e11, 1e12)  # sizes up to which ...
WIDTHS = (
    512,
    768,
    1024,
    1536,
    2048,
    3200,
    4096,
    5120,
    6048,
    8192,
    12288,
    16384,
    20480,
    24576,
)  # ... a model is so wide


def tokens_per_character(vocab_size: Any) -> Any:
    """What a tokenizer of so many entries makes of a character of SlimPajama (Tao et al. 2024, fit to 24 of them)."""
    x = jnp.log(jnp.minimum(jnp.asarray(vocab_size, float), LARGEST))
    return SQUARE * x**2 + LINE * x + LEVEL


def width(nonembedding_params: Any) -> Any:
    """The width that the paper gives a model of this size."""
    return jnp.asarray(WIDTHS, float)[jnp.searchsorted(jnp.asarray(LIMITS), jnp.asarray(nonembedding_params, float))]


def by_run(law: Any, runs: Any) -> Pooled:
    """The law for checkpoints of runs named in `curve`: each has an offset, Normal(0, tau), tau HalfNormal(0.1)."""
    prior = as_prior(law)
    return Pooled(
        prior, runs, by="curve", share=tuple(name for name in sites(prior) if name != "E"),
        spread={"E": dist.HalfNormal(0.1)},
    )  # fmt: skip


@float64
def frontier(runs: pd.DataFrame, budgets: Sequence[float]) -> pd.DataFrame:
    """Approach 1: for each budget the run with the lowest loss, interpolated between its checkpoints in ln FLOPs."""
    rows = []
    for flops in budgets:
        reached = []
        for _, one in runs.sort_values("flops").groupby("curve"):
            if one.flops.iloc[0] <= flops <= one.flops.iloc[-1]:
                loss = float(np.interp(np.log(flops), np.log(one.flops), one.normalised_loss))
                reached.append((loss, one.iloc[0]))
        if reached:
            loss, run = min(reached, key=lambda found: found[0])
            kept = {name: run[name] for name in ("nonembedding_params", "vocab_size", "vocab_params")}
            rows.append({"flops": flops, "normalised_loss": loss, **kept})
    return pd.DataFrame(rows)


def cheapest_vocabulary(nonembedding_params: Any, d_model: Any) -> Array:
    """Approach 2: the entries with which the same characters take the least compute, so long as it is below 200,000."""

    def falls(x: Any) -> Array:
        vocabulary = jnp.exp(x)
        slope = (nonembedding_params + vocabulary * d_model) * (2 * SQUARE * x + LINE) / vocabulary
        return slope + tokens_per_character(vocabulary) * d_model < 0

    ones = jnp.ones_like(jnp.asarray(nonembedding_params, float))
    return jnp.exp(bisect(falls, np.log(256.0) * ones, np.log(LARGEST) * ones))


def _plan(vocab_size: Any, nonembedding_params: Any, flops: Any) -> dict[str, Any]:
    wide = width(nonembedding_params)
    layer = vocab_size * wide
    return {"d_model": wide, "vocab_params": layer, "tokens": flops / (6 * (nonembedding_params + layer))}


vocabulary = Decision(
    question="How many entries should the vocabulary of a model of this size have, for a training budget?",
    choose={"vocab_size": LogRange(256, 1e8)},
    given=("nonembedding_params", "flops"),
    derive=_plan,
    report=("vocab_size", "vocab_params", "tokens"),
)


def _entries(law: AbstractLaw, nonembedding_params: Any) -> dict[str, Any]:
    layer = evaluate(law, law.complete({"nonembedding_params": nonembedding_params}))
    return {"vocab_size": layer / width(nonembedding_params)}


vocabulary_of_size = Decision(
    question="How many entries should the vocabulary of a model of this size have, trained compute-optimally?",
    choose={"vocab_size": LogRange(256, 1e8)},
    given=("nonembedding_params",),
    derive=lambda vocab_size, nonembedding_params: {"vocab_params": vocab_size * width(nonembedding_params)},
    report=("vocab_size", "vocab_params"),
    objective=lambda law, plan: jnp.abs(
        jnp.log(plan["vocab_size"]) - jnp.log(_entries(law, plan["nonembedding_params"])["vocab_size"])
    ),
    closed_form=_entries,
)
