"""`plot_prediction`: the response along one column, in the range of the runs and beyond it."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from bayeslaw._errors import InputError
from bayeslaw._posterior import check_prob
from bayeslaw._predict import NEW_RUN, Prediction
from bayeslaw.plots._style import GREY, VERMILLION, label, log_axis, new_axes, percent

_INNER = 0.5  # mass of the inner band


def plot_prediction(
    prediction: Prediction,
    *,
    x: str | None = None,
    runs: pd.DataFrame | None = None,
    prob: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """What is predicted along a column, as a fan.

    - Line and bands: the posterior median of the mean function, and its equal-tailed intervals of mass 50 % and
      `prob`; with the misfit of the law, where `predict` added it.
    - Dashed lines: the interval of mass `prob` of a new run, with its noise.
    - Grey ground: scenarios beyond the runs that were fitted, in this or another column, by `prediction.distance`.
    - Dots: `runs` with the column and the response, when given: those that were fitted, or better, those that were not.

    `x` is a column of the scenarios, the first that varies when left out; every value of it may occur once. Axes are
    logarithmic where all values are positive. Draws on `ax` (a new one when left out) and returns it. Raises
    `InputError` for a column that is not there or does not vary, for scenarios that one line cannot show, for runs
    without the columns, and for `prob` outside 0 to 1.
    """
    check_prob(prob)
    draws = prediction.draws
    x = _column(draws, x)
    response = next(str(name) for name, one in draws.data_vars.items() if one.attrs.get("covers") == "mean function")
    order = np.argsort(draws[x].to_numpy(), kind="stable")
    at = draws[x].to_numpy()[order].astype(float)
    mean, new = (draws[name].to_numpy()[..., order] for name in (response, response + NEW_RUN))

    ax = new_axes(ax, (6.0, 4.2))
    (line,) = ax.plot(at, np.median(mean, axis=(0, 1)), linewidth=1.4, label="median")
    for mass, alpha in sorted({_INNER: 0.35, prob: 0.2}.items()):
        band = np.quantile(mean, [(1 - mass) / 2, (1 + mass) / 2], axis=(0, 1))
        text = f"{percent(mass)} interval of the mean"
        ax.fill_between(at, *band, color=line.get_color(), alpha=alpha, linewidth=0, label=text)
    ends = np.quantile(new, [(1 - prob) / 2, (1 + prob) / 2], axis=(0, 1))
    for end, text in zip(ends, (f"{percent(prob)} interval of a new run", None), strict=True):
        ax.plot(at, end, color=line.get_color(), linewidth=0.9, linestyle="--", label=text)
    positive = ends.min() > 0
    if runs is not None:
        seen, found = _runs(runs, x, response)
        ax.plot(seen, found, "o", color=VERMILLION, markersize=3, linestyle="", label="runs", zorder=2.6)
        positive = positive and found.min() > 0
    _beyond(prediction, order, at, ax)
    if at[0] > 0:
        log_axis(ax, "x", x)
    if positive:
        log_axis(ax, "y", response)
    ax.set_xlabel(label(x))
    ax.set_ylabel(label(response))
    ax.legend(loc="best", frameon=False)
    return ax


def _column(draws: xr.Dataset, x: str | None) -> str:
    """The column to draw along, which orders the scenarios."""
    columns = {
        str(name): one.to_numpy()
        for name, one in draws.coords.items()
        if one.dims == ("scenario",) and one.dtype.kind in "if"
    }
    varying = [name for name, values in columns.items() if len(np.unique(values)) > 1]
    if x is not None and x not in varying:
        raise InputError(
            f"{x!r} is not a column that varies between the scenarios; these do: {', '.join(varying) or 'none'}."
        )
    if not varying:
        raise InputError("the scenarios do not vary in any column, so there is nothing to draw along.")
    x = varying[0] if x is None else x
    values, counts = np.unique(columns[x], return_counts=True)
    if counts.max() > 1:
        raise InputError(
            f"{counts.max()} scenarios have {x} = {values[counts.argmax()]:g}, which one line cannot show: call "
            "predict() for each line and plot them on the same ax."
        )
    return x


def _runs(runs: pd.DataFrame, x: str, response: str) -> tuple[np.ndarray, np.ndarray]:
    missing = [name for name in (x, response) if name not in runs]
    if missing:
        raise InputError(f"the runs have no column {missing[0]!r}; they have {', '.join(map(str, runs.columns))}.")
    return runs[x].to_numpy(dtype=float), runs[response].to_numpy(dtype=float)


def _beyond(prediction: Prediction, order: np.ndarray, at: np.ndarray, ax: Axes) -> None:
    """Ground under each stretch of scenarios that lie outside the range of the runs in some column."""
    scales = prediction.distance.drop(columns="mahalanobis").to_numpy()[order]
    outside = (np.abs(scales) > 1e-9).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]]).astype(int)))
    for i, (start, stop) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        low, high = at[max(start - 1, 0)] if start else at[0], at[stop] if stop < len(at) else at[-1]
        ax.axvspan(low, high, color=GREY, alpha=0.1, linewidth=0, label="beyond the runs" if i == 0 else None, zorder=0)
