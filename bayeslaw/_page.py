"""A `Choice` as a person reads it: the table of options, and the plan on one page."""

import dataclasses
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._decision import Least
from bayeslaw._options import RECOMMENDED, label_of
from bayeslaw._predict import NEW_RUN
from bayeslaw._risk import Miss

if TYPE_CHECKING:
    from bayeslaw._choose import Choice

_WIDTH, MARGIN = 110, 16
_DRIVERS = 3


def table_of(choice: "Choice", prob: float) -> pd.DataFrame:
    """See `Choice.summary`."""
    draws, aim = choice.draws, choice.aim
    response = draws.attrs["response"]
    ends = (1 - prob) / 2, 0.5, (1 + prob) / 2
    with warnings.catch_warnings():  # an option that can be had in no draw has no quantiles
        warnings.simplefilter("ignore", RuntimeWarning)
        lower, median, upper = np.nanquantile(draws[response].to_numpy(), ends, axis=(0, 1))
        regret = draws["regret"].to_numpy()
        columns = {
            "risk": risks(choice), "lower": lower, "median": median, "upper": upper,
            "regret": np.nanmean(regret, axis=(0, 1)), "regret_upper": np.nanquantile(regret, prob, axis=(0, 1)),
            "kept": draws["kept"].to_numpy().mean((0, 1)),
        }  # fmt: skip
    if "optimal" in draws:
        columns["p_optimal"] = draws["optimal"].to_numpy().mean((0, 1))
    scenarios, count = columns["risk"].shape
    labels = choice.given
    index = [np.repeat(draws[name].to_numpy(), count) for name in labels] + [
        np.tile(draws["option"].to_numpy(), scenarios)
    ]
    chosen = {name: draws[label_of(name, response)].to_numpy().ravel() for name in choice.decision.choose}
    frame = pd.DataFrame({**chosen, **{name: array.ravel() for name, array in columns.items()}})
    frame.index = pd.MultiIndex.from_arrays(index, names=[*labels, "option"])
    frame.attrs |= {"prob": prob, "risk": str(aim.risk)}
    return frame


def risks(choice: "Choice") -> np.ndarray:
    """The risk of every option, (scenarios, options); NaN where it is not possible in enough draws."""
    aim, draws = choice.aim, choice.draws
    name = aim.risk.limit.column if isinstance(aim.risk, Miss) else "objective"
    values = draws[name].to_numpy()
    values = values.reshape(-1, *values.shape[2:])
    found = np.full(values.shape[1:], np.nan)
    for at in np.ndindex(found.shape):
        one = values[(slice(None), *at)][:, None]
        if not isinstance(aim.risk, Miss):
            one = one[np.isfinite(one[:, 0])]
        if len(one):
            found[at] = aim.risk(one, np.full(len(one), 1 / len(one)))[0]
    return found


def page(choice: "Choice", scenario: int, prob: float) -> str:
    """See `Choice.page`."""
    lines = [choice.decision.question, *_paragraphs(choice, scenario, prob)]
    return "\n".join([*lines, *map(str, choice.status)])


def _paragraphs(choice: "Choice", scenario: int, prob: float) -> list[str]:
    table = options(choice, scenario, prob)
    before, after = facts(choice, scenario, prob)
    response = choice.draws.attrs["response"]
    lines = [f"{name:{MARGIN}}{wrapped(text)}" for name, text in before]
    lines += [
        f"Alternatives    ({prob:.0%} intervals of {response}, the mean function)",
        textwrap.indent(_text(table, choice), "  "),
    ]
    return lines + [f"{name:{MARGIN}}{wrapped(text)}" for name, text in after]


def options(choice: "Choice", scenario: int, prob: float) -> pd.DataFrame:
    """The options of one scenario, as in `Choice.summary`."""
    count = choice.draws.sizes["option"]
    return table_of(choice, prob).iloc[scenario * count : (scenario + 1) * count]


