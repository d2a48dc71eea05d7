"""How often the chosen one of several answers is right: by verdicts of a verifier, or by majority; and over questions.

Exact sums, ours, for the questions of Singhi et al. 2025 (arXiv 2504.01005). All are smooth in chances and exponents.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betaln
from jaxtyping import Array

_NODES = np.arange(-32, 33)
_TINY = 1e-300


def positive_verdicts(rate: Any, alike: Any, verifications: Any, most: int) -> Array:
    """The chances of 0, 1 ... `most` positive verdicts among `verifications` on one answer: beta-binomial.

    `rate` is the mean share of positive verdicts; the smaller `alike`, the more the verdicts on one answer agree, right
    or wrong. Zero above `verifications`, which must not exceed `most`.
    """
    count, steps = np.arange(most + 1), np.arange(most)
    left = jnp.clip(jnp.asarray(verifications) - count, 0, most).astype(int)

    def rising(start: Any) -> Array:  # the logarithm of start (start + 1) ... by the number of factors
        return jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.log(start + steps))])

    yes, no, all_of = rising(rate * alike), rising((1 - rate) * alike), rising(alike)
    logs = _log_choose(verifications, count, most) + yes + no[left] - all_of[jnp.asarray(verifications).astype(int)]
    return jnp.where(count <= verifications, jnp.exp(logs), 0.0)


def best_of(chance: Any, samples: Any, right: Array, wrong: Array) -> Array:
    """The chance that the answer with the most positive verdicts is right, ties broken at random.

    An answer is right with chance `chance`; `right` and `wrong` are `positive_verdicts` on one that is, and on one that
    is not. The most is level j unless all answers lie below it.
    """
    return choosing(samples, right, wrong)(chance)


def choosing(samples: Any, right: Array, wrong: Array) -> Callable[[Any], Array]:
    """`best_of` as a function of the chance, with what does not depend on that only done once."""
    upto_right, upto_wrong = jnp.cumsum(right), jnp.cumsum(wrong)

    def wins(chance: Any) -> Array:
        good = chance * right
        level = good + (1 - chance) * wrong
        none_above = jnp.exp(samples * jnp.log(jnp.maximum(chance * upto_right + (1 - chance) * upto_wrong, _TINY)))
        share = good / jnp.maximum(level, _TINY)
        return jnp.sum(share * jnp.diff(none_above, prepend=0.0))

    return wins


def majority(chance: Any, rival: Any, samples: Any, most: int = 64) -> Array:
    """The chance that a majority vote is right, where an answer is so with chance `chance`, is the most frequent wrong
    one with chance `rival`, and else differs from all others; ties are split. For `samples` up to `most`.

    Of n votes for the two the right one wins as often as of n - 1 if n is even, and from odd n to odd n that grows by a
    binomial term: the same sum as `voting.two_answers`, in time that grows as `most`.
    """
    return _majority(samples, most)(chance, rival)


def _majority(samples: Any, most: int) -> Callable[[Any, Any], Array]:
    """The same as a function of chances, with what depends on `samples` only done once."""
    m, n = np.arange(1, most // 2 + 1), np.arange(1, 2 * (most // 2) + 1)
    ways, left = _log_choose(samples, n, most), jnp.clip(jnp.asarray(samples) - n, 0)
    possible, terms_of = n <= samples, _log_choose(2 * m - 1, m, most)

    def wins(chance: Any, rival: Any) -> Array:
        voted = chance + rival
        ahead = chance / voted
        terms = (2 * ahead - 1) * jnp.exp(terms_of + m * jnp.log(jnp.maximum(ahead * (1 - ahead), _TINY)))
        won = ahead + jnp.cumsum(terms) - terms  # among 2 m - 1 votes, and among 2 m
        votes = jnp.exp(ways + n * jnp.log(voted) + left * jnp.log(jnp.maximum(1 - voted, _TINY)))
        return jnp.sum(jnp.where(possible, votes, 0.0).reshape(-1, 2).sum(1) * won)

    return wins


def voting(mean: Any, alike: Any, share: Any, samples: Any, most: int = 64) -> Callable[[Any], Array]:
    """`majority` as a function of the chance p, for `over_questions`; `share` of the wrong answers are the same one.

    Exact up to `most` samples. Beyond, a question is won or lost but for a normal margin around p = share (1 - p); it
    is taken to be at least as wide as the points are apart, and corrected to second order for that: the average is
    within 0.001 for alike up to 10, within 0.005 for 100.
    """
    wins = _majority(jnp.minimum(samples, most), most)
    width = 0.78 * _points(mean, alike)[1]
    variance = 2 * (1 + share) / (share * samples)  # of the margin, in logit p
    wide = jnp.sqrt(jnp.maximum(variance, width**2))
    middle = jnp.log(share) - (1 - share) / (2 * share * samples)

    def won(p: Any) -> Array:
        t = (jnp.log(p) - jnp.log1p(-p) - middle) / wide
        normal = jax.scipy.special.ndtr(t) - (variance / wide**2 - 1) / 2 * t * jax.scipy.stats.norm.pdf(t)
        return jnp.where(samples <= most, wins(p, share * (1 - p)), normal)

    return won


def over_questions(function: Callable[[Array], Array], mean: Any, alike: Any) -> Array:
    """The mean of a chance over questions whose own p is Beta(mean alike, (1 - mean) alike); it must be 0 at p = 0 and
    1 at p = 1, and function(p) - p is what is integrated.

    By the trapezoidal rule in logit p, whose error falls exponentially: 65 points around the mean logit, at most 0.45
    and 0.45 sd apart. Within 1e-6 in functions as smooth as `best_of`, for alike from 0.1 to 1e4.
    """
    x, y = mean * alike, (1 - mean) * alike
    middle, step = _points(mean, alike)

    def add(total: Array, node: Array) -> tuple[Array, None]:
        logit = middle + step * node
        logs = x * jax.nn.log_sigmoid(logit) + y * jax.nn.log_sigmoid(-logit) - betaln(x, y)
        p = jax.nn.sigmoid(logit)
        return total + step * jnp.exp(logs) * (function(p) - p), None

    return jax.lax.scan(add, jnp.asarray(mean, dtype=float), jnp.asarray(_NODES, dtype=float))[0]


def _points(mean: Any, alike: Any) -> tuple[Array, Array]:
    """The middle of the points, and how far they are apart: no part of what is differentiated."""
    x, y = mean * alike, (1 - mean) * alike
    variance = 1 / (x + 0.5) + 1 / x**2 + 1 / (y + 0.5) + 1 / y**2  # of the logit, nearly
    middle = jnp.log((x + 0.5) / (y + 0.5)) - 1 / x + 1 / y
    step = 0.45 * jnp.minimum(jnp.sqrt(variance), 1.0)
    return jax.lax.stop_gradient(middle / jnp.sqrt(1 + variance / 9)), jax.lax.stop_gradient(step)


def _log_choose(n: Any, k: Any, most: int) -> Array:
    """The logarithm of the number of ways to choose k of n, for n up to `most`; anything finite where k is larger."""
    table = jnp.asarray(np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))]))
    total, rest = (jnp.clip(jnp.asarray(one), 0, most).astype(int) for one in (n, jnp.asarray(n) - k))
    return table[total] - table[k] - table[rest]
