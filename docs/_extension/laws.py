"""A page for each law, from the law itself, and the list of laws by question, from the README."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from _extension import law_plot, typical
from _extension.markdown import code, codes, doc, drop_others, escaped, fenced, first_sentence, prose, table, toctree
from _extension.markdown import write as write_page
from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._tree import float64, leaves, sites
from bayeslaw.cli._sources import laws as commands
from bayeslaw.models import LAWS

NAMES = {law.__name__: law for law in LAWS}
OURS = "our model"
_SHOWN = 12  # labels of a column


def write(folder: Path, root: Path) -> None:
    """The pages `laws/index.md` and `laws/<name>.md`, and the pictures that changed."""
    groups = by_question((root / "README.md").read_text(encoding="utf-8"))
    write_page(folder / "index.md", index(groups))
    engine = _digest([*(root / "bayeslaw").glob("*.py"), *(root / "bayeslaw/plots").glob("_style.py"),
                      Path(law_plot.__file__), Path(typical.__file__), *(root / "models").glob("*.py")])  # fmt: skip
    for law in LAWS:
        caption = _picture(law, folder / f"{law.__name__.lower()}.png", engine)
        write_page(folder / f"{law.__name__.lower()}.md", page(law, caption))
    drop_others(folder, (law.__name__.lower() for law in LAWS))


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()


def _picture(law: type, path: Path, engine: str) -> str:
    """Draw a law, unless nothing that its picture depends on has changed, and return the caption."""
    kept = path.with_suffix(".caption")
    if path.is_file() and kept.is_file():
        digest, _, caption = kept.read_text(encoding="utf-8").partition("\n")
        if digest == engine:
            return caption
    found = law_plot.curves(law)
    law_plot.save(found, path)
    kept.write_text(f"{engine}\n{found.sentence}", encoding="utf-8")
    return found.sentence


def by_question(readme: str) -> dict[str, list[str]]:
    """The questions of the README's table, and the laws that answer each; then those that it does not list."""
    section = readme.split("## Which law\n")[1]
    lines = section.split("| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    groups: dict[str, list[str]] = {}
    for line in lines:
        question, cell = (part.strip() for part in line.strip("|").split("|"))
        groups[question] = [name for name in re.findall(r"`(\w+)`", cell) if name in NAMES]
    listed = {name for names in groups.values() for name in names}
    return {**groups, "other laws": [name for name in NAMES if name not in listed]}


def is_ours(law: type) -> bool:
    """Does its docstring say that the formula is of this library and not of a paper?"""
    return bool(re.search(r"\b(Our model|A law of ours)\b", doc(law).split("\n\n")[1]))


def index(groups: Mapping[str, list[str]]) -> str:
    about = (
        f"{len(LAWS)} laws, by the question they answer. Each page is made from the law itself: formula, parameters, "
        f"prior, published fits, decisions. Where no paper prints a formula the law is *{OURS}*. "
        "A law of your own is a class of twenty lines: see [Quick start](../quick_start.md#your-own-law) and "
        "[Contributing](../project/contributing.md).\n"
    )
    rows = [
        (question if i == 0 else "", link(name) + (f" *({OURS})*" if is_ours(NAMES[name]) else ""),
         code(_formula(NAMES[name]).split("\n")[0].replace("`", "")))
        for question, names in groups.items()
        for i, name in enumerate(names)
    ]  # fmt: skip
    pages = dict.fromkeys(name.lower() for names in groups.values() for name in names)
    listed = table(["question", "law", "formula"], rows)
    return "\n".join(["# Laws\n", about, listed, toctree(pages, ":hidden:", ":maxdepth: 1")])


def _formula(law: type) -> str:
    return doc(law).split("\n\n")[0]


def page(law: type, caption: str) -> str:
    """The page of a law."""
    name, prior = law.__name__, law.prior()
    about = doc(law).split("\n\n", 1)[1]
    ours = f"```{{admonition}} {OURS[0].upper() + OURS[1:]}\n:class: note\n\nNo paper prints this formula.\n```\n"
    command = next(key for key, one in commands().items() if one is law)
    text = [
        f"# {name}\n",
        fenced(_formula(law)),
        *([ours] if is_ours(law) else []),
        linked(prose(about), but=name),
        f"![{name}: prior predictive along one column]({name.lower()}.png)\n",
        f"*{escaped(caption)}*\n",
        "## Questions it answers\n",
        _decisions(prior),
        "## Columns\n",
        _columns(prior),
        "## Prior\n",
        prior_table(prior),
        f"Noise, when you name none: `{type(prior.noise()).__name__}`. {first_sentence(type(prior.noise()))}\n",
        prior_table(prior.noise(), "noise."),
        "## Published fits\n",
        _published(law),
        f"In Python `from bayeslaw.models import {name}`, on the command line `{command}`; "
        f"source `{law.__module__.removeprefix('bayeslaw.').replace('.', '/')}.py`.\n",
    ]
    return "\n".join(text)


def link(name: str, folder: str = "") -> str:
    return f"[`{name}`]({folder}{name.lower()}.md)"


def linked(text: str, folder: str = "", but: str = "") -> str:
    """The text with links from the names of laws, but one, to their pages."""
    fences = text.split("```")
    fences[::2] = [
        re.sub(r"`(\w+)`", lambda m: link(m[1], folder) if m[1] in NAMES and m[1] != but else m[0], part)
        for part in fences[::2]
    ]
    return "```".join(fences)


def _decisions(prior: Any) -> str:
    rows = [
        (code(key), escaped(one.question), codes(one.choose), codes(one.given) or "nothing", codes(one.report))
        for key, one in prior.decisions().items()
    ]
    return table(["decision", "question", "chooses", "given", "reports"], rows)


def _columns(prior: Any) -> str:
    rows, may_lack = [], prior.optional()
    for name in (*prior.columns(), prior.response):
        column, labels = COLUMNS[name], prior.categories().get(name)
        may = f"one of {codes(labels[:_SHOWN])}{' ...' if len(labels) > _SHOWN else ''}" if labels else column.domain
        remark = " (the response)" if name == prior.response else " (may be left out)" if name in may_lack else ""
        rows.append((code(name) + remark, column.unit or "-", escaped(column.meaning), may, codes(column.symbols[:1])))
    return table(["column", "unit", "meaning", "values", "in papers"], rows)


@float64
def prior_table(tree: Any, before: str = "") -> str:
    """A row for each distribution: what it is, its median and its 90 % interval."""
    rows = []
    for path, one in sites(tree).items():
        low, middle, high = (number(float(np.ravel(q)[0])) for q in quantiles(one))
        alike = f" ({one.event_shape[0]} of them)" if one.event_shape else ""
        rows.append((code(before + path) + alike, code(said(one)), middle, f"{low} to {high}"))
    if not rows:
        return "It has no parameters of its own.\n"
    return table(["parameter", "prior", "median", "90 % interval"], rows)


def quantiles(one: Any) -> np.ndarray:
    """The 5, 50 and 95 % quantiles of a distribution: exact where it has an inverse, else of draws."""
    levels = np.array([0.05, 0.5, 0.95])
    one = one.base_dist if isinstance(one, dist.Independent) else one
    try:
        return np.asarray(one.icdf(levels.reshape(3, *[1] * len(one.batch_shape))))
    except (NotImplementedError, ImportError):  # NumPyro takes some from an optional package
        return np.quantile(one.sample(jax.random.key(0), (100_000,)), levels, axis=0)


def said(one: Any) -> str:
    """A distribution in words: `LogNormal(ln 1.7, 0.3)`."""
    name = type(one).__name__
    if isinstance(one, dist.LogNormal):
        return f"LogNormal(ln {number(np.exp(one.loc))}, {one.scale:.3g})"
    if name == "TransformedDistribution" and isinstance(one.transforms[0], dist.transforms.AffineTransform):
        return f"{one.transforms[0].loc:g} + {said(one.base_dist)}"
    if name == "TwoSidedTruncatedDistribution":
        return f"{said(one.base_dist)} from {one.low:g} to {one.high:g}"
    if isinstance(one, dist.Independent):
        return said(one.base_dist)
    arguments = [f"{float(np.ravel(getattr(one, key))[0]):.3g}" for key in one.arg_constraints]
    return f"{name}({', '.join(arguments)})"


def number(value: float) -> str:
    """Three digits, thousands written out, and beyond them in words such as 2.5M."""
    if abs(value) < 1e3:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) < 1e5 else format_number(float(value), "tokens")


def _published(law: type) -> str:
    fits = law.published()
    if not fits:
        return "None: no coefficients are published, or not of this form.\n"
    values = {name: _numbers(fitted) for name, fitted in fits.items()}
    parameters = list(dict.fromkeys(path for found in values.values() for path in found))
    cells = [[number(found[path]) if path in found else "" for path in parameters] for found in values.values()]
    if len(fits) > 4:
        rows = [(code(name), *row) for name, row in zip(fits, cells, strict=True)]
        shown = table(["fit", *map(code, parameters)], rows)
    else:
        rows = [(code(path), *column) for path, column in zip(parameters, zip(*cells, strict=True), strict=True)]
        shown = table(["parameter", *map(code, fits)], rows)
    return f"{shown}\n{prose(doc(law.published))}\n" if law.published.__doc__ else f"{shown}\n"


@float64
def _numbers(fitted: Any) -> dict[str, float]:
    """Parameters of a published fit by name, then what follows from them."""
    own = {path: np.asarray(leaf, dtype=float) for path, leaf in leaves(fitted)}
    own |= {path: np.asarray(value, dtype=float) for path, value in fitted.derived().items()}
    return {path: float(value) for path, value in own.items() if np.ndim(value) == 0}
