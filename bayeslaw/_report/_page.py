"""`report`: the page, section by section, written whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from bayeslaw._decision import Decision
from bayeslaw._errors import InputError
from bayeslaw._law import named
from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._report._answer import answer
from bayeslaw._report._asked import Asked, ask
from bayeslaw._report._decided import allocation, decision, extrapolation
from bayeslaw._report._evidence import data, diagnostics, fitted, law
from bayeslaw._report._html import Html, joined, paragraph, tag
from bayeslaw._report._priors import priors
from bayeslaw._report._small_print import assumptions, reproduce
from bayeslaw._stack import Stack
from bayeslaw._tree import float64

_ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class _Section:
    name: str
    title: str
    make: Callable[[], Html]


@float64
def report(
    posterior: Posterior | Stack,
    path: str | Path,
    decision: Decision | str | None = None,
    *,
    prob: float = 0.9,
    backtest: bool = False,
    seed: int = 0,
    **given: Any,
) -> Path:
    """One self-contained HTML page about a fit and its decision: `report(posterior, "report.html", flops=5.76e23)`.

    The answer first, with its interval and all that speaks against using it; then the data, the law, its priors and
    what became of them, the sampler, the fit, how far the plan is from the runs, the optimum over budgets with a
    slider, one plan with its regret, what is assumed, and how to get the same again. It asks for nothing from any
    network, and all but the slider works without a script.

    - `posterior`: as `fit` or `load` return it, of any law; or a `Stack`.
    - `path`: where to write it, ending in .html. What is there is replaced, once the page is whole.
    - `decision`, `given`: as for `allocate`. The slider moves `flops`, or the first number that is given (the one with
      several values, if there is one), and starts at its first value. A budget, size or number of tokens that is left
      out is ten times that of the largest run, and the page says so; everything else is asked for by name.
    - `prob`: mass of the intervals. `backtest`: also fit the smaller runs and forecast the larger, which takes a fit
      for each of three cuts. `seed`: for the noise of new runs.

    Returns the path. Raises `InputError` for quantities that are unknown or missing, and for a place that cannot be
    written. What a law cannot answer (a target out of reach) is said in its section.
    """
    if not isinstance(posterior, Posterior | Stack):
        raise InputError(f"expected a Posterior, as fit() or load() return it; got {type(posterior).__name__}.")
    check_prob(prob)
    target = Path(path)
    if target.suffix.lower() not in _ENDINGS:
        raise InputError(f"{str(target)!r}: the name of a page must end in .html.")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {str(target.parent)!r} to write to.")
    _write(page(ask(posterior, decision, given, prob, seed, backtest)), target)
    return target


def _write(text: str, target: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # a temporary file is its owner's alone, and a page is to be read
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def page(asked: Asked) -> str:
    """The whole document."""
    each = partial(_of_each, asked)
    sections = [
        _Section("data", "Data", lambda: each(data)),
        _Section("law", "Law", lambda: each(law)),
        _Section("priors", "Priors, and what the runs made of them", lambda: each(lambda one: priors(one, asked.prob))),
        _Section("diagnostics", "Diagnostics", lambda: each(diagnostics)),
        _Section("fit", "Fit", lambda: each(lambda one: fitted(one, asked.prob, asked.seed))),
        _Section("extrapolation", "Extrapolation", lambda: extrapolation(asked)),
        _Section("allocation", "The optimum over budgets", lambda: allocation(asked)),
        _Section("decision", "One plan", lambda: decision(asked)),
        _Section("assumptions", "Assumptions", lambda: assumptions(asked)),
        _Section("reproduce", "How to reproduce", lambda: reproduce(asked)),
    ]
    laws = ", ".join(dict.fromkeys(named(one.prior) for one in asked.members.values()))
    heading = f"{laws}, fitted to {len(asked.first.runs):,} runs"
    links = [tag("a", one.title, href=f"#{one.name}") for one in sections]
    body = tag(
        "body",
        tag("a", "To the answer", href="#answer", class_="skip"),
        tag("header", tag("p", "Scaling-law report", class_="kicker"), tag("h1", heading), _banner(asked)),
        tag("main", tag("section", answer(asked), id="answer"), tag("nav", *links, aria_label="Sections"),
            *(tag("section", tag("h2", one.title), _made(one), id=one.name) for one in sections)),
        tag("footer", f"Made with bayeslaw on {date.today():%d %B %Y}. Nothing on it was fetched from elsewhere."),
        tag("script", Html(_asset("page.js"))),
    )  # fmt: skip
    head = tag(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"{laws}: scaling-law report"),
        tag("style", Html(_asset("page.css"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _asset(name: str) -> str:
    return files("bayeslaw._report").joinpath(name).read_text(encoding="utf-8")


def _made(section: _Section) -> Html:
    """A section; what the law or the posterior cannot answer is said in its place."""
    try:
        return section.make()
    except InputError as error:
        return paragraph(tag("strong", "Not here: "), str(error), class_="refused")


def _of_each(asked: Asked, make: Callable[[Posterior], Html]) -> Html:
    """The same of each law of a stack, under its name."""
    return joined(
        part for name, one in asked.members.items() for part in (tag("h3", name) if name else None, make(one))
    )


def _banner(asked: Asked) -> Html | None:
    if asked.posterior.ok:
        return None
    found = [one.text for one in asked.posterior.status if one.serious]
    found += [
        f"{name}: {one.text}" for name, member in asked.members.items() if name for one in member.status if one.serious
    ]
    return tag(
        "div",
        tag("strong", "This is not a result. "),
        "The posterior failed its checks; no number on this page should be used before this is dealt with:",
        tag("ul", *(tag("li", one) for one in dict.fromkeys(found))),
        class_="banner",
        role="alert",
    )
