"""Shapes of Transformers: how many parameters they have, and which there are. As `bl.shapes`.

Decoders as they are built today: attention, with shared keys and values or without, and feed-forward layers, gated or
not, dense or a mixture of experts of which a token uses a few. Anything else is a table that you make.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._columns import format_number, parse_number
from bayeslaw._errors import InputError

_MOST = 20_000_000  # widths times depths that are tried


def count(
    n_layers: Any,
    d_model: Any,
    n_heads: Any,
    d_ff: Any,
    vocab_size: Any,
    *,
    kv_heads: Any = None,
    head_dim: Any = None,
    gated: bool = True,
    tied: bool = False,
    biases: bool = False,
    positions: Any = 0,
    experts: Any = 1,
    experts_per_token: Any = 1,
) -> dict[str, Any]:
    """Parameters of a decoder, elementwise: `params` and `nonembedding_params` (without both ends of the model and
    positions); of a mixture of experts `total_params` and `active_params`, those that a token uses.

    A layer has head_dim d_model (2 n_heads + 2 kv_heads) for attention, 3 d_model d_ff for a gated feed-forward layer
    (2 d_model d_ff for a plain one) and two norms; with `experts` that many feed-forward layers and a router. Then one
    more norm, vocab_size d_model at each end, or once if `tied`.

    - `kv_heads`: heads of keys and values, `n_heads` when left out. `head_dim`: d_model / n_heads when left out.
    - `biases`: of every matrix and norm, as in GPT-2 and GPT-3; none when left out. `positions`: learned ones.

    Whole numbers stay exact. Not counted: biases of queries alone, relative positions, experts that are shared.
    """
    head_dim = d_model // n_heads if head_dim is None else head_dim
    queries, keys = n_heads * head_dim, (n_heads if kv_heads is None else kv_heads) * head_dim
    matrices = 3 if gated else 2
    norm = 2 * d_model if biases else d_model
    attention = 2 * d_model * (queries + keys) + 2 * norm
    expert = matrices * d_model * d_ff
    if biases:
        attention = attention + queries + 2 * keys + d_model
        expert = expert + (matrices - 1) * d_ff + d_model
    ends = vocab_size * d_model * (1 if tied else 2) + positions * d_model
    if np.all(np.asarray(experts) == 1):
        body = n_layers * (attention + expert) + norm
        return {"params": body + ends, "nonembedding_params": body}
    shared = n_layers * (attention + d_model * experts) + norm + ends
    return {
        "total_params": shared + n_layers * experts * expert,
        "active_params": shared + n_layers * experts_per_token * expert,
    }


def transformers(
    params: Sequence[Any] = (1e8, 1e12),
    *,
    aspect: tuple[float, float] = (64, 160),
    width_multiple: int = 128,
    layer_multiple: int = 1,
    head_dim: int = 128,
    kv_heads: int | None = None,
    ff_ratio: float | None = None,
    ff_multiple: int = 256,
    gated: bool = True,
    vocab_size: int = 32_000,
    tied: bool = False,
    experts: int = 1,
    experts_per_token: int = 1,
) -> pd.DataFrame:
    """The shapes of decoders from so many parameters to so many, a row each, smallest first:
    `transformers(("30B", "130B"), kv_heads=8)`.

    Columns: `n_layers`, `d_model`, `n_heads`, `kv_heads`, `d_ff`, `vocab_size` and what `count` makes of them. Filter
    it as you like, or make a table of your own: `snap` takes any.

    - `params`: the least and the most, both ends of the model (and all experts) counted.
    - `aspect`: d_model / n_layers from and to; published models are mostly between 64 and 160.
    - `width_multiple`, `layer_multiple`: of which d_model and n_layers are multiples. Heads are d_model / head_dim, a
      whole number and, with `kv_heads`, a multiple of it.
    - `ff_ratio`: d_ff / d_model before d_ff is rounded up to `ff_multiple`: 8/3 when gated, else 4, when left out.

    Raises `InputError` where there is none.
    """
    low, high = _ends("params", params)
    thin, wide = _ends("aspect", aspect)
    whole = {
        "width_multiple": width_multiple, "layer_multiple": layer_multiple, "head_dim": head_dim,
        "ff_multiple": ff_multiple, "vocab_size": vocab_size, "experts": experts,
        "experts_per_token": experts_per_token, "kv_heads": 1 if kv_heads is None else kv_heads,
    }  # fmt: skip
    for name, value in whole.items():
        if not (value == int(value) and value >= 1):
            raise InputError(f"{name} is a whole number, one or more; got {value!r}.")
    ratio = (8 / 3 if gated else 4.0) if ff_ratio is None else float(ff_ratio)
    if not (np.isfinite(ratio) and ratio > 0):
        raise InputError(f"ff_ratio is d_ff / d_model, above zero; got {ff_ratio!r}.")
    step = math.lcm(width_multiple, head_dim * whole["kv_heads"])
    # A layer has more than 2 (1 + ratio) d_model^2, and there are d_model / wide of them or more.
    widest = (wide * high / (2 + 2 * ratio * experts)) ** (1 / 3)
    widths = np.arange(step, widest + step, step, dtype=np.int64)
    layers = np.arange(layer_multiple, widest / thin + layer_multiple, layer_multiple, dtype=np.int64)
    if widths.size * layers.size > _MOST:
        raise InputError(
            f"up to {format_number(high, 'params')} parameters there are {widths.size * layers.size} pairs of a width "
            "and a depth: ask for larger multiples, or fewer parameters."
        )
    d_model, n_layers = (axis.ravel() for axis in np.meshgrid(widths, layers, indexing="ij"))
    kept = (d_model >= thin * n_layers) & (d_model <= wide * n_layers)
    d_model, n_layers = d_model[kept], n_layers[kept]
    n_heads = d_model // head_dim
    d_ff = np.ceil(ratio * d_model / ff_multiple - 1e-9).astype(np.int64) * ff_multiple
    mixed: dict[str, Any] = {"experts": experts, "experts_per_token": experts_per_token} if experts > 1 else {}
    kv = n_heads if kv_heads is None else np.full_like(n_heads, kv_heads)
    counted = count(n_layers, d_model, n_heads, d_ff, vocab_size, kv_heads=kv, gated=gated, tied=tied, **mixed)
    size = "total_params" if mixed else "params"
    table = pd.DataFrame(
        {"n_layers": n_layers, "d_model": d_model, "n_heads": n_heads, "kv_heads": kv, "d_ff": d_ff,
         "vocab_size": vocab_size, **mixed, **counted}
    )  # fmt: skip
    table = table.loc[table[size].between(low, high)].sort_values([size, "d_model"], ignore_index=True)
    if not len(table):
        raise InputError(
            f"no shape has {format_number(low, 'params')} to {format_number(high, 'params')} parameters with d_model a "
            f"multiple of {step}, n_layers one of {layer_multiple} and {thin:g} to {wide:g} between them; ask for more "
            "parameters, another aspect, or smaller multiples."
        )
    return table


def _ends(name: str, pair: Sequence[Any]) -> tuple[float, float]:
    try:
        low, high = (parse_number(one) for one in pair)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (0 < low <= high < math.inf):
        raise InputError(f'{name} is the least and the most of it, such as ("30B", "130B"); got {pair!r}.')
    return low, high
