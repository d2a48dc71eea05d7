"""Notebooks run from top to bottom, in a fresh process, and hold no outputs."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NEEDS = {"01_untuned_runs": "steplaw/dense_lr_bs_loss.csv"}  # in the download cache


def as_script(path: Path) -> str:
    """The code cells; the last expression of each is shown, as Jupyter does."""
    lines = ["import matplotlib", "matplotlib.use('Agg')"]
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            *rest, last = tree.body
            shown = isinstance(last, ast.Expr)
            lines += [ast.unparse(one) for one in rest]
            lines.append(f"print(({ast.unparse(last)}))" if shown else ast.unparse(last))
    return "\n".join(lines)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_in_git(path: Path) -> None:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, cache: Path, tmp_path: Path) -> None:
    needed = NEEDS.get(path.stem)
    if needed and not (cache / needed).is_file():
        pytest.skip(f"{needed} is not at hand (no ../shared/data) and tests do not use the network")
    done = subprocess.run(
        [sys.executable, "-c", as_script(path)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "BAYESLAW_DATA": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "PROBLEM" not in done.stdout
