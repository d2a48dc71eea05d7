"""The links resolve, and what is built holds every law, every data file and nothing odd."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_links_resolve() -> None:
    assert (ROOT / "bayeslaw" / "models").is_symlink()
    assert (ROOT / "bayeslaw" / "_data").is_symlink()
    assert (ROOT / "bayeslaw" / "models").resolve() == ROOT / "models"
    assert (ROOT / "bayeslaw" / "_data").resolve() == ROOT / "datasets"
    assert not (ROOT / "datasets" / "__init__.py").exists()  # it would shadow a well-known package


def test_models_refuse_another_name() -> None:
    done = subprocess.run([sys.executable, "-c", "import models"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "import this package as bayeslaw.models" in done.stderr


def test_a_wheel_holds_everything(tmp_path: Path) -> None:
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(built, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in sorted((ROOT / "models").glob("*.py")):
        assert f"bayeslaw/models/{path.name}" in names
    for path in sorted((ROOT / "bayeslaw").rglob("*.py")):
        if "models" not in path.relative_to(ROOT).parts:
            assert path.relative_to(ROOT).as_posix() in names
    for path in sorted((ROOT / "bayeslaw" / "_report").glob("page.*")):  # the style and the script of a report
        assert path.relative_to(ROOT).as_posix() in names
    for path in sorted((ROOT / "datasets").iterdir()):
        assert f"bayeslaw/_data/{path.name}" in names
    assert "bayeslaw/py.typed" in names
    assert not any(name.startswith(("tests/", "models/", "datasets/")) for name in names)


def test_ci_runs_the_command_that_the_readme_prints() -> None:
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[1].endswith("pytest -n auto --dist loadfile")
    assert commands[1] in ci.splitlines()


def test_importing_is_cheap_and_the_public_names_exist() -> None:
    script = "import sys, bayeslaw; print('jax' in sys.modules, len(bayeslaw.__all__))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False ")
    import bayeslaw

    for name in bayeslaw.__all__:
        assert getattr(bayeslaw, name).__doc__ or name == "__version__" or name == "Scalar"
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        bayeslaw.fitt  # noqa: B018


def test_arviz_may_be_imported_first() -> None:
    """ArviZ leaves a lazy stand-in for numpyro; sampling must survive it."""
    script = (
        "import arviz, bayeslaw as bl\n"
        "from bayeslaw.models import Chinchilla\n"
        "print(bl.simulate(Chinchilla, {'params': [1e9], 'tokens': [1e10]}).shape)\n"
        "print(bl.fit(Chinchilla, bl.load_chinchilla(), draws=20, warmup=20).shape)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["(1, 3)", "(4, 20)"], done.stderr


def test_dependencies_are_all_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sources = "\n".join(path.read_text() for folder in ("bayeslaw", "models") for path in (ROOT / folder).rglob("*.py"))
    for requirement in project["dependencies"]:
        name = requirement.split(">=")[0].split("[")[0].replace("-", "_")
        assert f"import {name}" in sources or f"from {name}" in sources or f'engine="{name}"' in sources, name
