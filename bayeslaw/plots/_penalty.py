"""`plot_penalty`: what it costs that a hyperparameter is off its optimum, as the posterior and as the runs have it."""

import textwrap
from collections.abc import Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from matplotlib.axes import Axes

from bayeslaw._columns import COLUMNS, DERIVED, nearest
from bayeslaw._errors import InputError
from bayeslaw._posterior import Posterior, check_prob, flat
from bayeslaw._predict import need_posterior
from bayeslaw._tree import evaluate, fill, float64
from bayeslaw.plots._style import BLUE, GREY, SKY, VERMILLION, amount, log_axis, new_axes, number, percent

_POINTS = 121
_FIRST = "lr"
_LEAST = 1.5  # the curve reaches this factor to either side of the optimum even where no run does
_MOST = 0.98  # share of the runs at which the curve is within the y-axis
_FAR_OUT = 3.0  # interquartile ranges from the middle half of the runs, beyond which one is not shown at its height
_MORE = 1.5  # the same for runs above the curve: up to this factor of its height
_GLUE = "\u00a0"  # a space at which no line is broken
_RUN: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 3.5, "alpha": 0.6, "markeredgewidth": 0}


def plot_penalty(posterior: Posterior, name: str | None = None, *, prob: float = 0.9, ax: Axes | None = None) -> Axes:
    """What a hyperparameter of a penalised law costs when it is off, in percent of the response: partial dependence.

    The vertical line is the optimum; x is how many times its optimum a value is. (For a penalty with `log=False`:
    how far it is from it, in the unit of the column.)

    - Dot: a run that was fitted. x is its value by the posterior median of the optimum at that run's other columns.
      y is its response against the posterior median of the mean function at the run without the cost of this
      hyperparameter: what remains when sizes and the other hyperparameters' costs are taken out. It holds the noise.
    - Line and band: posterior median and equal-tailed interval of mass `prob` of the cost, the mean function (no
      noise) against itself without this cost, each draw by its own optimum, so the cost at 1 is none. Drawn at
      the median run: every column that is not a hyperparameter at its median over the runs, the other
      hyperparameters at their optimum. Where the cost depends on scale (targets `reducible` and `additive`,
      curvatures that are laws), dots of runs of other sizes lie about curves of their own. Dashed: beyond the runs.
    - Diamond and horizontal bar: where the optimum is at the median run, median and interval of mass `prob`. The
      legend says it in the unit of the column.
    - Triangles at the edge: runs beyond the picture, such as diverged ones, which the legend counts. The y-axis is for
      the curve at the runs and for runs that are not far out: within three interquartile ranges of the middle half,
      and above within 1.5 times this or the height of the curve.

    `name`, when left out, is `lr` if that is penalised, else the first by name. Draws on `ax` (a new one when left
    out) and returns it. Raises `InputError` when the law has no penalised hyperparameter or not this one, when `prob`
    is not between 0 and 1, and when the mean function is not positive, so that there are no percent of it.
    """
    need_posterior(posterior)
    check_prob(prob)
    name = _known(posterior, name)
    law, draws, response = posterior.prior, flat(posterior), posterior.response
    runs = {one: posterior.runs[one].to_numpy() for one in law.columns()}
    observed = posterior.runs[response].to_numpy()
    medians = {one: float(np.median(values)) for one, values in runs.items() if one not in law.hyperparameters()}
    logarithmic = _holder(law, name).penalties[name].log

    best, without = (np.asarray(values) for values in _at_runs(law, draws, runs, name))
    if without.min() <= 0:
        raise InputError(
            f"the mean {response} of {(without <= 0).sum()} of {len(without)} runs is not positive, so a cost in "
            "percent of it means nothing."
        )
    x = runs[name] / best if logarithmic else runs[name] - best
    y = 100 * (observed / without - 1)
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    if logarithmic:
        grid = np.geomspace(min(x.min(), 1 / _LEAST), max(x.max(), _LEAST), _POINTS)
    else:
        grid = np.linspace(min(x.min(), -0.1 * np.ptp(x)), max(x.max(), 0.1 * np.ptp(x)), _POINTS)
    optima, costs = (np.asarray(values) for values in _at_median(law, draws, medians, grid, name, logarithmic))
    optimum = np.quantile(optima, tails)
    lower, median, upper = 100 * np.quantile(costs, tails, axis=1)
    bottom, top = _window(y, np.interp(x, grid, median))

    ax = new_axes(ax, (7.0, 4.2))
    ax.axvline(1.0 if logarithmic else 0.0, color=GREY, linewidth=0.8, zorder=1.5)
    text = f"{percent(prob)} interval of the cost\n(mean function)"
    ax.fill_between(grid, lower, upper, color=SKY, alpha=0.4, linewidth=0, label=text)
    above, below = y > top, y < bottom
    seen = ~(above | below)
    ax.plot(x[seen], y[seen], color=BLUE, label="run, its size and other\ncosts taken out", **_RUN)
    scale = textwrap.fill(f"at {', '.join(_amounts(medians))}", 32)
    inside = (grid >= x.min()) & (grid <= x.max())
    ax.plot(grid, np.where(inside, median, np.nan), color=VERMILLION, linewidth=1.5, label=f"median cost\n{scale}")
    beyond = "beyond the runs"
    for end in (grid <= x.min(), grid >= x.max()):
        if end.sum() > 1:
            ax.plot(grid[end], median[end], color=VERMILLION, linewidth=1.5, linestyle=(0, (3, 2)), label=beyond)
            beyond = ""
    low, middle, high = (number(float(f"{value:.2g}"), name) for value in optimum)
    where = optimum / optimum[1] if logarithmic else optimum - optimum[1]
    ax.plot(where[[0, 2]], [0, 0], color="black", linewidth=4, solid_capstyle="butt", zorder=3)
    ax.plot(
        where[1:2], [0], "D", color="black", markersize=5, markerfacecolor="white", zorder=3.1,
        label=f"optimal {name} there:\n{middle} ({percent(prob)}: {low} to {high})",
    )  # fmt: skip
    for which, marker, edge, word, end in ((above, "^", top, "above", "up"), (below, "v", bottom, "below", "down")):
        if count := int(which.sum()):
            far = y[which].max() if end == "up" else y[which].min()
            text = f"{count} run{'s' if count > 1 else ''} {word} ({end} to {number(float(f'{far:.3g}'))} %)"
            ax.plot(
                x[which], np.full(count, edge), color=BLUE, linestyle="", marker=marker, clip_on=False,
                markersize=5, zorder=3, label=text,
            )  # fmt: skip
    if logarithmic:
        log_axis(ax, "x", "")
    ax.set_ylim(bottom, top)
    ax.set_xlabel(_title(name, logarithmic))
    ax.set_ylabel(f"{response[0].upper()}{response[1:]} above that at the optimum (%)")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _known(posterior: Posterior, name: str | None) -> str:
    """The name, checked; the default when left out. (A fitted law has its penalties in the order of their names.)"""
    law, names = posterior.prior, []
    while law is not None:
        names += [one for one in getattr(law, "penalties", {}) if one not in names]
        law = getattr(law, "base", None)
    if not names:
        kind = type(posterior.prior).__name__
        raise InputError(
            f"{kind} has no hyperparameters whose cost could be drawn. Fit a law that has: "
            f'Penalised({kind}, ("lr", "batch_tokens")).'
        )
    if name is None:
        return _FIRST if _FIRST in names else names[0]
    if name not in names:
        meant = (one for one in names if one in COLUMNS and name in COLUMNS[one].symbols)
        guess = next(meant, None) or nearest(name, names)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InputError(f"the law has no penalty on {name!r}; it has {', '.join(names)}.{hint}")
    return name


