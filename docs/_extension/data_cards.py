"""A page for each data set: how to get it, and its card."""

from pathlib import Path

from _extension.markdown import doc, drop_others, escaped, fenced, prose, table, toctree
from _extension.markdown import write as write_page
from _extension.reference import signature
from bayeslaw import datasets

_VERBS = {"load": "ships with the package", "fetch": "downloaded once", "make": "simulated"}


def write(folder: Path) -> None:
    """`data/index.md` and `data/<name>.md`."""
    write_page(folder / "index.md", index())
    for name, function in datasets.DATASETS.items():
        write_page(folder / f"{name}.md", page(name, function))
    drop_others(folder, datasets.DATASETS)


def index() -> str:
    rows = [
        (f"[{name}]({name}.md)", f"`bl.datasets.{function}()`", _VERBS[function.split("_")[0]], _summary(function))
        for name, function in sorted(datasets.DATASETS.items())
    ]
    about = (
        "Public runs in one notation. Data with a licence that allows it ship with the package; the others are "
        "downloaded once from where their authors put them, checked, and kept in your cache folder (`BAYESLAW_DATA` "
        "names another). Suspicious rows are flagged in a column, never dropped. Each data set keeps its own licence.\n"
    )
    listed = table(["data", "in Python", "", "what it is"], rows)
    return "\n".join(["# Data\n", about, listed, toctree(sorted(datasets.DATASETS), ":hidden:", ":maxdepth: 1")])


def _summary(function: str) -> str:
    return escaped(doc(getattr(datasets, function)).splitlines()[0])


def page(name: str, function: str) -> str:
    """The card, headed by its name, and what the function says of itself below."""
    title, _, card = datasets.card(name).partition("\n")
    heading, _, about = title.removeprefix("# ").partition(": ")
    made = getattr(datasets, function)
    text = [
        f"# {escaped(heading)}\n",
        f"{about[:1].upper()}{escaped(about[1:])}.\n",
        card.strip() + "\n",
        "## In Python\n",
        fenced(f"bl.datasets.{function}{signature(made)}", "python"),
        prose(doc(made)),
    ]
    return "\n".join(text)
