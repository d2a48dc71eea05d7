"""The blocks of code in the Markdown pages for people, and what a test is to do with each.

A block is marked in a comment on the line above it, or in the words after its language:

- `<!-- not run: reason -->`: the reason is shown where a test skips it.
- `<!-- takes minutes -->`: run by the tests that are marked slow.
- `python raises`: raises `InputError`, and the next block is how its message begins.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/concepts").glob("*.md")),
]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
# What a shell is not asked to do in a test, and why.
_INSTALLS = "installs into a fresh environment: continuous integration runs the README's second command, test_packaging the wheel"
_NOT_RUN = {"python3 -m venv": _INSTALLS, "pip install": _INSTALLS, ".venv/bin/": "continuous integration runs it"}


@dataclass(frozen=True)
class Block:
    """Some lines of a page. `line` is where the first of them stands."""

    page: Path
    line: int
    language: str
    text: str
    mark: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def reason(self) -> str:
        """Why it is not run; empty if it is."""
        if self.mark.startswith("not run: "):
            return self.mark.removeprefix("not run: ")
        return next(
            (why for start, why in _NOT_RUN.items() if self.language == "bash" and self.text.startswith(start)), ""
        )

    @property
    def slow(self) -> bool:
        return self.mark == "takes minutes"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    made = []
    for block, after in zip(found, [*found[1:], None], strict=False):
        language, *options = block["info"].split() or [""]
        message = after["text"] if "raises" in options and after else ""
        line = text[: block.start("text")].count("\n") + 1
        made.append(Block(page, line, language, block["text"], block["mark"] or "", message))
    return made


def of(language: str, *, slow: bool = False) -> dict[Path, list[Block]]:
    """The blocks of each page that are run, those of a page before a slow one included where these are asked for."""
    every = {page: [one for one in blocks(page) if one.language == language and not one.reason] for page in PAGES}
    if slow:
        return {page: found for page, found in every.items() if any(one.slow for one in found)}
    return {page: fast for page, found in every.items() if (fast := [one for one in found if not one.slow])}


def run(page: Path, found: list[Block]) -> None:
    """Execute blocks one after the other, as if typed; a traceback names the page and the line."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in found:
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        if block.message:
            _raises(block, code, names)
        else:
            exec(code, names)


def _raises(block: Block, code: object, names: dict[str, object]) -> None:
    from bayeslaw import InputError

    wanted = " ".join(block.message.split())
    try:
        exec(code, names)  # pyright: ignore[reportArgumentType]
    except InputError as error:
        if not str(error).startswith(wanted):
            raise AssertionError(f"{block.name} says\n{wanted}\nbut the message is\n{error}") from error
    else:
        raise AssertionError(f"{block.name} was to raise InputError and did not")


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    chosen, options = Path(sys.argv[1]), sys.argv[2:]
    asked = of("python", slow="slow" in options)[chosen]
    run(chosen, [one for one in asked if "offline" not in options or ".fetch_" not in one.text])
