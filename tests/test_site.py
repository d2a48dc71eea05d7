"""The pages that are made from the code, and the site as Sphinx builds it and a browser shows it."""

import importlib
import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw import datasets
from bayeslaw.models import LAWS, QAT, Chinchilla, CoverageCurve, Downstream, OurVerification, Speculative

pytestmark = pytest.mark.pages
ROOT = Path(__file__).parents[1]
SHOWN = ("index", "quick_start", "how_calibrated", "extrapolation", "laws/index", "laws/chinchilla", "laws/mist", "data/chinchilla",
         "reference/fitting", "project/command_line", "notebooks/index")  # fmt: skip
PARTS = ("commands", "data_cards", "law_plot", "laws", "markdown", "notebooks", "project", "reference", "typical")


@pytest.fixture(scope="module")
def made() -> Iterator[Any]:
    """The modules of docs/_extension, which is no installed package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield SimpleNamespace(**{name: importlib.import_module(f"_extension.{name}") for name in PARTS})


def test_docstrings_stay_what_they_say(made: Any) -> None:
    text = "lr* = a_i <b>, `x*y` of *it* 2*3\n+ more [1]\n\n- `one`: a\n- `two`: b\n\n- `three`: c\n\n    code * here\n"
    assert made.markdown.prose(text) == (
        "lr\\* = a\\_i \\<b\\>, `x*y` of *it* 2\\*3\n\\+ more \\[1\\]\n\n- `one`: a\n- `two`: b\n\n<!-- another list -->\n\n"
        "- `three`: c\n\n```python\ncode * here\n```\n\n"
    )
    assert made.markdown.prose("an interval on *where it\nis*, not x* or a * b") == (
        "an interval on *where it\nis*, not x\\* or a \\* b\n"
    )
    assert made.markdown.prose("It holds. Prior, 90 %: a 1 to 2.") == "It holds.\n\nPrior, 90 %: a 1 to 2.\n"
    assert made.markdown.table(["a"], [["x | y\nz"]]) == "| a |\n| --- |\n| x \\| y z |\n"


def test_a_page_is_written_only_when_it_changed(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.md"
    made.markdown.write(path, "text")
    os.utime(path, (0, 0))
    made.markdown.write(path, "text")
    assert path.stat().st_mtime == 0
    made.markdown.write(path, "other")
    assert path.read_text() == "other"
    made.markdown.drop_others(path.parent, ["another"])
    assert not path.exists()


def test_every_law_answers_a_question_of_the_list(made: Any) -> None:
    groups = made.laws.by_question((ROOT / "README.md").read_text(encoding="utf-8"))
    listed = {name for names in groups.values() for name in names}
    assert listed == {law.__name__ for law in LAWS}
    assert groups["how many tokens to draft"] == ["Speculative"]
    ours = {law.__name__ for law in LAWS if made.laws.is_ours(law)}
    assert ours >= {law.__name__ for law in LAWS if law.__name__.startswith("Our")} | {"QuantizedResNet"}
    assert not ours & {"Chinchilla", "QAT", "Coverage", "Kaplan"}


def test_the_page_of_a_law(made: Any) -> None:
    page = made.laws.page(Chinchilla, "A caption.")
    assert page.startswith(
        "# Chinchilla\n\n```text\nloss = E + a (params / 1e9)^-alpha + b (tokens / 2e10)^-beta\n```\n"
    )
    assert "| `E` | `LogNormal(ln 1.7, 0.3)` | 1.7 | 1.04 to 2.78 |" in page  # as the docstring has it
    assert "| `noise.df` | `1 + Gamma(2, 0.1)` |" in page
    assert "| `alpha` | 0.339 | 0.348 |" in page
    assert "| `compute_optimal` | Which model size, and how many tokens," in page
    assert "| `params` | parameters | model size, embeddings included | at least 1 | `N` |" in page
    assert "our model" not in page.lower()
    assert "No paper prints this formula" in made.laws.page(OurVerification, "")
    assert "[`Coverage`](coverage.md)" in made.laws.page(CoverageCurve, "")
    assert "None: no coefficients are published" in made.laws.page(QAT, "")
    assert "`Normal(0.8" in made.laws.page(Downstream, "")  # of the truncated one


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_law_has_a_page_and_a_place_to_be_drawn(made: Any, law: type[bl.AbstractLaw]) -> None:
    page = made.laws.page(law, "")
    for decision in law.prior().decisions():
        assert f"| `{decision}` |" in page
    for name in law.published():
        assert f"`{name}`" in page
    labels = law.prior().categories()
    for column in law.prior().columns():
        assert column in labels or column in made.typical.RANGES, f"say in typical.py where {column} is drawn"
    assert set(made.typical.MAIN) <= {law.__name__ for law in LAWS}
    if main := made.typical.MAIN.get(law.__name__):
        assert main in law.prior().columns()


def test_curves_are_those_of_the_law(made: Any) -> None:
    found = made.law_plot.curves(Chinchilla)
    assert (found.column, found.others) == ("params", {"tokens": 2e10})
    assert (np.diff(found.bands, axis=0) >= 0).all()
    assert (np.diff(found.bands, axis=1) <= 0).all()  # the loss falls with size, at every quantile
    fitted = Chinchilla.published()["hoffmann2022"]
    np.testing.assert_allclose(found.published["hoffmann2022"], fitted(params=found.x, tokens=2e10))
    assert found.sentence.endswith("at tokens = 20B. Lines: published fits.")
    # At 1 B parameters and 2e10 tokens it is E + a + b; 1000 draws know a median to 3 percent.
    middle = float(np.interp(9.0, np.log10(found.x), found.bands[2]))
    assert middle == pytest.approx(np.median(np.random.default_rng(0).lognormal(
        np.log([1.7, 0.35, 0.4]), [0.3, 1.0, 1.0], (100_000, 3)).sum(1)), rel=0.05)  # fmt: skip


@pytest.mark.parametrize("law", [Chinchilla, CoverageCurve, Speculative])
def test_pictures_of_few_fits_many_and_none(made: Any, law: type[bl.AbstractLaw], tmp_path: Path) -> None:
    found = made.law_plot.curves(law)
    ax = made.law_plot.draw(found)
    _, labels = ax.get_legend_handles_labels()
    fits = law.published()
    assert labels[3:] == ([f"{len(fits)} published fits"] if len(fits) > made.law_plot.MOST_NAMED else list(fits))
    made.law_plot.save(found, tmp_path / "law.png")
    assert (tmp_path / "law.png").stat().st_size > 10_000


def test_the_reference_has_every_public_name(made: Any) -> None:
    pages = made.reference.pages()
    names = [name for _, _, names in pages.values() for name in names]
    assert len(names) == len(set(names))
    data = {name for name in bl.__all__ if name.split("_")[0] in ("load", "fetch", "make") and name != "load"}
    assert set(names) == set(bl.__all__) - data - {"__version__"}
    entry = made.reference.entry("bayeslaw.Decision", bl.Decision)
    assert "{py:class} bayeslaw.Decision(question: str, choose: Mapping[str, Range | Choices]," in entry
    assert "{py:method} within(**spaces: Range | Choices) -> Decision" in entry
    assert made.reference.signature(bl.StudentT) == "(df: Scalar, scale: Scalar)"
    assert "{py:class} bayeslaw.Posterior\n" in made.reference.entry("bayeslaw.Posterior", bl.Posterior)
    assert "at 0x" not in made.reference.text("", "", [(name, getattr(bl, name)) for name in names])
    assert {name for name, _ in made.reference.public("costs")} >= {"dollars_on", "weight_bytes", "training_flops"}


def test_commands_data_notebooks_and_answers(made: Any, tmp_path: Path) -> None:
    page = made.commands.page()
    for command in ("fit", "allocate", "choose", "next-runs", "check", "compare", "backtest", "laws", "data"):
        assert f"## bayeslaw {command}\n" in page
    assert "| `--flops` | `VALUES` | Training budgets in FLOPs" in page
    assert "| `-o`, `--output` | `<path>` |" in page
    index = made.data_cards.index()
    for name, function in datasets.DATASETS.items():
        assert f"[{name}]({name}.md) | `bl.datasets.{function}()`" in index
        assert made.data_cards.page(name, function).startswith(f"# {made.markdown.escaped(name)}\n")
    made.notebooks.write(tmp_path, ROOT / "notebooks")
    assert {path.name for path in tmp_path.glob("*.ipynb")} == {p.name for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert "| share of QAT | 396M parameters, 100B tokens, 4 bits |" in made.project.answers(
        (ROOT / "README.md").read_text()
    )
    assert "[`QAT`](../laws/qat.md)" in made.project.answers((ROOT / "README.md").read_text())


def build(folder: Path) -> None:
    """Build the site, warnings being errors."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env.pop("BAYESLAW_DOCS_EXECUTE", None)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]


