"""The slider: one column of what is given, and the optimum with its bands at each of its positions.

Every number is worked out here, so that the script only shows what belongs to a position.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._allocate import EDGE_SHARE
from bayeslaw._columns import COLUMNS
from bayeslaw._predict import NEW_RUN
from bayeslaw._report._answer import quantities
from bayeslaw._report._asked import Asked
from bayeslaw._report._figures import bands, drawing, figure_of, picture, places, share_lines
from bayeslaw._report._html import Html, joined, paragraph, table, tag
from bayeslaw._report._words import NOTHING, amount, listed, mass, number, percent, quantiles, shares, span, title, unit
from bayeslaw.plots._style import label

_PANELS = 4
_FIELDS = ("median", "half", "whole")


def slider(asked: Asked) -> Html:
    """A range input, a table and panels; without a script they show what was asked."""
    over, draws, start = str(asked.over), asked.sweep.draws, asked.start
    x = draws[over].to_numpy().astype(float)
    names = quantities(draws)
    texts = {name: _texts(draws[name], name, asked.prob) for name in names}
    drawn = [name for name in names if name != asked.response + NEW_RUN]
    drawn = [*[name for name in drawn if name != asked.response][: _PANELS - 1], asked.response]
    panels, marks = zip(*(_panel(asked, draws[name], name, x, start) for name in drawn), strict=True)
    budget, notes = [amount(one, over) for one in x], _notes(asked, draws, x)
    everything = {
        "budget": budget, "notes": notes, "texts": list(texts.values()), "panels": list(marks),
    }  # fmt: skip
    control = tag(
        "div",
        tag("label", label(over), for_="budget"),
        tag("output", budget[start], for_="budget", id="at"),
        tag(
            "input", type="range", id="budget", min=0, max=len(x) - 1, step=1, value=start,
            aria_valuetext=budget[start], aria_describedby="notes",
        ),
        tag("span", budget[0], class_="end"), tag("span", budget[-1], class_="end last"),
        class_="control", hidden=True, id="control",
    )  # fmt: skip
    script = json.dumps(everything, separators=(",", ":"), ensure_ascii=False)
    return joined(
        [
            control,
            paragraph(notes[start], id="notes", class_="small", aria_live="polite"),
            _numbers(names, texts, start, asked.prob),
            tag("div", *panels, class_="panels"),
            paragraph(
                f"Line: median of the optimum. Bands: 50 % and {mass(asked.prob)} of draws. Grey: range of the runs.",
                class_="small",
            ),
            tag("script", Html(_inert(script)), type="application/json", id="positions"),
        ]
    )


def _inert(text: str) -> str:
    """JSON that no HTML parser takes for markup."""
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _texts(array: xr.DataArray, name: str, prob: float) -> list[list[str]]:
    """Median and both intervals at each position, as they are shown."""
    if "names" in array.attrs:
        found = [shares(array.isel(scenario=i), array.attrs["names"]) for i in range(array.sizes["scenario"])]
        return [[next(iter(one), NOTHING), "", listed(one)] for one in found]
    low, inner_low, middle, inner_high, high = quantiles(array, prob)
    return [
        [number(m, name), span(a, b, name), span(c, d, name)]
        for m, a, b, c, d in zip(middle, inner_low, inner_high, low, high, strict=True)
    ]


def _numbers(names: list[str], texts: dict[str, list[list[str]]], start: int, prob: float) -> Html:
    rows = [
        (
            joined([title(name), tag("span", unit(name), class_="unit") if unit(name) else None]),
            *(tag("span", texts[name][start][j], id=f"q{i}-{field}") for j, field in enumerate(_FIELDS)),
        )
        for i, name in enumerate(names)
    ]
    return table(("", "median", "50 %", mass(prob)), rows, "The optimum at this position", id="numbers")


def _panel(asked: Asked, array: xr.DataArray, name: str, x: np.ndarray, start: int) -> tuple[Html, Any]:
    """A picture of the bands with a mark on it, and where the mark goes at each position."""
    over, seen = str(asked.over), range_of(asked)
    with drawing():
        if "names" in array.attrs:
            labels = array.attrs["names"]
            values = array.to_numpy()
            found = np.array([(values == place).mean(axis=(0, 1)) for place in range(len(labels))]).T
            ax = share_lines(x, found, labels, name, over, seen)
            across, down = places(ax, x, np.zeros((0, len(x))))
        else:
            five = quantiles(array, asked.prob)
            ax = bands(x, five, name, over, seen, asked.prob)
            across, down = places(ax, x, np.nan_to_num(five, nan=np.nanmin(five)))
        whole = figure_of(ax)
        width, height = (round(float(one), 1) for one in whole.bbox.size)
        box = ax.get_window_extent()
        top, bottom = round(height - box.y1, 1), round(height - box.y0, 1)
        source = picture(whole)
    at = across[start]
    lines: list[Html] = [tag("line", x1=at, x2=at, y1=top, y2=bottom, class_="cursor")]
    if down:
        low, inner_low, middle, inner_high, high = down[start]
        lines += [
            tag("line", x1=at, x2=at, y1=low, y2=high, class_="whole"),
            tag("line", x1=at, x2=at, y1=inner_low, y2=inner_high, class_="half"),
            tag("circle", cx=at, cy=middle, r=4, class_="median"),
        ]
    mark = tag("svg", *lines, viewBox=f"0 0 {width} {height}", aria_hidden="true", class_="mark")
    alt = f"{title(name)} over {title(over).lower()}: median and bands of 50 % and {mass(asked.prob)} of draws."
    image = tag("img", src=source, alt=alt, width=width, height=height)
    return tag("figure", tag("figcaption", title(name)), tag("div", image, mark, class_="stack")), {
        "x": across,
        "y": down,
    }


def range_of(asked: Asked) -> tuple[float, float] | None:
    """Where there are runs, on the column of the slider."""
    return None if asked.seen is None else (float(np.min(asked.seen)), float(np.max(asked.seen)))


def _notes(asked: Asked, draws: xr.Dataset, x: np.ndarray) -> list[str]:
    """How far from the runs a position is, and whether its optimum lies on the edge of where it was looked for."""
    seen, edge = range_of(asked), draws["at_edge"].to_numpy().mean(axis=(0, 1))
    reached = np.isfinite(draws[asked.response].to_numpy()).mean(axis=(0, 1))
    column = COLUMNS.get(str(asked.over))
    found = []
    for i, value in enumerate(x):
        said = []
        if (
            seen is not None
            and asked.over != "target"
            and (column is None or column.low >= 0)
            and min(seen[0], value) > 0
        ):
            beyond = max(np.log10(value / seen[1]), np.log10(seen[0] / value))
            where = "above the largest" if value > seen[1] else "below the smallest"
            said.append(f"{beyond:.1f} decades {where} run." if beyond > 0.05 else "Inside the range of the runs.")
        if edge[i] > EDGE_SHARE:
            said.append(
                f"The optimum lies on the edge of the search box in {percent(edge[i])} of draws: it may be beyond."
            )
        if reached[i] < 1:
            said.append(f"Out of reach in {percent(1 - reached[i])} of draws; numbers are of the others.")
        found.append(" ".join(said))
    return found
