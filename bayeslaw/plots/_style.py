"""What the plots share: colours, and axes that read as people write: 70B, 1.4T, powers of ten."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bayeslaw._allocate import EDGE_SHARE as EDGE_SHARE
from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._errors import InputError
from bayeslaw._predict import NEW_RUN

# Okabe and Ito's palette, safe for the common kinds of colour blindness.
BLUE, SKY, VERMILLION, GREY = "#0072B2", "#56B4E9", "#D55E00", "#666666"
_CYCLE = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", SKY, "#000000")
_COUNTS = ("parameters", "tokens", "entries")


def percent(share: float) -> str:
    return f"{100 * share:.4g} %"


EDGE: dict[str, Any] = {
    "linestyle": "", "marker": "D", "markersize": 7, "color": VERMILLION, "markerfacecolor": "white", "zorder": 3.2,
    "label": f"edge of the search box\n(> {percent(EDGE_SHARE)} of draws)",
}  # fmt: skip


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes to draw on, with these colours and a light grid when new: what a user brought stays as it is."""
    if ax is not None:
        return ax
    _, ax = plt.subplots(figsize=size, layout="constrained")
    return _prepared(ax)


def panels(axes: Sequence[Axes] | None, count: int, what: str, *, across: int, size: tuple[float, float]) -> list[Axes]:
    """The axes of so many panels: those that a user brought, or of a new figure, each of a size in inches."""
    if axes is None:
        down = -(-count // across)
        whole = (size[0] * across, size[1] * down)
        figure, grid = plt.subplots(down, across, figsize=whole, layout="constrained", squeeze=False)
        for spare in grid.ravel()[count:]:
            figure.delaxes(spare)
        return [_prepared(ax) for ax in grid.ravel()[:count]]
    if len(axes) != count:
        raise InputError(f"{what} draws {count} panels here, and {len(axes)} axes were given.")
    return list(axes)


def _prepared(ax: Axes) -> Axes:
    ax.set_prop_cycle(color=_CYCLE)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#e6e6e6", linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def label(name: str, before: str = "") -> str:
    """An axis label with its unit, such as `Training compute (FLOPs)`; after some words when given."""
    column = COLUMNS.get(name.removesuffix(NEW_RUN))
    if column is None:
        return before + name
    text = before + column.meaning
    said = column.unit.replace("/", " per ") in column.meaning  # not "all parameters (parameters)"
    return text[0].upper() + text[1:] + ("" if said else f" ({column.unit})")


def number(value: float, name: str = "") -> str:
    """A number for a tick or a legend: `70B` for a count, a power of ten for the very large and very small."""
    column = COLUMNS.get(name.removesuffix(NEW_RUN))
    if column is not None and column.unit in _COUNTS and 1 <= value < 1e15:
        return format_number(value, name)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.5g}" if abs(value) >= 1e4 else f"{value:.4g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if float(mantissa) == 1 else rf"${float(mantissa):g}\times{power}$"


def amount(value: float, name: str) -> str:
    """A number with its unit, such as `70B parameters`."""
    column = COLUMNS.get(name)
    return f"{number(value, name)} {column.unit if column else name}".strip()


def log_axis(ax: Axes, which: Literal["x", "y"], name: str) -> None:
    """Make an axis logarithmic, labelled at 1, 2, 5 or 1, 3 or powers of ten as its length in inches allows."""
    ax.set(**{f"{which}scale": "log"})
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(_LogTicks(name, across=which == "x"))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, name)))
    axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=100))
    axis.set_minor_formatter(NullFormatter())
    ax.autoscale_view()  # by these ticks' limits for a single value


class _LogTicks(LogLocator):
    """Ticks chosen when drawing. Matplotlib's own leave an axis of less than a decade with one label or none."""

    def __init__(self, name: str, *, across: bool):
        super().__init__()
        self.name, self.across = name, across

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        low, high = (v0 / 4, v0 * 4) if v0 == v1 > 0 else super().nonsingular(v0, v1)  # one value: in the middle
        return float(low), float(high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        assert self.axis is not None
        decades = math.log10(vmax / vmin)
        room = self.axis.get_tick_space()  # how many short labels fit
        wide = self.across and "times" in number(1.5 * vmin, self.name)
        labels = room // 2 if wide else room  # 2 x 10^20 needs twice the width of 10^20
        if decades < 0.7:
            round_ones = MaxNLocator(min(max(labels - 3, 2), 8), steps=[1, 2, 5, 10]).tick_values(vmin, vmax)
            whole = LogLocator(subs=range(1, 10), numticks=100).tick_values(vmin, vmax)
            found, whole = ([float(t) for t in ticks if vmin <= t <= vmax] for ticks in (round_ones, whole))
            found = whole if wide and len(whole) >= 3 else found
            kept = found[:1]
            for tick in found[1:]:
                if math.log10(tick / kept[-1]) >= decades / labels:
                    kept.append(tick)
            return kept
        subs = next((s for s in ((1, 2, 5), (1, 3)) if len(s) * decades <= 0.7 * labels), (1,))
        return list(LogLocator(subs=subs, numticks=max(2, min(room, 12))).tick_values(vmin, vmax))
