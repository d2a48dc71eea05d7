"""The notebooks, copied to where the documentation is built: a list of them, and each as a page."""

import json
import shutil
from pathlib import Path

from _extension.markdown import drop_others, toctree
from _extension.markdown import write as write_page


def write(folder: Path, source: Path) -> None:
    """Copy what changed, drop what is gone, and list all by number."""
    paths = sorted(source.glob("*.ipynb"))
    folder.mkdir(parents=True, exist_ok=True)
    drop_others(folder, (path.stem for path in paths))
    for path in paths:
        if not (folder / path.name).is_file() or (folder / path.name).read_bytes() != path.read_bytes():
            shutil.copyfile(path, folder / path.name)
    write_page(folder / "index.md", index(paths))


def index(paths: list[Path]) -> str:
    lines = [f"- [{title(path)}]({path.name}): `notebooks/{path.name}`" for path in paths]
    text = "Each runs from top to bottom on a laptop; download one, or open it in the clone of the repository."
    return "\n".join(["# Notebooks\n", text + "\n", *lines, "", toctree([path.stem for path in paths], ":hidden:")])


def title(path: Path) -> str:
    """The first heading of a notebook."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return line.removeprefix("# ")
    return path.stem
