"""Forecasters that the library is held against, for `backtest`, beside `bl.huber` and laws of compute alone.

    bl.backtest({"chinchilla": Chinchilla, "simple-scaling-laws": simple_scaling_laws}, runs, split=...)

`simple_scaling_laws` is the wild cluster bootstrap of the package of that name (PyPI, 0.2.0 when this was written),
which must be installed: `pip install simple-scaling-laws`.
"""

from typing import Any

import numpy as np
import pandas as pd

import bayeslaw as bl

_TARGET, _SIZE, _DATA = "test_loss__loss", "model_size__params", "dataset_size__tokens"
_GRID, _BEYOND = 1501, 3.0  # sizes tried for the optimum, from so many decades below the runs to as many above


def simple_scaling_laws(runs: pd.DataFrame, seed: int = 0) -> "SimpleScalingLaws":
    """Its defaults: E + A N^-alpha + B D^-beta by least squares, 1000 draws of the wild cluster bootstrap; each row a
    run of its own with one evaluation."""
    from simple_scaling_laws import fit

    return SimpleScalingLaws(fit(_table(runs).with_columns(_losses(runs)), n_draws=1000, seed=seed), seed)


class SimpleScalingLaws(bl.Forecaster):
    """A fitted model of that package.

    A new run is its own kind "new-run": draws of the mean function plus scatter between runs, resampled from deviations
    among replicates where there are ten of them, else normal with the sd of the residuals. The optimum is that of each
    draw of the mean function under 6 N D, found on a grid.
    """

    def __init__(self, model: Any, seed: int):
        self.model, self.seed = model, seed
        self.status = tuple(bl.Status(one.message, serious=one.severity == "error") for one in model.warnings)

    def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
        return self._draws(scenarios, "new-run")

    def allocate(self, **given: Any) -> dict[str, np.ndarray]:
        if set(given) != {"flops"}:
            raise bl.InputError(f"it allocates FLOPs, and is given {', '.join(given)}")
        seen = self.model.observed_domain[_SIZE]
        params = np.geomspace(seen["min"] / 10**_BEYOND, seen["max"] * 10**_BEYOND, _GRID)
        best = []
        for flops in given["flops"]:
            mean = self._draws(pd.DataFrame({"params": params, "tokens": flops / (6 * params)}), "mean")
            best.append(params[mean.argmin(axis=1)])
        return {"params": np.stack(best, axis=1)}

    def _draws(self, scenarios: pd.DataFrame, kind: str) -> np.ndarray:
        points = self.model.prepare_points(_table(scenarios))
        rng = np.random.default_rng(self.seed)
        return self.model.target_draws(_TARGET, self.model.fitting_predictors(points), kind=kind, rng=rng)


def _table(runs: pd.DataFrame) -> Any:
    import polars as pl

    names = {"params": _SIZE, "tokens": _DATA}
    return pl.DataFrame({theirs: runs[ours].to_numpy(dtype=float) for ours, theirs in names.items()})


def _losses(runs: pd.DataFrame) -> list[Any]:
    import polars as pl

    return [pl.Series(_TARGET, runs["loss"].to_numpy(dtype=float)), pl.Series("training_run_id", range(len(runs)))]
