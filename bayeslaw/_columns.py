"""What is done with columns by name: what follows from which, numbers and labels read and shown, likely typos."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bayeslaw._errors import InputError
from bayeslaw._notation import COLUMNS, Column

__all__ = ["COLUMNS", "DERIVED", "Column", "codes", "derive", "format_number", "label_of", "nearest", "parse_number",
           "rename"]  # fmt: skip

# What follows from other columns, and the sentence that says how.
DERIVED: Mapping[str, tuple[tuple[str, ...], Callable[..., Any], str]] = {
    "flops": (("params", "tokens"), lambda params, tokens: 6 * params * tokens, "6 * params * tokens"),
    "tokens": (("params", "flops"), lambda params, flops: flops / (6 * params), "flops / (6 * params)"),
    "tokens_per_param": (("params", "tokens"), lambda params, tokens: tokens / params, "tokens / params"),
    "tokens_per_byte": (
        ("params", "tokens", "bits"),
        lambda params, tokens, bits: 8 * tokens / (params * bits),
        "8 * tokens / (params * bits)",
    ),
    "vocab_params": (
        ("vocab_size", "d_model"),
        lambda vocab_size, d_model: vocab_size * d_model,
        "vocab_size * d_model",
    ),
    "bits_weights": (("bits",), lambda bits: bits, "bits"),
    "bits_activations": (("bits",), lambda bits: bits, "bits"),
    "bits_kv": (("bits",), lambda bits: bits, "bits"),
    "epochs": (("tokens", "unique_tokens"), lambda tokens, unique: tokens / unique, "tokens / unique_tokens"),
    "acceptance": (("successes", "trials"), lambda successes, trials: successes / trials, "successes / trials"),
    "accuracy": (("successes", "trials"), lambda successes, trials: successes / trials, "successes / trials"),
    "timescale": (
        ("batch_tokens", "lr", "weight_decay", "tokens"),
        lambda batch_tokens, lr, weight_decay, tokens: batch_tokens / (lr * weight_decay * tokens),
        "batch_tokens / (lr * weight_decay * tokens)",
    ),
    "ff_ratio": (("d_ff", "d_model"), lambda d_ff, d_model: d_ff / d_model, "d_ff / d_model"),
    "kv_size": (("d_model", "n_heads"), lambda d_model, n_heads: d_model // n_heads, "floor(d_model / n_heads)"),
    "aspect_ratio": (("d_model", "n_layers"), lambda d_model, n_layers: d_model / n_layers, "d_model / n_layers"),
}

# Where a power law of a column is centred when its author does not say: a typical training run.
REFERENCE: Mapping[str, float] = {
    "params": 1e9, "active_params": 1e9, "nonembedding_params": 1e9, "tokens": 2e10, "unique_tokens": 2e10,
    "flops": 1e20, "batch_tokens": 2.0**19, "d_model": 1024.0,
}  # fmt: skip


def derive(name: str, columns: Mapping[str, Any]) -> Any | None:
    """The column `name` from `columns` when they hold it or it follows from them, else None."""
    if name in columns:
        return columns[name]
    if name in DERIVED:
        needs, formula, _ = DERIVED[name]
        if all(need in columns for need in needs):
            return formula(*(columns[need] for need in needs))
    return None


def codes(labels: Sequence[str], values: Any) -> np.ndarray:
    """The position of each value among the labels, in the shape of `values`. Raises `InputError`."""
    flat = [label_of(value) for value in np.asarray(values, dtype=object).ravel().tolist()]
    for label in flat:
        if label not in labels:
            raise InputError(f"{label!r} is not one of {', '.join(labels)}.")
    return np.reshape([float(labels.index(label)) for label in flat], np.shape(values))


def label_of(label: Any) -> str:
    """A label as text, the same for 3, 3.0 and "3"."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label).strip()


_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_NUMBER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*|(?=\.\d))(?:\.\d*)?(?:e[+-]?\d+)?)\s*([kmbt]?)", re.IGNORECASE
)


def parse_number(text: Any) -> float:
    """A number as people write it: `70B`, `1.4T`, `5.76e23`, `1_000`, `12,000`, or a number already.

    The suffixes K, M, B, T stand for 1e3, 1e6, 1e9, 1e12. Raises ValueError for anything else.
    """
    if isinstance(text, str):
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a number; write 7e9, 70B, 1.4T or 5.76e23")
        digits, suffix = match.groups()
        return float(re.sub("[_,]", "", digits)) * _SUFFIXES.get(suffix.lower(), 1.0)
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a number")
    try:
        return float(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is not a number") from None
    except OverflowError:  # a whole number of more than 308 digits
        raise ValueError("a number of more than 308 digits is none that can be computed with") from None


def format_number(value: float, name: str = "") -> str:
    """A number as people read it: counts as `71.2B`, everything else with four significant digits."""
    if not math.isfinite(value):
        return str(value)
    column = COLUMNS.get(name)
    if column is not None and column.unit in {"parameters", "tokens", "entries"} and value >= 1e3:
        exponent = min(int(math.log10(value)) // 3, 4)
        scaled = float(f"{value / 1000**exponent:.3g}")
        if scaled >= 1000 and exponent < 4:
            exponent, scaled = exponent + 1, scaled / 1000
        return f"{scaled:g}{['', 'K', 'M', 'B', 'T'][exponent]}"
    return f"{value:.4g}"


def nearest(name: str, available: Iterable[str]) -> str | None:
    """The available name a person most likely meant by `name`, or None."""
    by_lower = {str(one).lower(): str(one) for one in available}
    # Experiment trackers prefix: config.model.n_params, params.lr, eval/loss.
    by_lower = {re.split(r"[./]", key)[-1]: one for key, one in by_lower.items()} | by_lower
    column = COLUMNS.get(name)
    for symbol in column.symbols if column else ():
        if symbol.lower() in by_lower:
            return by_lower[symbol.lower()]
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def rename(columns: Mapping[str, str] | None, available: Iterable[str]) -> dict[str, str]:
    """Check a user's mapping {their name: ours} against the names their table has."""
    names = [str(name) for name in available]
    mapping = dict(columns or {})
    for theirs in mapping:
        if theirs not in names:
            guess = nearest(theirs, names)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise InputError(f"columns maps {theirs!r}, but the table has {', '.join(names)}.{hint}")
    ours = list(mapping.values()) + [name for name in names if name not in mapping]
    for name in ours:
        if ours.count(name) > 1:
            raise InputError(
                f"after applying columns={mapping} two columns would be called {name!r}; rename or drop one of them."
            )
    return mapping
