"""`plot_arms`: what recipes are worth against the budget, with the uncertainty."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._arms import Arms
from bayeslaw._errors import InputError
from bayeslaw._posterior import check_prob
from bayeslaw._recipes import REACH
from bayeslaw.plots._style import GREY, label, log_axis, new_axes, percent

_INNER = 0.5  # mass of the inner band


def plot_arms(arms: Arms, *, prob: float = 0.9, above: float | None = None, ax: Axes | None = None) -> Axes:
    """The multiplier of each arm against the budget: `plot_arms(compare_arms(posterior, flops=np.geomspace(...)))`.

    - Line with points: the median at each scenario, a colour for each arm; the line at 1 is the reference.
    - Bands: equal-tailed intervals of mass 50 % and `prob`, of mean functions given the law. With a single scenario
      they are error bars. Where an arm is out of the reference's reach (infinite) they leave the picture at the top.
    - Dashed: the threshold `above`, where there is one, with P(multiplier > above) at the last budget in the legend.
    - Bars at the bottom: the extent of each arm's own runs, that of the reference in grey: beyond them it is
      extrapolation.

    Both axes are logarithmic. Draws on `ax` (a new one when left out) and returns it. Raises `InputError` for `prob`
    outside 0 to 1, and when scenarios differ in more than the budget.
    """
    check_prob(prob)
    budget, draws = arms.budget, arms.draws
    for name in [str(one) for one in draws.coords if draws[one].dims == ("scenario",)]:
        if name != budget and len(np.unique(draws[name].to_numpy())) > 1:
            raise InputError(f"the scenarios differ in {name} as well as in {budget}, which one line cannot show.")
    order = np.argsort(draws[budget].to_numpy(), kind="stable")
    x = draws[budget].to_numpy()[order]
    ax = new_axes(ax, (7.6, 4.2))
    ax.axhline(1.0, color=GREY, linewidth=1, label=f"{arms.reference} (reference)")
    if above is not None:
        ax.axhline(above, color=GREY, linewidth=1, linestyle="--", label=f"{above:g} times the {budget}")
    colours = {arms.reference: GREY}
    for name in [str(one) for one in draws["arm"].to_numpy() if one != arms.reference]:
        values = np.clip(draws["multiplier"].sel(arm=name).to_numpy()[..., order], 1 / REACH, REACH)
        text = name
        if above is not None:
            text += f":\nP(above {above:g}) = {(values[..., -1] > above).mean():.2f}\nat the last budget"
        (line,) = ax.plot(x, np.nanmedian(values, axis=(0, 1)), marker="o", markersize=3.5, linewidth=1.2, label=text)
        colours[name] = str(line.get_color())
        for mass, alpha, width in ((_INNER, 0.35, 5.0), (prob, 0.18, 1.5)):
            ends = np.nanquantile(values, [(1 - mass) / 2, (1 + mass) / 2], axis=(0, 1))
            if len(x) > 1:
                ax.fill_between(x, *ends, color=colours[name], alpha=alpha, linewidth=0)
            else:
                ax.plot(x.repeat(2), ends.ravel(), color=colours[name], linewidth=width, solid_capstyle="butt")
    for i, (name, colour) in enumerate(colours.items()):
        ends = [float(draws[end].sel(arm=name)) for end in ("runs_from", "runs_to")]
        ends = [min(max(end, x.min() / 3), x.max() * 3) for end in ends]
        if np.isfinite(ends).all() and ends[0] < ends[1]:
            ax.plot(ends, [0.02 + 0.018 * i] * 2, color=colour, linewidth=3, transform=ax.get_xaxis_transform())
    log_axis(ax, "x", budget)
    log_axis(ax, "y", "multiplier")
    ax.set_xlabel(label(budget))
    ax.set_ylabel(f"Worth in {budget} of {arms.reference} (ratio)")
    title = (
        f"Medians, {percent(_INNER)} and {percent(prob)} intervals \nof mean functions; bars at\nthe bottom: own runs"
    )
    ax.legend(title=title, alignment="left", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax
