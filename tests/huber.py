"""The point estimator that the papers use, to hold the library against: minimal Huber loss on the log loss.

A parameter vector `theta` is (ln A, ln B, ln E, alpha, beta), as in Hoffmann et al. 2022, Eq. 3; `logs`
are the rows ln params, ln tokens and ln loss of a table of runs. Nothing here uses the library's inference.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize, minimize_scalar
from scipy.special import erf

from bayeslaw.models import Chinchilla

DELTA = 1e-3


def logs(runs: pd.DataFrame) -> np.ndarray:
    return np.log(runs[["params", "tokens", "loss"]].to_numpy(dtype=float).T)


def theta_of(law: Chinchilla) -> np.ndarray:
    raw = law.derived()
    return np.array([np.log(raw["A"]), np.log(raw["B"]), np.log(law.E), law.alpha, law.beta], dtype=float)


def law_of(theta: np.ndarray) -> Chinchilla:
    A, B, E = np.exp(theta[:3])
    return Chinchilla.raw(E=E, A=A, alpha=theta[3], B=B, beta=theta[4])


def residuals(theta: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predicted minus measured log loss, and the share of each of the three terms, which is its derivative."""
    n, d, y = logs
    terms = np.exp(np.stack([theta[0] - theta[3] * n, theta[1] - theta[4] * d, np.full_like(n, theta[2])]))
    total = terms.sum(axis=0)
    return np.log(total) - y, terms / total


def huber(x: np.ndarray, delta: float = DELTA) -> np.ndarray:
    size = np.abs(x)
    return np.where(size <= delta, 0.5 * x**2, delta * (size - 0.5 * delta))


def objective(theta: np.ndarray, logs: np.ndarray, delta: float = DELTA) -> tuple[float, np.ndarray]:
    """The sum over runs of Huber_delta, and its gradient."""
    r, share = residuals(theta, logs)
    a, b, e = share * np.clip(r, -delta, delta)
    return float(huber(r, delta).sum()), np.array([a.sum(), b.sum(), e.sum(), -a @ logs[0], -b @ logs[1]])


def minimise(logs: np.ndarray, start: np.ndarray, delta: float = DELTA) -> np.ndarray:
    """The minimum near `start`, by BFGS."""

    def scaled(theta: np.ndarray) -> tuple[float, np.ndarray]:
        # In units of delta: the objective itself is about 1e-3, below BFGS's default tolerances.
        value, gradient = objective(theta, logs, delta)
        return value / delta, gradient / delta

    return minimize(scaled, start, jac=True, method="BFGS", options={"gtol": 1e-7}).x


def log_likelihood(theta: np.ndarray, logs: np.ndarray) -> tuple[float, float]:
    """Under the density proportional to exp(-Huber_delta(r / scale)), at its best scale; and that scale.

    As delta is 1e-3 and |r| / scale is about 1e3, it is a Laplace density of scale `scale / delta` in all but name.
    """
    r, _ = residuals(theta, logs)
    norm = np.log(np.sqrt(2 * np.pi) * erf(DELTA / np.sqrt(2)) + 2 * np.exp(-(DELTA**2) / 2) / DELTA)

    def negative(log_scale: float) -> float:
        return float(np.sum(huber(r / np.exp(log_scale)) + norm + log_scale))

    guess = np.log(DELTA * np.abs(r).mean())  # the Laplace answer
    best = minimize_scalar(negative, bracket=(guess - 0.1, guess + 0.1))
    return -float(best.fun), float(np.exp(best.x))


def maximise_likelihood(logs: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The maximum of `log_likelihood`: least absolute residuals, approached from ever narrower Huber losses."""
    theta = start
    for delta in np.geomspace(DELTA, 1e-7, 14):
        theta = minimise(logs, theta, delta)
    return theta


def bootstrap(logs: np.ndarray, theta: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """`size` minima, each of the runs redrawn with replacement and started at `theta`; shape (size, 5)."""
    rng = np.random.default_rng(seed)
    count = logs.shape[1]
    return np.stack([minimise(logs[:, rng.integers(count, size=count)], theta) for _ in range(size)])
