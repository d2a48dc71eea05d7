"""How many samples each problem of a set should get: more for the hard ones, none for the hopeless (ours).

For the definition of compute-optimal test-time compute of Snell et al. 2024 (arXiv 2408.03314), where the only strategy
is to draw more answers and a verifier knows a right one. Samples are not rounded.
"""

from typing import Any

import numpy as np
from scipy.special import betaln

from bayeslaw._errors import InputError

_HALVINGS = 80


def samples_for_chances(chances: Any, total: float) -> np.ndarray:
    """Where the chance of each problem is known: `total` samples that solve the most problems, sum of 1 - (1 - p)^k.

    An upper bound for what adapting can gain: nobody knows the chances. Raises `InputError` for chances outside [0, 1].
    """
    p = np.asarray(chances, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all() or not (p > 0).any():
        raise InputError("chances are a row of numbers between 0 and 1, not all of them 0.")
    rate = -np.log1p(-np.clip(p, 1e-300, 1 - 1e-15))
    able = p > 0

    def at(price: float) -> np.ndarray:  # a problem is given samples until one gains less than the price, in logs
        return np.where(able, np.maximum(0.0, (np.log(rate) - price) / rate), 0.0)

    return _spend(at, float(np.log(rate[able]).min()) - 700.0, float(np.log(rate.max())), total)


def samples_for_counts(successes: Any, trials: Any, x: float, y: float, total: float) -> np.ndarray:
    """Where each problem had a pilot of `trials` samples with so many right: `total` further samples.

    Chances are Beta(x, y) before the pilot (`Coverage`: x = mu nu, y = (1 - mu) nu). The next sample of a problem gains
    E[p (1 - p)^k] = B(x + c + 1, y + n - c + k) / B(x + c, y + n - c), made equal for all that get any. Chances set to
    c / n in place of that lose: they give nothing to a problem that the pilot did not solve. Raises `InputError` for
    counts that cannot be.
    """
    c, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(trials, dtype=float))
    if c.ndim != 1 or not ((c >= 0) & (c <= n)).all() or not (x > 0 and y > 0):
        raise InputError("needs a row of counts with 0 <= successes <= trials, and x and y above 0.")
    a, b = x + c, y + n - c
    first = betaln(a + 1, b) - betaln(a, b)
    most = float(total)

    def at(price: float) -> np.ndarray:
        low, high = np.zeros(len(a)), np.full(len(a), most)
        for _ in range(_HALVINGS // 2):
            middle = (low + high) / 2
            gains = betaln(a + 1, b + middle) - betaln(a, b) > price
            low, high = np.where(gains, middle, low), np.where(gains, high, middle)
        return np.where(first > price, (low + high) / 2, 0.0)

    return _spend(at, float((betaln(a + 1, b + most) - betaln(a, b)).min()), float(first.max()), total)


def solved(successes: Any, trials: Any, x: float, y: float, samples: Any) -> np.ndarray:
    """The chance that one of so many further samples of each problem is right, given its pilot."""
    a, b = x + np.asarray(successes, dtype=float), y + np.asarray(trials, dtype=float) - np.asarray(successes)
    return -np.expm1(betaln(a, b + np.asarray(samples)) - betaln(a, b))


def _spend(at: Any, low: float, high: float, total: float) -> np.ndarray:
    """Samples at the price (a logarithm) at which they add up to the total."""
    if not total > 0:
        raise InputError(f"the samples to divide must be more than 0, got {total!r}.")
    for _ in range(_HALVINGS):
        price = (low + high) / 2
        low, high = (price, high) if at(price).sum() > total else (low, price)
    return at(high)
