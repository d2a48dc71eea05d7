"""`plot_backtest`: are intervals as often right as they say, and how the held-out runs lie in them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from bayeslaw._backtest import Backtest
from bayeslaw._errors import InputError
from bayeslaw._scores import PROBS, interval
from bayeslaw.plots._style import BLUE, GREY, VERMILLION, label, log_axis, panels, percent

_MASSES = np.linspace(0, 1, 201)
_SHOWN = 0.98  # share of the points and of the ends of intervals that the vertical axis has room for


def plot_backtest(
    backtest: Backtest,
    *,
    split: str | None = None,
    column: str = "flops",
    prob: float = 0.9,
    axes: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Predictions of a back-test against what came out, in panels; returns their axes, (1 + forecasters,).

    - Calibration: the share of held-out runs inside equal-tailed intervals of each mass, averaged over splits, a line
      per forecaster. On the diagonal intervals are right as often as they say; below it they are too narrow.
    - For each forecaster the held-out runs of one `split` (when left out, the one with the most of them) over a column:
      how far a run came out from the median of its forecast, inside (dots) or outside (crosses) the interval of mass
      `prob` (bars), which is that of a new run. All share one vertical axis, in percent, or in units of the response
      where that may be negative; what is far beyond the others is drawn on its edge.

    `axes`: where to draw, as many as panels (a new figure when left out). Raises `InputError` for another number, and
    for a split, column or mass that is not there.
    """
    found = backtest.predictions
    names = [str(name) for name in found["forecaster"].to_numpy()]
    if prob not in PROBS:
        raise InputError(f"intervals were scored at {', '.join(map(str, PROBS))}; got prob={prob!r}.")
    splits = [str(name) for name in found["split"].to_numpy()]
    split = splits[int(found["held_out"].sum("run").to_numpy().argmax())] if split is None else split
    if split not in splits:
        raise InputError(f"there is no split {split!r}; there are {', '.join(splits)}.")
    if column not in found.coords or found[column].dims != ("run",):
        raise InputError(f"the runs have no column {column!r}.")
    count = 1 + len(names)
    across = 2 if count == 4 else min(count, 3)
    axes = panels(axes, count, "plot_backtest", across=across, size=(4.4, 3.7))
    _calibration(found["pit"], names, axes[0])
    shown = found.sel(split=split).isel(run=np.flatnonzero(found["held_out"].sel(split=split).to_numpy()))
    _fans(shown, names, axes[1:], split, column, prob, backtest.scale == "log")
    return np.array(axes, dtype=object)


def _calibration(pit: xr.DataArray, names: Sequence[str], ax: Axes) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    for name in names:
        each = pit.sel(forecaster=name).to_numpy()
        shares = [(np.abs(2 * one[np.isfinite(one)] - 1)[:, None] <= _MASSES).mean(axis=0) for one in each]
        ax.plot(_MASSES, np.mean(shares, axis=0), label=name, linewidth=1.5)
    ax.text(0.97, 0.05, "too narrow", ha="right", color=GREY, transform=ax.transAxes)
    ax.set(xlabel="mass of the interval", ylabel="held-out runs inside", xlim=(0, 1), ylim=(0, 1))
    ax.legend(frameon=False, loc="upper left")


def _fans(
    shown: xr.Dataset, names: Sequence[str], axes: Sequence[Axes], split: str, column: str, prob: float, log: bool
) -> None:
    median = shown["forecast"].sel(quantile=0.5, drop=True)
    lower, upper, _ = interval(shown["forecast"], log)
    ends = [one.sel(prob=prob, drop=True) for one in (lower, upper)] + [shown["truth"] * xr.ones_like(median)]
    low, high, off = (100 * (one / median - 1) if log else one - median for one in ends)
    room = 1.05 * max(float(np.nanquantile(np.abs(one), _SHOWN)) for one in (low, high, off))
    unit = "percent" if log else label(shown.attrs["response"])
    x = shown[column].to_numpy().astype(float)
    for name, ax in zip(names, axes, strict=True):
        bottom, top, y = (one.sel(forecaster=name).to_numpy() for one in (low, high, off))
        inside = (bottom <= y) & (y <= top)
        held = np.clip(y, -room, room)
        ax.axhline(0, color=GREY, linewidth=0.8)
        bars = np.clip(bottom, -room, room), np.clip(top, -room, room)
        ax.vlines(x, *bars, color=BLUE, alpha=0.3, linewidth=1.5, label=f"{percent(prob)} interval of a new run")
        ax.plot(x[inside], held[inside], ".", color=BLUE, markersize=5, label="inside")
        ax.plot(x[~inside], held[~inside], "x", color=VERMILLION, markersize=5, label="outside", clip_on=False)
        ax.set_title(f"{name}: {inside.sum()} of {len(y)} inside\nheld out: {split}", fontsize="medium")
        ax.set(xlabel=label(column), ylabel=f"run less forecast, {unit}", ylim=(-room, room))
        if x.min() > 0:
            log_axis(ax, "x", column)
    axes[0].legend(fontsize="small", loc="lower left", edgecolor="none", framealpha=0.8)
