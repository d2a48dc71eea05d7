"""Pages that are files at the top of the repository: how to contribute, what changed, the README's answers."""

import re
from pathlib import Path

from _extension.laws import linked
from _extension.markdown import write as write_page

_ANSWERS = re.compile(r"<!-- answers: .*? -->\n(.*)<!-- end of answers -->", re.DOTALL)


def write(folder: Path, root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    write_page(folder / "answers.md", answers(readme))
    write_page(folder / "contributing.md", (root / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    write_page(folder / "changelog.md", (root / "CHANGELOG.md").read_text(encoding="utf-8"))


def answers(readme: str) -> str:
    """The README's table of answers, with the paragraph before it."""
    found = _ANSWERS.search(readme)
    if found is None:
        raise ValueError("the README has no table between its comments `answers` and `end of answers`")
    about = readme[: found.start()].rstrip().rsplit("\n\n", 1)[1]
    return f"# Answers\n\n{about}\n\n{linked(found[1], '../laws/')}"
