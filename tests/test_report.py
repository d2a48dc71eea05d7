"""The report: one page that says all of it, asks for nothing, and does not break on any kind of law."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw import models
from bayeslaw._joint import as_joint
from bayeslaw._posterior import build
from bayeslaw._report._html import Html
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla
from bayeslaw.models.chinchilla import compute_optimal

pytestmark = pytest.mark.pages

SECTIONS = ["answer", "data", "law", "priors", "diagnostics", "fit", "extrapolation", "allocation", "decision",
            "assumptions", "reproduce"]  # fmt: skip
VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """What a parser makes of a page: its tags with their attributes, the text of each section, and whether tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.section, self.texts = "", dict.fromkeys(["", *SECTIONS], "")
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.section = "" if tag == "section" else self.section

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts[self.section] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts.values()).split())

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def positions(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="positions">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


@float64
def near_the_prior(law: Any, rows: dict[str, Any]) -> bl.Posterior:
    """Draws close to the middle of the prior, in place of a fit, and runs that are as it says: enough for a page."""
    joint = as_joint(law, None)
    prior = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(0), 400))
    free = {name: np.asarray(one) for name, one in jax.vmap(joint.unconstrain)(prior).items()}
    rng = np.random.default_rng(1)
    near = {
        n: np.median(a, axis=0) + 0.02 * a.std(axis=0) * rng.normal(size=(4, 250, *a.shape[1:]))
        for n, a in free.items()
    }
    values = jax.tree.map(np.asarray, jax.vmap(jax.vmap(joint.constrain))(near))
    stats = {"diverging": np.zeros((4, 250), bool), "n_steps": np.ones((4, 250), int)}
    columns = {name: np.asarray(rows[name], dtype=float) for name in joint.columns()}
    one = joint.fill({name: array[0, 0] for name, array in values.items()})
    response = np.asarray(one.draw(jax.random.key(2), columns))
    return build(joint, (values, stats), columns, response, [], {"seed": 3})


N = np.geomspace(1e8, 1e10, 12)
D = np.geomspace(2e9, 3e11, 12)


@pytest.fixture(scope="module")
def cheap() -> bl.Posterior:
    return near_the_prior(Chinchilla, {"params": N, "tokens": D})


