"""The links resolve, and what is built holds every law, every data file and nothing odd."""

import os
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


def test_the_readme_runs_as_printed(tmp_path: Path) -> None:
    code = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    script = "import matplotlib\nmatplotlib.use('Agg')\n" + code
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("()")  # the status: nothing to remark
    assert "tokens_per_param" in done.stdout
    assert (tmp_path / "fit.nc").is_file()


def test_the_readme_on_untuned_runs_runs_as_printed(tmp_path: Path, cache: Path) -> None:
    if not (cache / "steplaw" / "dense_lr_bs_loss.csv").is_file():
        pytest.skip("Step Law's table is not at hand (no ../shared/data) and tests do not use the network")
    blocks = (ROOT / "README.md").read_text().split("```python\n")
    script = "import matplotlib\nmatplotlib.use('Agg')\nimport bayeslaw as bl\nfrom bayeslaw.models import Chinchilla\n"
    env = {**os.environ, "BAYESLAW_DATA": str(cache)}
    command = [sys.executable, "-c", script + blocks[2].split("```")[0]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "loss_excess" in done.stdout
    assert "PROBLEM" not in done.stdout


@pytest.mark.slow
def test_the_readme_on_several_corpora_runs_as_printed(tmp_path: Path) -> None:
    blocks = (ROOT / "README.md").read_text().split("```python\n")
    script = "import bayeslaw as bl\nfrom bayeslaw.models import Chinchilla\n" + blocks[3].split("```")[0]
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "redpajama" in done.stdout
    assert "not a result" not in done.stderr


def test_the_readme_on_checking_runs_as_printed(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## Checking and comparing")[1]
    script = "import matplotlib\nmatplotlib.use('Agg')\n" + section.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "params by tokens" in done.stdout
    assert "2 laws compared on 234 runs" in done.stdout
    assert "on params at flops" in done.stdout


@pytest.mark.parametrize(
    ("title", "says"),
    [("Far beyond the runs", "Back-test of 2 methods on 2 splits"), ("One plan", "CVaR(level=0.9) of loss")],
)
def test_the_readme_on_forecasts_and_plans_runs_as_printed(title: str, says: str, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split(f"## {title}\n")[1]
    script = "import matplotlib\nmatplotlib.use('Agg')\n" + section.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert "not a result" not in done.stderr


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
