"""Batches of runs: picked one by one, each given those before it, and judged on truths that did not pick them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from bayeslaw._value import Cost, Regret, Simulations, Surprise
from bayeslaw._worlds import Worlds

JUDGES = 512  # truths
ROUGH = 0.7  # Pareto k above which weights say little
_STALLED = 0.002  # of what there is to lower: runs that promise less are not looked for
_PATIENCE = 3  # runs that are picked in vain before no more are
_AGAIN = 32  # runs of most promise, and so many of most promise per cost
_SURE = 2.0  # standard errors


class Step(NamedTuple):
    """What each of some candidates is worth, given what was picked before."""

    outcomes: np.ndarray
    gains: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, simulations: Simulations, aim: Cost, log_weights: np.ndarray, seed: int, which: np.ndarray) -> "Step":
        outcomes = simulations.outcomes(seed)
        now = _cost(aim, log_weights, simulations.truth)
        lower = now - simulations.costs(aim, log_weights, outcomes, which)
        return cls(outcomes, lower.mean(axis=1), _standard_error(lower))


def _cost(aim: Cost, log_weights: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of each simulation, (simulations,)."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return np.asarray(aim(jnp.asarray(weights / weights.sum(axis=1, keepdims=True)), jnp.asarray(truth)))


def greedy(
    simulations: Simulations, aim: Cost, step: Step, costs: np.ndarray, budget: float, price: float, seed: int,
    by: np.ndarray,
) -> Iterator[int]:  # fmt: skip
    """Candidates, the best next one after the other, while they can be paid and promise something."""
    log_weights = simulations.log_weights
    start = abs(_cost(aim, log_weights, simulations.truth).mean())
    which, left = np.arange(len(costs)), budget
    for turn in itertools.count(1):
        gains = step.gains - price * costs[which]
        able = (costs[which] <= left) & (gains > _STALLED * start)
        if not able.any():
            return
        place = int(np.argmax(np.where(able, gains / by[which], -np.inf)))
        picked = int(which[place])
        yield picked
        log_weights = log_weights + simulations.densities(step.outcomes, picked)
        left -= costs[picked]
        which, gains = np.delete(which, place), np.delete(gains, place)
        affordable = costs[which] <= left
        which, gains = which[affordable], gains[affordable]
        if not len(which):
            return
        # What promised little is hardly what is wanted now: only the best of the last look are looked at again.
        best = {*np.argsort(-gains)[:_AGAIN], *np.argsort(-gains / costs[which])[:_AGAIN]}
        which = which[sorted(best)]
        step = Step.of(simulations, aim, log_weights, seed + 1000 * turn, which)


class Judged(NamedTuple):
    """A batch, and what is to be expected after each run of it. The first `buy` of them lower the regret by `worth`
    more than they cost (or are to tell so much, where something is to be learnt); `rough` is the share of truths whose
    weights say little."""

    picks: list[int]
    columns: Mapping[str, np.ndarray]
    buy: int
    worth: float
    rough: float


class Judge(NamedTuple):
    """Batches compared on truths that did not pick them. `before` is the expected regret of deciding now."""

    simulations: Simulations
    regret: Regret
    known: Surprise | None
    before: float
    seed: int

    @classmethod
    def of(
        cls, worlds: Worlds, read: Sequence[Mapping[str, np.ndarray]], regret: Regret, known: Surprise | None, seed: int
    ) -> "Judge":
        return cls(Simulations.of(worlds, read, JUDGES, start=1), regret, known, regret.now(worlds.weights), seed)

    def __call__(self, candidates: Iterable[int], costs: np.ndarray, price: float) -> Judged:
        """A batch as far as it is picked, until `_PATIENCE` runs were picked in vain."""
        truth, prior = self.simulations.truth, self.simulations.log_weights
        aim: Cost = self.regret if self.known is None else self.known
        price = price if self.known is None else 0.0
        picks: list[int] = []
        worth, after, learnt, rough = [0.0], [], [], [0.0]
        for picked, smooth, k in self._weights(candidates):
            picks.append(picked)
            rough.append(float(np.mean(k > ROUGH)))
            after.append(_cost(self.regret, smooth, truth))
            lower = _cost(aim, prior, truth) - (after[-1] if self.known is None else _cost(aim, smooth, truth))
            learnt.append(lower.mean())
            sure = learnt[-1] > _SURE * _standard_error(lower)
            worth.append(learnt[-1] - price * costs[picks].sum() if sure else 0.0)
            if len(picks) - int(np.argmax(worth)) >= _PATIENCE:
                break
        buy, regrets = int(np.argmax(worth)), np.array(after).reshape(len(picks), len(truth))
        found = {"spent": np.cumsum(costs[picks]), "regret": regrets.mean(axis=1), "error": _standard_error(regrets)}
        found |= {} if self.known is None else {"information": np.array(learnt)}
        return Judged(picks, found, buy, worth[buy], rough[buy])

    def _weights(self, candidates: Iterable[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """After each run the log weights of all draws, (truths, draws), and Pareto k of each truth."""
        from arviz_stats.base.array import array_stats  # slow to import

        log_weights = self.simulations.log_weights
        for i, picked in enumerate(candidates):
            outcomes = self.simulations.outcomes(self.seed + 1000 * i)
            log_weights = log_weights + self.simulations.densities(outcomes, picked)
            # ArviZ smooths the upper tail of the negative of what it is given, and has no place for -inf.
            smooth, k = array_stats.psislw(-np.maximum(log_weights - log_weights.max(axis=1, keepdims=True), -700.0))
            yield picked, np.asarray(smooth), np.asarray(k)


def _standard_error(values: np.ndarray) -> np.ndarray:
    return values.std(axis=-1) / np.sqrt(values.shape[-1])
