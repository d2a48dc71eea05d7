"""What runs that nobody has made are worth: their outcome is simulated in a draw, the draws are weighted anew by it,
and what one would then do is judged in the draw that it was simulated from.

That draw is left out when the others are weighted, so that what is found is what a stranger to the truth would reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import ndtri
from scipy.stats import rankdata

from bayeslaw._best import find
from bayeslaw._errors import InputError
from bayeslaw._ranked import Aim
from bayeslaw._risk import Expectation
from bayeslaw._worlds import Worlds, ranges_of

_ACTIONS = 96  # the optima of so many draws: between neighbours the regret differs by far less than its error
_FEW = 128  # draws that show the search where to look
_TOGETHER = 32  # candidates


@dataclass(frozen=True, eq=False)
class Regret:
    """The loss over the best action of the same draw. `scores` (draws, actions) of each scenario."""

    scores: tuple[np.ndarray, ...]

    def __call__(self, weights: Array, truth: Array) -> Array:
        """Of the action of least expected loss at weights (simulations, draws), in the true draw of each."""
        found = jnp.zeros(len(weights))
        for scores in map(jnp.asarray, self.scores):
            own = scores[truth]
            action = (weights @ scores).argmin(axis=1)
            found += jnp.take_along_axis(own, action[:, None], axis=1)[:, 0] - own.min(axis=1)
        return found / len(self.scores)

    def now(self, weights: np.ndarray) -> float:
        """That of the action of least expected loss, expected over all draws."""
        regrets = (scores - scores.min(axis=1, keepdims=True) for scores in self.scores)
        return float(np.mean([(weights @ one).min() for one in regrets]))


@dataclass(frozen=True, eq=False)
class Surprise:
    """Minus ln of the density of a quantity where it is true, that of a normal distribution with the mean and variance
    at the weights. `z` (draws,) are its normal scores, which have the same information as itself."""

    z: np.ndarray

    def __call__(self, weights: Array, truth: Array) -> Array:
        mean = weights @ self.z
        variance = weights @ jnp.asarray(self.z**2) - mean**2
        variance = variance / jnp.maximum(1 - (weights**2).sum(axis=1), 1e-3)  # of few draws too small
        variance = jnp.maximum(variance, 1e-4)
        return 0.5 * jnp.log(variance) + (jnp.asarray(self.z)[truth] - mean) ** 2 / (2 * variance)


jax.tree_util.register_dataclass(Regret, ["scores"], [])
jax.tree_util.register_dataclass(Surprise, ["z"], [])
Cost = Regret | Surprise


@dataclass(frozen=True, eq=False)
class Actions:
    """What may be chosen: of each scenario the rows of the menus and the points of the ranges, the choice last."""

    items: tuple[np.ndarray, ...]
    units: tuple[np.ndarray, ...]

    def scores(self, worlds: Worlds) -> tuple[np.ndarray, ...]:
        """Of each scenario, (draws, actions)."""
        both = zip(self.items, self.units, strict=True)
        return tuple(worlds.outcomes(i, *action).scores for i, action in enumerate(both))


def actions_of(worlds: Worlds) -> Actions:
    """Those that some draw has as its best, and the choice over all draws."""
    few, items, units = worlds.thinned(_FEW), [], []
    for i in range(worlds.scenarios):
        best = find(worlds, few, i, Aim(Expectation()))
        order = np.lexsort((*best.optimum_unit.T, best.optimum_item))
        rows = order[np.unique(np.linspace(0, len(order) - 1, _ACTIONS).round().astype(int))]
        items.append(np.append(best.optimum_item[rows], best.item))
        units.append(np.concatenate([best.optimum_unit[rows], best.unit[None]]))
    return Actions(tuple(items), tuple(units))


def regret_of(worlds: Worlds, actions: Actions) -> Regret:
    """Of those actions that are possible in every draw."""
    found = []
    for scores in actions.scores(worlds):
        possible = np.isfinite(scores[worlds.weights > 0]).all(axis=0)
        if not possible.any():
            raise InputError(
                "no action is possible in every draw, so that there is no regret to expect; ask for less, or see "
                "choose(...) with subject_to=Feasible(0.9) for what is possible."
            )
        found.append(np.nan_to_num(scores[:, possible]))
    return Regret(tuple(found))


def surprise_of(worlds: Worlds, name: str) -> Surprise:
    """Of a parameter or a derived quantity of the law, or of the optimum of what the decision chooses."""
    ranges = list(ranges_of(worlds.decision))
    if name in ranges:
        best = find(worlds, worlds.thinned(_FEW), 0, Aim(Expectation()))
        values = best.optimum_unit[:, ranges.index(name)]
    else:
        values = np.concatenate([_quantity(one, name) for one in worlds.members])
    if np.ptp(values) == 0:
        raise InputError(f"{name!r} is the same in all draws: there is nothing left to learn about it.")
    return Surprise(ndtri((rankdata(values) - 0.5) / len(values)))


def _quantity(member: Any, name: str) -> np.ndarray:
    if name in member.values and member.values[name].ndim == 1:
        return np.asarray(member.values[name])
    derived = jax.vmap(lambda v: dict(member.posterior.joint.fill(v).law.derived()))(member.values)
    if name in derived:
        return np.asarray(derived[name])
    known = [site for site, array in member.values.items() if array.ndim == 1]
    raise InputError(
        f"learn names one quantity: {', '.join((*known, *derived))}, or what the decision chooses "
        f"({', '.join(ranges_of(member.decision))}); got {name!r}."
    )


@dataclass(frozen=True, eq=False)
class Simulations:
    """Outcomes of runs in some draws, the truths, and how likely all draws make them.

    `columns`: of each member what its law and noise read of the candidates, (candidates,). `truth`: the rows of the
    draws that are true in turn. `same` (simulations, draws): is the draw the truth itself, or a copy of it.
    """

    worlds: Worlds
    columns: tuple[Mapping[str, np.ndarray], ...]
    truth: np.ndarray
    same: np.ndarray

    @classmethod
    def of(cls, worlds: Worlds, columns: Sequence[Mapping[str, np.ndarray]], count: int, start: int = 0) -> Any:
        alive = np.flatnonzero(worlds.weights > 0)
        places = np.linspace(0, len(alive), min(count, len(alive)), endpoint=False).astype(int) + start
        truth = alive[places % len(alive)]
        copies, before = [], 0
        for one in worlds.members:  # draws by resampling come more than once
            rows = np.column_stack([array.reshape(len(one), -1) for array in one.values.values()])
            _, at = np.unique(rows, axis=0, return_inverse=True)
            copies.append(at.ravel() + before)
            before += len(one)
        copy = np.concatenate(copies)
        return cls(worlds, tuple(columns), truth, copy[truth][:, None] == copy)

    @property
    def log_weights(self) -> np.ndarray:
        """Before anything is observed, (simulations, draws)."""
        with np.errstate(divide="ignore"):
            return np.where(self.same, -np.inf, np.log(self.worlds.weights))

    def outcomes(self, seed: int) -> np.ndarray:
        """One for every truth and candidate, (simulations, candidates). The noise of a truth is that of the same key
        for all candidates, so that these differ by what they are and not by luck."""
        key, found = jax.random.key(seed), []
        for one, columns in zip(self.worlds.members, self.columns, strict=True):
            key, own = jax.random.split(key)
            found.append(_outcomes(jax.random.split(own, len(one)), one.posterior.joint, one.values, columns))
        return np.concatenate(found)[self.truth]

    def costs(self, cost: Cost, log_weights: np.ndarray, outcomes: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Of each of the candidates after it is observed, (candidates, simulations)."""
        rows = np.pad(which, (0, -len(which) % _TOGETHER), mode="edge")  # few sizes, so that little is compiled anew
        columns = tuple({name: array[rows] for name, array in one.items()} for one in self.columns)
        found = _costs(cost, *self._draws(), columns, outcomes[:, rows].T, jnp.asarray(log_weights), self.truth)
        return np.asarray(found)[: len(which)]

    def densities(self, outcomes: np.ndarray, which: int) -> np.ndarray:
        """ln of the density of the outcomes of one candidate in all draws, (simulations, draws)."""
        columns = tuple({name: array[which] for name, array in one.items()} for one in self.columns)
        return np.asarray(_densities(*self._draws(), columns, outcomes[:, which]))

    def _draws(self) -> tuple[Any, Any, Any]:
        members = self.worlds.members
        return (
            tuple(one.posterior.joint for one in members),
            tuple(one.values for one in members),
            tuple(one.keys for one in members),
        )


