"""The action with the least risk, what is nearly as good, and the best that could be had in each draw.

The search is that of `allocate`, a grid that zooms into its best cell, with the risk over all draws as what is
minimised. What only has to show where to look is done with few draws; every number that is reported is of all of them.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._decision import Least
from bayeslaw._ranked import Aim, Ranked, best_in_each, ranked
from bayeslaw._region import ends_of_region, to_the_end
from bayeslaw._risk import Miss
from bayeslaw._worlds import Outcomes, Worlds, ranges_of

# By number of ranges: points a side at first and when zooming, and by how much a window shrinks.
_SIDE = {1: (65, 9, 0.25), 2: (33, 9, 0.25), 3: (13, 5, 0.5), 4: (7, 5, 0.5)}
_MANY = (5, 3, 0.5)
_STEP = 2e-4  # of the box: the risk is flat at its least, so that a finer choice is worth nothing
_SHARP = 2e-6  # the same where a limit ends what can be chosen: there it is not flat
_ALL = 0.2  # of the box: windows below this are looked at with all draws
_ALONG = 33  # points for the optima of all draws along a single range, where they cost little
_MOVES = 30  # of a window, at most


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found in one scenario.

    - `item`, `unit`: the action. `units` (items, ranges) and `ranked`: the best with each item of the menus.
    - `optimum` (draws,), `optimum_item`, `optimum_unit`: the score of the best action of each draw, and that action.
    - `plug_item`, `plug_unit`: the best action at the posterior mean.
    - `inside` (items,): is the item nearly as good; `ends` (items, ranges, 2, ranges): the actions at the ends, in each
      range, of what is.
    """

    item: int
    unit: np.ndarray
    units: np.ndarray
    ranked: Ranked
    optimum: np.ndarray
    optimum_item: np.ndarray
    optimum_unit: np.ndarray
    plug_item: int
    plug_unit: np.ndarray
    inside: np.ndarray
    ends: np.ndarray


def find(worlds: Worlds, few: Worlds, scenario: int, aim: Aim) -> Found:
    """The best action of one scenario; `few` are `worlds.thinned`."""
    items, size = len(worlds.members[0].items), len(ranges_of(worlds.decision))
    plain = isinstance(worlds.decision.objective, Least | None)
    wanted = aim.wanted if plain else tuple(dict.fromkeys((*aim.wanted, worlds.response)))
    every = np.arange(items)
    side, narrow, _ = _SIDE.get(size, _MANY)
    grid = points(np.linspace(0, 1, side), size)
    around = points(np.linspace(-0.5, 0.5, narrow), size)
    at = acting(scenario, every, wanted)
    first = at(few, np.broadcast_to(grid, (items, *grid.shape)))
    place = ranked(first, few.weights, aim).best(items)
    own_place, own_scores = best_in_each(first, aim.limits, items)
    widths, units, rank, last = zoom(at, few, worlds, aim, grid[place], 4 / (side - 1))
    own = grid[own_place]
    for width in widths if size else ():
        mine = _window(own, around, width)
        own_place, own_scores = best_in_each(at(few, mine), aim.limits, items)
        own = _pick(mine, own_place)
    item = int(rank.best()[0])
    plug_item = int(own_scores[few.plugged].argmin())
    sample = few.weights > 0
    mine, scores = _own_optima(at, worlds, own[sample], own_scores[sample], aim, around)
    _, there = best_in_each(last, aim.limits, items)
    scores, mine = np.minimum(scores, there), np.where((there < scores)[..., None], units, mine)
    best_item, draws = scores.argmin(axis=1), np.arange(len(worlds))
    scale = size_of(aim, rank.risk[item] if plain else last.columns[worlds.response][:, item])
    ends = ends_of_region(at, few, first, aim, item, units, scale, grid, 1 / max(side - 1, 1))
    within = rank.risk[item] + aim.within * scale
    ends = to_the_end(at, worlds, aim, units, rank.risk, ends, within)
    inside = (rank.violation <= 0) & (rank.risk <= within)
    return Found(
        item, units[item], units, rank, scores[draws, best_item], best_item, mine[draws, best_item], plug_item,
        own[few.plugged, plug_item], inside, ends,
    )  # fmt: skip


def acting(scenario: int, every: np.ndarray, wanted: tuple[str, ...]) -> Callable[[Worlds, np.ndarray], Outcomes]:
    """Outcomes of these items at points of the ranges: of (items, actions, ranges), or each draw's own (draws, items,
    actions, ranges)."""

    def at(where: Worlds, units: np.ndarray) -> Outcomes:
        *_, actions, size = units.shape
        units = units.reshape(*units.shape[:-3], len(every) * actions, size)
        return where.outcomes(scenario, np.repeat(every, actions), units, wanted)

    return at


