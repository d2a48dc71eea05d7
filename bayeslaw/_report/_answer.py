"""The answer, first of all: what was asked, medians and intervals, and what to know before using them."""

from typing import Any

import xarray as xr

from bayeslaw._errors import InputError, Status
from bayeslaw._predict import NEW_RUN
from bayeslaw._report._asked import Asked
from bayeslaw._report._html import Html, joined, paragraph, remarks, table, tag
from bayeslaw._report._words import amount, listed, mass, number, percent, quantiles, shares, span, title, unit
from bayeslaw._stack import Stack

_CARDS = 6


def answer(asked: Asked) -> Html:
    """The decision's question, its answer for the first scenario, and a table where there are several."""
    if asked.decision is None:
        return joined([tag("h2", "The answer"), paragraph("This law declares no decision: below is what was fitted.")])
    head = [
        tag("h2", "The answer"),
        paragraph(asked.decision.question, class_="question"),
        paragraph(said_of(asked, 0, "For "), class_="asked") if asked.given else None,
    ]
    if asked.assumed:
        name = asked.assumed[0]
        text = f"No {name} was given: this is ten times that of the largest run, and the page shows others below."
        head.append(paragraph(text, class_="small"))
    head += [
        paragraph(f"No {name} was given: the answer is for one that is not among the runs.", class_="small")
        for name in asked.unnamed
    ]
    try:
        plan = asked.plan
    except InputError as error:
        return joined([*head, paragraph(tag("strong", "There is no answer: "), str(error), class_="refused")])
    several = plan.draws.sizes["scenario"] > 1
    return joined(
        [
            *head,
            _cards(asked, plan.draws.isel(scenario=0)),
            paragraph(_covers(asked), class_="small"),
            _weights(asked),
            _remarks(asked, plan.status),
            scenarios(asked, plan.draws, "All that was asked") if several else None,
        ]
    )


def _weights(asked: Asked) -> Html | None:
    if not isinstance(asked.posterior, Stack):
        return None
    said = ", ".join(f"{name} {percent(weight)}" for name, weight in asked.posterior.weights.items())
    return paragraph(f"Laws are mixed draw by draw, by these weights: {said}.")


def _remarks(asked: Asked, found: tuple[Status, ...]) -> Html | None:
    """What to know; of a posterior that is not a result the banner has said why."""
    every = (*asked.posterior.status, *found)
    if asked.posterior.ok:
        return remarks(every) or paragraph("There is nothing to remark.")
    return remarks(one for one in every if not one.serious)


def said_of(asked: Asked, scenario: int, before: str = "") -> str:
    """What is given in a scenario, in words."""
    said = []
    for name, values in asked.given.items():
        text = amount(values[scenario], name)
        said.append(
            text if unit(name) in ("FLOPs", "tokens", "parameters") and len(asked.given) == 1 else f"{name} = {text}"
        )
    return before + ", ".join(said)


def quantities(draws: xr.Dataset) -> list[str]:
    """What a result reports, without flags."""
    return [str(name) for name, array in draws.data_vars.items() if array.dtype != bool]


def _cards(asked: Asked, here: xr.Dataset) -> Html:
    """Each quantity as a card: those that are chosen stand out, and a new run is said with the mean function."""
    names = [name for name in quantities(here) if name != asked.response + NEW_RUN]
    chosen = set(asked.decision.choose) if asked.decision else set()
    cards = [_card(asked, here, name, name in chosen) for name in names if name != asked.response][: _CARDS - 1]
    return tag("div", *cards, _card(asked, here, asked.response, asked.response in chosen), class_="cards")


def _card(asked: Asked, here: xr.Dataset, name: str, chosen: bool) -> Html:
    array = here[name]
    if "names" in array.attrs:
        found = shares(array, array.attrs["names"])
        value, below = next(iter(found), "none"), f"best in {listed(found)} of draws" if found else "in no draw"
    else:
        low, _, middle, _, high = quantiles(array, asked.prob)
        value = number(middle, name)
        interval = span(low, high, name)
        below = f"{mass(asked.prob)}: {interval}" if interval != value else "the same in every draw"
    more = None
    if name == asked.response and name + NEW_RUN in here:
        low, _, _, _, high = quantiles(here[name + NEW_RUN], asked.prob)
        more = tag("span", f"one new run: {span(low, high, name)}", class_="below")
    return tag(
        "div",
        tag("span", title(name), class_="name"),
        tag(
            "span", value, " ", tag("small", unit(name)) if unit(name) not in ("fraction", "") else None, class_="value"
        ),
        tag("span", below, class_="below"),
        more,
        class_="card chosen" if chosen else "card",
    )


def _covers(asked: Asked) -> str:
    return (
        f"Medians with equal-tailed {mass(asked.prob)} credible intervals. They say where the optimum of the law lies "
        f"and, of the {asked.response.replace('_', ' ')}, its mean function there, given the law and its priors."
    )


def scenarios(asked: Asked, draws: xr.Dataset, caption: str) -> Html:
    """A row per scenario, a column per quantity: median and interval."""
    names = quantities(draws)
    given = [str(name) for name in draws.coords if draws[name].dims == ("scenario",)]
    varied = [name for name in given if len(set(draws[name].to_numpy().tolist())) > 1] or given[:1]
    rows = []
    for i in range(draws.sizes["scenario"]):
        here = draws.isel(scenario=i)
        cells = [_cell(here[name], name, asked.prob) for name in names]
        rows.append([", ".join(number(_plain(here[name].item()), name) for name in varied), *cells])
    heads = [_header(name) for name in names]
    return table([_header(", ".join(varied)), *heads], rows, f"{caption}: medians and {mass(asked.prob)} intervals")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _header(name: str) -> Html:
    return joined([tag("code", name), tag("span", unit(name), class_="unit") if unit(name) else None])


def _cell(array: xr.DataArray, name: str, prob: float) -> Html:
    if "names" in array.attrs:
        return joined([listed(shares(array, array.attrs["names"]))])
    low, _, middle, _, high = quantiles(array, prob)
    value, interval = number(middle, name), span(low, high, name)
    return joined([tag("b", value), tag("span", interval, class_="interval") if interval != value else None])
