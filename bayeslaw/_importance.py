"""Importance sampling from heavy-tailed approximations at the posterior's modes, checked by Pareto k-hat."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array
from scipy.special import gammaln, logsumexp

from bayeslaw._joint import Joint
from bayeslaw._modes import Mode, Observed, density_of, values_of

_DF = 5.0  # of the proposals: tails heavier than a posterior's, centres not much lower
_PILOT = 2048  # proposals by which the approximation is refined
_BATCH = 1024  # densities per call: XLA shares them among cores
_TABLE = 2**21  # densities of (proposals x runs) that one call of the compiled program computes at most
_KEPT = 0.2  # share of the final proposals that come from the first approximation
_STEPS = np.array([0.75, 1.5, 2.5, 4.0])  # in sd, at which the fall of the density sets a scale
_SCALES = (0.4, 4.0)


class Component(NamedTuple):
    """A Student-t around a centre, with its own scale on either side of it along each axis (Geweke 1989, section 4)."""

    centre: np.ndarray  # (d,)
    root: np.ndarray  # (d, d)
    scales: np.ndarray  # (2, d): below and above the centre

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        d = len(self.centre)
        u = np.abs(rng.standard_normal((count, d))) / np.sqrt(rng.chisquare(_DF, (count, 1)) / _DF)
        below, above = self.scales
        up = rng.random((count, d)) < above / (below + above)
        return self.centre + np.where(up, u * above, -u * below) @ self.root.T

    def log_density(self, z: np.ndarray) -> np.ndarray:
        d = len(self.centre)
        u = (z - self.centre) @ np.linalg.inv(self.root).T
        u *= np.where(u > 0, 1 / self.scales[1], 1 / self.scales[0])
        height = gammaln((_DF + d) / 2) - gammaln(_DF / 2) - d / 2 * np.log(_DF * np.pi)
        height -= np.linalg.slogdet(self.root)[1] + np.log(self.scales.mean(axis=0)).sum()
        return height - (_DF + d) / 2 * np.log1p(np.einsum("ij,ij->i", u, u) / _DF)


class Weighted(NamedTuple):
    """Proposals (count, d), their smoothed log weights (sum of weights one) and what these say of themselves."""

    places: np.ndarray
    heights: np.ndarray  # (count,), their log densities
    log_weights: np.ndarray
    pareto_k: float
    ess: float


@jax.jit
def _densities(places: Array, joint: Joint, seen: Observed) -> Array:
    return jax.vmap(density_of(joint, seen))(places)


def _heights(places: np.ndarray, joint: Joint, seen: Observed) -> np.ndarray:
    """Log densities, (count,), a batch of a size that depends on the runs alone after the other."""
    batch = int(np.clip(_TABLE // len(seen.response), 16, _BATCH))
    filled = np.concatenate([places, np.repeat(places[:1], -len(places) % batch, axis=0)])
    parts = filled.reshape(-1, batch, places.shape[1])
    return np.concatenate([_densities(part, joint, seen) for part in parts])[: len(places)]


@jax.jit
def values_at(places: Array, joint: Joint) -> dict[str, Array]:
    """Parameter values at sampler coordinates (count, d)."""
    return jax.vmap(lambda z: values_of(joint, z))(places)


def _split(mode: Mode, joint: Joint, seen: Observed) -> Component:
    """The Gaussian at a mode with each half axis as long as the density says."""
    d = len(mode.centre)
    moves = np.concatenate([-np.eye(d), np.eye(d)])[:, None, :] * _STEPS[:, None]  # (2d, steps, d)
    places = mode.centre + moves.reshape(-1, d) @ mode.root.T
    places = np.concatenate([mode.centre[None], places])
    found = _heights(places, joint, seen)
    fall = np.maximum(np.where(np.isfinite(found[1:]), found[0] - found[1:], np.inf), 1e-3).reshape(2 * d, -1)
    centre, root = np.asarray(mode.centre), np.asarray(mode.root)
    return Component(centre, root, np.clip(_STEPS / np.sqrt(2 * fall), *_SCALES).max(axis=1).reshape(2, d))


def _refined(weights: np.ndarray, places: np.ndarray, first: Component) -> Component:
    """The component with the moments of weighted proposals: mean, covariance, spread on either side of the mean."""
    d = len(first.centre)
    # Too few effective proposals say nothing of a covariance: lean on the first approximation.
    lean = min(1.0, 3 * d * (weights**2).sum())
    centre = lean * first.centre + (1 - lean) * (weights @ places)
    away = places - centre
    spread = first.root * first.scales.mean(axis=0)
    covariance = (1 - lean) * (_DF - 2) / _DF * (away * weights[:, None]).T @ away + lean * spread @ spread.T
    if not np.isfinite(covariance).all():  # weights on proposals that are off any scale
        return first
    variances, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(variances, 1e-14 * variances.max()))
    u = np.linalg.solve(root, away.T).T
    sides = np.stack([np.minimum(u, 0.0), np.maximum(u, 0.0)])
    masses = np.maximum((weights[:, None] * (sides != 0)).sum(axis=1), 0.05)
    scales = np.sqrt((weights[:, None] * sides**2).sum(axis=1) / masses)
    return Component(centre, root, np.clip(scales / scales.mean(axis=0), 0.5, 2.0))


def weigh(modes: Sequence[Mode], joint: Joint, seen: Observed, *, count: int, most: float, seed: int) -> Weighted:
    """Importance sampling in two rounds: proposals at the modes, then from the moments that these show; and a third
    like the second where Pareto k-hat is above `most`.

    All proposals are weighted against the mixture that they came from (Cornuet et al. 2012, adaptive multiple
    importance sampling), and the weights smoothed (Vehtari et al. 2024, arXiv 1507.02646).
    """
    from arviz_stats.base.array import array_stats

    rng = np.random.default_rng(seed)
    modes = _distinct(modes)
    parts = [_split(mode, joint, seen) for mode in modes]
    shares = np.array([mode.evidence for mode in modes])
    shares = np.exp(shares - logsumexp(shares))
    first = parts[int(np.argmax(shares))]
    places, heights = np.zeros((0, len(first.centre))), np.zeros(0)
    counts, mixture, log_weights, k = np.zeros(len(parts)), shares, np.zeros(0), np.inf
    for turn, wanted in enumerate((_PILOT, count, count)):
        new = rng.multinomial(wanted, mixture)
        more = np.concatenate([part.sample(rng, n) for part, n in zip(parts, new, strict=True)])
        places = np.concatenate([places, more])
        heights = np.concatenate([heights, _heights(more, joint, seen)])
        counts = counts + new
        used = counts > 0
        logs = np.stack([part.log_density(places) for part, one in zip(parts, used, strict=True) if one])
        proposal: Any = np.logaddexp.reduce(logs + np.log(counts[used] / len(places))[:, None], axis=0)
        ratio = np.where(np.isfinite(heights), heights - proposal, -np.inf)
        # ArviZ smooths the upper tail of the negative of what it is given, and has no place for -inf.
        log_weights, k = array_stats.psislw(-np.maximum(ratio, ratio.max() - 700.0))
        if turn and k <= most:
            break
        parts, counts = [*parts, _refined(np.exp(log_weights), places, first)], np.append(counts, 0.0)
        mixture = np.concatenate([_KEPT * shares, np.zeros(len(parts) - len(modes) - 1), [1 - _KEPT]])
    return Weighted(places, heights, log_weights, float(k), float(1 / np.exp(2 * log_weights).sum()))


def _distinct(modes: Sequence[Mode]) -> list[Mode]:
    """One of those modes that several climbs found."""
    found: list[Mode] = []
    for mode in modes:
        if all(np.linalg.norm(np.linalg.solve(one.root, mode.centre - one.centre)) > 1.0 for one in found):
            found.append(mode)
    return found


def resampled(weighted: Weighted, count: int, seed: int) -> np.ndarray:
    """Positions of `count` proposals of equal weight, in random order; systematic resampling adds little noise."""
    rng = np.random.default_rng(seed)
    marks = (np.arange(count) + rng.random()) / count
    shares = np.cumsum(np.exp(weighted.log_weights))
    return rng.permutation(np.searchsorted(shares / shares[-1], marks))
