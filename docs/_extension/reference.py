"""The reference: every public name with its signature and its docstring, which is Markdown as it stands."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bayeslaw
from _extension.markdown import codes, doc, drop_others, escaped, prose, toctree
from _extension.markdown import write as write_page

# Page: what it is about, and the names on it. A public name that is on none of them goes to the last.
PAGES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "fitting": (
        "Fitting",
        "From runs to a posterior, and what a posterior can do.",
        ("fit", "fit_many", "huber", "Posterior", "load", "model", "misfit", "Misfit", "Status", "InputError"),
    ),
    "asking": (
        "Predicting and deciding",
        "From a posterior, or a stack of them, to a plan.",
        ("predict", "Prediction", "simulate", "allocate", "Allocation", "cheapest", "choose", "Choice", "alternatives",
         "Alternatives", "pareto", "Front", "snap", "Snapped", "next_runs", "NextRuns", "Decision", "Range", "LogRange",
         "Integers", "Choices", "Multiples", "Powers"),
    ),
    "risk": (
        "Risk and limits",
        "What `choose` and `pareto` take as `risk` and `subject_to`.",
        ("Expectation", "Quantile", "CVaR", "WorstCase", "MeanVariance", "Miss", "AtMost", "AtLeast", "Feasible"),
    ),
    "checking": (
        "Checking and comparing",
        "Whether to believe it.",
        ("check", "Check", "compare", "Comparison", "stack", "Stack", "backtest", "Backtest", "Forecaster",
         "compare_arms", "Arms", "isoflop", "Profiles", "Agreement"),
    ),
    "parts": (
        "Laws, wrappers and noise",
        "What a law is made of. The laws themselves have [pages of their own](../laws/index.md).",
        ("AbstractLaw", "Penalised", "Penalty", "Quadratic", "Asymmetric", "PseudoHuber", "LogLinear", "Pooled",
         "Discrepant", "AbstractNoise", "StudentT", "UntunedT", "LogNormal", "MeanLogNormal", "Normal", "AdditiveT",
         "OneSided", "Binomial", "BetaBinomial", "Scalar"),
    ),
}  # fmt: skip
MODULES = {
    "plots": ("Pictures", ("bayeslaw.plots",)),
    "costs": ("Costs", ("bayeslaw._costs", "bayeslaw._bills")),
    "shapes": ("Shapes", ("bayeslaw._shapes",)),
}
_SCALAR = inspect.formatannotation(bayeslaw.Scalar)
_ELSEWHERE = re.compile(r"(load|fetch|make)_|__version__")  # data have pages of their own


def write(folder: Path) -> None:
    write_page(folder / "index.md", index())
    for page, (title, about, names) in pages().items():
        things = [(f"bayeslaw.{name}", getattr(bayeslaw, name)) for name in names]
        write_page(folder / f"{page}.md", text(title, about, things))
    for name, (title, _) in MODULES.items():
        things = [(f"bayeslaw.{name}.{key}", thing) for key, thing in public(name)]
        write_page(folder / f"{name}.md", text(title, prose(doc(getattr(bayeslaw, name))), things))
    drop_others(folder, [*pages(), *MODULES])


def pages() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """The pages, those of names that no page lists at the end."""
    listed = {name for _, _, names in PAGES.values() for name in names}
    rest = tuple(name for name in bayeslaw.__all__ if name not in listed and not _ELSEWHERE.match(name))
    return {**PAGES, **({"more": ("More", "", rest)} if rest else {})}


def index() -> str:
    lines = [f"- [{title}]({page}.md): {codes(names)}." for page, (title, _, names) in pages().items()]
    lines += [f"- [{title}]({name}.md): `bl.{name}`." for name, (title, _) in MODULES.items()]
    lines.append("- Laws: [`bl.models`](../laws/index.md). Data: [`bl.datasets`](../data/index.md).")
    about = "Everything here is `bl.NAME` after `import bayeslaw as bl`.\n"
    listed = toctree([*pages(), *MODULES], ":hidden:", ":maxdepth: 1")
    return "\n".join(["# Reference\n", about, *lines, "", listed])


def public(name: str) -> Iterator[tuple[str, Any]]:
    """The functions of a part such as `bl.costs`, but those that it only uses."""
    for key, thing in vars(getattr(bayeslaw, name)).items():
        if inspect.isfunction(thing) and not key.startswith("_") and thing.__module__.startswith(MODULES[name][1]):
            yield key, thing


def text(title: str, about: str, things: list[tuple[str, Any]]) -> str:
    return "\n".join([f"# {title}\n", about, "", *(entry(name, thing) for name, thing in things)])


def entry(name: str, thing: Any) -> str:
    """One name as a Sphinx directive, its members inside."""
    if inspect.isclass(thing):
        inner = [_member(key, member) for key, member in members(thing)]
        made = hasattr(thing, "status") or "status" in getattr(thing, "__annotations__", {})  # by a verb, not by users
        own = "" if made or inspect.isabstract(thing) else signature(thing)
        return _directive("class", name + own, "\n".join([prose(doc(thing)), *inner]))
    if inspect.isfunction(inspect.unwrap(thing)):
        return _directive("function", name + signature(thing), prose(doc(thing)))
    about = getattr(thing, "question", "What a parameter may be: a number, a distribution or draws.")
    return _directive("data", name, escaped(about))


def members(thing: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that have a docstring, but those of a base with an entry of its own."""
    shown = [one for one in thing.__mro__ if one.__module__.startswith("bayeslaw")]
    found: dict[str, Any] = {}
    for base in reversed([one for one in shown if one is thing or one.__name__ not in bayeslaw.__all__]):
        found |= {key: member for key, member in vars(base).items() if not key.startswith("_")}
    for key, member in found.items():
        function = getattr(member, "__func__", getattr(member, "fget", getattr(member, "func", member)))
        if inspect.isfunction(inspect.unwrap(function)) and function.__doc__:
            yield key, member


def _member(name: str, member: Any) -> str:
    if isinstance(member, classmethod | staticmethod):
        made, first = member.__func__, isinstance(member, classmethod)
        heading, option = name + signature(made, skip_first=first), "classmethod" if first else "staticmethod"
        return _directive("method", heading, prose(doc(made)), f":{option}:\n", ":::")
    if callable(member):
        return _directive("method", name + signature(member, skip_first=True), prose(doc(member)), fence=":::")
    return _directive("property", name, prose(doc(member)), fence=":::")


def signature(thing: Any, *, skip_first: bool = False) -> str:
    """The signature in the library's own words: no module names, defaults as they print."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return "()"
    parameters = list(found.parameters.values())[1 if skip_first else 0 :]
    written = str(found.replace(parameters=parameters)).replace(str(_SCALAR), "Scalar")
    written = re.sub(r"\b(?:[a-z_]+\w*\.)+(?=[A-Za-z])", "", written)  # modules
    written = re.sub(r"'([A-Z][^']*)'", r"\1", written.removesuffix(" -> None"))  # types as strings
    return re.sub(r"<function ([\w.]+)[^>]*>", r"\1", written).replace("<factory>", "...")


def _directive(kind: str, heading: str, body: str, options: str = "", fence: str = ":::::") -> str:
    return f"{fence}{{py:{kind}}} {heading}\n{options}\n{body}\n{fence}\n"
