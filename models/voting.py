"""What majority voting can reach: exactly, by a bound, and from a table of votes (Wu et al. 2024, arXiv 2408.00724)."""

from typing import Any

import numpy as np
from jax.scipy.special import gammaln

from bayeslaw._tree import float64


def two_answers(right: float, wrong: float, samples: int) -> float:
    """The chance that a majority vote is right when a sample is so with chance `right`, is the most frequent wrong
    answer with chance `wrong`, and else differs from all others; ties are split. Too high where two wrong ones compete.
    Exact sums, ours; memory grows as the square of `samples`.
    """
    x, y = np.meshgrid(np.arange(samples + 1), np.arange(samples + 1), indexing="ij")
    inside = x + y <= samples
    factorial = np.cumsum(np.log(np.maximum(np.arange(samples + 1), 1)))  # their logarithms
    logs = np.full(x.shape, factorial[samples])
    for counted, chance in ((x, right), (y, wrong), (np.where(inside, samples - x - y, 0), 1 - right - wrong)):
        logs += counted * np.log(max(chance, 1e-300)) - factorial[counted]
    chance = np.where(inside, np.exp(logs), 0.0)
    return float(chance[x > y].sum() + chance[(x == y) & (x > 0)].sum() / 2)


def hoeffding(answers: int, margin: float, samples: Any) -> Any:
    """The paper's bound on the chance that a vote among so many answers misses a top one ahead by `margin`."""
    return answers * np.exp(-np.asarray(samples) * margin**2 / 2)


@float64
def voting_accuracy(votes: Any, right: Any, samples: int | None = None, draws: int = 400, seed: int = 0) -> np.ndarray:
    """Draws of the accuracy of a majority vote of `samples`, or of its limit, on the questions of a table of votes.

    `votes` (questions, answers) are counts of each answer, `right` the place of the right one. A model of ours: a
    question's answers have Dirichlet chances, the same for all but for their names, whose concentration is
    LogNormal(log 3, 1) and learned from the table. Ties are split.
    """
    votes, rng = np.asarray(votes, dtype=float), np.random.default_rng(seed)
    grid = np.geomspace(0.05, 200.0, 200)
    each = (grid / votes.shape[1])[:, None, None]
    logs = -(np.log(grid / 3.0) ** 2) / 2 + np.asarray(gammaln(each + votes) - gammaln(each)).sum((1, 2))
    logs += np.asarray(gammaln(grid)[:, None] - gammaln(grid[:, None] + votes.sum(1))).sum(1)
    weights = np.exp(logs - logs.max())
    found = []
    for concentration in rng.choice(grid, draws, p=weights / weights.sum()):
        chances = rng.standard_gamma(concentration / votes.shape[1] + votes)
        chances /= chances.sum(1, keepdims=True)
        counted = chances if samples is None else rng.multinomial(samples, chances)
        top = counted == counted.max(1, keepdims=True)
        found.append((top[np.arange(len(votes)), np.asarray(right)] / top.sum(1)).mean())
    return np.array(found)
