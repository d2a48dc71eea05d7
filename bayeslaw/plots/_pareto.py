"""`plot_pareto`: the best response at each cost, with its uncertainty."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._pareto import Front
from bayeslaw._posterior import check_prob
from bayeslaw.plots._style import BLUE, label, log_axis, new_axes, percent

_INNER = 0.5  # mass of the inner band


def plot_pareto(front: Front, *, prob: float = 0.9, ax: Axes | None = None) -> Axes:
    """The front of a decision: its response against a cost.

    - Line: the posterior median of the response (mean function) of the best plan at each cost.
    - Bands: equal-tailed intervals of mass 50 % and `prob` of it.
    - Dots: the plans, the darker the surer that they are on the front (`front.p_front`).

    Where the cost of a plan differs between draws it stands at the median. Draws on `ax` (a new one when left out) and
    returns it. Raises `InputError` for `prob` outside 0 to 1.
    """
    check_prob(prob)
    response = str(front.draws.attrs["response"])
    values = front.draws[response].to_numpy()
    x = np.nanmedian(front.cost.to_numpy(), axis=(0, 1))
    ax = new_axes(ax, (6.0, 4.2))
    for mass, alpha in sorted({_INNER: 0.35, prob: 0.2}.items()):
        low, high = np.nanquantile(values, [(1 - mass) / 2, (1 + mass) / 2], axis=(0, 1))
        ax.fill_between(x, low, high, color=BLUE, alpha=alpha, linewidth=0, label=f"{percent(mass)} interval")
    median = np.nanmedian(values, axis=(0, 1))
    ax.plot(x, median, color=BLUE, linewidth=1.2, label="median")
    dots = ax.scatter(x, median, c=front.p_front, cmap="Blues", vmin=0, vmax=1, edgecolors=BLUE, s=28, zorder=3)
    ax.figure.colorbar(dots, ax=ax, label="P(on the front)", shrink=0.7)
    if x.min() > 0:
        log_axis(ax, "x", front.against)
    if np.nanmin(values) > 0:
        log_axis(ax, "y", response)
    ax.set_xlabel(label(front.against))
    ax.set_ylabel(label(response))
    ax.legend(title="Mean function of the best plan", alignment="left", frameon=False, loc="best")
    return ax
