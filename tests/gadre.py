"""The point fits of Gadre et al. 2024, by least squares; they share no inference code with the library."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

CORPORA = ("c4", "redpajama", "refinedweb")


def runs_of(table: pd.DataFrame, corpus: str) -> pd.DataFrame:
    return table[table.corpus == corpus].assign(ratio=lambda t: t.tokens / t.params)


def five(runs: pd.DataFrame) -> pd.DataFrame:
    """What the authors fit the loss to: four sizes at 20 tokens per parameter, the smallest at 320."""
    small = (runs.ratio == 20) & (runs.params < 1e9)
    return runs[small | ((runs.ratio == 320) & (runs.params < 2e7))]


def six(runs: pd.DataFrame) -> pd.DataFrame:
    """What they fit the error to: these five and 1.4 B at 20."""
    return pd.concat([five(runs), runs[(runs.ratio == 20) & (runs.params.between(1e9, 2e9))]])


def at(runs: pd.DataFrame, params: float, ratio: float) -> pd.Series:
    """The run of about that size and that many tokens per parameter."""
    found = runs[((runs.params / params - 1).abs() < 0.1) & (runs.ratio == ratio)]
    assert len(found) == 1
    return found.iloc[0]


def fit_loss(runs: pd.DataFrame) -> dict[str, float]:
    """E, a, b, eta of Eq. 4: the least squared error of the loss itself."""
    M, C, loss = (runs[name].to_numpy(float) for name in ("ratio", "params", "loss"))
    C = 6 * C**2 * M

    def residuals(x: np.ndarray) -> np.ndarray:
        return x[0] + (np.exp(x[1]) * M ** x[3] + np.exp(x[2]) * M ** -x[3]) * C ** -x[3] - loss

    E, a, b, eta = _best(residuals, [[1.7, 4.5, 5.0, eta] for eta in (0.08, 0.12, 0.16)])
    return {"E": E, "a": np.exp(a), "b": np.exp(b), "eta": eta}


def fit_logs(runs: pd.DataFrame, *, tied: bool) -> tuple[dict[str, float], float]:
    """E + A / N^alpha + B / D^beta, the least squared error of ln loss, with beta = alpha if `tied`; and its RMS."""
    N, D, y = (np.log(runs[name].to_numpy(float)) for name in ("params", "tokens", "loss"))

    def residuals(x: np.ndarray) -> np.ndarray:
        E, a, b, alpha = x[:4]
        beta = alpha if tied else x[4]
        terms = [E * np.ones_like(N), a - alpha * (N - np.log(1e9)), b - beta * (D - np.log(2e10))]
        return np.logaddexp(np.logaddexp(terms[0], terms[1]), terms[2]) - y

    starts = [[0.5, -0.5, -0.5, alpha, *([] if tied else [alpha])] for alpha in (0.2, 0.3, 0.4)]
    best = _best(residuals, starts)
    E, a, b, alpha = best[:4]
    beta = alpha if tied else best[4]
    found = {"E": np.exp(E), "A": np.exp(a) * 1e9**alpha, "alpha": alpha, "B": np.exp(b) * 2e10**beta, "beta": beta}
    return found, float(np.sqrt(np.mean(residuals(best) ** 2)))


def fit_error(loss: np.ndarray, error: np.ndarray) -> dict[str, float]:
    """eps, k, gamma of Eq. 5: the least squared error of the error."""
    loss, error = np.asarray(loss, float), np.asarray(error, float)

    def residuals(x: np.ndarray) -> np.ndarray:
        return x[0] - np.exp(x[1] - x[2] * loss) - error

    eps, k, gamma = _best(residuals, [[0.8, gamma * 3 - 1.6, gamma] for gamma in (0.4, 0.8, 1.6)])
    return {"eps": eps, "k": np.exp(k), "gamma": gamma}


def _best(residuals: Callable[[np.ndarray], np.ndarray], starts: list[list[float]]) -> np.ndarray:
    """The lowest of the minima found from several starts."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = [least_squares(residuals, start, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=5000)
                 for start in starts]  # fmt: skip
    return min(found, key=lambda one: one.cost).x
