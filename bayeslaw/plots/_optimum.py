"""`plot_optimum`: the posterior of the optimum in one scenario."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from bayeslaw._allocate import EDGE_SHARE, Allocation
from bayeslaw._decision import Choices
from bayeslaw._errors import InputError
from bayeslaw._posterior import check_prob
from bayeslaw.plots._style import BLUE, VERMILLION, amount, label, log_axis, number, panels, percent

_INNER = 0.5  # mass of the inner interval
_FEW = 12  # values of a ladder that get a bar each
_BINS = 40


def plot_optimum(
    allocation: Allocation, *, scenario: int = 0, prob: float = 0.9, axes: Sequence[Axes] | None = None
) -> np.ndarray:
    """Where the optimum lies in one scenario, a panel for each quantity that the decision reports; returns their axes.

    - Histogram: the posterior draws of the optimum, on a logarithmic axis where all are positive; bars for names and
      for ladders of few values.
    - Dot, thick and thin bar below it: the median, and the equal-tailed intervals of mass 50 % and `prob`.
    - The title of a panel says the median and interval, and the share of draws on the edge of the search box where it
      is above 1 %: then the optimum may lie beyond it.

    `axes`: where to draw, as many as quantities (a new figure when left out). Raises `InputError` for a scenario that
    is not there, for `prob` outside 0 to 1, for another number of axes, and where no draw has an optimum.
    """
    check_prob(prob)
    draws, decision = allocation.draws, allocation.decision
    if not 0 <= scenario < draws.sizes["scenario"]:
        raise InputError(f"there is no scenario {scenario}; there are {draws.sizes['scenario']}, from 0.")
    here = draws.isel(scenario=scenario)
    names = [name for name in decision.report if name in here.data_vars]
    if not names:
        raise InputError("this decision reports nothing that it chooses, so there is nothing to plot.")
    axes = panels(axes, len(names), "plot_optimum", across=min(len(names), 3), size=(3.9, 3.2))
    share = float(allocation.edge_share[scenario])
    for name, ax in zip(names, axes, strict=True):
        space = decision.choose.get(name)
        menu = space.values if isinstance(space, Choices) and len(space.values) <= _FEW else None
        _panel(here[name], name, prob, ax, menu)
        if share > EDGE_SHARE:
            ax.set_title(f"{ax.get_title()}\n{share:.0%} of draws on the edge of the box", fontsize=9, color=VERMILLION)
    axes[0].set_ylabel(f"share of draws, at {_where(here)}" if _where(here) else "share of draws")
    return np.array(axes, dtype=object)


def _panel(values: xr.DataArray, name: str, prob: float, ax: Axes, menu: Sequence[Any] | None) -> None:
    kept = values.to_numpy().ravel()
    kept = kept[np.isfinite(kept)]
    if not kept.size:
        raise InputError("no draw has an optimum in this scenario; see the status of the allocation.")
    ax.set_xlabel(label(name))
    if "names" in values.attrs:
        names = list(values.attrs["names"])
        _bars(names, [float(np.mean(kept == place)) for place in range(len(names))], ax)
        return
    distinct = np.unique(kept) if menu is None else np.sort(menu)
    if len(distinct) <= _FEW:
        _bars([number(one, name) for one in distinct], [float(np.mean(kept == one)) for one in distinct], ax)
        return
    logs = kept.min() > 0
    low, high = np.quantile(kept, [0.001, 0.999])  # a few draws far out do not squeeze the rest
    edges = np.geomspace(low, high, _BINS + 1) if logs else np.linspace(low, high, _BINS + 1)
    ax.hist(kept, bins=edges, weights=np.full(kept.size, 1 / kept.size), color=BLUE, alpha=0.45)
    top = ax.get_ylim()[1]
    for mass, width in ((prob, 1.5), (_INNER, 4.5)):
        ends = np.quantile(kept, [(1 - mass) / 2, (1 + mass) / 2])
        ax.plot(ends, [-0.07 * top] * 2, color=BLUE, linewidth=width, solid_capstyle="butt", label=percent(mass))
    ax.plot(np.median(kept), -0.07 * top, "o", color="white", markeredgecolor=BLUE, markersize=6, label="median")
    ax.set_ylim(-0.14 * top, top)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
    if logs:
        log_axis(ax, "x", name)
    lower, middle, upper = (number(one, name) for one in np.quantile(kept, [(1 - prob) / 2, 0.5, (1 + prob) / 2]))
    ax.set_title(f"{middle}  [{lower}, {upper}] {percent(prob)}", fontsize=10)


def _bars(names: Sequence[str], shares: Sequence[float], ax: Axes) -> None:
    ax.bar(range(len(names)), shares, color=BLUE, alpha=0.6, width=0.6)
    ax.set_xticks(range(len(names)), names, rotation=30 if max(map(len, names)) * len(names) > 30 else 0)
    ax.set_xlim(-1, len(names))
    ax.set_ylim(0, 1.05)
    best = int(np.argmax(shares))
    ax.set_title(f"{names[best]} in {percent(round(shares[best], 3))} of draws", fontsize=10)


def _where(here: xr.Dataset) -> str:
    found: list[Any] = [(str(name), one.item()) for name, one in here.coords.items() if name not in ("chain", "draw")]
    found = [(name, value) for name, value in found if not isinstance(value, float) or np.isfinite(value)]
    return ", ".join(value if isinstance(value, str) else amount(float(value), name) for name, value in found[:2])
