"""The plots, by the numbers they draw: against `summary()` and `predict`, never by pixels."""

from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

import bayeslaw as bl
from bayeslaw._posterior import Posterior
from bayeslaw.models.chinchilla import compute_optimal
from bayeslaw.plots import plot_allocation, plot_fit, plot_isoflop
from bayeslaw.plots._style import amount, label, log_axis, number

matplotlib.use("Agg")
BUDGETS = [1e19, 1e20, 1e21]


@pytest.fixture(scope="module")
def allocation(posterior: bl.Posterior) -> bl.Allocation:
    return bl.allocate(posterior, flops=[1e21, 1e19, 1e23])  # not in order


@pytest.fixture(scope="module")
def narrow() -> bl.Decision:
    """A box that ends below the optimum of 1e21 FLOPs."""
    return compute_optimal.within(params=bl.LogRange(1e6, 1e9))


def line(ax: Axes, text: str) -> Line2D:
    return next(one for one in ax.lines if one.get_label() == text)


def points(one: Line2D) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(one.get_xdata(), dtype=float), np.asarray(one.get_ydata(), dtype=float)


def bands(ax: Axes) -> list[PolyCollection]:
    return [one for one in ax.collections if isinstance(one, PolyCollection)]


def edges(band: PolyCollection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, lower and upper of a filled band, from its vertices."""
    vertices = np.asarray(band.get_paths()[0].vertices)
    x = np.unique(vertices[:, 0])
    ys = [vertices[vertices[:, 0] == one, 1] for one in x]
    return x, np.array([y.min() for y in ys]), np.array([y.max() for y in ys])


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


# plot_fit


def test_fit_shows_every_run_with_the_interval_of_a_new_run(posterior: bl.Posterior) -> None:
    ax = plot_fit(posterior, prob=0.8)
    predicted = bl.predict(posterior, posterior.runs, misfit=False).summary(0.8)
    mean = predicted.xs("loss", level="quantity")
    new = predicted.xs("loss_new_run", level="quantity")
    observed = posterior.runs.loss.to_numpy()
    (bars,) = (one for one in ax.collections if isinstance(one, LineCollection))
    segments = np.array(bars.get_segments())
    np.testing.assert_allclose(segments[:, 0], np.column_stack([mean["median"], new.lower]), rtol=1e-12)
    np.testing.assert_allclose(segments[:, 1], np.column_stack([mean["median"], new.upper]), rtol=1e-12)

    inside = (new.lower.to_numpy() <= observed) & (observed <= new.upper.to_numpy())
    for text, where in (("inside", inside), ("outside", ~inside)):
        (dots,) = (one for one in ax.lines if str(one.get_label()).startswith(f"{text}:"))
        np.testing.assert_allclose(points(dots), (mean["median"].to_numpy()[where], observed[where]), rtol=1e-12)
    assert legend(ax) == [
        "80 % interval of a new run",
        f"inside: {inside.sum()} of 234 runs ({100 * inside.mean():.0f} %)",
        f"outside: {234 - inside.sum()} of 234 runs",
        "observed = predicted",
    ]
    colours = {to_hex(str(one.get_color())) for one in ax.lines}
    assert len(colours) == 3  # inside, outside, the line


def test_fit_is_calibrated_on_the_shipped_runs(posterior: bl.Posterior) -> None:
    (text,) = (one for one in legend(plot_fit(posterior)) if one.startswith("inside"))
    assert 0.85 < int(text.split()[1]) / 234 < 0.95


def test_fit_axes(posterior: bl.Posterior) -> None:
    ax = plot_fit(posterior)
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_aspect()) == ("log", "log", 1.0)
    assert ax.get_xlabel() == "Predicted (median): final loss on held-out data (nats/token)"
    assert ax.get_ylabel() == "Observed: final loss on held-out data (nats/token)"
    x, y = points(line(ax, "observed = predicted"))
    np.testing.assert_array_equal(x, y)
    assert x[0] <= posterior.runs.loss.min()
    assert x[1] >= posterior.runs.loss.max()


def test_fit_is_linear_where_a_response_is_not_positive(posterior: bl.Posterior) -> None:
    tree = posterior.tree.copy(deep=True)
    tree["observed_data"] = tree["observed_data"].to_dataset() - 3
    ax = plot_fit(Posterior(tree, posterior.joint))
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")


# plot_allocation


def test_allocation_line_and_bands_are_those_of_the_summary(allocation: bl.Allocation) -> None:
    ax = plot_allocation(allocation, prob=0.8)
    for band, prob in zip(bands(ax), (0.5, 0.8), strict=True):
        table = allocation.summary(prob).xs("params", level="quantity").sort_index()
        np.testing.assert_allclose(points(line(ax, "median")), (table.index, table["median"]), rtol=1e-12)
        np.testing.assert_allclose(edges(band), (table.index, table.lower, table.upper), rtol=1e-12)
    assert legend(ax) == ["median", "50 % interval", "80 % interval"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Training compute (FLOPs)",
        "Model size, embeddings included (parameters)",
    )


@pytest.mark.parametrize(
    ("quantity", "title", "unit"),
    [
        ("tokens", "Optimum", "tokens"),
        ("tokens_per_param", "Optimum", "tokens per parameter"),
        ("loss", "Mean function at the optimum", "(nats/token)"),
        ("loss_new_run", "New run at the optimum", "(nats/token)"),
    ],
)
def test_allocation_says_what_the_interval_covers(
    allocation: bl.Allocation, quantity: str, title: str, unit: str
) -> None:
    ax = plot_allocation(allocation, quantity=quantity)
    table = allocation.summary().xs(quantity, level="quantity").sort_index()
    np.testing.assert_allclose(edges(bands(ax)[1])[1:], (table.lower, table.upper), rtol=1e-12)
    found = ax.get_legend()
    assert found is not None
    assert found.get_title().get_text() == title
    assert unit in ax.get_ylabel().lower()


def test_allocation_of_one_budget_is_an_error_bar(posterior: bl.Posterior) -> None:
    one = bl.allocate(posterior, flops=1e23)
    ax = plot_allocation(one)
    assert bands(ax) == []
    for prob in (0.5, 0.9):
        row = one.summary(prob).loc[(1e23, "params")]
        expected = ([1e23, 1e23], [row.lower, row.upper])
        np.testing.assert_allclose(points(line(ax, f"{100 * prob:g} % interval")), expected, rtol=1e-12)
        np.testing.assert_allclose(points(line(ax, "median")), ([1e23], [row["median"]]), rtol=1e-12)
    low, high = ax.get_xlim()
    assert low * high == pytest.approx(1e46)  # in the middle


def test_allocation_marks_what_lies_on_the_edge(posterior: bl.Posterior, narrow: bl.Decision) -> None:
    ax = plot_allocation(bl.allocate(posterior, narrow, flops=BUDGETS))
    mark = line(ax, "edge of the search box\n(> 1 % of draws)")
    np.testing.assert_allclose(points(mark), ([1e21], [1e9]), rtol=1e-5)
    assert "edge of the search box\n(> 1 % of draws)" in legend(ax)


def test_allocations_share_axes_in_their_own_colours(allocation: bl.Allocation) -> None:
    ax = plot_allocation(allocation)
    before = plt.get_fignums()
    assert plot_allocation(allocation, quantity="tokens", ax=ax) is ax
    assert plt.get_fignums() == before
    assert len({one.get_color() for one in ax.lines}) == 2


def test_allocation_refuses(allocation: bl.Allocation, posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match="no 'width' to plot; it has params, tokens, tokens_per_param, loss"):
        plot_allocation(allocation, quantity="width")
    with pytest.raises(bl.InputError, match="prob is the credible mass"):
        plot_allocation(allocation, prob=90.0)
    served = bl.Decision(
        question="And with the tokens that will be served?",
        choose={"params": bl.LogRange(1e7, 1e12)},
        given=("flops", "served"),
        derive=lambda params, flops, served: {"tokens": flops / (6 * params)},
        report=("params",),
    )
    both = bl.allocate(posterior, served, flops=[1e20, 1e21], served=[1e9, 1e10])
    with pytest.raises(bl.InputError, match="differ in served as well as in flops"):
        plot_allocation(both)


# plot_isoflop


def test_isoflop_curves_are_predictions_along_the_budget(posterior: bl.Posterior) -> None:
    ax = plot_isoflop(posterior, prob=0.8, points=7, flops=BUDGETS)
    optimum = bl.allocate(posterior, flops=BUDGETS).summary(0.8)
    for budget, band in zip(BUDGETS, bands(ax), strict=True):
        x, y = points(line(ax, amount(budget, "flops")))
        best = optimum.loc[(budget, "params"), "median"]
        np.testing.assert_allclose(x[[0, -1]], [best / 30, best * 30], rtol=1e-6)
        assert len(x) == 7
        table = bl.predict(posterior, {"params": x, "tokens": budget / (6 * x)}, misfit=False).summary(0.8)
        mean = table.xs("loss", level="quantity")
        np.testing.assert_allclose(y, mean["median"], rtol=1e-12)
        np.testing.assert_allclose(edges(band), (x, mean.lower, mean.upper), rtol=1e-12)
    assert (ax.get_xlabel(), ax.get_xscale()) == ("Model size, embeddings included (parameters)", "log")
    assert ax.get_ylabel() == "Final loss on held-out data (nats/token)"
    assert legend(ax) == [
        "$10^{19}$ FLOPs",
        "$10^{20}$ FLOPs",
        "$10^{21}$ FLOPs",
        "80 % interval of\nthe mean function",
        "optimum and its\n80 % interval",
        "runs within 25 %\nof the budget",
    ]


def test_isoflop_optimum_and_runs_have_the_colour_of_their_curve(posterior: bl.Posterior) -> None:
    ax = plot_isoflop(posterior, flops=BUDGETS)
    optimum = bl.allocate(posterior, flops=BUDGETS).summary()
    runs = posterior.runs
    flops = 6 * runs.params * runs.tokens
    assert len(ax.lines) == 4 * len(BUDGETS)
    for i, budget in enumerate(BUDGETS):
        curve, dots, bar, diamond = ax.lines[4 * i : 4 * i + 4]
        near = runs[(flops > 0.75 * budget) & (flops < 1.25 * budget)]
        assert len(near) > 10
        np.testing.assert_allclose(points(dots), (near.params, near.loss))
        where, loss = optimum.loc[(budget, "params")], optimum.loc[(budget, "loss"), "median"]
        np.testing.assert_allclose(points(bar), ([where.lower, where.upper], [loss, loss]), rtol=1e-12)
        np.testing.assert_allclose(points(diamond), ([where["median"]], [loss]), rtol=1e-12)
        assert len({to_hex(one.get_color()) for one in (curve, dots, bar, diamond)}) == 1  # type: ignore[arg-type]
    assert len({to_hex(one.get_color()) for one in ax.lines}) == len(BUDGETS)  # type: ignore[arg-type]


def test_isoflop_stays_in_the_box_and_marks_its_edge(posterior: bl.Posterior, narrow: bl.Decision) -> None:
    _, ax = plt.subplots(layout="constrained")
    assert plot_isoflop(posterior, narrow, flops=[3e17, 1e21], ax=ax) is ax
    assert plt.get_fignums() == [ax.figure.number]  # type: ignore[union-attr]
    x, _ = points(line(ax, r"$3\times10^{17}$ FLOPs"))
    assert x.min() >= 1e6 * (1 - 1e-12)
    mark = points(ax.lines[-1])
    np.testing.assert_allclose(mark[0], [1e9], rtol=1e-5)
    assert "edge of the search box\n(> 1 % of draws)" in legend(ax)
    assert to_hex(ax.lines[-1].get_color()) not in {to_hex(one.get_color()) for one in ax.lines[:-1]}  # type: ignore[arg-type]


def test_isoflop_without_runs_at_the_budget_has_no_dots(posterior: bl.Posterior) -> None:
    ax = plot_isoflop(posterior, flops="5.76e23")
    assert len(ax.lines) == 3
    assert not any("runs" in text for text in legend(ax))


def test_isoflop_along_another_variable(posterior: bl.Posterior) -> None:
    """A linear range, an unreported choice, a menu of one value, and plans that cannot be."""
    ratio = bl.Decision(
        question="How many tokens per parameter?",
        choose={"fraction": bl.Range(0.0, 1.0), "width": bl.Choices((3.0,))},
        given=("flops",),
        derive=lambda fraction, flops, width: {
            "params": (flops / 6) ** fraction * width / 3,
            "tokens": (flops / 6) ** (1 - fraction) - 1,
        },
        report=("params", "tokens"),
    )
    ax = plot_isoflop(posterior, ratio, points=11, flops=1e20)
    x, y = points(line(ax, "$10^{20}$ FLOPs"))
    np.testing.assert_allclose(x, np.linspace(0, 0.9, 10))  # at 1.0 there would be no token
    total = 1e20 / 6
    table = bl.predict(posterior, {"params": total**x, "tokens": total ** (1 - x) - 1}, misfit=False).summary()
    np.testing.assert_allclose(y, table.xs("loss", level="quantity")["median"], rtol=1e-12)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("linear", "fraction")
    assert not any("runs" in text for text in legend(ax))  # the runs have no fraction


def test_isoflop_refuses(posterior: bl.Posterior) -> None:
    menu = compute_optimal.within(params=bl.Choices((7e9, 70e9)))
    with pytest.raises(bl.InputError, match=r"one continuous variable, and this decision chooses params in Choices"):
        plot_isoflop(posterior, menu, flops=1e21)
    with pytest.raises(bl.InputError, match="at least 2; got 1"):
        plot_isoflop(posterior, flops=1e21, points=1)
    with pytest.raises(bl.InputError, match="flops is missing"):
        plot_isoflop(posterior)


# what they share


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (7e9, "params", "7B"), (1.4e12, "tokens", "1.4T"), (5e8, "params", "500M"), (1e21, "tokens", "$10^{21}$"),
        (1e19, "flops", "$10^{19}$"), (5.76e23, "flops", r"$5.76\times10^{23}$"), (9.999e22, "flops", "$10^{23}$"),
        (3e-4, "lr", r"$3\times10^{-4}$"), (2.25, "loss", "2.25"), (2.25, "loss_new_run", "2.25"), (0.0, "lr", "0"),
        (20.0, "anything", "20"), (1e4, "samples", "10000"),
    ],
)  # fmt: skip
def test_numbers_read_as_people_write_them(value: float, name: str, text: str) -> None:
    assert number(value, name) == text


def test_labels_hold_the_unit_once() -> None:
    assert label("flops") == "Training compute (FLOPs)"
    assert label("loss_new_run") == label("loss") == "Final loss on held-out data (nats/token)"
    assert label("tokens") == "Tokens seen in training"
    assert label("lr") == "Peak learning rate"
    assert label("wideness", "observed: ") == "observed: wideness"
    assert amount(7e9, "params") == "7B parameters"
    assert amount(3.0, "wideness") == "3 wideness"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("flops", 1e18, 1e26), ("flops", 1e20, 4e20), ("flops", 1e20, 9e20), ("flops", 4e20, 5e20), ("flops", 1, 1e30),
        ("params", 5e7, 2e12), ("params", 1e6, 1e14), ("params", 5e10, 8e10), ("params", 1e9, 2e10), ("loss", 2.0, 3.5),
        ("loss", 2.01, 2.04), ("lr", 1e-5, 1e-2), ("lr", 3e-4, 9e-4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("width", [3.0, 6.0])
def test_log_ticks_are_several_and_do_not_overlap(name: str, low: float, high: float, width: float) -> None:
    figure, ax = plt.subplots(figsize=(width, width), layout="constrained")
    ax.plot([low, high], [low, high])
    log_axis(ax, "x", name)
    log_axis(ax, "y", name)
    figure.canvas.draw()
    for axis, limits, side in ((ax.xaxis, ax.get_xlim(), 0), (ax.yaxis, ax.get_ylim(), 1)):
        ticks = [tick for tick in axis.get_major_ticks() if limits[0] <= tick.get_loc() <= limits[1]]
        texts = [tick.label1.get_text() for tick in ticks]
        assert 2 <= len(ticks) == len(set(texts)), texts
        spans = [tick.label1.get_window_extent().get_points()[:, side] for tick in ticks]
        assert all(one[1] < other[0] for one, other in pairwise(spans)), texts
