"""The search behind `allocate`: the best choice in a box of menus and ranges, without derivatives."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayeslaw._columns import COLUMNS, codes
from bayeslaw._decision import Choices, Decision, Range
from bayeslaw._errors import InputError

# Zoom grid: points a side by number of continuous variables, at first and when zooming; and rounds so that the last
# window is below 1e-8 of the box.
_SIDE = {0: (1, 1), 1: (33, 5), 2: (33, 9), 3: (13, 9), 4: (9, 7)}
_STEP = 1e-8
_EDGE = 1e-5  # closer than this to the end of the box (as a share of it) counts as on it


def plan_of(decision: Decision, law: Any, choice: Mapping[str, Array], given: Mapping[str, Array]) -> dict[str, Array]:
    return {name: jnp.asarray(v, dtype=float) for name, v in decision.plan(law, choice, given).items()}


def score_of(decision: Decision, law: Any, choice: Mapping[str, Array], given: Mapping[str, Array]) -> Array:
    """What is minimised, infinite where a column is impossible (fewer than one token) or the law is undefined."""
    plan = plan_of(decision, law, choice, given)
    value = decision.score(law, plan)
    possible = jnp.isfinite(value)
    for name, column in plan.items():
        if name in COLUMNS:
            possible &= COLUMNS[name].allows(column)
    return jnp.where(possible, value, jnp.inf)


def search(
    decision: Decision, score: Any, labels: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[dict[str, Array], Array]:
    """The best choice in the box and whether it lies on its edge."""
    choices, scores, edges = search_each(decision, score, labels)
    best = jnp.argmin(scores)
    return {name: values[best] for name, values in choices.items()}, edges[best]


def search_each(
    decision: Decision, score: Any, labels: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[dict[str, Array], Array, Array]:
    """For each item of the menus the best choice with it, its score, and whether it lies on the edge of the box.

    Menus are enumerated; continuous variables are searched on a grid that zooms into its best cell. It
    needs no derivatives and no start, and does not stop in a local minimum wider than a grid step.
    """
    menus = {name: space for name, space in decision.choose.items() if isinstance(space, Choices)}
    ranges = {name: space for name, space in decision.choose.items() if isinstance(space, Range)}
    size = len(ranges)
    side, narrow = _SIDE.get(size, (5, 5))
    grid = _grid(np.linspace(0, 1, side), size)
    # Around the best point so far; with several variables the valley may lie across the grid, so keep two steps on
    # either side of it.
    around = _grid(np.array([-0.25, 0.25]) if size == 1 else np.linspace(-0.5, 0.5, narrow), size)
    kept = 2 if size == 1 else 4
    first, shrink = (min(kept / max(points - 1, 1), 0.5) for points in (side, narrow))
    rounds = int(np.ceil(np.log(_STEP / first) / np.log(shrink))) if size else 0

    def place(unit: Array) -> dict[str, Array]:
        return {name: space.at(unit[i]) for i, (name, space) in enumerate(ranges.items())}

    def zoom(item: Mapping[str, Array]) -> tuple[dict[str, Array], Array, Array]:
        def lowest(units: Array) -> tuple[Array, Array]:
            scores = jax.vmap(lambda unit: score({**item, **place(unit)}))(units)
            best = jnp.argmin(scores)
            return units[best], scores[best]

        def step(state: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
            unit, low, width = state
            # A window that would leave the box is moved inside, so that the edge itself is tried.
            middle = jnp.clip(unit, width / 2, 1 - width / 2) if size > 1 else unit
            found, score_there = lowest(jnp.clip(middle + width * around, 0.0, 1.0))
            better = score_there < low
            return (jnp.where(better, found, unit), jnp.where(better, score_there, low), width * shrink), None

        start = (*lowest(grid), jnp.asarray(first))
        (unit, low, _), _ = jax.lax.scan(step, start, None, length=rounds)
        edge = jnp.any((unit < _EDGE) | (unit > 1 - _EDGE))
        for name, menu in menus.items():
            if menu.ordered_ends:
                edge |= (item[name] == menu.values[0]) | (item[name] == menu.values[-1])
        return {**place(unit), **item}, low, edge

    items = menu_items(decision, labels)
    return jax.vmap(lambda row: zoom({name: row[i] for i, name in enumerate(menus)}))(jnp.asarray(items))


def menu_items(decision: Decision, labels: Mapping[str, tuple[str, ...]] | None = None) -> np.ndarray:
    """Every combination of what is on the menus of a decision, (items, menus); names as their positions."""
    values = [_positions(n, space, labels or {}) for n, space in decision.choose.items() if isinstance(space, Choices)]
    return np.array(list(itertools.product(*values)), dtype=float)


def _grid(points: np.ndarray, size: int) -> Array:
    return jnp.asarray(np.array(list(itertools.product(points, repeat=size)), dtype=float))


def _positions(name: str, menu: Choices, labels: Mapping[str, tuple[str, ...]]) -> tuple[float, ...]:
    """The values of a menu; for names their positions, among the law's labels if it knows the column."""
    if not menu.names:
        return tuple(float(value) for value in menu.values)
    return tuple(codes(labels.get(name, menu.names), menu.names))


def into_box(decision: Decision, choice: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
    """A formula's optimum moved to the nearest point of the box, and whether it had to be."""
    inside, edge = {}, jnp.asarray(False)
    for name, space in decision.choose.items():
        if isinstance(space, Choices):
            raise InputError("a closed form needs ranges to choose from, not menus; use method='search'.")
        inside[name] = jnp.clip(choice[name], space.low, space.high)
        edge |= inside[name] != choice[name]
    return inside, edge
