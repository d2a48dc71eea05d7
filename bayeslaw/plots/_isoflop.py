"""`plot_isoflop`: the response along a budget, its minimum, and the runs at that budget."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayeslaw._allocate import allocate, default_decision
from bayeslaw._columns import COLUMNS, derive
from bayeslaw._decision import Choices, Decision, LogRange, Range
from bayeslaw._errors import InputError
from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._predict import need_posterior, predict
from bayeslaw._tree import arguments, float64
from bayeslaw.plots._style import BLUE, EDGE, EDGE_SHARE, GREY, amount, label, log_axis, new_axes, percent

_WINDOW = 30.0  # curves end at this factor either side of the optimum
_RUN: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 3, "alpha": 0.7}
_BEST: dict[str, Any] = {"marker": "D", "markersize": 5, "markerfacecolor": "white"}
_NEAR = 0.25  # runs this close to a budget, relatively, belong to it


def plot_isoflop(
    posterior: Posterior,
    decision: Decision | None = None,
    *,
    prob: float = 0.9,
    points: int = 60,
    ax: Axes | None = None,
    **given: Any,
) -> Axes:
    """The response against the chosen variable at fixed budgets: `plot_isoflop(posterior, flops=[1e19, 1e20, 1e21])`.

    For each scenario that is given, in a colour of its own:

    - Line and band: posterior median and equal-tailed interval of mass `prob` of the mean function (the law without
      the noise of a run, and without its misfit unless `posterior` has one), at `points` values within a factor 30 of
      the optimum, or over all of a linear range.
    - Diamond and horizontal bar: median and interval of mass `prob` of where the optimum is, as `allocate` finds
      it, at the median of the mean function there. An orange diamond instead: on the edge of the search box in
      more than 1 % of draws, so that it may be beyond.
    - Dots: the fitted runs whose own budget (`flops`, computed as 6 * params * tokens where the law does not read
      it) is within 25 % of the scenario's. They need not lie in the band, which is not that of a new run.

    `decision` is the law's first when left out; `given` is what it needs, one value or many. Units are those of
    the columns (parameters, tokens, FLOPs, nats/token). Draws on `ax` (a new one when left out), with the legend to
    its right, and returns it. Raises `InputError` when the decision does not choose exactly one continuous
    variable, and for what `allocate` refuses.
    """
    need_posterior(posterior)
    check_prob(prob)
    if points < 2:
        raise InputError(f"points is the number of values along each curve, at least 2; got {points!r}.")
    decision = default_decision(posterior.prior) if decision is None else decision
    name, space, fixed = _one_variable(decision)
    if "law" in arguments(decision.derive):
        raise InputError("plot_isoflop draws one curve for all draws; here what is chosen for them differs by draw.")
    if name not in decision.report:  # allocate() gives what is reported
        decision = dataclasses.replace(decision, report=(name, *decision.report))
    response = posterior.response
    tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    allocation = allocate(posterior, decision, **given)
    optimum, edge = allocation.draws, allocation.edge_share.to_numpy() > EDGE_SHARE
    count = optimum.sizes["scenario"]
    known = [str(one) for one in optimum.coords if optimum[one].dims == ("scenario",)]
    scenarios = [{one: optimum[one].to_numpy()[i] for one in known} for i in range(count)]
    best = np.quantile(optimum[name].to_numpy(), tails, axis=(0, 1))
    plans = [_plans(decision, name, _grid(space, best[1, i], points), scenarios[i], fixed) for i in range(count)]
    columns = {
        one: np.concatenate([plan[one] for plan in plans]) for one in posterior.joint.columns() if one in plans[0]
    }
    drawn = np.quantile(predict(posterior, columns, misfit=False).draws[response].to_numpy(), tails, axis=(0, 1))
    ends = np.cumsum([0, *(len(plan[name]) for plan in plans)])
    runs = {str(one): values.to_numpy() for one, values in posterior.runs.items()}
    across = derive(name, runs)
    near = [_at_budget(runs, scenario) if across is not None else np.array([False]) for scenario in scenarios]

    ax = new_axes(ax, (7.0, 4.4))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.8, count)) if count > 1 else [BLUE]
    for i, (scenario, colour) in enumerate(zip(scenarios, colours, strict=True)):
        x, (lower, median, upper) = plans[i][name], drawn[:, ends[i] : ends[i + 1]]
        text = ", ".join(value if isinstance(value, str) else amount(value, one) for one, value in scenario.items())
        ax.fill_between(x, lower, upper, color=colour, alpha=0.25, linewidth=0)
        ax.plot(x, median, color=colour, linewidth=1.2, label=text)
        if across is not None and near[i].any():
            ax.plot(across[near[i]], runs[response][near[i]], color=colour, **_RUN)
        y = float(np.median(optimum[response][..., i]))
        ax.plot(best[[0, 2], i], [y, y], color=colour, linewidth=4, solid_capstyle="butt", zorder=3)
        ax.plot(best[1, i], y, color=colour, zorder=3.1, **_BEST)
        if edge[i]:
            ax.plot(best[1, i], y, **{**EDGE, "label": ""})
    if isinstance(space, LogRange):
        log_axis(ax, "x", name)
    ax.set_xlabel(label(name))
    ax.set_ylabel(label(response))
    keys: list[Artist] = [
        Patch(color=GREY, alpha=0.25, linewidth=0, label=f"{percent(prob)} interval of\nthe mean function"),
        Line2D([], [], color=GREY, linewidth=4, label=f"optimum and its\n{percent(prob)} interval", **_BEST),
    ]
    if any(one.any() for one in near):
        keys.append(Line2D([], [], color=GREY, label=f"runs within {percent(_NEAR)}\nof the budget", **_RUN))
    if edge.any():
        keys.append(Line2D([], [], **EDGE))
    keys = [*ax.get_legend_handles_labels()[0], *keys]
    ax.legend(handles=keys, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _one_variable(decision: Decision) -> tuple[str, Range, dict[str, float]]:
    """The one continuous variable, where to look for it, and the menus of a single value."""
    ranges = {name: space for name, space in decision.choose.items() if isinstance(space, Range)}
    menus = {name: space for name, space in decision.choose.items() if isinstance(space, Choices)}
    if len(ranges) != 1 or any(len(menu.values) > 1 for menu in menus.values()):
        chosen = ", ".join(f"{name} in {space!r}" for name, space in decision.choose.items())
        raise InputError(
            f"plot_isoflop draws the response along one continuous variable, and this decision chooses {chosen}. "
            "Fix the others with decision.within(name=Choices((value,))) so that one Range or LogRange is left."
        )
    name, space = next(iter(ranges.items()))
    return name, space, {one: float(menu.values[0]) for one, menu in menus.items()}


def _grid(space: Range, optimum: float, points: int) -> np.ndarray:
    """Where to draw: the whole of a linear range; of a logarithmic one the neighbourhood of the optimum."""
    if not isinstance(space, LogRange):
        return np.linspace(space.low, space.high, points)
    return np.geomspace(max(space.low, optimum / _WINDOW), min(space.high, optimum * _WINDOW), points)


@float64
def _plans(
    decision: Decision, name: str, x: np.ndarray, given: Mapping[str, float], fixed: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """The columns of the plan at each `x`, without those that cannot be (fewer than one token)."""
    columns = decision.columns(None, {name: x, **fixed}, given)
    plan = {
        one: np.broadcast_to(v if isinstance(v, str) else np.asarray(v, float), x.shape) for one, v in columns.items()
    }
    possible = np.ones(len(x), dtype=bool)
    for one in (plan.keys() & COLUMNS.keys()) - {one for one, v in columns.items() if isinstance(v, str)}:
        possible &= COLUMNS[one].allows(plan[one])
    return {one: v[possible] for one, v in plan.items()}


def _at_budget(runs: Mapping[str, np.ndarray], scenario: Mapping[str, float]) -> np.ndarray:
    """Which runs were made at (nearly) what was given, as far as their columns tell; none if they tell nothing."""
    own = {name: values for name in scenario if (values := derive(name, runs)) is not None}
    near = [np.abs(values - scenario[name]) <= _NEAR * abs(scenario[name]) for name, values in own.items()]
    return np.all(near, axis=0) if near else np.zeros(len(next(iter(runs.values()))), dtype=bool)
