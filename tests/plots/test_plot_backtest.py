"""`plot_backtest`, by the numbers it draws."""

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import bayeslaw as bl
from bayeslaw.plots import plot_backtest

matplotlib.use("Agg")
SPLITS = ["params > 2e9", "params > 5e9"]


class Around(bl.Forecaster):
    """A new run is `middle` times exp of something uniform within `half`."""

    def __init__(self, middle: float, half: float):
        self.draws = middle * np.exp(np.linspace(-half, half, 4001))

    def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
        return np.repeat(self.draws[:, None], len(scenarios), axis=1)


@pytest.fixture(scope="module")
def backtest() -> bl.Backtest:
    runs = pd.DataFrame({"params": np.geomspace(1e8, 1e10, 60), "tokens": 1e11})
    runs["loss"] = 2 * np.exp(np.random.default_rng(0).uniform(-0.1, 0.1, 60))
    methods = {"right": lambda runs: Around(2.0, 0.1), "narrow": lambda runs: Around(2.0, 0.02)}
    return bl.backtest(methods, runs, split=SPLITS, decision=False)


def line(ax: Axes, text: str) -> Line2D:
    return next(one for one in ax.lines if str(one.get_label()) == text)


def points(ax: Axes, text: str) -> Any:
    return np.asarray(line(ax, text).get_data(), dtype=float)


def test_calibration_is_the_share_inside_each_mass(backtest: bl.Backtest) -> None:
    """The mean over splits; of forecasts that are uniform, a fifth as wide as they should be, about a fifth at most."""
    ax = plot_backtest(backtest)[0]
    for name in ("right", "narrow"):
        x, y = points(ax, name)
        for prob in (0.5, 0.8, 0.9, 0.95):
            share = backtest.scores["coverage"].sel(forecaster=name, prob=prob).mean().item()
            assert np.interp(prob, x, y) == pytest.approx(share, abs=1 / 15)  # a run more or less of 9 and 19
    assert points(ax, "narrow")[1][-2] < 0.45
    assert points(ax, "right")[1][100] > 0.25


def test_fans_hold_the_runs_of_one_split(backtest: bl.Backtest) -> None:
    """The split with most runs, or that which is asked for; bars of 90 % of what is uniform within 0.1 or 0.02."""
    for split, axes in ((SPLITS[0], plot_backtest(backtest)), (SPLITS[1], plot_backtest(backtest, split=SPLITS[1]))):
        found = backtest.predictions.sel(split=split)
        held = found["held_out"].to_numpy()
        for name, half, ax in (("right", 0.1, axes[1]), ("narrow", 0.02, axes[2])):
            inside, outside = points(ax, "inside"), points(ax, "outside")
            assert inside.shape[1] + outside.shape[1] == held.sum()
            np.testing.assert_allclose(np.sort(np.r_[inside[0], outside[0]]), np.sort(found["flops"].to_numpy()[held]))
            off = np.log(found["truth"].to_numpy()[held] / 2.0)
            low, high = 100 * np.expm1(-0.9 * half), 100 * np.expm1(0.9 * half)
            assert inside.shape[1] == (np.abs(off) <= 0.9 * half).sum()
            assert low <= inside[1].min() <= inside[1].max() <= high
            bars = np.array([one.vertices[:, 1] for one in ax.collections[0].get_paths()])
            np.testing.assert_allclose(bars, np.tile([low, high], (held.sum(), 1)), rtol=2e-3)
            assert ax.get_title() == f"{name}: {inside.shape[1]} of {held.sum()} inside\nheld out: {split}"
        assert axes[1].get_ylim() == axes[2].get_ylim()


def test_axes_of_ones_own(backtest: bl.Backtest) -> None:
    _, mine = plt.subplots(1, 3)
    assert list(plot_backtest(backtest, axes=mine, column="params")) == list(mine)
    assert mine[1].get_xlabel().startswith("Model size")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": [None]}, "plot_backtest draws 3 panels here, and 1 axes were given"),
        ({"split": "all runs"}, "there is no split 'all runs'; there are params > 2e9, params > 5e9"),
        ({"column": "lr"}, "the runs have no column 'lr'"),
        ({"prob": 0.7}, r"intervals were scored at .* got prob=0\.7"),
    ],
)
def test_bad_input(backtest: bl.Backtest, options: dict[str, Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        plot_backtest(backtest, **options)
