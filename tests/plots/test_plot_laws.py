"""The plots of predictions, of the posterior of an optimum, and of laws compared, by the numbers they draw."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

import bayeslaw as bl
from bayeslaw._compare import Comparison
from bayeslaw.models.chinchilla import compute_optimal
from bayeslaw.plots import plot_comparison, plot_optimum, plot_prediction

SIZES = np.array([1e10, 1e8, 1e9, 1e12])  # not in order; the runs end below 2e10


@pytest.fixture(scope="module")
def prediction(posterior: bl.Posterior) -> bl.Prediction:
    return bl.predict(posterior, {"params": SIZES, "tokens": 1e10})


def test_a_prediction_is_a_fan_with_the_runs_on_it(prediction: bl.Prediction) -> None:
    runs = pd.DataFrame({"params": [1e9, 2e9], "loss": [2.5, 2.4]})
    ax = plot_prediction(prediction, runs=runs, prob=0.8)
    table = prediction.summary(0.8).reset_index().sort_values("params")
    mean, new = (table[table.quantity == name] for name in ("loss", "loss_new_run"))
    lines = {str(one.get_label()): np.asarray(one.get_xydata()) for one in ax.lines}
    np.testing.assert_allclose(lines["median"], mean[["params", "median"]], rtol=1e-12)
    np.testing.assert_allclose(lines["80 % interval of a new run"], new[["params", "lower"]], rtol=1e-12)
    np.testing.assert_allclose(lines["runs"], runs)
    wide = ax.collections[1].get_paths()[0].vertices
    assert np.max(wide[:, 1]) == pytest.approx(mean.upper.max(), rel=1e-12)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_the_ground_beyond_the_runs_is_grey(prediction: bl.Prediction, posterior: bl.Posterior) -> None:
    assert 1e10 < posterior.runs.params.max() < 1e12
    ax = plot_prediction(prediction)
    (ground,) = (one for one in ax.patches if isinstance(one, Rectangle))
    assert ground.get_x() == 1e10  # up to here there were runs
    assert ground.get_x() + ground.get_width() == 1e12


def test_predictions_that_one_line_cannot_show_are_refused(posterior: bl.Posterior, prediction: bl.Prediction) -> None:
    two = bl.predict(posterior, {"params": [1e9, 1e9], "tokens": [1e10, 1e11]})
    assert plot_prediction(two).get_xlabel().startswith("Tokens")  # the column that varies
    several = bl.predict(posterior, {"params": [1e9, 1e9, 2e9], "tokens": [1e10, 1e11, 1e11]})
    with pytest.raises(bl.InputError, match=r"2 scenarios have params = 1e\+09, which one line cannot show"):
        plot_prediction(several)
    with pytest.raises(
        bl.InputError, match="'flops' is not a column that varies between the scenarios; these do: params"
    ):
        plot_prediction(prediction, x="flops")
    with pytest.raises(bl.InputError, match="do not vary in any column"):
        plot_prediction(bl.predict(posterior, {"params": 1e9, "tokens": 1e10}))
    with pytest.raises(bl.InputError, match="the runs have no column 'loss'; they have params"):
        plot_prediction(prediction, runs=pd.DataFrame({"params": [1e9]}))


def test_an_optimum_is_a_histogram_with_its_intervals(posterior: bl.Posterior) -> None:
    found = bl.allocate(posterior, flops=[1e20, 1e22])
    axes = plot_optimum(found, scenario=1, prob=0.8)
    assert axes[0].get_xlabel().startswith("Model size")
    table = found.summary(0.8).xs(1e22, level="flops")
    for ax, name in zip(axes, found.decision.report, strict=True):
        row = table.loc[name]
        ends = {str(one.get_label()): np.asarray(one.get_xdata(), dtype=float) for one in ax.lines}
        np.testing.assert_allclose(ends["80 %"], [row["lower"], row["upper"]], rtol=1e-12)
        np.testing.assert_allclose(ends["median"], row["median"], rtol=1e-12)
        assert 0.99 < sum(bar.get_height() for bar in ax.patches) <= 1  # all draws but the outermost thousandths
    assert "FLOPs" in axes[0].get_ylabel()
    with pytest.raises(bl.InputError, match="there is no scenario 2; there are 2, from 0"):
        plot_optimum(found, scenario=2)


def test_a_ladder_has_a_bar_for_each_rung_and_an_edge_is_said(posterior: bl.Posterior) -> None:
    ladder = compute_optimal.within(params=bl.Choices((1e9, 3e9, 1e10)))
    found = bl.allocate(posterior, ladder, flops=1e22)
    ax = plot_optimum(found)[0]
    at = found.draws["params"].to_numpy()
    shares = [float(np.mean(at == rung)) for rung in (1e9, 3e9, 1e10)]
    assert [bar.get_height() for bar in ax.patches] == shares
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1B", "3B", "10B"]
    narrow = bl.allocate(posterior, compute_optimal.within(params=bl.LogRange(1e6, 1e9)), flops=1e22)
    assert "100% of draws on the edge of the box" in plot_optimum(narrow)[0].get_title()


def test_laws_compared_stand_at_their_difference_with_two_standard_errors() -> None:
    table = pd.DataFrame(
        {"elpd": [10.0, 7.0], "difference": [0.0, -3.0], "difference_se": [0.0, 1.25], "weight": [0.9, 0.1]},
        index=["one", "two"],
    )
    _, mine = plt.subplots()
    ax = plot_comparison(Comparison(table, pd.DataFrame(index=range(7)), "stacking", "one run at a time", ()), ax=mine)
    assert ax is mine
    np.testing.assert_allclose(np.asarray(ax.lines[1].get_xydata()), [[0, 0], [-3, 1]])
    (bars,) = ax.collections
    np.testing.assert_allclose(bars.get_segments()[1], [[-5.5, 1], [-0.5, 1]])  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.texts] == ["weight 0.90", "weight 0.10"]
    assert ax.get_title(loc="left") == "7 runs, one run at a time left out"