def _holder(law: Any, name: str) -> Any:
    """The part of the law that holds the penalty of `name`: the law itself, or a base inside it."""
    while name not in getattr(law, "penalties", {}):
        law = law.base
    return law


def _optimum(law: Any, row: Mapping[str, Array], name: str) -> Array:
    """The optimum at a run. (`complete` would take a `timescale` that is left out from the learning rate.)"""
    holder = _holder(law, name)
    seen = {**row, holder.response: evaluate(holder.base, row)}
    return jnp.asarray(evaluate(holder.penalties[name].optimum, seen))


def _free(law: Any, name: str) -> Any:
    """The law without the cost of `name`. Not at the optimum: the optima of others may follow it, as lr* does batch."""
    return eqx.tree_at(lambda one: _holder(one, name).penalties[name].curvature, law, jnp.zeros(()))


@float64
@partial(jax.jit, static_argnames="name")
def _at_runs(law: Any, draws: Mapping[str, Any], runs: Mapping[str, Any], name: str) -> tuple[Array, Array]:
    """Posterior medians at each run of the optimum and of the mean without its cost; a run at a time, for memory."""

    def at(draw: Mapping[str, Any], row: Mapping[str, Array]) -> tuple[Array, Array]:
        filled = fill(law, draw)
        return _optimum(filled, row, name), evaluate(_free(filled, name), row)

    def medians(row: Mapping[str, Array]) -> tuple[Array, Array]:
        best, without = jax.vmap(lambda draw: at(draw, row))(dict(draws))
        return jnp.median(best), jnp.median(without)

    return jax.lax.map(medians, dict(runs))


