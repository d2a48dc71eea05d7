"""The second stage of `misfit`: what the runs that a law leaves say of how far it is off, in closed form."""

from math import log
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, norm, qmc

# Chosen on the development half of benchmarks/extrapolation; docs/extrapolation.md says how.
SIZE = log(0.03), 1.0  # LogNormal: of the misfit
_REACH = 3 * log(10.0)  # in ln x: runs say much of what lies within it, and nothing of what lies much further
_NOISE = 0.3  # sd of the log of the factor on the noise
_WAVES = 128
_ROUNDS = 6  # of reweighting outliers
_SIZES = np.exp(SIZE[0] + SIZE[1] * np.linspace(-3, 3, 24))
_KAPPA = np.geomspace(0.03, 4.0, 48)  # factors on the noise


class Residuals(NamedTuple):
    """What is known of each run at the middle of the posterior."""

    features: np.ndarray  # (runs, features): rho phi
    slopes: np.ndarray  # (runs, parameters): t, per sd of the prior
    scale: np.ndarray  # (runs,): of the noise
    df: np.ndarray  # (runs,)


def second_stage(
    left: np.ndarray, table: Residuals, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The second stage: what runs leave is a misfit plus noise, left = Q w size + scale factor t(df).

    Returns B (parameters, features), and draws (count, ...) of the weights w, the size and the factor on the noise.
    """
    rng = np.random.default_rng(0)
    stage = _stage(left, table, left / table.scale)
    for _ in range(_ROUNDS - 1):
        stage = _stage(left, table, stage.away)
    place = rng.choice(stage.mass.size, count, p=stage.mass.ravel())
    i, j = np.unravel_index(place, stage.mass.shape)
    size, factor = _SIZES[i][:, None], _KAPPA[j][:, None]
    # Along the axes that runs see w is conjugate; across them it is as its prior has it.
    weights = rng.standard_normal((count, stage.back.shape[1]))
    seen = weights @ stage.back.T
    variance = (size * stage.stretch) ** 2 + factor**2
    weights += (size * stage.stretch * stage.along / variance + (factor / np.sqrt(variance) - 1) * seen) @ stage.back
    return stage.slopes, weights, size[:, 0], factor[:, 0]


class _Stage(NamedTuple):
    slopes: np.ndarray  # B, (parameters, features), in sds of the prior
    stretch: np.ndarray  # (axes,): how far runs, as weighted, move along each axis of the weights
    back: np.ndarray  # (axes, features)
    along: np.ndarray  # (axes,): where they lie
    mass: np.ndarray  # (sizes, factors): posterior
    away: np.ndarray  # (runs,): what law and misfit leave, in units of the noise


def _stage(left: np.ndarray, table: Residuals, away: np.ndarray) -> _Stage:
    """The normal model in which a run's precision follows from how far it was off before: outliers count for less."""
    root = np.sqrt(_precision(away, table.df)) / table.scale
    steep = table.slopes * root[:, None]
    slopes = np.linalg.solve(steep.T @ steep + np.eye(steep.shape[1]), steep.T @ (table.features * root[:, None]))
    own = table.features - table.slopes @ slopes
    axes, stretch, back = np.linalg.svd(own * root[:, None], full_matrices=False)
    along = axes.T @ (left * root)
    rest = max(float(((left * root) ** 2).sum() - (along**2).sum()), 0.0)
    variance = ((_SIZES[:, None] * stretch) ** 2)[:, None, :] + (_KAPPA**2)[:, None]  # (sizes, factors, axes)
    height = norm.logpdf(np.log(_SIZES), *SIZE)[:, None] + norm.logpdf(np.log(_KAPPA), 0.0, _NOISE)
    height -= 0.5 * ((along**2 / variance).sum(-1) + np.log(variance).sum(-1) + rest / _KAPPA**2)
    height -= (len(left) - len(along)) * np.log(_KAPPA)
    mass = np.exp(height - height.max())
    mass /= mass.sum()
    size, factor = np.exp(mass.sum(1) @ np.log(_SIZES)), np.exp(mass.sum(0) @ np.log(_KAPPA))
    gain = size**2 * stretch / ((size * stretch) ** 2 + factor**2)
    left_now = left - own @ (back.T @ (gain * along))
    return _Stage(slopes, stretch, back, along, mass, left_now / (table.scale * factor))


def _precision(away: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Of the normal that a t(df) is at a run, given how far it lies from the middle."""
    return np.where(np.isinf(df), 1.0, (df + 1) / (np.where(np.isinf(df), 1.0, df) + away**2))


def waves_of(columns: int) -> np.ndarray:
    """The frequencies of a Matern 3/2 kernel, (waves, columns): a t with three degrees of freedom, spread evenly."""
    even = qmc.Sobol(columns + 1, scramble=False).random(_WAVES) + 0.5 / _WAVES
    return norm.ppf(even[:, :-1]) / np.sqrt(chi2.ppf(even[:, -1:], 3) / 3) / _REACH
