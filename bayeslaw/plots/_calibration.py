"""`plot_calibration`: where the truth lies in the posteriors of many worlds."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._sbc import Calibration
from bayeslaw.plots._style import BLUE, GREY, VERMILLION, new_axes, percent

_BAND = 0.95
_SIMULATIONS = 2000
_NAMED = 6  # quantities that get a line in the legend


def plot_calibration(calibration: Calibration, *, ax: Axes | None = None) -> Axes:
    """The distribution functions of ranks, less that of uniform ones.

    - A line for each quantity: parameters, the log density of the runs, what a decision chooses.
    - Band: holds all of a line with 95 % where the ranks are uniform. One line in twenty leaves it by chance.
    - Another colour: quantities whose ranks are not uniform at 1 % over all quantities. First above and then below: the
      posterior is too narrow; first below and then above: too wide; above throughout: too high.

    Draws on `ax` (a new one when left out) and returns it.
    """
    from arviz_stats.ecdf_utils import ecdf_pit

    pit, table = calibration.pit, calibration.summary()
    ax = new_axes(ax, (6.0, 4.2))
    uniform = (np.arange(len(pit)) + 0.5) / len(pit)
    points, _, lower, upper = ecdf_pit(uniform, _BAND, _SIMULATIONS, rng=np.random.default_rng(0))
    text = f"{percent(_BAND)} band of one line"
    ax.fill_between(points, lower - points, upper - points, step="post", color=GREY, alpha=0.2, label=text)
    for name in table.sort_values("p").index:
        found = np.searchsorted(np.sort(pit[name].to_numpy()), points, side="right") / len(pit)
        wrong = table["p_all"][name] < 0.01
        ax.step(
            points, found - points, where="post", color=VERMILLION if wrong else BLUE, linewidth=1.4 if wrong else 0.7,
            alpha=1.0 if wrong else 0.6, zorder=3 if wrong else 2, label=f"{name} (p = {table['p'][name]:.2g})",
        )  # fmt: skip
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("rank of the truth, as a share")
    ax.set_ylabel("distribution less uniform")
    handles, labels = ax.get_legend_handles_labels()
    more = f"; {len(table) - _NAMED} more" if len(table) > _NAMED else ""
    title = f"{len(pit)} worlds{more}"
    ax.legend(handles[: _NAMED + 1], labels[: _NAMED + 1], title=title, frameon=False, fontsize="small", loc="best")
    return ax
