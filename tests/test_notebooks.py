"""Notebooks hold no outputs, and run from top to bottom in a fresh process by the script that users have."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NEEDS = {
    "02_untuned_runs": "steplaw/dense_lr_bs_loss.csv",
    "03_best_ratios": "vocab_scaling/exp_data.csv",
    "06_inference_compute": "monkeys_pass_at_k/gsm8k_counts.csv",
}
"""What is read from the download cache."""

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def test_numbered_without_gaps() -> None:
    assert [path.stem[:3] for path in NOTEBOOKS] == [f"{i:02d}_" for i in range(1, len(NOTEBOOKS) + 1)]


@every
def test_clean(path: Path) -> None:
    """No outputs in git, cells with names that stay, and no metadata of whoever ran it last."""
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "short"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["id"] for cell in notebook["cells"]] == [f"c{i:02d}" for i in range(len(notebook["cells"]))]
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@every
def test_teaches(path: Path) -> None:
    """Begins with a title, ends with what next, and the notebooks that it names are there."""
    cells = read(path)["cells"]
    first, last = ("".join(cells[i]["source"]) for i in (0, -1))
    assert cells[0]["cell_type"] == "markdown"
    assert first.startswith("# ")
    assert "## What next" in last
    prose = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    named = {word.strip("`.,:;") for word in prose.split() if word.startswith("`0")}
    assert named <= {one.stem for one in NOTEBOOKS}


@every
def test_short_values_replace_parameters(path: Path) -> None:
    """A misspelt name would leave the notebook long without anyone noticing."""
    notebook = read(path)
    (tagged,) = (cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ()))
    assigned = {line.split(" = ")[0] for line in "".join(tagged["source"]).splitlines()}
    assert set(notebook["metadata"]["short"]) == assigned


def test_an_unknown_name_is_refused() -> None:
    done = run("09_nothing")
    assert done.returncode == 2
    assert "there is no notebook '09_nothing'; there are 01_first_fit" in done.stderr


@pytest.mark.pages
@every
def test_runs(path: Path, cache: Path) -> None:
    needed = NEEDS.get(path.stem)
    if needed and not (cache / needed).is_file():
        pytest.skip(f"{needed} is not at hand (no ../shared/data) and tests do not use the network")
    done = run(path.stem, "--short", BAYESLAW_DATA=str(cache))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{path.stem}: ok" in done.stdout


@pytest.mark.pages
@pytest.mark.parametrize(
    ("source", "found"),
    [("1 / 0", "ZeroDivisionError"), ("print('PROBLEM: chains disagree')", "PROBLEM: chains disagree")],
)
def test_a_notebook_that_fails(source: str, found: str, tmp_path: Path) -> None:
    cell = {
        "id": "c00",
        "cell_type": "code",
        "metadata": {},
        "source": [source],
        "outputs": [],
        "execution_count": None,
    }
    (tmp_path / "one.ipynb").write_text(
        json.dumps({"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": [cell]})
    )
    (tmp_path / "run.py").write_text((FOLDER / "run.py").read_text())
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "one: FAILED" in done.stdout
    assert found in done.stderr
