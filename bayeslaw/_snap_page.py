"""A `Snapped` as a person reads it."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayeslaw._columns import format_number
from bayeslaw._page import MARGIN, risk_words, share_of, spread, wrapped
from bayeslaw._predict import NEW_RUN
from bayeslaw._risk import Miss
from bayeslaw._settle import shown

if TYPE_CHECKING:
    from bayeslaw._snap import Snapped

_SMALL = ("regret", "share", "mean_regret", "regret_upper")


def page(snapped: "Snapped", scenario: int, prob: float) -> str:
    """See `Snapped.page`."""
    draws, plan = snapped.draws, snapped.plan
    response, one = draws.attrs["response"], draws.isel(scenario=scenario)
    best, count = one.isel(configuration=0), draws.sizes["configuration"]
    table = snapped.summary(prob).iloc[scenario * count : (scenario + 1) * count]
    chosen, first = plan.action.iloc[scenario], table.iloc[0]
    follows = [name for name in draws.attrs["report"] if name not in (response, response + NEW_RUN)]
    said = [
        ("Given", ", ".join(f"{n} = {shown(plan.draws[n].to_numpy()[scenario], n)}" for n in plan.given) or "nothing"),
        ("The plan", f"{', '.join(f'{n} = {shown(chosen[n], n)}' for n in chosen.index)}; {risk_words(plan)} = "
         f"{format_number(float(best['plan_risk']))}"),
        ("Build", ", ".join(f"{n} = {shown(first[n], n)}" for n in draws.attrs["columns"])),
        ("It follows", ", ".join(f"{n} = {spread(best[n].to_numpy(), n, prob)}" for n in follows)),
        ("It costs", _cost(snapped, scenario, first, prob)),
        ("As good", _as_good(snapped, scenario)),
    ]  # fmt: skip
    lines = [f"What can be built of this plan: {int(best['there_are']):,} configurations"]
    lines += [f"{name:{MARGIN}}{wrapped(text)}" for name, text in said if text]
    lines += ["The best of them, and those near the plan" if any(table["breaks"].tolist()) else "The best of them"]
    text = _text(snapped, table.droplevel(list(range(table.index.nlevels - 1))))
    beside = [
        name for name in draws.attrs["columns"] if name not in plan.decision.choose and len(set(table[name])) == 1
    ]
    text = text.drop(columns=beside if len(table) > 1 else [])  # what all have alike stands above
    return "\n".join([*lines, textwrap.indent(text.rename_axis(None).to_string(), "  "), *map(str, snapped.status)])


def _cost(snapped: "Snapped", scenario: int, first: Any, prob: float) -> str:
    plan, one = snapped.plan, snapped.draws.isel(scenario=scenario)
    more, share = first["regret"], 100 * first["share"]
    text = f"{abs(more):.2g} {'more' if more > 0 else 'less'}, {abs(share):.2g} %" if more else "nothing"
    text += f" ({risk_words(plan)})"
    text += f"; over draws {first['mean_regret']:.2g} on average, at most {first['regret_upper']:.2g} with "
    text += f"probability {prob:g}; the plan itself regrets {float(one['plan_regret']):.2g}"
    limits = " and ".join(map(str, plan.aim.limits))
    return f"{text}; {limits}: kept in {share_of(first['kept'])} of draws" if limits else text


def _as_good(snapped: "Snapped", scenario: int) -> str:
    """How many configurations cost next to nothing."""
    one = snapped.draws.isel(scenario=scenario)
    count, limit = int(one["as_good"]), float(one["little"])
    if not count:
        return ""
    words = f"cost less than {limit:.2g}"
    if isinstance(snapped.plan.aim.risk, Miss):
        words = f"make missing it at most {limit:.2g} likelier"
    elif limit < float(one["plan_regret"]) / 9:
        words += ", a tenth of that"
    if count == 1:
        return f"no other: they cost more than {limit:.2g}"
    names = [str(name) for name in one["variable"].to_numpy()]
    ends = one["near"].to_numpy()
    spans = [f"{n} {shown(low, n)} to {shown(high, n)}" for n, (low, high) in zip(names, ends, strict=True)]
    return ", ".join([f"{count:,} of them {words}", *spans]) + ": choose among these for other reasons"


def _text(snapped: "Snapped", table: pd.DataFrame) -> pd.DataFrame:
    columns, response = snapped.draws.attrs["columns"], snapped.draws.attrs["response"]
    text = table.astype(object)
    for name in table.columns:
        if name in _SMALL:
            text[name] = [f"{value:.2g}" for value in table[name]]
        elif name in ("kept", "p_better"):
            text[name] = ["" if np.isnan(value) else share_of(value) for value in table[name]]
        elif name != "breaks":
            kind = response if name == "risk" else name
            text[name] = [shown(v, name) if name in columns else format_number(float(v), kind) for v in table[name]]
    left_out = ["share", "risk", response]
    if not any(table["breaks"].tolist()):
        left_out += ["kept", "breaks"]
    if np.allclose(table["regret"], table["mean_regret"], rtol=1e-3, atol=1e-12):
        left_out += ["mean_regret"]
    return text.drop(columns=[name for name in left_out if name not in columns])


def as_text(snapped: "Snapped") -> str:
    """A page for one scenario, a table of what to build for many."""
    if snapped.draws.sizes["scenario"] == 1:
        return page(snapped, 0, 0.9)
    return "\n".join([_title(snapped), _short(snapped).to_string(), *map(str, snapped.status)])


def as_html(snapped: "Snapped") -> str:
    """The same for a notebook."""
    from html import escape

    from bayeslaw._show import page as html

    if snapped.draws.sizes["scenario"] == 1:
        return f"<pre>{escape(page(snapped, 0, 0.9))}</pre>"
    return html(_title(snapped), _short(snapped), snapped.status)


def _title(snapped: "Snapped") -> str:
    return f"What can be built of these plans ({risk_words(snapped.plan)}; .page(scenario) for one of them)"


def _short(snapped: "Snapped") -> pd.DataFrame:
    return _text(snapped, snapped.summary().xs(1, level="place"))
