"""`plot_comparison`: how much worse than the best each law predicts."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._compare import Comparison
from bayeslaw.plots._style import BLUE, GREY, new_axes

_SES = 2.0  # standard errors to each side


def plot_comparison(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Laws by how well they predict runs (or groups) that were left out, best on top.

    - Dot: the difference in elpd, the summed log predictive density, from the best law; 0 is the best.
    - Bar: two standard errors of this difference to each side. A bar that reaches 0 is of a law that these runs cannot
      tell from the best.
    - Text: the weight of the law in a stack.

    Draws on `ax` (a new one when left out) and returns it.
    """
    table = comparison.table
    places = np.arange(len(table))
    ax = new_axes(ax, (6.0, 1.2 + 0.45 * len(table)))
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=1.9)
    ends = _SES * table["difference_se"].to_numpy()
    ax.errorbar(
        table["difference"], places, xerr=ends, fmt="o", color=BLUE, markersize=5, linewidth=1.4, capsize=3,
        label=f"{_SES:g} standard errors",
    )  # fmt: skip
    for place, weight in zip(places, table["weight"], strict=True):
        ax.annotate(
            f"weight {weight:.2f}", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize="small"
        )
    ax.set_yticks(places, [str(name) for name in table.index])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlabel("elpd less that of the best law (nats, over all runs)")
    ax.set_title(f"{len(comparison.pointwise)} runs, {comparison.left_out} left out", fontsize=10, loc="left")
    return ax
