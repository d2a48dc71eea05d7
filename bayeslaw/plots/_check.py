"""`plot_check`: runs against what was predicted of them, from the whole to each scale column."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._check import Check
from bayeslaw._groups import counted
from bayeslaw.plots._style import BLUE, GREY, SKY, VERMILLION, label, log_axis, panels, percent

_BAND = 0.95  # mass of the simultaneous band of the distribution of LOO-PIT
_LINES = 50  # made-up data sets drawn
_SIMULATIONS = 2000
_WORST = 3.0  # residuals beyond this are drawn apart
_BINS = 8


def plot_check(check: Check, *, axes: Sequence[Axes] | None = None) -> np.ndarray:
    """What `check` found, in panels; returns their axes, (2 + scale columns,).

    - Density of the response: the runs, data sets of the same size made up from the posterior, and the prior predictive
      (of counts the distribution function). The runs should look like one more of the made-up sets, and the prior
      should not exclude them.
    - LOO-PIT: the distribution function of where each run lies in the prediction that has not seen it, less that of a
      uniform one, with the band that holds all of it with 95 % if law and noise are right. A hump or a dip: a bias;
      first above, then below: intervals too narrow; the reverse: too wide.
    - For each scale column of the law: residuals (in half widths of the central 68 % interval) against it; those
      beyond 3 apart. Line: the median in eighths of the runs, and bars to its quartiles. It should be level, at 0 and
      of one width.

    `axes`: where to draw, as many as panels (a new figure when left out). Raises `InputError` for another number.
    """
    columns = [name.removeprefix("trend ") for name in check.table.index if name.startswith("trend ")]
    count = 2 + len(columns)
    across = min(count, 4) if count != 5 else 3
    axes = panels(axes, count, "plot_check", across=across, size=(3.9, 3.4))
    _density(check, axes[0])
    _pit(check, axes[1])
    for name, ax in zip(columns, axes[2:], strict=True):
        _residuals(check, name, ax)
    return np.array(axes, dtype=object)


def _density(check: Check, ax: Axes) -> None:
    tree, response = check.posterior.tree, check.posterior.response
    seen = tree["observed_data"][response].to_numpy()
    made = tree["posterior_predictive"][response].to_numpy().reshape(-1, seen.size)
    prior = tree["prior_predictive"][response].to_numpy().ravel()
    made = made[np.linspace(0, len(made) - 1, _LINES).astype(int)]
    counts = counted(check.posterior)
    logs = not counts and bool(seen.min() > 0 and made.min() > 0)
    scale, back = (np.log, np.exp) if logs else (np.asarray, np.asarray)
    margin = 0.25 * np.ptp(scale(seen)) or 1.0
    ends = scale(seen).min() - margin, scale(seen).max() + margin
    grid = np.linspace(*((0.0, 1.0) if counts else ends), 200)
    curve = _distribution if counts else _kde
    styles = {"color": SKY, "linewidth": 0.5, "alpha": 0.4}
    for i, one in enumerate(made):
        ax.plot(back(grid), curve(scale(one), grid), label="made up from the posterior" if i == 0 else None, **styles)
    kept = prior[np.isfinite(prior) & (prior > 0)] if logs else prior[np.isfinite(prior)]
    ax.plot(back(grid), curve(scale(kept), grid), color=GREY, linestyle="--", label="prior predictive", linewidth=1.2)
    ax.plot(back(grid), curve(scale(seen), grid), color=BLUE, linewidth=1.6, label="runs")
    if logs:
        log_axis(ax, "x", response)
    ax.set_xlabel(label(response))
    ax.set_ylabel("distribution function" if counts else f"density{' of its logarithm' if logs else ''}")
    ax.set_ylim(0, None)
    _legend(ax, 0.35)


def _kde(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """ArviZ's density estimate on a grid, of the values inside it; nothing beyond them."""
    from arviz_stats.base.array import array_stats

    inside = values[(grid[0] <= values) & (values <= grid[-1])]
    if len(np.unique(inside)) < 3:
        return np.zeros_like(grid)
    x, density, _ = array_stats.kde(inside)
    return np.interp(grid, x, density, left=np.nan, right=np.nan) * inside.size / values.size


def _distribution(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(values), grid, side="right") / values.size


def _pit(check: Check, ax: Axes) -> None:
    from arviz_stats.ecdf_utils import ecdf_pit

    values = check.residuals["loo_pit"].to_numpy()
    points, found, lower, upper = ecdf_pit(values, _BAND, _SIMULATIONS, rng=np.random.default_rng(0))
    band = f"{percent(_BAND)} band if all is right"
    ax.fill_between(points, lower - points, upper - points, step="post", color=GREY, alpha=0.2, linewidth=0, label=band)
    p = check.table["p"]["LOO-PIT"]
    ax.step(points, found - points, where="post", color=BLUE, linewidth=1.2, label=f"runs (p = {p:.2g})")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("LOO-PIT")
    ax.set_ylabel("distribution less uniform")
    _legend(ax, 0.35)


def _residuals(check: Check, name: str, ax: Axes) -> None:
    x, y = (check.residuals[one].to_numpy() for one in (name, "residual"))
    far = np.abs(y) > _WORST
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=1.9)
    ax.plot(x[~far], y[~far], "o", color=SKY, markersize=2.5, alpha=0.8)
    if far.any():
        ax.plot(x[far], y[far], "D", color=VERMILLION, markersize=3.5, label=f"beyond {_WORST:g}: {far.sum()} runs")
        _legend(ax, 0.15)
    parts = [part for part in np.array_split(np.argsort(x, kind="stable"), _BINS) if part.size]
    middle = np.array([np.exp(np.log(x[part]).mean()) for part in parts])
    low, mid, high = np.array([np.quantile(y[part], [0.25, 0.5, 0.75]) for part in parts]).T
    ax.errorbar(middle, mid, [mid - low, high - mid], color=BLUE, linewidth=1.2, capsize=2, marker="o", markersize=3)
    log_axis(ax, "x", name)
    ax.set_xlabel(label(name))
    ax.set_ylabel("residual (LOO)")


def _legend(ax: Axes, room: float) -> None:
    """A legend above what is drawn."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + room * (high - low))
    ax.legend(loc="upper right", frameon=False, fontsize="small")