def zoom(
    at: Callable[[Worlds, np.ndarray], Outcomes], few: Worlds, worlds: Worlds, aim: Aim, units: np.ndarray, width: float
) -> tuple[list[float], np.ndarray, Ranked, Outcomes]:
    """The best point with each item, (items, ranges), in windows that start around `units` at `width` and shrink.

    Returns the widths of the windows, the points, how good they are, and what they lead to.
    """
    items, size = units.shape
    every, near = np.arange(items), units[:, None]
    _, narrow, shrink = _SIDE.get(size, _MANY)
    around = points(np.linspace(-0.5, 0.5, narrow), size)
    widths, left = [], _MOVES
    while True:
        if size:
            near = _window(units, around, width)
        where = few if size and width > _ALL else worlds
        last = at(where, near)
        rank = ranked(last, where.weights, aim)
        place = rank.best(items)
        before, units = units, near[every, place]
        widths.append(width)
        # The few draws may have shown a wrong place, of a worst case above all: then the window moves on first.
        moving = np.abs(units - before) > 0.49 * width
        left -= 1
        if not moving.any() or left < 0:
            width *= shrink
        step = _SHARP if aim.limits or (rank.possible < 1 - 1e-9).any() else _STEP
        if not size or width <= step * (narrow - 1) * shrink:
            break
    chosen = every * near.shape[1] + place
    return widths, units, rank.take(chosen), last.take(chosen)


def points_of(size: int) -> int:
    """How many points a window of `zoom` has, with so many ranges."""
    return 1 + _SIDE.get(size, _MANY)[1] ** size if size else 1


def size_of(aim: Aim, objective: Any) -> float:
    """The size of the objective at the chosen action, of which `within` is a share.

    That of the risk where the response or a column is what is minimised; of the mean response for any other objective
    (minus a response, the logarithm of a cost); 1 for a probability.
    """
    known = np.asarray(objective)[np.isfinite(objective)]
    return 1.0 if isinstance(aim.risk, Miss) else abs(float(np.mean(known))) if known.size else 0.0


def _own_optima(
    at: Any, worlds: Worlds, seen: np.ndarray, scores: np.ndarray, aim: Aim, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best action of every draw with each item, (draws, items, ranges), and its score.

    `seen` are those of a few draws, found with care: that is where those of all draws are looked for, and a little
    beyond.
    """
    items, size = seen.shape[1:]
    kept = np.where(np.isfinite(scores)[..., None], seen, np.nan)
    none = ~np.isfinite(scores).any(axis=0)[:, None]
    low, high = (
        np.where(none, end, f(np.where(none, end, kept), axis=0)) for f, end in ((np.nanmin, 0.0), (np.nanmax, 1.0))
    )
    wide = np.maximum(2.0 * (high - low), 0.02)
    middle = (low + high) / 2
    if size == 1:
        around = points(np.linspace(-0.5, 0.5, _ALONG), 1)
    near = np.clip(middle[:, None] + wide[:, None] * around, 0, 1)  # (items, actions, ranges)
    near = np.concatenate([near, near[:, :1]], axis=1) if size else near  # as many as elsewhere: one program
    place, best = best_in_each(at(worlds, near), aim.limits, items)
    own = near[np.arange(items), place]
    width = wide * (2 / ((_ALONG if size == 1 else _SIDE.get(size, _MANY)[1]) - 1))
    around = points(np.array([-0.5, -0.25, 0.25, 0.5]) if size == 1 else np.linspace(-0.5, 0.5, 5), size)
    for _ in range(min(size, 1) * (6 if size == 1 else 4)):
        mine = _window(own, around, width)
        place, best = best_in_each(at(worlds, mine), aim.limits, items)
        own, width = _pick(mine, place), width / 2
    return own, best


def _window(units: np.ndarray, around: np.ndarray, width: Any) -> np.ndarray:
    """Points around each action, itself first: (..., actions, ranges). A window that would leave the box is moved
    inside, so that the edge itself is tried."""
    width = np.broadcast_to(width, units.shape)
    middle = np.clip(units, width / 2, 1 - width / 2)[..., None, :]
    near = np.clip(middle + width[..., None, :] * around, 0.0, 1.0)
    return np.concatenate([units[..., None, :], near], axis=-2)


def _pick(near: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.take_along_axis(near, place[..., None, None], axis=-2)[..., 0, :]


def points(side: np.ndarray, size: int) -> np.ndarray:
    found = list(itertools.product(side, repeat=size))
    return np.array(found, dtype=float).reshape(len(found), size)
