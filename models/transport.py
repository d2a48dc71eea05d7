"""What acceptance several drafts of a token can reach: the optimal transport of Hu et al. 2025 (arXiv 2502.18779).

p is the target's and q the draft's distribution of the next token, each (tokens,). With NumPy, for distributions at
hand; time grows as the vocabulary. The statement is second-hand, and tests hold it against the linear programme.
"""

import numpy as np

from bayeslaw._errors import InputError


def acceptance(p: np.ndarray, q: np.ndarray, drafts: int = 1, *, replacement: bool = True) -> float:
    """The largest chance that the token is among `drafts` from q, with or without replacement.

    1 + the least over sets H of tokens of p(H) - Pr(all drafts lie in H), which some prefix of the tokens sorted by
    q / p, largest first, attains. Raises `InputError` for what are no distributions, and for more drafts than tokens.
    """
    p, q = _checked(p, q, drafts, replacement)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(-np.where(p > 0, q / p, np.inf), kind="stable")
    inside = np.cumsum(q[order]) ** drafts if replacement else _within(q[order], drafts)
    return float(1 + min(0.0, np.min(np.cumsum(p[order]) - inside)))


def greedy_acceptance(p: np.ndarray, q: np.ndarray, drafts: int) -> float:
    """The largest chance for the drafts - 1 likeliest tokens of q, and one drawn from the rest."""
    p, q = _checked(p, q, drafts, replacement=False)
    top = np.argsort(-q, kind="stable")[: drafts - 1]
    rest = np.setdiff1d(np.arange(len(p)), top)
    left = q[rest].sum()
    drawn = q[rest] / left if left > 0 else np.zeros(len(rest))
    return float(p[top].sum() + np.minimum(p[rest], drawn).sum())


def _within(q: np.ndarray, drafts: int) -> np.ndarray:
    """For each prefix of the tokens the chance that so many draws without replacement all lie in it.

    Such draws are the order in which clocks with rates q ring: so many of the prefix must ring before any other does.
    The integral over that time t is by the trapezoidal rule in ln t, whose error is below 1e-12.
    """
    logs, step = np.linspace(-20.0, 40.0, 241, retstep=True)
    t, rung = np.exp(logs), np.zeros((drafts, 241))  # the chance that fewer than so many have rung, by their number
    rung[0], found = 1.0, np.empty(len(q))
    others = np.append(np.cumsum(q[::-1])[::-1][1:], 0.0)
    for i, (rate, rest) in enumerate(zip(q, others, strict=True)):
        rings = -np.expm1(-rate * t)
        rung[1:] = rung[1:] * (1 - rings) + rung[:-1] * rings
        rung[0] *= 1 - rings
        found[i] = (
            np.sum(step * t * rest * np.exp(-rest * t) * (1 - rung.sum(0))) if rest > 0 else float(i + 1 >= drafts)
        )
    return found


def _checked(p: np.ndarray, q: np.ndarray, drafts: int, replacement: bool) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    for name, one in (("p", p), ("q", q)):
        if one.ndim != 1 or one.shape != p.shape or (one < 0).any() or abs(one.sum() - 1) > 1e-6:
            raise InputError(f"{name} must be a distribution over the same tokens as the other, adding up to 1.")
    if drafts < 1 or (not replacement and drafts > (q > 0).sum()):
        raise InputError(f"{drafts} drafts cannot be had: at least 1, and without replacement no more than q has.")
    return p, q
