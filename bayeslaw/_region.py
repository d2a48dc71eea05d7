"""What is nearly as good as the best action: from where to where, by a few draws, and then by all of them."""

import itertools
from typing import Any

import numpy as np

from bayeslaw._ranked import Aim, ranked
from bayeslaw._worlds import Outcomes, Worlds

_RAY = 16  # points of a line to the end of what is nearly as good
_ROUNDS = 2


def ends_of_region(
    at: Any,
    few: Worlds,
    first: Outcomes,
    aim: Aim,
    item: int,
    units: np.ndarray,
    scale: float,
    grid: np.ndarray,
    step: float,
) -> np.ndarray:
    """The actions at the ends of what is nearly as good, by a few draws; see `Found`.

    Nearly as good: keeps the limits, at a risk that is higher by at most `within` of `scale`.
    """
    items, size = units.shape
    near, outcome = np.broadcast_to(grid, (items, *grid.shape)), first
    inside = _nearly(outcome, few, aim, items, scale, None)
    steps = np.full((items, size), step)
    for _ in range(_ROUNDS) if size else ():
        some = inside.any(axis=1)[:, None]
        low = np.clip(np.where(some, _ends(near, inside, np.min), units) - steps, 0, 1)
        high = np.clip(np.where(some, _ends(near, inside, np.max), units) + steps, 0, 1)
        steps = (high - low) * step
        near = low[:, None] + (high - low)[:, None] * grid
        near = np.concatenate([near[:, :-1], units[:, None]], axis=1)  # what was chosen is among them
        inside = _nearly(at(few, near), few, aim, items, scale, item)
    ends = np.empty((items, size, 2, size))
    for i, j in itertools.product(range(items), range(size)):
        own = near[i][inside[i]] if inside[i].any() else units[i][None]
        ends[i, j] = own[[own[:, j].argmin(), own[:, j].argmax()]]
    return ends


def to_the_end(
    at: Any, worlds: Worlds, aim: Aim, units: np.ndarray, risks: np.ndarray, ends: np.ndarray, within: float
) -> np.ndarray:
    """The ends by all draws: on the lines from each action to its ends, the last point that is nearly as good."""
    items, size = units.shape
    if not size:
        return ends
    steps = np.arange(1, _RAY + 1) * (2 / _RAY)
    start = units[:, None, None, None]
    rays = np.clip(start + steps[:, None] * (ends - units[:, None, None])[..., None, :], 0, 1)
    rank = ranked(at(worlds, rays.reshape(items, -1, size)), worlds.weights, aim)
    risk, kept = (one.reshape(rays.shape[:-1]) for one in (rank.risk, rank.violation <= 0))
    inside = np.cumprod(kept & (risk <= within), axis=-1).astype(bool)
    count = inside.sum(axis=-1)
    before = np.concatenate([np.broadcast_to(risks[:, None, None, None], (*risk.shape[:-1], 1)), risk], axis=-1)
    points = np.concatenate([np.broadcast_to(start, (*rays.shape[:-2], 1, size)), rays], axis=-2)
    last = np.take_along_axis(before, count[..., None], axis=-1)[..., 0]
    following = np.minimum(count + 1, _RAY)[..., None]
    beyond = np.take_along_axis(before, following, axis=-1)[..., 0]
    known = np.take_along_axis(np.concatenate([kept[..., :1], kept], axis=-1), following, axis=-1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # a convex risk is below the line between two points
        part = np.where(known & (beyond > last) & (last <= within), (within - last) / (beyond - last), 0.0)
    here = np.take_along_axis(points, count[..., None, None], axis=-2)[..., 0, :]
    there = np.take_along_axis(points, following[..., None], axis=-2)[..., 0, :]
    return here + np.clip(part, 0.0, 1.0)[..., None] * (there - here)


def _nearly(outcome: Outcomes, few: Worlds, aim: Aim, items: int, scale: float, item: int | None) -> np.ndarray:
    """Which actions are nearly as good as the last of an item, or as the best of all: (items, actions)."""
    rank = ranked(outcome, few.weights, aim)
    risk, kept = (one.reshape(items, -1) for one in (rank.risk, rank.violation <= 0))
    least = np.min(risk, where=kept, initial=np.inf) if item is None else risk[item, -1]
    return kept & (risk <= least + aim.within * scale)


def _ends(near: np.ndarray, inside: np.ndarray, end: Any) -> np.ndarray:
    fill = np.inf if end is np.min else -np.inf
    return end(np.where(inside[..., None], near, fill), axis=1)