@pytest.fixture(scope="module")
def chinchilla(posterior: bl.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real fit, from its file."""
    folder = tmp_path_factory.mktemp("report")
    posterior.save(folder / "fit.nc")
    return bl.report(bl.load(folder / "fit.nc"), folder / "chinchilla.html", flops=[5.76e23, 1e22])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without the sections that take longest."""
    from bayeslaw._report import _page

    for name in ("fitted", "extrapolation", "allocation", "decision"):
        monkeypatch.setattr(_page, name, lambda *_: Html("<p>left out</p>"))


@pytest.fixture(autouse=True, scope="module")
def forget_programs_of_pages() -> Iterator[None]:
    yield
    jax.clear_caches()


def test_the_answer_is_that_of_allocate(chinchilla: Path, posterior: bl.Posterior) -> None:
    page = read(chinchilla)
    plan = bl.allocate(posterior, flops=[5.76e23, 1e22]).summary(0.9)
    from bayeslaw._columns import format_number

    for flops, where in ((5.76e23, "answer"), (1e22, "answer"), (5.76e23, "allocation")):
        for name in ("params", "tokens"):
            row = plan.loc[(flops, name)]
            for end in ("lower", "median", "upper"):
                assert format_number(row[end], name) in page.texts[where]
    assert "5.76 \u00d7 10\u00b2\u00b3 FLOPs (576 ZFLOPs)" in page.texts["answer"]
    assert "Which model size, and how many tokens" in page.texts["answer"]


def test_every_section_is_there_and_says_something(chinchilla: Path) -> None:
    page = read(chinchilla)
    assert [attrs["id"] for attrs in page.of("section")] == SECTIONS
    assert all(len(page.texts[name].split()) > 25 for name in SECTIONS)
    assert {f"#{name}" for name in SECTIONS} == {str(a["href"]) for a in page.of("a") if str(a["href"])[0] == "#"}
    assert "Not here" not in page.text
    assert "loss = E + a (params / 1e9)^-alpha" in page.texts["law"]
    assert "LogNormal(0.531, 0.3)" in page.texts["priors"]
    assert "1 + Gamma(2, 0.1)" in page.texts["priors"]
    assert "besiroglu2024" in page.texts["priors"]
    assert "0 of 4,000" in page.texts["diagnostics"]
    assert "decades above" in page.texts["extrapolation"]
    assert "leave-one-out" in page.texts["fit"]
    assert "Regret" in page.texts["decision"]
    assert "least in the worst tenth" in page.texts["decision"]


def test_all_statuses_are_said(chinchilla: Path, posterior: bl.Posterior) -> None:
    text = read(chinchilla).text
    found = [*posterior.status, *bl.allocate(posterior, flops=[5.76e23, 1e22]).status, *bl.check(posterior).status]
    found += bl.choose(posterior, flops=5.76e23).status
    assert len(found) > 3
    for one in found:
        assert " ".join(one.text.split()) in text


def test_nothing_is_asked_of_a_network(chinchilla: Path) -> None:
    text = chinchilla.read_text()
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"} == set()
    assert all(str(attrs["src"]).startswith("data:image/") for attrs in page.of("img"))
    assert all("src" not in attrs for attrs in page.of("script"))
    away = {str(a["href"]) for a in page.of("a") if not str(a["href"]).startswith("#")}
    assert away == {"https://arxiv.org/abs/2203.15556", "https://arxiv.org/abs/2404.10102"}
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", text)
    assert chinchilla.stat().st_size < 1_500_000


def test_it_can_be_read_without_seeing_it(chinchilla: Path) -> None:
    page = read(chinchilla)
    assert page.of("html")[0]["lang"] == "en"
    assert page.of("meta")[1]["name"] == "viewport"
    assert "Chinchilla" in page.texts[""]
    assert all(len(str(attrs["alt"])) > 20 for attrs in page.of("img"))
    assert page.of("th")
    assert all(attrs["scope"] in ("col", "row") for attrs in page.of("th"))
    assert len(page.of("caption")) == len(page.of("table"))
    assert len(page.of("h1")) == 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    (slider,) = page.of("input")
    assert page.of("label")[0]["for"] == slider["id"]
    assert slider["aria-valuetext"]


def test_the_slider_holds_what_allocate_says(chinchilla: Path, posterior: bl.Posterior) -> None:
    """Every position is worked out, none is read off between others."""
    found = positions(chinchilla)
    assert len(found["budget"]) == len(found["notes"]) == len(found["texts"][0]) == len(found["panels"][0]["x"]) > 60
    at = found["budget"].index("10\u00b2\u2074 FLOPs (1 YFLOPs)")
    plan = bl.allocate(posterior, flops=1e24).summary(0.9).loc[(1e24, "params")]
    from bayeslaw._columns import format_number

    middle, _, whole = found["texts"][0][at]
    assert middle == format_number(plan["median"], "params")
    assert whole == f"{format_number(plan['lower'], 'params')} to {format_number(plan['upper'], 'params')}"
    assert found["notes"][at] == "1.9 decades above the largest run."
    for panel in found["panels"]:
        low, inner_low, median, inner_high, high = np.array(panel["y"]).T
        assert (np.diff(panel["x"]) > 0).all()
        assert (high <= inner_high).all()  # down the page
        assert (inner_high <= median).all()
        assert (median <= inner_low).all()
        assert (inner_low <= low).all()


def test_how_to_get_it_again(chinchilla: Path, posterior: bl.Posterior, tmp_path: Path) -> None:
    text = read(chinchilla).texts["reproduce"]
    table = posterior.runs.to_csv(index=False, lineterminator="\n")
    assert hashlib.sha256(table.encode()).hexdigest() in text
    assert "bayeslaw report fit.nc -o report.html --flops 5.76e+23,1e+22" in text
    assert 'bl.report(posterior, "report.html", flops=[5.76e+23, 1e+22])' in text
    assert f"JAX {jax.__version__}" in text
    again = text[text.index("again = bl.fit(") :]
    lines = again[: again.index("\n)") + 2].replace("draws=1000", "draws=50")
    space: dict[str, Any] = {"bl": bl, "posterior": posterior}
    with pytest.warns(UserWarning, match="not a result yet"):  # of 50 draws
        exec(lines, space)
    with pytest.warns(UserWarning, match="not a result yet"):
        same = bl.fit(Chinchilla, bl.load_chinchilla(), seed=1, draws=50)
    # The table comes back from a file in the order in which the law reads it: rounding apart, the same draws.
    np.testing.assert_allclose(space["again"].draws["alpha"], same.draws["alpha"], rtol=1e-6)


def test_the_same_posterior_gives_the_same_page(chinchilla: Path, posterior: bl.Posterior, tmp_path: Path) -> None:
    before = plt.get_fignums(), dict(plt.rcParams)
    again = bl.report(posterior, tmp_path / "again.html", flops=[5.76e23, 1e22])
    assert again.read_text() == chinchilla.read_text()
    assert (plt.get_fignums(), dict(plt.rcParams)) == before
    assert [one.name for one in tmp_path.iterdir()] == ["again.html"]


@pytest.mark.usefixtures("short")
def test_a_budget_that_is_left_out(cheap: bl.Posterior, tmp_path: Path) -> None:
    """Ten times that of the largest run, 1.8e22 FLOPs, and the page says so."""
    page = read(bl.report(cheap, tmp_path / "page.html"))
    assert "For 2 \u00d7 10\u00b2\u00b3 FLOPs" in page.texts["answer"]
    assert "No flops was given: this is ten times that of the largest run" in page.texts["answer"]


@pytest.mark.usefixtures("short")
def test_a_decision_of_ones_own(cheap: bl.Posterior, tmp_path: Path) -> None:
    """It has no name to be typed."""
    few = compute_optimal.within(params=bl.Choices((1e9, 1e10, 1e11)))
    text = read(bl.report(cheap, tmp_path / "page.html", few, flops=1e23, prob=0.8)).texts["reproduce"]
    assert "bayeslaw report" not in text
    assert 'bl.report(posterior, "report.html", decision, flops=1e+23, prob=0.8)' in text
    assert "The decision is not the law's own" in text


@pytest.mark.usefixtures("short")
def test_a_posterior_that_is_no_result(cheap: bl.Posterior, tmp_path: Path) -> None:
    """One divergence is enough."""
    tree = cheap.tree.copy()
    stats = tree["sample_stats"].to_dataset()
    diverging = stats["diverging"].copy()
    diverging[0, 0] = True
    tree["sample_stats"] = stats.assign(diverging=diverging)
    bad = bl.Posterior(tree, cheap.joint)
    assert not bad.ok
    page = read(bl.report(bad, tmp_path / "page.html", flops=1e23))
    assert [attrs["role"] for attrs in page.of("div") if attrs.get("class") == "banner"] == ["alert"]
    assert "This is not a result." in page.texts[""]
    assert "1 of 1000 transitions diverged" in page.texts[""]
    assert "These draws are not a result." in page.texts["diagnostics"]
    good = read(bl.report(cheap, tmp_path / "good.html", flops=1e23))
    assert not any(attrs.get("class") == "banner" for attrs in good.of("div"))


def test_what_comes_from_data_is_escaped(tmp_path: Path) -> None:
    """Labels and the name of a column are a stranger's; so is a law's documentation."""
    evil, quoted = "<script>alert(1)</script>", "\"'><img src=x onerror=alert(2)> $\\bad$"
    column = "corpus<b>"
    table = {"params": N, "tokens": D, column: [evil, quoted] * 6}
    law = bl.Pooled(Chinchilla.prior(), table, by=column)
    posterior = near_the_prior(law, {**table, column: np.arange(12.0) % 2})
    path = bl.report(posterior, tmp_path / "page.html", flops=1e23, **{column: evil})
    page = read(path)
    assert evil in page.texts["data"]
    assert quoted in page.texts["data"]
    assert f"{column} = {evil}" in page.texts["answer"]
    assert evil in page.texts["reproduce"]
    assert len(page.of("script")) == 2  # the slider's numbers and what moves it
    assert all(str(attrs["src"]).startswith("data:") for attrs in page.of("img"))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "b" not in {tag for tag, attrs in page.tags if "scope" in attrs}


def test_groups_and_one_that_was_not_named(tmp_path: Path) -> None:
    table = {"params": N, "tokens": D, "corpus": ["c4", "pile"] * 6}
    law = bl.Pooled(Chinchilla.prior(), table, by="corpus")
    posterior = near_the_prior(law, {**table, "corpus": np.arange(12.0) % 2})
    page = read(bl.report(posterior, tmp_path / "page.html", flops=1e23))
    assert "No corpus was given: the answer is for one that is not among the runs." in page.texts["answer"]
    assert "c4 (6), pile (6)" in page.texts["data"]
    assert "alpha[c4]" in page.texts["priors"]
    law_text = page.texts["law"]
    assert law_text.index("loss = E + a") < law_text.index("theta_g = theta exp")


def test_counts_with_a_target_that_few_draws_reach(tmp_path: Path) -> None:
    """No floor, no misfit, a target in place of a budget: all of it is said, and the slider stays between 0 and 1."""
    rows = {"samples": np.ones(12), "trials": np.full(12, 100.0)}
    posterior = near_the_prior(models.Coverage, rows)
    page = read(path := bl.report(posterior, tmp_path / "page.html", target=0.9))
    assert "How many samples per problem reach this coverage?" in page.texts["answer"]
    assert "How far off the law may be is not added to its intervals" in page.texts["extrapolation"]
    assert "BetaBinomial" in page.texts["assumptions"]
    assert all(0 < float(one) < 1 for one in positions(path)["budget"])


def test_a_menu_of_names(tmp_path: Path) -> None:
    """What is the best in which share of draws, as a line for each name and in words."""
    law = models.Primer.prior()
    labels = law.categories()
    rows = {name: np.geomspace(0.1, 1, 12) if name not in labels else np.arange(12.0) % 4 for name in law.columns()}
    posterior = near_the_prior(law, rows)
    name = next(n for n, d in law.decisions().items() if any(getattr(s, "names", ()) for s in d.choose.values()))
    page = read(path := bl.report(posterior, tmp_path / "page.html", name, relative_compute=1.0))
    assert "of draws" in page.texts["answer"]
    assert f"--decision {name} --given relative_compute=1" in page.texts["reproduce"]
    assert f'bl.report(posterior, "report.html", "{name}", relative_compute=1)' in page.texts["reproduce"]
    assert any(panel["y"] == [] for panel in positions(path)["panels"])
    assert "P(best)" not in page.texts["answer"]


def test_something_is_asked_for_by_name(cheap: bl.Posterior, tmp_path: Path) -> None:
    leverage = near_the_prior(
        models.EfficiencyLeverage, {"flops": np.full(12, 1e20), "activation_ratio": np.linspace(0.05, 0.5, 12),
                                    "granularity": np.linspace(1, 12, 12)},
    )  # fmt: skip
    with pytest.raises(bl.InputError, match=r"depends on flops, least_saving: give least_saving=\.\.\."):
        bl.report(leverage, tmp_path / "page.html")
    for wrong, sentence in (
        ({"path": tmp_path / "page.txt"}, "must end in .html"),
        ({"path": tmp_path / "no" / "page.html"}, "there is no folder"),
        ({"decision": "best"}, "has no decision 'best'"),
        ({"flops": "many"}, "should hold numbers"),
        ({"flop": 1e23}, "Did you mean 'flops'"),
        ({"prob": 90}, "prob is the credible mass"),
    ):
        words: dict[str, Any] = {"path": tmp_path / "page.html", **wrong}
        with pytest.raises(bl.InputError, match=sentence):
            bl.report(cheap, **words)
    with pytest.raises(bl.InputError, match="expected a Posterior"):
        bl.report("fit.nc", tmp_path / "page.html")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_what_has_no_answer_is_said_in_its_place(cheap: bl.Posterior, tmp_path: Path) -> None:
    """Ten FLOPs train nothing: the rest of the page is still there."""
    page = read(bl.report(cheap, tmp_path / "page.html", flops=10))
    assert "There is no answer: flops = 10 cannot be met" in page.texts["answer"]
    assert "Not here:" in page.texts["decision"]
    assert "Not here:" not in page.texts["allocation"]  # the slider leaves out what cannot be met
    assert "LogNormal" in page.texts["priors"]


class Plain(bl.AbstractLaw):
    E: bl.Scalar

    def mean(self, params: Any) -> Any:  # type: ignore[override]
        return self.E + 0.0 * params

    @classmethod
    def prior(cls) -> "Plain":
        import numpyro.distributions as dist

        return cls(E=dist.LogNormal(0.5, 0.3))


@pytest.mark.usefixtures("short")
def test_a_law_without_a_decision_or_documentation(tmp_path: Path) -> None:
    posterior = near_the_prior(Plain, {"params": N})
    page = read(bl.report(posterior, tmp_path / "page.html"))
    assert "This law declares no decision" in page.texts["answer"]
    assert "Plain has no documentation" in page.texts["law"]
    with pytest.raises(bl.InputError, match="declares no decision, to which flops"):
        bl.report(posterior, tmp_path / "page.html", flops=1e23)


def test_a_misfit_and_a_stack(cheap: bl.Posterior, tmp_path: Path) -> None:
    stack = bl.stack({"one": cheap, "two & three": cheap}, method="equal")
    page = read(bl.report(stack, tmp_path / "stack.html", flops=1e23))
    assert "two & three 50 %" in page.texts["answer"]
    assert page.texts["priors"].count("noise.df") >= 2
    off = read(bl.report(bl.misfit(cheap), tmp_path / "off.html", flops=1e23))
    assert "Intervals allow for the law's being off" in off.texts["assumptions"]
    assert "it has one already" in off.texts["extrapolation"]
    assert "bl.fit(" not in off.texts["reproduce"]


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this computer")
    sync_playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").sync_playwright
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, chinchilla: Path) -> Iterator[Any]:
    """The page in a window that records what is asked for and refuses all but the file itself."""
    window = browser.new_page(viewport={"width": 1200, "height": 900})
    window.asked, window.wrong = [], []

    def refuse(route: Any) -> None:
        window.asked.append(route.request.url)
        if route.request.url == chinchilla.as_uri():
            route.continue_()
        else:
            route.abort()

    window.route("**/*", refuse)
    window.on("console", lambda message: window.wrong.append(message.text))
    window.on("pageerror", lambda error: window.wrong.append(str(error)))
    window.goto(chinchilla.as_uri())
    yield window
    window.close()


