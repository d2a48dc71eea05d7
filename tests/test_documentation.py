"""Every block of code in the pages for people runs as printed, every command exists, every link leads somewhere."""

import ast
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, blocks, of

import bayeslaw as bl

PYTHON, SLOW, BASH = of("python"), of("python", slow=True), of("bash")
LEFT_OUT = [block for page in PAGES for block in blocks(page) if block.reason]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


# What a reader is promised to see.
PRINTS = {
    "README.md": ["tokens_per_param", "loss_excess", "redpajama", "params by tokens", "2 laws compared on 234 runs",
                  "on params at flops", "Back-test of 2 methods on 2 splits", "CVaR(level=0.9) of loss"],
    "docs/decisions.md": ["Recommended     params = 64.1B", "n_layers = 95", "2.98B"],
    "docs/arms.md": ["redpajama is worth 0.487 times the compute"],
    "docs/refusals.md": ["R-hat"],
}  # fmt: skip
# What must be in the download cache for the blocks that fetch.
NEEDS = {"README.md": "steplaw/dense_lr_bs_loss.csv"}


def run_page(page: Path, folder: Path, cache: Path, *options: str) -> str:
    command = [sys.executable, str(ROOT / "tests/pages.py"), str(page), *options]
    env = {**os.environ, "BAYESLAW_DATA": str(cache)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "not a result" not in done.stderr
    assert "PROBLEM" not in done.stdout
    return done.stdout


@pytest.mark.pages
@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_python_runs_as_printed(page: Path, cache: Path, tmp_path: Path) -> None:
    name = name_of(page)
    if name in NEEDS and not (cache / NEEDS[name]).is_file():
        run_page(page, tmp_path, cache, "offline")
        pytest.skip(f"all ran but what needs {NEEDS[name]}, which is not at hand; tests do not use the network")
    printed = run_page(page, tmp_path, cache)
    for words in PRINTS.get(name, []):
        assert words in printed
    if page.name == "README.md":
        assert printed.startswith("()")  # the status: nothing to remark
        assert (tmp_path / "fit.nc").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=name_of)
def test_python_that_takes_minutes_runs_as_printed(page: Path, cache: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path, cache, "slow")


@pytest.mark.pages
@pytest.mark.parametrize("page", BASH, ids=name_of)
def test_commands_run_as_printed(page: Path, cache: Path, tmp_path: Path) -> None:
    """In a folder with the table that the text speaks of, by the interpreter of the tests."""
    runs = bl.load_chinchilla().rename(columns={"params": "N", "tokens": "D"})
    runs[["N", "D", "loss"]].to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "bayeslaw"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bayeslaw "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    env = {
        **os.environ,
        "BAYESLAW_DATA": str(cache),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "MPLBACKEND": "Agg",
    }
    for block in BASH[page]:
        done = subprocess.run(["bash", "-e", "-c", block.text], cwd=tmp_path, capture_output=True, text=True, env=env)
        assert done.returncode == 0, f"{block.name}\n{done.stderr[-3000:]}"
    if page.name == "README.md":
        assert (tmp_path / "plan.png").is_file()


@pytest.mark.parametrize("block", LEFT_OUT, ids=lambda block: block.name)
def test_blocks_that_are_not_run(block: Block) -> None:
    pytest.skip(block.reason)


def test_every_block_is_of_a_known_kind() -> None:
    """Python and shell are run; what is printed is `text` or has no language. A misspelt language would run nowhere."""
    for page in PAGES:
        for block in blocks(page):
            assert block.language in {"python", "bash", "text", "toml", "", "{toctree}", "{include}"}, block.name
            if block.language == "python":
                ast.parse(block.text, block.name)
            assert block.mark == "" or block.reason or block.slow or not block.mark.startswith("not run"), block.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_benchmarks_that_pages_name_exist(page: Path) -> None:
    """`python benchmarks/checking.py stack`: the file is there, and knows the word."""
    for script, words in re.findall(r"`python (benchmarks/[\w/]+\.py)([^`]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / script).is_file(), script
        source = (ROOT / script).read_text(encoding="utf-8")
        for word in words.split():
            if not word.isdigit():
                known = rf"[\"']{word}[\"']|def {word}\b"
                assert re.search(known, source), f"{page.name}: {script} does not know {word!r}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    made = tuple(f"{name}/" for name in ("laws", "data", "notebooks", "project", "reference"))  # when the site is built
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        if path.is_relative_to(ROOT / "docs") and str(path.relative_to(ROOT / "docs")).startswith(made):
            continue
        assert path.exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_prose_names_files_that_exist() -> None:
    """Benchmarks, pages, notebooks and tests that a page names in code or in brackets."""
    for page in PAGES:
        for name in re.findall(
            r"`((?:benchmarks|docs|notebooks|tests|models|bayeslaw)/[\w./]+\.\w+)`", page.read_text("utf-8")
        ):
            assert (ROOT / name).exists(), f"{page.relative_to(ROOT)} names {name}"


def test_every_picture_is_listed() -> None:
    text = (ROOT / "docs/pictures.md").read_text(encoding="utf-8")
    assert not [name for name in bl.plots.__all__ if f"`{name}`" not in text]


def test_a_page_that_goes_wrong_is_found(tmp_path: Path) -> None:
    """The line of the page is named, and a message that is another one, or none, is an error."""
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nfine = 1\n```\n\n```python\n1 / 0\n```\n")
    script = f"import pages; from pathlib import Path; p = Path({str(page)!r}); pages.run(p, pages.blocks(p))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "tests", capture_output=True, text=True)
    assert f'File "{page}", line 8' in done.stderr
    for text, says in [("bl.LogRange(0, 1)", "the message is"), ("1 + 1", "did not")]:
        page.write_text(
            f"```python\nimport bayeslaw as bl\n```\n\n```python raises\n{text}\n```\n\n```text\nanother\n```\n"
        )
        script = f"import pages; from pathlib import Path; pages.ROOT = Path('/'); p = Path({str(page)!r}); pages.run(p, pages.blocks(p))"
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "tests", capture_output=True, text=True)
        assert says in done.stderr
