"""Valleys of a response over the logarithm of a size, one for each budget, fitted at once in closed form."""

from typing import NamedTuple

import numpy as np

_SKEWS = 61  # values of the skewness over which it is integrated
_NEAR = 20.0  # a minimum farther away, in ln, is none


class Valleys(NamedTuple):
    """y = height + tilt x + bend (x^2 + skew x^3) + slope c + scatter, in draws.

    `height`, `tilt`, `bend`: (draws, groups); `skew`, `scatter`: (draws,). `spare`: runs less coefficients.
    """

    height: np.ndarray
    tilt: np.ndarray
    bend: np.ndarray
    skew: np.ndarray
    scatter: np.ndarray
    spare: int

    def lowest(self) -> np.ndarray:
        """x of the minimum, (draws, groups); NaN where there is none within a factor e^20."""
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(1 - 3 * self.skew[:, None] * self.tilt / self.bend)
            found = -self.tilt / self.bend / (1 + root)
        return np.where((self.bend > 0) & (np.abs(found) < _NEAR), found, np.nan)

    def at(self, x: np.ndarray) -> np.ndarray:
        """y at x, which is (draws or 1, groups)."""
        return self.height + self.tilt * x + self.bend * (x**2 + self.skew[:, None] * x**3)


def valleys(
    x: np.ndarray, c: np.ndarray, y: np.ndarray, group: np.ndarray, skewness: float, draws: int, seed: int
) -> Valleys:
    """Draws from the posterior of the valleys of runs (runs,), which are of `group` 0, 1, ...

    Given the skewness this is linear regression with flat priors on the coefficients and on ln scatter, whose
    posterior is a multivariate t. The skewness is Normal(0, `skewness`), one for all groups, and integrated on a grid;
    so is, with a flat prior, the slope in what is left of the budget, `c`.
    """
    groups = int(group.max()) + 1
    member = group[:, None] == np.arange(groups)
    beside = [c[:, None] / np.abs(c).max()] if np.abs(c).max() > 1e-6 else []
    grid = skewness * np.linspace(-3, 3, _SKEWS) if skewness > 0 else np.zeros(1)
    logs, found = [], []
    for skew in grid:
        design = np.hstack([member, member * x[:, None], member * (x**2 + skew * x**3)[:, None], *beside])
        q, r = np.linalg.qr(design)
        best = np.linalg.solve(r, q.T @ y)
        left, spare = float(((y - design @ best) ** 2).sum()), len(y) - design.shape[1]
        found.append((best, r, left))
        prior = -0.5 * (skew / skewness) ** 2 if skewness > 0 else 0.0
        logs.append(prior - np.log(np.abs(np.diag(r))).sum() - spare / 2 * np.log(left))
    rng = np.random.default_rng(seed)
    weights = np.exp(np.array(logs) - max(logs))
    chosen = rng.choice(len(grid), size=draws, p=weights / weights.sum())
    spare = len(y) - len(found[0][0])
    scatter = np.sqrt(np.array([left for *_, left in found])[chosen] / rng.chisquare(spare, draws))
    steps = rng.standard_normal((draws, len(found[0][0])))
    coefficients = np.empty_like(steps)
    for i in np.unique(chosen):
        best, r, _ = found[i]
        mine = chosen == i
        coefficients[mine] = best + scatter[mine, None] * np.linalg.solve(r, steps[mine].T).T
    height, tilt, bend = (coefficients[:, i * groups : (i + 1) * groups] for i in range(3))
    return Valleys(height, tilt, bend, grid[chosen], scatter, spare)


def line(x: np.ndarray, y: np.ndarray, seed: int, most: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws of the level, the slope and the scatter of a line through points y (draws, points) that are known in draws.

    Points lie off the line by Normal(0, scatter) beside what is uncertain of each; the scatter, half-normal with sd
    `most`, is integrated on a grid, given the middle and the spread of each point.
    """
    rng = np.random.default_rng(seed)
    middle = np.median(y, axis=0)
    spread = (np.quantile(y, 0.84, axis=0) - np.quantile(y, 0.16, axis=0)) / 2
    design = np.stack([np.ones_like(x), x], axis=1)
    grid = np.linspace(0, 2 * most, 201)
    logs, hats = [], []
    for size in grid:
        weight = 1 / np.maximum(spread**2 + size**2, 1e-12)
        inner = design.T @ (weight[:, None] * design)
        hat = np.linalg.solve(inner, design.T * weight)
        left = middle - design @ (hat @ middle)
        hats.append(hat)
        logs.append(
            -0.5 * (size / most) ** 2
            + 0.5 * (np.log(weight).sum() - np.linalg.slogdet(inner)[1] - float(weight @ left**2))
        )
    weights = np.exp(np.array(logs) - max(logs))
    chosen = rng.choice(len(grid), size=len(y), p=weights / weights.sum())
    moved = y + grid[chosen, None] * rng.standard_normal(y.shape)
    found = np.einsum("dkp,dp->dk", np.array(hats)[chosen], moved)
    return found[:, 0], found[:, 1], grid[chosen]