def test_it_renders_and_asks_for_nothing(opened: Any, chinchilla: Path) -> None:
    assert opened.title() == "Chinchilla: scaling-law report"
    opened.locator("#budget").fill("3")
    opened.wait_for_load_state("networkidle")
    assert opened.asked == [chinchilla.as_uri()]
    assert opened.wrong == []
    broken = "[...document.images].filter(one => !one.complete || one.naturalWidth === 0).length"
    assert opened.evaluate(broken) == 0
    assert opened.evaluate("document.images.length") >= 7
    assert opened.locator("h1").is_visible()


def test_the_slider_moves_the_optimum_and_its_band(opened: Any, chinchilla: Path, posterior: bl.Posterior) -> None:
    found = positions(chinchilla)
    at = found["budget"].index("10\u00b2\u2074 FLOPs (1 YFLOPs)")
    slider, marks = opened.get_by_label("Training compute (FLOPs)"), opened.locator("svg.mark")
    assert slider.is_visible()

    def seen() -> list[float]:
        line, dot = marks.nth(0).locator(".whole"), marks.nth(0).locator(".median")
        names = ((line, "x1"), (line, "y1"), (line, "y2"), (dot, "cx"), (dot, "cy"))
        return [float(one.get_attribute(name)) for one, name in names]

    before = seen()
    slider.fill(str(at))
    summary = bl.allocate(posterior, flops=1e24).summary(0.9).loc[(1e24, "params")]
    from bayeslaw._columns import format_number

    assert opened.locator("#at").inner_text() == "10\u00b2\u2074 FLOPs (1 YFLOPs)"
    assert opened.locator("#q0-median").inner_text() == format_number(summary["median"], "params")
    assert opened.locator("#q0-whole").inner_text().startswith(format_number(summary["lower"], "params"))
    assert slider.get_attribute("aria-valuetext") == "10\u00b2\u2074 FLOPs (1 YFLOPs)"
    x, low, high, dot, median = seen()
    assert x == dot > before[0]
    assert high < median < low
    assert (np.array([low, high, median]) < np.array(before)[[1, 2, 4]]).all()  # up the page: larger models
    # The mark is drawn where the picture's own axis has that size: both axes are logarithmic, so the slope is one.
    panel = found["panels"][0]
    other = found["budget"].index("10\u00b2\u00b2 FLOPs (10 ZFLOPs)")
    sizes = bl.allocate(posterior, flops=[1e22, 1e24]).draws["params"].median(("chain", "draw")).to_numpy()
    end = bl.allocate(posterior, flops=1e25).draws["params"].median().item()
    far = found["budget"].index("10\u00b2\u2075 FLOPs (10 YFLOPs)")
    per_decade = (panel["y"][other][2] - panel["y"][at][2]) / np.log10(sizes[1] / sizes[0])
    # Places are kept to a tenth of a point, a decade is some 30 of them.
    assert (panel["y"][at][2] - panel["y"][far][2]) / np.log10(end / sizes[1]) == pytest.approx(per_decade, rel=0.02)


