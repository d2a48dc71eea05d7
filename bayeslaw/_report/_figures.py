"""Figures inside the page: pictures as data, and the curves that the slider moves along."""

import base64
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw._report._html import Html, tag
from bayeslaw._report._words import unit
from bayeslaw.plots._style import BLUE, GREY, SKY, label, log_axis, new_axes, percent

_MOST = 150_000  # bytes of an SVG; above it a picture is smaller, and quicker to show
_LABEL = 60  # characters of a line
SHADE = "#f0f0f0"  # of the range of the runs


def figure(draw: Callable[[], Any], alt: str, caption: Any) -> Html:
    """What a plot draws, with words for those who do not see it."""
    with drawing():
        axes = draw()
        whole = figure_of(axes if isinstance(axes, Axes) else axes[0])
        width = whole.get_figwidth()
        source = picture(whole)
    image = tag("img", src=source, alt=alt, style=f"width:{96 * width:.0f}px")
    return tag("figure", image, tag("figcaption", caption))


def figure_of(ax: Axes) -> Figure:
    whole = ax.get_figure(root=True)
    assert whole is not None
    return whole


def picture(whole: Figure) -> str:
    """A figure as a data URI; closes it."""
    for ax in whole.axes:  # what a column means may be longer than its axis
        ax.set_xlabel(textwrap.fill(ax.get_xlabel(), _LABEL))
        ax.set_ylabel(textwrap.fill(ax.get_ylabel(), _LABEL))
    svg, png = io.BytesIO(), io.BytesIO()
    whole.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    found, kind = svg.getvalue(), "svg+xml"
    if len(found) > _MOST:
        whole.savefig(png, format="png", dpi=160)
        found, kind = png.getvalue(), "png"
    plt.close(whole)
    return f"data:image/{kind};base64,{base64.b64encode(found).decode()}"


@contextmanager
def drawing() -> Iterator[None]:
    """No window, whatever the user has set; the same bytes each time. Users find their settings as they were."""
    before = plt.get_fignums()
    with mpl.rc_context({"svg.hashsalt": "bayeslaw", "interactive": False, "figure.dpi": 72, "savefig.dpi": 72}):
        try:
            yield
        finally:
            for one in set(plt.get_fignums()) - set(before):
                plt.close(one)


def bands(
    x: np.ndarray, quantiles: np.ndarray, name: str, over: str, seen: tuple[float, float] | None, prob: float
) -> Axes:
    """A quantity over the column that the slider moves: median, half and `prob` bands, and where there are runs."""
    ax = new_axes(None, (4.6, 3.0))
    low, inner_low, middle, inner_high, high = quantiles
    _where_runs_are(ax, seen)
    ax.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0, label=f"{percent(prob)} interval")
    ax.fill_between(x, inner_low, inner_high, color=BLUE, alpha=0.35, linewidth=0, label="50 % interval")
    ax.plot(x, middle, color=BLUE, linewidth=1.4, label="median")
    least, most = float(np.nanmin(low)), float(np.nanmax(high))
    level = most - least <= 1e-3 * abs(most)  # what hardly varies is drawn as a level line, not as noise
    _axes(ax, x, over, 0.0 if level else least, name)
    if level:
        ax.set_ylim(least - 0.1 * (abs(least) or 1), most + 0.1 * (abs(most) or 1))
    return ax


def share_lines(x: np.ndarray, shares: np.ndarray, names: Sequence[str], name: str, over: str, seen: Any) -> Axes:
    """In which share of draws each name is the best, (positions, names)."""
    ax = new_axes(None, (4.6, 3.0))
    _where_runs_are(ax, seen)
    kept = [i for i in np.argsort(-shares.mean(axis=0)) if shares[:, i].max() > 0.02][:5]
    for i, dashes in zip(kept, ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=False):
        ax.plot(x, shares[:, i], linestyle=dashes, linewidth=1.5, label=str(names[i]).replace("$", r"\$"))
    _axes(ax, x, over, 0.0, name)
    ax.set(ylim=(-0.02, 1.02), ylabel="Share of draws in which it is best")
    ax.legend(frameon=False, fontsize=8)
    return ax


def widening(
    x: np.ndarray, alone: np.ndarray, with_misfit: np.ndarray, response: str, over: str, seen: Any, prob: float
) -> Axes:
    """The response along the optimum, (3, positions) each: by the law alone, and allowing for its being off."""
    ax = new_axes(None, (6.4, 3.8))
    _where_runs_are(ax, seen)
    ax.fill_between(x, with_misfit[0], with_misfit[2], color=SKY, alpha=0.45, linewidth=0, label="the law may be off")
    ax.fill_between(x, alone[0], alone[2], color=BLUE, alpha=0.6, linewidth=0, label="given the law")
    ax.plot(x, with_misfit[1], color=BLUE, linewidth=1, linestyle="--", label="median, the law may be off")
    ax.plot(x, alone[1], color=BLUE, linewidth=1.2, label="median, given the law")
    _axes(ax, x, over, float(min(alone[0].min(), with_misfit[0].min())), response)
    ax.legend(title=f"{percent(prob)} interval of the mean function", alignment="left", frameon=False, fontsize=8)
    return ax


def moved(names: Sequence[str], quantiles: np.ndarray, prob: float) -> Axes:
    """Posterior intervals in standard deviations of the prior from its median, (5, parameters)."""
    ax = new_axes(None, (6.4, 0.9 + 0.24 * len(names)))
    y = np.arange(len(names))
    ax.axvspan(-1.645, 1.645, color=SHADE, linewidth=0, label="prior, 90 %")
    low, inner_low, middle, inner_high, high = quantiles
    ax.hlines(y, low, high, color=BLUE, linewidth=1.4, label=f"posterior, {percent(prob)}")
    ax.hlines(y, inner_low, inner_high, color=BLUE, linewidth=4, label="posterior, 50 %")
    ax.plot(middle, y, "o", color="white", markeredgecolor=BLUE, markersize=4)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.set_xlim(min(-2.6, float(low.min()) - 0.2), max(2.6, float(high.max()) + 0.2))
    ax.set_xlabel("standard deviations of the prior, from its median")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def places(ax: Axes, x: np.ndarray, quantiles: np.ndarray) -> tuple[list[float], list[list[float]]]:
    """Where positions and quantiles lie in the picture of an axes, in its own units: across from the left, down from
    the top."""
    whole = figure_of(ax)
    whole.canvas.draw()
    height = whole.bbox.height
    low, high = sorted(ax.get_ylim())
    inside = np.clip(quantiles, low, high)
    across = ax.transData.transform(np.column_stack([x, np.full(len(x), ax.get_ylim()[0])]))[:, 0]
    down = [height - ax.transData.transform(np.column_stack([x, one]))[:, 1] for one in inside]
    return [round(float(v), 1) for v in across], [[round(float(v), 1) for v in one] for one in np.array(down).T]


def _where_runs_are(ax: Axes, seen: tuple[float, float] | None) -> None:
    if seen is not None and seen[0] < seen[1]:
        ax.axvspan(*seen, color=SHADE, linewidth=0, zorder=0.5)


def _axes(ax: Axes, x: np.ndarray, over: str, least: float, name: str) -> None:
    if x.min() > 0 and x.max() / x.min() > 20:
        log_axis(ax, "x", over)
    if least > 0:
        log_axis(ax, "y", name)
    ax.set_xlim(x.min(), x.max())
    ax.set_xlabel(label(over))
    ax.set_ylabel(unit(name) or name)
