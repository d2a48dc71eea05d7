"""Draws of several laws as those of their mixture, and how far the laws disagree."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._columns import format_number
from bayeslaw._errors import InputError, Status

_LITTLE, _MUCH = 0.1, 0.5  # shares of the variance between laws below and above which they agree and disagree


def mixed(laws: xr.DataArray, found: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """The draws of each law where the mixture has that law."""
    one, *others = found.values()
    common = [name for name in one.data_vars if all(name in other.data_vars for other in others)]
    if not common:
        said = "; ".join(f"{name}: {', '.join(map(str, draws.data_vars))}" for name, draws in found.items())
        raise InputError(f"the laws of the stack report nothing in common ({said}): pass one decision for all.")
    chains, draws = laws.shape
    place = laws.to_numpy()
    variables, coords = {}, {}
    for name in common:
        arrays = {law: result[name].transpose("chain", "draw", ...)[:chains, :draws] for law, result in found.items()}
        first = next(iter(arrays.values()))
        for law, array in arrays.items():
            if array.dims != first.dims or array.shape != first.shape:
                raise InputError(
                    f"{law!r} answers with {dict(array.sizes)}, the first law with {dict(first.sizes)}: give all laws "
                    "of the stack the same scenarios and menus."
                )
            if array.attrs.get("names") != first.attrs.get("names"):
                raise InputError(f"{law!r} knows other names of {name!r} than the first law of the stack.")
        values = np.array(first)
        for law, array in arrays.items():
            values[place == law] = array.to_numpy()[place == law]
        variables[name] = (first.dims, values, first.attrs)
    for result in found.values():
        for name, coord in result.coords.items():
            if name in coords and coord.dims not in (("chain",), ("draw",)):
                if not np.array_equal(coords[name].to_numpy(), coord.to_numpy()):
                    raise InputError(f"the laws of the stack were asked at different {name}: {coord.to_numpy()[:5]}.")
            elif name not in variables:
                coords.setdefault(name, coord.variable)
    coords |= {name: laws[name].variable for name in ("chain", "draw")}
    return xr.Dataset(variables, {**coords, "law": laws.variable}, one.attrs)


def together(found: Mapping[str, Any]) -> list[Status]:
    """The remarks of each law by its name; what all of them say, once."""
    shared = set.intersection(*(set(one.status) for one in found.values()))
    said = [status for status in next(iter(found.values())).status if status in shared]
    for name, one in found.items():
        said += [Status(f"{name}: {status.text}", status.serious) for status in one.status if status not in shared]
    return said


def disagreement_of(draws: xr.Dataset) -> pd.DataFrame:
    """See `Stack.disagreement`."""
    laws = draws["law"].to_numpy()
    names = list(dict.fromkeys(laws.ravel().tolist()))
    kept = [name for name, one in draws.data_vars.items() if one.dtype != bool and "names" not in one.attrs]
    beside = draws[kept[0]].dims[2:] if kept else ()
    labels = [str(name) for name, coord in draws.coords.items() if coord.dims and set(coord.dims) <= set(beside)]
    rows, index = [], []
    for name in kept:
        array = draws[name].transpose("chain", "draw", *beside)
        for at in np.ndindex(array.shape[2:]):
            one = array[(..., *at)]
            index.append((*(one[label].item() for label in labels), str(name)))
            rows.append(_row({law: one.to_numpy()[laws == law] for law in names}))
    return pd.DataFrame(
        rows,
        columns=["between", "driver", "lowest", "highest", *names],
        index=pd.MultiIndex.from_tuples(index, names=[*labels, "quantity"]),
    )


def _row(values: Mapping[str, np.ndarray]) -> list[Any]:
    """One row of `disagreement_of` from the draws of each law."""
    parts = {law: one[np.isfinite(one)] for law, one in values.items()}
    parts = {law: one for law, one in parts.items() if one.size}
    if not parts:
        return [np.nan, "", "", "", *(np.nan for _ in values)]
    medians = {law: float(np.median(one)) for law, one in parts.items()}
    if all((one > 0).all() for one in parts.values()):
        parts = {law: np.log(one) for law, one in parts.items()}
    share = np.array([one.size for one in parts.values()]) / sum(one.size for one in parts.values())
    means = np.array([one.mean() for one in parts.values()])
    apart = share * (means - share @ means) ** 2  # what each law adds to the variance between laws
    total = apart.sum() + share @ np.array([one.var() for one in parts.values()])
    between = float(apart.sum() / total) if total > 0 else 0.0
    lowest, highest = (end(medians, key=medians.__getitem__) for end in (min, max))
    return [between, list(parts)[int(apart.argmax())], lowest, highest, *(medians.get(law, np.nan) for law in values)]


def driver(draws: xr.Dataset) -> list[Status]:
    """Which law drives the width of the first quantity, where the laws disagree most about it."""
    frame: Any = disagreement_of(draws)
    if len(frame.columns) < 6 or frame.empty:  # one law, or nothing that is a number
        return []
    quantity = frame.index.get_level_values("quantity")[0]
    frame = frame[frame.index.get_level_values("quantity") == quantity]
    worst = int(np.nan_to_num(frame["between"].to_numpy()).argmax())
    row = frame.iloc[worst]
    asked = zip(frame.index.names[:-1], frame.index[worst], strict=False)
    where = ", ".join(f"{name} = {v if isinstance(v, str) else format_number(v, name)}" for name, v in asked)
    share, low, high = float(row["between"]), row["lowest"], row["highest"]
    verdict = "agree" if share < _LITTLE else "disagree" if share > _MUCH else "differ"
    text = f"the laws {verdict} on {quantity}{f' at {where}' if where else ''}: {share:.0%} of the variance of its "
    text += "logarithm is between laws, the rest within them"
    if share >= _LITTLE:
        text += (
            f"; most of it is due to {row['driver']}. {low} is lowest (median {format_number(row[low], quantity)}), "
            f"{high} highest ({format_number(row[high], quantity)})"
        )
    return [Status(f"{text}.")]
