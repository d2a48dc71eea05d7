"""Which runs a back-test holds out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayeslaw._columns import COLUMNS, derive, format_number
from bayeslaw._errors import InputError
from bayeslaw._groups import group_labels
from bayeslaw._runs import number_columns

LEAST = 8  # runs to learn from

Cut = str | Sequence[str] | Mapping[str, Any]


class Split(NamedTuple):
    """The runs that are held out, (runs,), and what they have in common."""

    name: str
    held_out: np.ndarray


def with_flops(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its known columns as numbers, and `flops`, 6 params tokens where it has none."""
    found = with_numbers(frame)
    flops = derive("flops", {str(name): one for name, one in found.items()})
    return found if flops is None else found.assign(flops=flops)


def with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its known columns as floats: `70B` is a number, and no product of counts overflows."""
    found = frame.reset_index(drop=True)
    for name in found.columns:
        if name in COLUMNS:
            try:
                found[name] = number_columns(frame, [name])[0][name]
            except InputError:
                continue  # labels, or a column that only some laws read: those complain themselves
    return found


def splits_of(runs: pd.DataFrame, split: Cut | None, by: Any) -> list[Split]:
    """The splits of a table, checked."""
    if (split is None) == (by is None):
        raise InputError(
            'say what to hold out: split="flops > 1e21", split={"flops": (0.5, 0.7)}, or by="corpus" for one group '
            "after the other."
        )
    if by is not None:
        labels = group_labels(runs, by)
        found = [Split(str(label), labels == label) for label in dict.fromkeys(labels)]
    elif isinstance(split, Mapping):
        found = [one for name, shares in split.items() for one in _beyond(runs, name, shares)]
    else:
        found = [Split(one, _asked(runs, one)) for one in ([split] if isinstance(split, str) else split or ())]
    if not found:
        raise InputError("no split was given: there is nothing to hold out.")
    for name, held_out in found:
        left = int((~held_out).sum())
        if not held_out.any() or left < LEAST:
            raise InputError(
                f"the split {name!r} holds out {int(held_out.sum())} of {len(held_out)} runs and leaves {left}: at "
                f"least 1 must be held out and {LEAST} left to learn from. Move the cut."
            )
    return found


def _beyond(runs: pd.DataFrame, name: str, shares: Any) -> list[Split]:
    """The runs above quantiles of a column."""
    _need(runs, name)
    values = runs[name].to_numpy(dtype=float)
    found = []
    for share in np.atleast_1d(np.asarray(shares, dtype=float)).tolist():
        if not 0 < share < 1:
            raise InputError(f"split={{{name!r}: ...}} takes quantiles between 0 and 1, such as 0.5; got {share!r}.")
        cut = float(np.quantile(values, share, method="lower"))
        found.append(Split(f"{name} > {format_number(cut, name)} ({100 * share:.4g} %)", values > cut))
    return found


def _asked(runs: pd.DataFrame, query: str) -> np.ndarray:
    """The runs that a query selects."""
    try:
        found = np.asarray(runs.eval(query))
    except Exception as error:  # pandas raises many kinds
        said = ", ".join(map(str, runs.columns))
        raise InputError(
            f"the split {query!r} is no condition on the table ({error}); write such as 'flops > 1e21'. It has {said}."
        ) from error
    if found.dtype != bool or found.shape != (len(runs),):
        raise InputError(f"the split {query!r} is no condition on each run; write such as 'flops > 1e21'.")
    return found


def _need(runs: pd.DataFrame, name: str) -> None:
    if name not in runs.columns:
        raise InputError(f"the table has no column {name!r} to split by; it has {', '.join(map(str, runs.columns))}.")
