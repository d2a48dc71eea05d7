"""Runs the notebooks from top to bottom, each in a fresh process and an empty folder.

    python notebooks/run.py                          # all of them, in full
    python notebooks/run.py 01_first_fit --short     # one of them, quickly
    python notebooks/run.py --output executed        # keeps the executed copies in a folder

One cell of each notebook is tagged `parameters`: it holds what decides how long the notebook takes, such as `draws`.
With `--short` the values in the notebook's own metadata, under `short`, replace them: a cell that assigns these is put
right after the tagged one, as papermill does, so that nothing else differs between the two ways.

Prints what each notebook wrote to stderr (warnings among it) and its time. The exit code is 1 where a cell raised an
error or showed a PROBLEM, the status of a posterior that is not a result, unless it is tagged `shows-problem`.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
MOST = 1800  # seconds a cell may take


def shortened(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its quick parameters."""
    (at,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    source = "\n".join(f"{name} = {value!r}" for name, value in notebook.metadata["short"].items())
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(source, id="short"))
    return notebook


def texts(cell: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """What a cell showed as text, and where: a stream, or the kind of an output."""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            yield output.name, output.text
        yield from ((kind, text) for kind, text in output.get("data", {}).items() if kind.startswith("text/"))


def execute(name: str, short: bool, output: Path | None) -> str:
    """Runs one notebook; what is wrong with it, or an empty text."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook = shortened(notebook) if short else notebook
    problem = ""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=MOST, resources={"metadata": {"path": folder}}, extra_arguments=["--log-level=ERROR"]
        )
        try:
            client.execute()
        except CellExecutionError as error:
            problem = str(error)
    found = []
    for cell in notebook.cells:
        shown = list(texts(cell))
        print("".join(text for where, text in shown if where == "stderr"), end="", file=sys.stderr)
        if "shows-problem" not in cell.metadata.get("tags", ()):
            found += [sentence for _, text in shown for sentence in re.findall(r"PROBLEM[^<\n]*", text)]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, output / f"{name}.ipynb")
    return problem or "\n".join(dict.fromkeys(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all when left out")
    parser.add_argument("--short", action="store_true", help="with the quick parameters of each notebook")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write the executed copies")
    options = parser.parse_args()
    names = [name.removesuffix(".ipynb") for name in options.names] or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no notebook {min(unknown)!r}; there are {', '.join(NAMES)}.")
    failed = 0
    for name in names:
        start = time.perf_counter()
        problem = execute(name, options.short, options.output)
        print(f"{name}: {'FAILED' if problem else 'ok'}, {time.perf_counter() - start:.0f} s", flush=True)
        if problem:
            print(problem, file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
