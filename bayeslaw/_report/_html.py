"""HTML from Python: whatever is not markup already is escaped when it is put into a tag."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from bayeslaw._errors import Status

_EMPTY = ("img", "input")
_LONG = 40  # characters of a cell that may be broken into lines
_CITED = re.compile(r"arXiv:? (\d{4}\.\d{4,5})")


class Html(str):
    """Text that is markup already."""


def tag(name: str, *inside: Any, **attributes: Any) -> Html:
    """An element; `class_` and `aria_label` stand for class and aria-label. True is an attribute without a value, None
    and False are left out."""
    words = [name]
    for key, value in attributes.items():
        if value is not None and value is not False:
            said = "" if value is True else f'="{escape(str(value))}"'
            words.append(f"{key.rstrip('_').replace('_', '-')}{said}")
    opened = f"<{' '.join(words)}>"
    return Html(opened if name in _EMPTY else f"{opened}{joined(inside)}</{name}>")


def joined(parts: Iterable[Any]) -> Html:
    """One after the other; None is nothing."""
    return Html("".join(one if isinstance(one, Html) else escape(str(one)) for one in parts if one is not None))


def paragraph(*inside: Any, **attributes: Any) -> Html:
    return tag("p", *inside, **attributes)


def table(headers: Sequence[Any], rows: Iterable[Sequence[Any]], caption: str, **attributes: Any) -> Html:
    """A table that scrolls sideways by itself where the page is narrow; the first cell of a row is its header."""
    head = tag("tr", *(tag("th", one, scope="col") for one in headers))
    body = (tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in rows)
    made = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), **attributes)
    # What scrolls must be reachable by keyboard.
    return tag("div", made, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _cell(what: Any) -> Html:
    long = not isinstance(what, Html) and len(str(what)) > _LONG
    return tag("td", what, class_="words" if long else None)


def pairs(items: Mapping[str, Any] | Iterable[tuple[str, Any]], **attributes: Any) -> Html:
    """Names and what they are, as a list of definitions."""
    every = items.items() if isinstance(items, Mapping) else items
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", what)) for name, what in every), **attributes)


def bullets(items: Iterable[Any]) -> Html:
    return tag("ul", *(tag("li", one) for one in items))


def code(text: str) -> Html:
    return tag("pre", tag("code", text), tabindex=0)


def details(summary: str, *inside: Any) -> Html:
    return tag("details", tag("summary", summary), *inside)


def remarks(found: Iterable[Status]) -> Html | None:
    """Statuses as a list, those that forbid using the numbers first and marked by more than their colour."""
    every = sorted(dict.fromkeys(found), key=lambda one: not one.serious)
    items = (
        tag("li", tag("strong", "Problem: "), one.text, class_="problem") if one.serious else tag("li", one.text)
        for one in every
    )
    return tag("ul", *items, class_="remarks") if every else None


def prose(doc: str) -> Html:
    """A docstring: paragraphs, lists, `names`, and the arXiv numbers it cites as links."""
    blocks = re.split(r"\n\s*\n", doc.strip())
    return joined(_block(one) for one in blocks if one.strip())


def _block(text: str) -> Html:
    lines = text.splitlines()
    if all(line.startswith("    ") for line in lines):
        return code("\n".join(line[4:] for line in lines))
    start = next((i for i, line in enumerate(lines) if line.startswith("- ")), len(lines))
    items: list[str] = []
    for line in lines[start:]:
        if line.startswith("- "):
            items.append(line[2:])
        elif line.startswith("  "):
            items[-1] += f" {line.strip()}"
        else:  # the list has ended
            break
    rest = lines[start + sum(1 for line in lines[start:] if line.startswith(("- ", "  "))) :] if items else []
    before, after = " ".join(lines[:start]), " ".join(rest)
    return joined(
        [
            paragraph(inline(before)) if before else None,
            bullets(map(inline, items)) if items else None,
            paragraph(inline(after)) if after else None,
        ]
    )


def inline(text: str) -> Html:
    """A line of prose with its `names` and citations."""
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return Html(_CITED.sub(r'<a href="https://arxiv.org/abs/\1" rel="noreferrer">arXiv \1</a>', safe))
