"""How results look in a notebook: plain HTML tables that follow the notebook's own style."""

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from bayeslaw._errors import Status

if TYPE_CHECKING:
    from bayeslaw._posterior import Posterior


def statuses(found: Iterable[Status]) -> str:
    """A list of statuses, the serious ones in bold; a line that says so when there are none."""
    items = "".join(
        f"<li>{f'<b>{escape(str(one))}</b>' if one.serious else escape(str(one))}</li>" for one in found
    )
    return f"<ul>{items}</ul>" if items else "<p>No remarks.</p>"


def table(frame: pd.DataFrame, title: str, found: Iterable[Status]) -> str:
    """A result: its title, its summary and its statuses."""
    body = frame.to_html(float_format=lambda value: f"{value:.4g}", border=0)
    return f"<div><p><b>{escape(title)}</b></p>{body}{statuses(found)}</div>"


def posterior_html(posterior: "Posterior") -> str:
    """The law, its data, the parameters with 90 % intervals, and what to know about them."""
    formula = (type(posterior.prior).__doc__ or "").strip().splitlines()
    runs = posterior.runs.describe().loc[["min", "50%", "max"]]
    data = runs.to_html(float_format=lambda value: f"{value:.4g}", border=0)
    summary = posterior.summary(prob=0.9)
    head = f"<p>{escape(formula[0])}</p>" if formula else ""
    title = f"{posterior!r}; equal-tailed 90 % credible intervals"
    details = f"<details><summary>{len(posterior.runs)} runs</summary>{data}</details>"
    return f"<div>{head}{table(summary, title, posterior.status)}{details}</div>"