def test_the_slider_obeys_the_keyboard(opened: Any, chinchilla: Path) -> None:
    slider = opened.locator("#budget")
    start = int(slider.input_value())
    slider.focus()
    opened.keyboard.press("ArrowRight")
    assert slider.input_value() == str(start + 1)
    assert opened.locator("#at").inner_text() == positions(chinchilla)["budget"][start + 1]
    opened.keyboard.press("Home")
    assert slider.input_value() == "0"


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_window_is_too_narrow(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    scroll, client = opened.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert scroll <= client
    assert opened.locator("#budget").bounding_box()["width"] > 200


def test_it_prints(opened: Any) -> None:
    """Without what cannot be used on paper, and with what is folded away on a screen."""
    opened.emulate_media(media="print")
    assert not opened.locator("#control").is_visible()
    assert not opened.locator("nav").is_visible()
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    assert opened.pdf(format="A4").startswith(b"%PDF")
    assert opened.wrong == []


def test_it_can_be_read_without_a_script(browser: Any, chinchilla: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    window.goto(chinchilla.as_uri())
    assert not window.locator("#control").is_visible()
    assert window.locator("#q0-median").inner_text() in window.locator("#answer").inner_text()
    assert window.locator("svg.mark .median").first.is_visible()
    context.close()
