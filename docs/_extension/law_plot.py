"""The picture of a law: what its prior says of the mean along one column, and published fits in it."""

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from _extension.typical import MAIN, OTHERS, logarithmic, said, spaced, usual
from bayeslaw._columns import COLUMNS
from bayeslaw._joint import as_joint
from bayeslaw._tree import float64
from bayeslaw.plots._style import BLUE, VERMILLION, label, log_axis, new_axes

DRAWS = 1000
MOST_NAMED = 12
_COLOURS = (VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", "-.", ":")


@dataclasses.dataclass(frozen=True)
class Curves:
    """The mean along `column`: its prior quantiles (5, x), and each published fit (x,); `others` held where they are.

    Where a law reads labels alone, `x` holds these.
    """

    law: str
    column: str
    response: str
    x: np.ndarray
    bands: np.ndarray
    published: Mapping[str, np.ndarray]
    others: Mapping[str, float | str]

    @property
    def sentence(self) -> str:
        """What the picture shows, for a caption."""
        at = ", ".join(said(name, value) for name, value in self.others.items())
        fits = " Lines: published fits." if self.published else ""
        return f"What the prior says of the mean: median, 50 and 90 % bands{f', at {at}' if at else ''}.{fits}"


@float64
def curves(law: type) -> Curves:
    prior = law.prior()
    labels = prior.categories()
    names = prior.columns()
    numeric = [name for name in names if name not in labels]
    column = MAIN.get(law.__name__, numeric[0] if numeric else names[0])
    x = spaced(column) if numeric else np.array(labels[column])
    own = OTHERS.get(law.__name__, {})
    others = {n: own.get(n, labels[n][-1] if n in labels else usual(n)) for n in names if n != column}
    written = {column: x, **others}  # as a user writes it; a formula is given the positions of labels
    position = {
        n: np.array([labels[n].index(one) for one in np.atleast_1d(v)], float) if n in labels else np.atleast_1d(v)
        for n, v in written.items()
    }
    columns = {n: jnp.asarray(np.broadcast_to(v, len(x)), dtype=float) for n, v in position.items()}
    joint = as_joint(law, None)
    draws = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(0), DRAWS))
    means = np.asarray(jax.jit(jax.vmap(lambda values: joint.fill(values).mean(columns)))(draws))
    published = {n: np.asarray(fitted(**written)) for n, fitted in law.published().items()}
    bands = np.quantile(means, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    return Curves(law.__name__, column, prior.response, x, bands, published, others)


def draw(found: Curves) -> Axes:
    ax = new_axes(None, (6.4, 3.8))
    if found.x.dtype.kind == "U":
        _draw_labels(ax, found)
    else:
        _draw_lines(ax, found)
    response = COLUMNS[found.response]
    values = np.concatenate([found.bands.ravel(), *found.published.values()])
    if response.high == 1:  # what a formula says outside is no accuracy
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, response.low), min(high, 1.0))
    elif values.min() > 0:
        log_axis(ax, "y", found.response)
    ax.set_ylabel(textwrap.fill(label(found.response), 44))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _draw_lines(ax: Axes, found: Curves) -> None:
    low, lower, middle, upper, high = found.bands
    ax.fill_between(found.x, low, high, color=BLUE, alpha=0.15, linewidth=0, label="prior, 90 %")
    ax.fill_between(found.x, lower, upper, color=BLUE, alpha=0.3, linewidth=0, label="prior, 50 %")
    ax.plot(found.x, middle, color=BLUE, linewidth=1.2, label="prior, median")
    many = len(found.published) > MOST_NAMED
    for i, (name, values) in enumerate(found.published.items()):
        if many:  # their names are in the table
            name = f"{len(found.published)} published fits" if i == 0 else "_"
            ax.plot(found.x, values, linewidth=0.8, color=VERMILLION, alpha=0.6, label=name)
            continue
        colour, dash = _COLOURS[i % len(_COLOURS)], _DASHES[i // len(_COLOURS) % len(_DASHES)]
        ax.plot(found.x, values, linewidth=1.5, color=colour, linestyle=dash, label=name)
    if logarithmic(found.column):
        log_axis(ax, "x", found.column)
    ax.set_xlabel(label(found.column))
    ax.set_xlim(found.x[0], found.x[-1])


def _draw_labels(ax: Axes, found: Curves) -> None:
    place = np.arange(len(found.x))
    low, lower, middle, upper, high = found.bands
    ax.vlines(place, low, high, color=BLUE, linewidth=2, alpha=0.5, label="prior, 90 %")
    ax.vlines(place, lower, upper, color=BLUE, linewidth=7, alpha=0.5, label="prior, 50 %")
    ax.plot(place, middle, "o", color="white", markeredgecolor=BLUE, label="prior, median")
    ax.xaxis.set_major_locator(FixedLocator(place.tolist()))
    ax.set_xticklabels(list(found.x))
    ax.set_xlim(-0.5, len(place) - 0.5)
    ax.set_xlabel(label(found.column))


def save(found: Curves, path: Path) -> None:
    ax = draw(found)
    figure: Any = ax.figure
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    figure.savefig(part, dpi=160, format=path.suffix[1:])
    part.replace(path)
    plt.close(figure)
