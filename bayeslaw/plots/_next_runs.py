"""`plot_next_runs`: what pilot runs are worth, and which to buy."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._columns import COLUMNS
from bayeslaw._errors import InputError
from bayeslaw._next_runs import NextRuns
from bayeslaw.plots._style import BLUE, GREY, VERMILLION, label, log_axis, new_axes, number


def plot_next_runs(found: NextRuns, *, x: str | None = None, y: str | None = None, ax: Axes | None = None) -> Axes:
    """The candidates over two of their columns, and the runs to buy.

    - Dots: candidates; their area is what each promises by itself (the fall of the expected regret, or the information,
      where something is to be learnt), none where it promises nothing.
    - Filled dots with numbers: the runs to buy, in the order in which they were picked.
    - The title says what they lower the expected regret to, and for how much.

    `x` and `y` are the first two scale columns of the candidates when left out. Draws on `ax` (a new one when left out)
    and returns it. Raises `InputError` for columns that are not there.
    """
    columns = _columns(found, x, y)
    ax = new_axes(ax, (8.0, 4.4))
    table = found.candidates
    gain = np.maximum(table["gain"].to_numpy(dtype=float), 0)
    area = 160 * gain / max(gain.max(), 1e-300)
    across, up = (table[name].to_numpy(dtype=float) for name in columns)
    ax.plot(across, up, ".", color=GREY, markersize=2, linestyle="", label="candidates")
    ax.scatter(across, up, s=area, facecolor="none", edgecolor=BLUE, linewidth=0.8, label="what each promises (area)")
    bought = [found.runs[name].to_numpy(dtype=float) for name in columns]
    ax.plot(*bought, "o", color=VERMILLION, markersize=7, linestyle="", label="to buy, in this order")
    seen: dict[Any, list[str]] = {}
    for i, place in enumerate(zip(*bought, strict=True)):
        seen.setdefault(place, []).append(str(i + 1))
    for place, turns in seen.items():
        ax.annotate(", ".join(turns), place, xytext=(5, 5), textcoords="offset points", fontsize=8)
    sides: tuple[tuple[Literal["x", "y"], str, np.ndarray], ...] = (("x", columns[0], across), ("y", columns[1], up))
    for axis, name, values in sides:
        if values.min() > 0 and values.max() > 10 * values.min():
            log_axis(ax, axis, name)
        getattr(ax, f"set_{axis}label")(label(name))
    ax.set_title(_title(found), fontsize=9)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return ax


def _columns(found: NextRuns, x: str | None, y: str | None) -> list[str]:
    names = [str(one) for one in found.candidates.select_dtypes("number") if one in found.batch and one != "error"]
    for name in (x, y):
        if name is not None and name not in names:
            raise InputError(f"the candidates have no column {name!r} of numbers; they have {', '.join(names)}.")
    own = [name for name in names if name in COLUMNS and len(set(found.candidates[name])) > 1]
    own = [name for name in own if name not in (x, y, found.cost)] or names
    first = x or own[0]
    second = y or next((name for name in own if name != first), found.cost)
    return [first, second]


def _title(found: NextRuns) -> str:
    unit = f" {found.unit}" if found.unit else ""
    now = f"expected regret {found.before:.2g}{unit}"
    if found.stop:
        return f"{now}: more runs are not worth it"
    return (
        f"{now}, {found.after:.2g} after {len(found.runs)} runs for {number(found.runs['spent'].iloc[-1])} {found.cost}"
    )