def asks_for_nothing_from_outside(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(LAWS) + len(datasets.DATASETS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]*", text)
        loaded += re.findall(r"<link\b[^>]*\bhref=\"(?:https?:)?//[^\"]*", text)
        assert not loaded, (page.name, loaded)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:|@import", sheet.read_text(encoding="utf-8")), sheet.name


def looks_right(site: Path, browser: Any) -> None:
    """Pages of each kind: no error on the console, no request but of files, every picture there, nothing wider than the
    window."""
    said: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else said.append(asked.url))
    for name, width in itertools.product(SHOWN, (420, 1400)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto((site / f"{name}.html").as_uri(), wait_until="load")
        broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert (said, broken) == ([], []), name
        assert wide <= 0, f"{name} is {wide} pixels wider than a window of {width}"
        assert page.inner_text("h1").strip()


def test_the_site(tmp_path: Path) -> None:
    """One test, for it writes its pages into docs/, where a second one at the same time would do so too."""
    for needed in ("sphinx", "myst_nb", "furo", "sphinx_copybutton"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install 'bayeslaw[docs]'")
    build(tmp_path / "html")
    asks_for_nothing_from_outside(tmp_path / "html")
    sync_api = pytest.importorskip("playwright.sync_api", reason="built, not looked at: playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("built, not looked at: there is no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        looks_right(tmp_path / "html", browser)
        browser.close()
