"""Markdown from docstrings and tables."""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_SIGNS = re.compile(r"((?<!\S)\*[A-Za-z][^*]*[A-Za-z]\*(?!\w))|[*_<>\[\]]")  # an emphasis stays, a star is escaped
_OWN_PARAGRAPH = re.compile(r"(?<=[.)])\s+(?=Prior, 90 %|Departures? from the papers?:)")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars inside a cell are escaped, lines joined."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(cell: object) -> str:
    return " ".join(str(cell).split()).replace("|", r"\|")


def code(text: object) -> str:
    return f"`{text}`"


def codes(names: Iterable[object]) -> str:
    return ", ".join(code(name) for name in names)


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```\n"


def outside_code(change: Callable[[str], str], text: str) -> str:
    """The text with `change` made everywhere but in spans of code."""
    parts, end = [], 0
    for span in _CODE.finditer(text):
        parts += [change(text[end : span.start()]), span.group()]
        end = span.end()
    return "".join([*parts, change(text[end:])])


def escaped(text: str) -> str:
    """Prose as it stands: stars of formulas are stars, and no line inside a paragraph begins a list or a comment."""
    text = outside_code(lambda part: _SIGNS.sub(lambda found: found[1] or f"\\{found[0]}", part), text)
    return re.sub(r"^( *)([+%#])", r"\1\\\2", text, flags=re.MULTILINE)


def prose(text: str) -> str:
    """A docstring as Markdown: paragraphs, lists of `- name: meaning`, and indented code."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("    "):
            found.append(fenced(inspect.cleandoc(block), "python"))
        elif block.startswith("- "):
            apart = ["<!-- another list -->"] if found and found[-1].startswith("- ") else []
            found += [*apart, escaped(block)]
        else:
            lead, _, items = block.partition("\n- ")  # a list right below its sentence
            found += [escaped(one) for one in _OWN_PARAGRAPH.split(lead)]
            found += [escaped("- " + items)] if items else []
    return "\n\n".join(found) + "\n"


def doc(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def first_sentence(thing: Any) -> str:
    """What a docstring begins with, up to its first full stop or the end of the paragraph."""
    lead = " ".join(doc(thing).split("\n\n")[0].split())
    return escaped(re.split(r"(?<!al)(?<=[a-z)`])\.\s", lead)[0].removesuffix(".") + ".") if lead else ""


def write(path: Path, text: str) -> None:
    """Write a page, unless it is there already as it is: Sphinx then reads it again only when it has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def drop_others(folder: Path, stems: Iterable[str]) -> None:
    """Delete the pages of what is no more: Sphinx would find them in no table of contents."""
    kept = {"index", *stems}
    for path in folder.iterdir():
        if path.stem not in kept:
            path.unlink()


def toctree(names: Iterable[str], *options: str) -> str:
    """A table of contents with options such as `:hidden:`."""
    return "```{toctree}\n" + "".join(f"{option}\n" for option in options) + "\n" + "\n".join(names) + "\n```\n"
