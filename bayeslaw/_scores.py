"""How good forecasts were: proper scores by scoringrules, coverage and width of intervals, errors of medians."""

from typing import Any

import numpy as np
import scoringrules
import xarray as xr

PROBS = (0.5, 0.8, 0.9, 0.95)


def _tail(prob: float, sign: int) -> float:
    return round(0.5 + sign * prob / 2, 4)


QUANTILES = tuple(sorted({0.5, *(_tail(p, sign) for p in PROBS for sign in (-1, 1))}))
_FAR = 700.0  # ln of a draw that is no number any more; a single one of thousands does not move a score


def quantiles_of(draws: np.ndarray) -> np.ndarray:
    """(columns, quantiles) of draws (draws, columns), without those that are not defined."""
    with np.errstate(invalid="ignore"):
        return np.nanquantile(draws, QUANTILES, axis=0).T


def scored(draws: np.ndarray, truth: np.ndarray, log_density: np.ndarray | None, *, log: bool) -> dict[str, np.ndarray]:
    """CRPS and log score of each forecast, (runs,), of the logarithm of the response or of the response itself."""
    if log:
        draws, volume, truth = np.clip(np.log(draws), -_FAR, _FAR), np.log(truth), np.log(truth)
    else:
        volume = np.zeros_like(truth)
    if log_density is None:
        log_score = np.asarray(scoringrules.logs_ensemble(truth, draws.T, backend="numpy"))
    else:
        log_score = -(log_density + volume)  # the density of ln y is y times that of y
    return {"crps": np.asarray(scoringrules.crps_ensemble(truth, draws.T, backend="numpy")), "log_score": log_score}


def interval(forecast: xr.DataArray, log: bool) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Lower and upper end of the interval of each mass, by `prob`, and its width; of logarithms to base e."""

    def end(sign: int) -> xr.DataArray:
        places = xr.DataArray([_tail(p, sign) for p in PROBS], {"prob": list(PROBS)}, "prob")
        return forecast.sel(quantile=places).drop_vars("quantile")

    lower, upper = end(-1), end(1)
    width: Any = np.log(upper / lower) if log else upper - lower
    return lower, upper, width


def scores_of(predictions: xr.Dataset, ok: np.ndarray) -> xr.Dataset:
    """The scores of each method and split, from those of the runs that were held out; `ok` (methods, splits)."""
    log = predictions.attrs["scale"] == "log"
    truth, forecast = predictions["truth"], predictions["forecast"]
    there = forecast.sel(quantile=0.5, drop=True).notnull()
    lower, upper, width = interval(forecast, log)
    miss: Any = predictions["miss"]
    found = {
        "count": there.sum("run"),
        "rmse": np.sqrt((miss**2).mean("run")),
        "bias": miss.mean("run"),
        "crps": predictions["crps"].mean("run"),
        "log_score": predictions["log_score"].mean("run"),
        "coverage": ((lower <= truth) & (truth <= upper)).where(there).mean("run"),
        "width": width.mean("run"),
        "ok": (("forecaster", "split"), ok),
    }
    return xr.Dataset(found, attrs=predictions.attrs)


def decision_scores(optimum: xr.DataArray, found: xr.DataArray) -> xr.Dataset:
    """How well the optimum implied by some of the runs foresees that found with all."""
    lower, upper, width = interval(optimum, log=True)
    there = optimum.sel(quantile=0.5, drop=True).notnull() & found.notnull()
    return xr.Dataset(
        {
            "optimum": optimum,
            "found": found,
            "covered": ((lower <= found) & (found <= upper)).where(there),
            "width": width / np.log(10),
            "miss": np.log10(optimum.sel(quantile=0.5, drop=True) / found),
        }
    )
