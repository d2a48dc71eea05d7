"""`plot_profiles`: valleys at each budget with their minima, and the power law through these."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from bayeslaw._agreement import Agreement
from bayeslaw._isoflop import Profiles
from bayeslaw._posterior import check_prob
from bayeslaw.plots._style import BLUE, VERMILLION, amount, label, log_axis, panels, percent

_POINTS = 60


def plot_profiles(
    profiles: Profiles, agreement: Agreement | None = None, *, prob: float = 0.9, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """Two panels: the valleys, and their minima against the budget.

    - Left: the runs of each profile (moved to its budget only in the fit), median and equal-tailed interval of mass
      `prob` of each valley over its runs; the bar is the interval of its minimum.
    - Right: minima with their intervals, hollow where they are not used for the line because they need not lie among
      the runs; the power law through the others, with its band. With an `agreement` (`profiles.against(posterior)`)
      also the optimum of that law, in orange.

    Draws on two `axes` (new ones when left out) and returns them. Raises `InputError` for `prob` outside 0 to 1.
    """
    check_prob(prob)
    left, right = panels(axes, 2, "plot_profiles", across=2, size=(5.4, 5.0))
    size, response = profiles.size, str(profiles.draws.attrs["response"])
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    budgets, table = profiles.table.index.to_numpy(), profiles.table
    at = np.nanquantile(profiles.draws[size].to_numpy(), tails, axis=(0, 1))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(budgets)))
    for i, (flops, colour) in enumerate(zip(budgets, colours, strict=True)):
        mine = profiles.runs[profiles.runs["profile"] == flops]
        sizes = np.geomspace(table["smallest"].iloc[i], table["largest"].iloc[i], _POINTS)
        low, middle, high = np.quantile(_curve(profiles, i, sizes), tails, axis=0)
        left.fill_between(sizes, low, high, color=colour, alpha=0.25, linewidth=0)
        left.plot(sizes, middle, color=colour, linewidth=1.2, label=amount(float(flops), "flops"))
        left.plot(mine[size], mine[response], color=colour, linestyle="", marker="o", markersize=3, alpha=0.7)
        y = float(np.nanmedian(profiles.draws[response].to_numpy()[..., i]))
        if table["used"].iloc[i]:
            left.plot(at[[0, 2], i], [y, y], color=colour, linewidth=4, solid_capstyle="butt", zorder=3)
    _frontier(profiles, agreement, right, at, prob)
    for ax, across, up in ((left, size, response), (right, "flops", size)):
        log_axis(ax, "x", across)
        ax.set_xlabel(label(across))
        ax.set_ylabel(label(up))
    log_axis(right, "y", size)
    title = f"Valleys and minima, {percent(prob)} intervals"
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, frameon=False, fontsize="small", title=title)
    right.legend(frameon=False, loc="upper left")
    return [left, right]


def _curve(profiles: Profiles, i: int, sizes: np.ndarray) -> np.ndarray:
    """The valley of a profile, (draws, sizes)."""
    curves = profiles.curves
    height, tilt, bend = (curves[name].to_numpy()[0, :, i, None] for name in ("height", "tilt", "bend"))
    x = np.log(sizes / float(curves["centre"][i]))
    return np.exp(height + tilt * x + bend * (x**2 + curves["skew"].to_numpy()[0, :, None] * x**3))


def _frontier(profiles: Profiles, agreement: Agreement | None, ax: Axes, at: np.ndarray, prob: float) -> None:
    """Minima against the budget, the line through them, and the optimum of a law."""
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    budgets, used = profiles.table.index.to_numpy(), profiles.table["used"].to_numpy()
    if np.isfinite(profiles.line["exponent"]).all():
        x = np.geomspace(budgets.min() / 2, budgets.max() * 2, 40)
        low, middle, high = np.quantile(profiles.at(x).to_numpy(), tails, axis=(0, 1))
        lower, exponent, upper = profiles.exponent(prob)
        text = f"{profiles.size} ~ flops^{exponent:.2f} ({lower:.2f} to {upper:.2f})"
        ax.fill_between(x, low, high, color=BLUE, alpha=0.2, linewidth=0)
        ax.plot(x, middle, color=BLUE, linewidth=1.2, label=text)
    for kept, face, text in ((used, BLUE, "minimum of a profile"), (~used, "white", "the same, not used")):
        if kept.any():
            # What is not used may have no end: its bar stays within a factor three of the sizes tried.
            table = profiles.table.loc[kept]
            low, middle, high = np.clip(at[:, kept], table["smallest"] / 3, table["largest"] * 3)
            bars = [middle - low, high - middle]
            style = {"linestyle": "", "marker": "o", "markersize": 4.5, "color": BLUE, "markerfacecolor": face}
            ax.errorbar(budgets[kept], middle, yerr=bars, label=text, **style)
    if agreement is not None:
        low, middle, high = np.quantile(agreement.draws["law"].to_numpy(), tails, axis=(0, 1))
        ax.fill_between(budgets, low, high, color=VERMILLION, alpha=0.3, linewidth=0)
        ax.plot(budgets, middle, color=VERMILLION, linewidth=1.2, label="optimum of the law")