def facts(choice: "Choice", scenario: int, prob: float) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What a page says of one scenario, by name: before its table of alternatives, and after it."""
    draws, response = choice.draws, choice.draws.attrs["response"]
    one = draws.isel(scenario=scenario)
    best = one.sel(option=RECOMMENDED)
    table = options(choice, scenario, prob)
    first = table.iloc[0]
    follows = [n for n in draws.attrs["report"] if n not in (response, response + NEW_RUN)]
    chosen = [(name, best[label_of(name, response)].item()) for name in choice.decision.choose]
    before = [
        ("Given", ", ".join(f"{n} = {_shown(one[n].item(), n)}" for n in choice.given) or "nothing"),
        ("Recommended", ", ".join(f"{n} = {_shown(v, n)}" for n, v in chosen)),
        ("It follows", ", ".join(f"{n} = {spread(best[n].to_numpy(), n, prob)}" for n in follows)),
        ("To expect", f"{response} {spread(best[response].to_numpy(), response, prob)}, the mean function; "
         f"{spread(best[response + NEW_RUN].to_numpy(), response, prob)} a new run"),
        ("Risk", f"{risk_words(choice)} = {_number(first['risk'], choice)}{_limits(choice, first['kept'])}"),
        ("Regret", _regret(choice, table, prob)),
        (f"Within {100 * choice.aim.within:.3g} %", _near(choice, scenario)),
    ]  # fmt: skip
    after = [("Driven by", _driven(choice, scenario)), ("Assumed", _assumed(choice))]
    return [pair for pair in before if pair[1]], [pair for pair in after if pair[1]]


def wrapped(text: str) -> str:
    return ("\n" + " " * MARGIN).join(textwrap.wrap(text, _WIDTH - MARGIN))


def risk_words(choice: "Choice") -> str:
    """The risk measure and what it is of."""
    objective = choice.decision.objective
    if isinstance(choice.aim.risk, Miss):
        return f"probability of missing {dataclasses.replace(choice.aim.risk.limit, prob=1.0)}"
    name = choice.draws.attrs["response"] if objective is None else "what the decision minimises"
    name = objective.column if isinstance(objective, Least) else name
    return f"{str(choice.aim.risk).removesuffix('()')} of {name}"


def _number(value: float, choice: "Choice") -> str:
    objective = choice.decision.objective
    return format_number(value, objective.column if isinstance(objective, Least) else "")


def _limits(choice: "Choice", kept: float) -> str:
    limits = choice.aim.limits
    return f"; {' and '.join(map(str, limits))}: kept in {share_of(kept)} of draws" if limits else ""


def _regret(choice: "Choice", table: pd.DataFrame, prob: float) -> str:
    def words(row: Any) -> str:
        return f"{row['regret']:.3g} on average, at most {row['regret_upper']:.3g} with probability {prob:g}"

    plug = table.iloc[1]
    text = f"{words(table.iloc[0])}; the optimum at the posterior mean: "
    same = all(_alike(plug[name], table.iloc[0][name]) for name in choice.decision.choose)
    text += "the same plan" if same else words(plug) if np.isfinite(plug["regret"]) else "cannot be had"
    if choice.aim.limits and not same:
        text += f", within the limits in {share_of(plug['kept'])} of draws"
    return text


def _alike(one: Any, other: Any) -> bool:
    """The same name, or the same number but for the step of the search."""
    return one == other if isinstance(one, str) else bool(np.isclose(one, other, rtol=2e-3))


def _near(choice: "Choice", scenario: int) -> str:
    said = []
    frame: Any = choice.region
    rows = frame[frame["scenario"] == scenario].to_dict(orient="records")
    for row in rows:
        name, items = str(row["variable"]), row["items"]
        low, high = (_shown(row[end], name) if not items else "" for end in ("low", "high"))
        said.append(f"{name} {', '.join(_shown(v, name) for v in items[:12]) if items else f'{low} to {high}'}")
    return "; ".join(said) + (" (each with the others at their best)" if len(said) > 1 else "")


def _text(table: pd.DataFrame, choice: "Choice") -> str:
    shown = table.droplevel(list(range(table.index.nlevels - 1)))
    chosen = list(choice.decision.choose)
    repeated = shown.duplicated(subset=chosen or None).to_numpy() & (np.arange(len(shown)) > 1)
    shown = shown[~repeated].astype(object)
    response = choice.draws.attrs["response"]
    for name in shown.columns:
        shares = name in ("kept", "p_optimal")
        kind = name if name in chosen else "" if name.startswith("regret") else response
        shown[name] = [
            share_of(v) if shares else f"{v:.3g}" if name.startswith("regret") else _shown(v, kind) for v in shown[name]
        ]
    if not choice.aim.limits and set(shown["kept"]) == {"100%"}:
        shown = shown.drop(columns="kept")
    shown.index.name = None
    return shown.to_string()


def _driven(choice: "Choice", scenario: int) -> str:
    frame = choice.drivers
    said = []
    for name, rows in frame[frame["scenario"] == scenario].groupby("quantity", sort=False):
        words = f"the optimal {str(name)[5:]}" if str(name).startswith("best_") else f"{name} of this plan"
        top = (rows[column].tolist()[:_DRIVERS] for column in ("driver", "share"))
        said.append(f"{words}: {', '.join(f'{one} ({share:.0%})' for one, share in zip(*top, strict=True))}")
    return "; ".join(said) + " (shares of the variance of ranks)" if said else ""


def _assumed(choice: "Choice") -> str:
    box = ", ".join(f"{name} in {space!r}" for name, space in choice.decision.choose.items())
    draws = choice.draws.sizes["chain"] * choice.draws.sizes["draw"]
    laws = "law" in choice.draws.coords
    law = f"{choice.law}{', in proportion to their weights' if laws else ''}"
    text = f"{law}; {choice.noise} for a new run; {draws} draws; {box}"
    unsure = [str(n) for n, a in choice.draws.data_vars.items() if a.dims == ("chain", "draw")]
    known = "".join(f"; {n} {spread(choice.draws[n].to_numpy(), n, 0.9)}, as given" for n in unsure)
    return text + known


def spread(values: np.ndarray, name: str, prob: float) -> str:
    """A median and its interval, or one number where it does not vary."""
    low, median, high = np.nanquantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    if high - low <= 1e-9 * max(abs(high), abs(low)):
        return _shown(median, name)
    return f"{_shown(median, name)} ({_shown(low, name)} to {_shown(high, name)})"


def _shown(value: Any, name: str) -> str:
    return value if isinstance(value, str) else format_number(float(value), name if name in COLUMNS else "")


def share_of(value: float) -> str:
    """A share of draws that says nothing is certain unless it is so in all of them."""
    if 0 < value < 0.005 or 0.995 < value < 1:
        return "<1%" if value < 0.5 else ">99%"
    return f"{value:.0%}"


def as_text(choice: "Choice") -> str:
    """A page for one scenario, a table of what is recommended for many."""
    if choice.draws.sizes["scenario"] == 1:
        return page(choice, 0, 0.9)
    return "\n".join([_title(choice), _short(choice).to_string(), *map(str, choice.status)])


def as_html(choice: "Choice") -> str:
    """The same for a notebook."""
    from html import escape

    from bayeslaw._show import page as html

    if choice.draws.sizes["scenario"] == 1:
        return f"<pre>{escape(page(choice, 0, 0.9))}</pre>"
    return html(_title(choice), _short(choice), choice.status)


def _title(choice: "Choice") -> str:
    return f"{choice.decision.question} ({risk_words(choice)}; 90% intervals; .page(scenario) for the plan of one)"


def _short(choice: "Choice") -> pd.DataFrame:
    table = table_of(choice, 0.9).xs(RECOMMENDED, level="option")
    shown = table.astype(object)
    for name in shown.columns:
        kind = name if name in choice.decision.choose else choice.draws.attrs["response"]
        shown[name] = [
            share_of(v)
            if name in ("kept", "p_optimal")
            else f"{v:.3g}"
            if name.startswith("regret")
            else _shown(v, kind)
            for v in shown[name]
        ]
    if choice.given:
        arrays = [[_shown(v, n) for v in choice.draws[n].to_numpy()] for n in choice.given]
        shown.index = pd.MultiIndex.from_arrays(arrays, names=choice.given)
    return shown
