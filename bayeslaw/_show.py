"""How results look to a person: numbers with few digits, and HTML tables for notebooks."""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from bayeslaw._columns import format_number
from bayeslaw._errors import Status

if TYPE_CHECKING:
    from bayeslaw._posterior import Posterior


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """A summary (one row per scenario and quantity) with its figures as text: `71.2B`, `1.97`, `5.76e+23`."""
    shown = frame.copy()
    quantities = shown.index.get_level_values("quantity")
    for name in ("lower", "median", "upper"):
        shown[name] = [format_number(v, q) for v, q in zip(frame[name], quantities, strict=True)]
    levels = [
        [v if isinstance(v, str) else format_number(v, str(name)) for v in frame.index.get_level_values(i)]
        for i, name in enumerate(frame.index.names)
    ]
    shown.index = pd.MultiIndex.from_arrays(levels, names=frame.index.names)
    if "at_edge" in shown:
        shown["at_edge"] = [f"{share:.0%}" for share in shown["at_edge"]]
    return shown


def figures(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose columns are quantities, with its figures as text."""
    shown = frame.copy()
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            shown[name] = [format_number(float(value), str(name)) for value in column]
    return shown


def as_text(title: str, frame: pd.DataFrame, found: Iterable[Status]) -> str:
    """A result as plain text: its title, its summary and its statuses."""
    return "\n".join([f"{title} ({_interval(frame)})", readable(frame).to_string(), *map(str, found)])


def as_html(title: str, frame: pd.DataFrame, found: Iterable[Status]) -> str:
    """The same for a notebook."""
    return page(f"{title} ({_interval(frame)})", readable(frame), found)


def posterior_html(posterior: "Posterior") -> str:
    """The law, its data, the parameters with their intervals, and what to know about them."""
    formula = (type(posterior.prior).__doc__ or "").strip().splitlines()
    summary = posterior.summary()
    parameters = summary.map("{:.4g}".format)
    numbers = posterior.runs.select_dtypes("number")
    runs = numbers.quantile([0.0, 0.5, 1.0], interpolation="lower").set_axis(["min", "median", "max"])
    runs = runs.map("{:.4g}".format)
    head = f"<p>{escape(formula[0])}</p>" if formula else ""
    data = f"<details><summary>{len(posterior.runs)} runs</summary>{runs.to_html(border=0)}</details>"
    return head + page(f"{posterior!r} ({_interval(summary)})", parameters, posterior.status) + data


def _interval(frame: pd.DataFrame) -> str:
    return f"equal-tailed {frame.attrs['prob']:.0%} credible intervals"


def page(title: str, frame: pd.DataFrame, found: Iterable[Status]) -> str:
    """A title, a table and remarks as HTML."""
    items = "".join(
        f"<li>{'<b>' if one.serious else ''}{escape(str(one))}{'</b>' if one.serious else ''}</li>" for one in found
    )
    remarks = f"<ul>{items}</ul>" if items else "<p>No remarks.</p>"
    return f"<div><p><b>{escape(title)}</b></p>{frame.to_html(border=0)}{remarks}</div>"
