"""`plot_choice`: what another choice would risk and regret, and what is nearly as good."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._choose import Choice
from bayeslaw._decision import LogRange
from bayeslaw._errors import InputError
from bayeslaw._options import PLUG_IN, RECOMMENDED, label_of
from bayeslaw._page import risk_words
from bayeslaw.plots._style import BLUE, GREY, SKY, VERMILLION, label, log_axis, new_axes, number, percent

_MOST = 12  # items of a menu


def plot_choice(choice: Choice, *, variable: str | None = None, scenario: int = 0, ax: Axes | None = None) -> Axes:
    """The risk of choosing otherwise, in one scenario.

    - Along a range, `variable` (the first when left out), with all else as recommended: the line is the mean regret
      over draws, the band goes from zero to the regret that is not exceeded with probability 0.9. The shaded interval
      is what is nearly as good (`choice.region`), the filled dot what is recommended, the hollow one the optimum at the
      posterior mean. In units of what the decision minimises.
    - Of menus: a bar for each item, best first: its risk less that of the best one, with its probability of being the
      best; items that are not nearly as good are grey.

    Draws on `ax` (a new one when left out) and returns it. Raises `InputError` for a variable that is not a range, for
    a scenario that is not there and for a decision that chooses nothing.
    """
    if not 0 <= scenario < choice.draws.sizes["scenario"]:
        raise InputError(f"there is no scenario {scenario}; there are {choice.draws.sizes['scenario']}, from 0.")
    ranges = choice.landscape["variable"].to_numpy().tolist() if choice.landscape else []
    if variable is not None and variable not in ranges:
        raise InputError(f"{variable!r} is not a range of this decision; it has {', '.join(ranges) or 'none'}.")
    if not ranges and not choice.menu:
        raise InputError("this decision chooses nothing, so there is nothing to plot.")
    ax = new_axes(ax, (6.0, 4.2))
    if ranges:
        _along(choice, ranges[0] if variable is None else variable, scenario, ax)
    else:
        _items(choice, scenario, ax)
    return ax


def _along(choice: Choice, name: str, scenario: int, ax: Axes) -> None:
    here = choice.landscape.isel(scenario=scenario).sel(variable=name)
    at, regret, upper = (here[one].to_numpy() for one in ("at", "regret", "regret_upper"))
    region = choice.region.query("scenario == @scenario and variable == @name").iloc[0]
    ax.axvspan(region["low"], region["high"], color=SKY, alpha=0.2, linewidth=0, label=_nearly(choice))
    ax.fill_between(at, 0, upper, color=BLUE, alpha=0.2, linewidth=0, label=f"not exceeded in {percent(0.9)} of draws")
    ax.plot(at, regret, color=BLUE, linewidth=1.4, label="mean regret")
    response = str(choice.draws.attrs["response"])
    for option, size, text in ((PLUG_IN, 9, "at the posterior mean"), (RECOMMENDED, 5, "recommended")):
        one = choice.draws.isel(scenario=scenario).sel(option=option)
        x, y = one[label_of(name, response)].item(), np.nanmean(one["regret"].to_numpy())
        face = VERMILLION if option == RECOMMENDED else "white"
        ax.plot(x, y, "o", color=VERMILLION, markerfacecolor=face, markersize=size, linestyle="", zorder=3, label=text)
    if isinstance(choice.decision.choose[name], LogRange):
        log_axis(ax, "x", name)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(label(name))
    ax.set_ylabel("Regret against the best of each draw")
    others = "; all else as recommended" if len(choice.decision.choose) > 1 else ""
    ax.legend(title=f"{risk_words(choice)}{others}", alignment="left", frameon=False, loc="best")


def _items(choice: Choice, scenario: int, ax: Axes) -> None:
    here = choice.menu.isel(scenario=scenario)
    risk, share, near = (here[one].to_numpy() for one in ("risk", "p_optimal", "near"))
    order = [i for i in np.argsort(risk) if np.isfinite(risk[i])][:_MOST]
    names = [", ".join(_shown(here[name].to_numpy()[i], name) for name in here.coords) for i in order]
    above = risk[order] - np.nanmin(risk)
    colours = [BLUE if near[i] else GREY for i in order]
    bars = ax.barh(range(len(order)), above, color=colours, height=0.6)
    ax.bar_label(bars, [f" P(best) {share[i]:.0%}" for i in order], fontsize=8)
    ax.set_yticks(range(len(order)), names)
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.set_xlabel(f"{risk_words(choice)}, above the best")
    ax.set_ylabel(", ".join(str(name) for name in here.coords))
    ax.set_title(f"blue: {_nearly(choice)}", fontsize=9, loc="left")


def _nearly(choice: Choice) -> str:
    return f"within {percent(choice.aim.within)} of the best"


def _shown(value: Any, name: object) -> str:
    return value if isinstance(value, str) else number(float(value), str(name))
