"""Laws of other packages, found by their entry point."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bayeslaw as bl
from bayeslaw._codec import decode
from bayeslaw.models import LAWS, Chinchilla, RoutedMoE

LAW = """
from bayeslaw.models import Chinchilla

class Toy(Chinchilla):
    "loss = as Chinchilla's, under another name"
"""
ENTRIES = """
[bayeslaw.laws]
toy = toy_laws:Toy
chinchilla = toy_laws:Toy
gone = toy_laws:Gone
odd = toy_laws:__name__
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """As pip leaves one that is installed."""
    about = tmp_path / "toy_laws-1.0.dist-info"
    about.mkdir()
    (tmp_path / "toy_laws.py").write_text(LAW)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-laws\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    return tmp_path


def test_every_law_has_a_name() -> None:
    found = bl.laws()
    assert set(found.values()) >= set(LAWS)
    assert (found["chinchilla"], found["routed_moe"]) == (Chinchilla, RoutedMoE)
    assert {"qat_optimum", "moe_sparsity", "prm_line", "autoregressive_compute", "m4"} <= set(found)


def test_laws_of_an_installed_package_are_found_and_broken_ones_named(package: Path) -> None:
    script = "import bayeslaw as bl; print(sorted(set(bl.laws()) & {'toy', 'gone', 'odd', 'chinchilla'}))"
    done = _python(package, "-c", script)
    assert done.stdout.strip() == "['chinchilla', 'toy']", done.stderr
    for text in (
        "the law 'chinchilla' of toy-laws was left out: there is a law of that name already",
        "the law 'gone' of toy-laws was left out: toy_laws:Gone cannot be loaded",
        "the law 'odd' of toy-laws was left out: toy_laws:__name__ is not a law",
    ):
        assert text in done.stderr


def test_saved_fits_of_such_a_law_need_no_import(package: Path) -> None:
    """`load` reads the law of a file by `decode`."""
    written = _python(
        package,
        "-c",
        "import json, toy_laws; from bayeslaw._codec import encode; print(json.dumps(encode(toy_laws.Toy.prior())))",
    ).stdout
    script = "import json, sys; from bayeslaw._codec import decode; print(type(decode(json.loads(sys.argv[1]))))"
    read = _python(package, "-W", "ignore", "-c", script, written)
    assert read.stdout.strip() == "<class 'toy_laws.Toy'>", read.stderr
    with pytest.raises(bl.InputError, match=r"the fit is of toy_laws\.Toy, which is not defined here"):
        decode(json.loads(written))


def test_the_command_line_knows_it(package: Path) -> None:
    listed = _python(package, "-W", "ignore", "-m", "bayeslaw", "fit", "Toy", "none.csv")
    assert "there is no file 'none.csv'" in listed.stderr  # and not: there is no law


def _python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
