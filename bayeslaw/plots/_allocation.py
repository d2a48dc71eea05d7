"""`plot_allocation`: the optimum against the budget, with its uncertainty."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._allocate import Allocation
from bayeslaw._errors import InputError
from bayeslaw._posterior import check_prob
from bayeslaw.plots._style import EDGE, EDGE_SHARE, label, log_axis, new_axes, percent

_INNER = 0.5  # mass of the inner band
_TITLES = {"new run": "New run at the optimum", "mean function": "Mean function at the optimum"}


def plot_allocation(
    allocation: Allocation, *, quantity: str | None = None, prob: float = 0.9, ax: Axes | None = None
) -> Axes:
    """The optimum of a decision against its budget, the first quantity that was given.

    - Line with points: the posterior median at each scenario. Scenarios are sorted by budget.
    - Bands: equal-tailed intervals of mass 50 % and `prob`. For `params`, `tokens` and the like they cover
      where the optimum is; for the response (`loss`) its mean function at the optimum, for `loss_new_run` a
      run there with its noise. With a single scenario they are error bars.
    - Hollow diamonds: scenarios whose optimum lies on the edge of the search box in more than 1 % of draws. There
      the optimum may be beyond the box and the band shows its edge.

    `quantity` is a variable of `allocation.draws`; when left out, the first that the decision reports. Axes are
    logarithmic where all values are positive, in the units of the columns (FLOPs, parameters, tokens,
    nats/token). Draws on `ax` (a new one when left out) and returns it. Raises `InputError` for an unknown
    quantity, for `prob` outside 0 to 1, and when scenarios differ in more than the budget.
    """
    check_prob(prob)
    draws, (budget, *others) = allocation.draws, allocation.decision.given
    available = [str(name) for name, array in draws.data_vars.items() if array.dtype != bool]
    quantity = available[0] if quantity is None else quantity
    if quantity not in available:
        raise InputError(f"the allocation has no {quantity!r} to plot; it has {', '.join(available)}.")
    for name in others:
        if len(np.unique(draws[name].to_numpy())) > 1:
            raise InputError(
                f"the scenarios differ in {name} as well as in {budget}, which one line cannot show: call "
                f"allocate() with one {name} at a time and plot each."
            )
    order = np.argsort(draws[budget].to_numpy(), kind="stable")
    x = draws[budget].to_numpy()[order]
    values = draws[quantity].to_numpy()[:, :, order]
    median = np.median(values, axis=(0, 1))
    edge = allocation.edge_share.to_numpy()[order] > EDGE_SHARE

    ax = new_axes(ax, (6.0, 4.2))
    # The colour is the next one of the axes, so that allocations of two posteriors can share them.
    (line,) = ax.plot(x, median, marker="o", markersize=3.5, linewidth=1.2, zorder=2.5, label="median")
    colour = line.get_color()
    bounds = {m: np.quantile(values, [(1 - m) / 2, (1 + m) / 2], axis=(0, 1)) for m in sorted({_INNER, prob})}
    for mass, (alpha, width) in zip(bounds, ((0.35, 5.0), (0.2, 1.5)), strict=False):
        text = f"{percent(mass)} interval"
        if len(x) > 1:
            ax.fill_between(x, *bounds[mass], color=colour, alpha=alpha, linewidth=0, label=text)
        else:
            ax.plot(x.repeat(2), bounds[mass].ravel(), color=colour, linewidth=width, label=text, solid_capstyle="butt")
    if len(x) == 1:
        line.set(linestyle="", markersize=6, markerfacecolor="white")  # to be seen on the bar
    if edge.any():
        ax.plot(x[edge], median[edge], **EDGE)
    if x.min() > 0:
        log_axis(ax, "x", budget)
    if min(lower.min() for lower, _ in bounds.values()) > 0:
        log_axis(ax, "y", quantity)
    ax.set_xlabel(label(budget))
    ax.set_ylabel(label(quantity))
    title = _TITLES.get(draws[quantity].attrs.get("covers", ""), "Optimum")
    corner = "upper left" if median[-1] >= median[0] else "upper right"
    ax.legend(loc=corner, title=title, alignment="left", frameon=False)
    return ax
