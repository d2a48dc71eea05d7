"""How good actions are: over draws with their weights, and in each draw by itself."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._risk import AtMost, Expectation, Miss
from bayeslaw._worlds import Outcomes

_OUT = 1e3  # how far beyond all limits an impossible action counts


@dataclass(frozen=True, eq=False)
class Aim:
    """What makes an action good: its risk, the limits it must keep, and how sure one must be that it is possible."""

    risk: Any
    limits: tuple[AtMost, ...] = ()
    feasible: float = 1.0
    within: float = 0.01

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that it reads beside the score."""
        missed = (self.risk.limit.column,) if isinstance(self.risk, Miss) else ()
        return tuple(dict.fromkeys((*(limit.column for limit in self.limits), *missed)))


@dataclass(frozen=True, eq=False)
class Ranked:
    """How good actions are, each (actions,): less is better, the first that differs decides.

    `violation` is zero where all limits are kept; `risk`; then the mean score and the nearest limit, which tell apart
    actions of equal risk. `possible` is the weight of the draws in which the action can be had at all.
    """

    violation: np.ndarray
    risk: np.ndarray
    mean: np.ndarray
    margin: np.ndarray
    possible: np.ndarray

    def take(self, actions: np.ndarray) -> "Ranked":
        return Ranked(*(getattr(self, field.name)[actions] for field in dataclasses.fields(self)))

    def best(self, groups: int = 1) -> np.ndarray:
        """The position of the best among each of so many equal groups of actions, counted inside the group."""
        keys = [one.reshape(groups, -1) for one in (self.margin, self.mean, self.risk, self.violation)]
        return np.lexsort(keys, axis=-1)[:, 0]


def ranked(found: Outcomes, weights: np.ndarray, aim: Aim) -> Ranked:
    """How good actions are in draws of these weights, which add up to one. Other weights are other beliefs."""
    kept = weights > 0
    if not kept.all():
        found = Outcomes(found.scores[kept], {name: array[kept] for name, array in found.columns.items()})
        weights = weights[kept]
    possible = np.isfinite(found.scores)
    share = weights @ possible
    needed = 0.0 if isinstance(aim.risk, Miss) else aim.feasible
    enough = (share >= needed - 1e-9) & (share > 0)
    risk, mean = np.full((2, len(share)), np.inf)
    for some, own in _alike(enough, possible, weights):
        losses = np.where(possible[:, some], found.scores[:, some], 0.0) if (own == 0).any() else found.scores[:, some]
        mean[some] = own @ losses
        risk[some] = mean[some] if isinstance(aim.risk, Miss | Expectation) else aim.risk(losses, own)
    columns = {name: np.where(possible, found.columns[name], np.nan) for name in aim.wanted}
    if isinstance(aim.risk, Miss):
        limit = aim.risk.limit
        risk = aim.risk(columns[limit.column], weights)
        # Where all draws miss it there is no better and worse, but for how far from it they are.
        nearer = np.maximum(dataclasses.replace(limit, prob=0.5).margin(columns[limit.column], weights), 0.0)
        risk = np.where(risk > 1 - 1e-9, 1 + nearer, risk)
    margins = [limit.margin(columns[limit.column], weights) for limit in aim.limits]
    violation = sum((np.maximum(one, 0.0) for one in margins), np.where(enough, 0.0, _OUT * (1 + needed - share)))
    nearest = np.max(margins, axis=0) if margins else np.zeros(len(share))
    return Ranked(violation, risk, mean, nearest, share)


def _alike(enough: np.ndarray, possible: np.ndarray, weights: np.ndarray) -> Any:
    """Groups of actions that are possible in the same draws, and the weights of these."""
    whole = possible.all(axis=0)
    if whole.all():
        yield slice(None), weights
        return
    if (whole & enough).any():
        yield np.flatnonzero(whole & enough), weights
    for i in np.flatnonzero(enough & ~whole):
        own = weights * possible[:, i]
        yield np.array([i]), own / own.sum()


def best_in_each(found: Outcomes, limits: Sequence[AtMost], groups: int) -> tuple[np.ndarray, np.ndarray]:
    """In each draw the position of the best action of each group, and its score: (draws, groups), infinite where none
    keeps the limits in that draw."""
    beyond = np.where(np.isfinite(found.scores), 0.0, _OUT)
    for limit in limits:
        values = found.columns[limit.column]
        excess = np.abs(values - limit.bound) / max(abs(limit.bound), 1e-300)
        beyond = beyond + np.where(limit.holds(values), 0.0, np.clip(np.nan_to_num(excess, nan=_OUT), 0, _OUT))
    shape = (len(beyond), groups, -1)
    beyond = beyond.reshape(shape)
    scores = np.where(beyond == 0, found.scores.reshape(shape), np.inf)
    kept = (beyond == 0).any(axis=2)
    at = np.where(kept, scores.argmin(axis=2), beyond.argmin(axis=2))
    return at, np.take_along_axis(scores, at[..., None], axis=2)[..., 0]