@jax.jit
def _outcomes(keys: Array, joint: Any, values: Any, columns: Mapping[str, Array]) -> Array:
    def draw(key: Array, value: Any) -> Array:
        filled = joint.fill(value)
        return jax.vmap(lambda row: filled.draw(key, jax.tree.map(lambda one: one[None], row))[0])(columns)

    return jax.vmap(draw)(keys, values)


@jax.jit
def _densities(joints: Any, values: Any, keys: Any, columns: Any, outcomes: Array) -> Array:
    def member(joint: Any, value: Any, key: Any, row: Mapping[str, Array]) -> Array:
        row = {name: one[None] for name, one in row.items()}

        def draw(value: Any, key: Any) -> Array:
            filled = joint.fill(value)
            return filled.observe(filled.law.scatter(key, row)).log_prob(outcomes[:, None])[:, 0]

        return jax.vmap(draw, out_axes=1)(value, key)

    return jnp.concatenate([member(*one) for one in zip(joints, values, keys, columns, strict=True)], axis=1)


@jax.jit
def _costs(
    cost: Cost, joints: Any, values: Any, keys: Any, columns: Any, outcomes: Array, log_weights: Array, truth: Array
) -> Array:
    def candidate(one: Any) -> Array:
        row, outcome = one
        weights = jax.nn.softmax(log_weights + _densities(joints, values, keys, row, outcome), axis=1)
        return cost(weights, truth)

    return jax.lax.map(candidate, (columns, outcomes))