@float64
@partial(jax.jit, static_argnames=("name", "logarithmic"))
def _at_median(
    law: Any, draws: Mapping[str, Any], medians: Mapping[str, Any], grid: Any, name: str, logarithmic: bool
) -> tuple[Array, Array]:
    """The optimum (draws,) and the cost relative to the mean (grid, draws), other hyperparameters at their optimum."""

    def best(draw: Mapping[str, Any]) -> Array:
        filled = fill(law, draw)
        return _optimum(filled, filled.complete(medians), name)

    def cost(draw: Mapping[str, Any], optimum: Array, x: Array) -> Array:
        filled = fill(law, draw)
        row = filled.complete({**medians, name: optimum * x if logarithmic else optimum + x})
        return evaluate(filled, row) / evaluate(_free(filled, name), row) - 1

    optima = jax.vmap(best)(dict(draws))
    return optima, jax.lax.map(lambda x: jax.vmap(lambda d, o: cost(d, o, x))(dict(draws), optima), jnp.asarray(grid))


def _window(y: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """The ends of the y-axis: what the curve at the runs needs, and the runs that are not far out (Tukey's fences)."""
    first, third = np.quantile(y, [0.25, 0.75])
    reach = _FAR_OUT * (third - first)
    need = max(np.quantile(curve, _MOST, method="lower"), 0.0)  # a single run may be where the curve is steep
    shown = y[(y >= first - reach) & (y <= _MORE * max(third + reach, need))]
    low, high = min(shown.min(), 0.0), max(shown.max(), need)
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _amounts(values: Mapping[str, float]) -> list[str]:
    """`429M parameters`; with the name of the column where the unit does not tell: `batch_tokens 524K`."""
    units = {name: COLUMNS[name].unit if name in COLUMNS else "" for name in values}
    found = []
    for name, value in values.items():
        value = float(f"{value:.3g}")
        plain = name in ("params", "tokens") or (units[name] and list(units.values()).count(units[name]) == 1)
        found.append((amount(value, name) if plain else f"{name} {number(value, name)}").replace(" ", _GLUE))
    return found


def _title(name: str, logarithmic: bool) -> str:
    column = COLUMNS.get(name)
    text = column.meaning if column and name not in DERIVED else name  # the meaning of a ratio is a formula
    text = text if text == name else text[0].upper() + text[1:]
    unit = f" ({column.unit})" if column and column.unit and not logarithmic else ""
    return f"{text} / its optimum" if logarithmic else f"{text} - its optimum{unit}"
