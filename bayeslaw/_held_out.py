"""One fit of a back-test, what it says of the runs that it had not seen, and all of them as one table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._errors import InputError, Status
from bayeslaw._forecaster import Forecaster, Method
from bayeslaw._predict import column_variable
from bayeslaw._scores import PROBS, QUANTILES, decision_scores, quantiles_of, scored
from bayeslaw._splits import Split


class Job(NamedTuple):
    """One fit: of a method, without what a split holds out."""

    method: str
    split: str
    make: Method
    runs: pd.DataFrame  # to learn from
    held_out: pd.DataFrame  # none of them where the split is of all runs
    response: str
    given: Mapping[str, Any] | None
    scenarios: pd.DataFrame | None  # to project to
    seed: int


class Done(NamedTuple):
    """What came of it."""

    job: tuple[str, str]  # method and split
    predicted: Mapping[str, Any] | None
    optimum: tuple[str, np.ndarray] | str | None  # column and quantiles (scenarios, quantiles), or why there is none
    projected: np.ndarray | None  # (scenarios, quantiles)
    status: list[Status]


def work(job: Job) -> Done:
    """The forecasts of one fit. Raises `InputError`, naming method and split."""
    try:
        forecaster = job.make(job.runs, job.seed)
        predicted = _predicted(forecaster, job.held_out, job.response) if len(job.held_out) else None
        projected = None if job.scenarios is None else quantiles_of(forecaster.predict(job.scenarios))
    except InputError as error:
        raise InputError(f"{job.method!r}, {job.split!r}: {error}") from error
    serious = [one for one in forecaster.status if one.serious]
    return Done((job.method, job.split), predicted, _optimum(forecaster, job.given), projected, serious)


def _predicted(forecaster: Forecaster, held_out: pd.DataFrame, response: str) -> dict[str, Any]:
    scenarios, truth = held_out.drop(columns=response), held_out[response].to_numpy(dtype=float)
    draws = np.asarray(forecaster.predict(scenarios), dtype=float)
    if draws.ndim != 2 or draws.shape[1] != len(truth):
        raise InputError(f"predict should give draws of shape (draws, {len(truth)}); got {draws.shape}.")
    log_density = forecaster.log_density(scenarios, truth)
    positive = bool((truth > 0).all() and (draws > 0).all())
    return {
        "forecast": quantiles_of(draws),
        "pit": (draws < truth).mean(axis=0),
        "linear": scored(draws, truth, log_density, log=False),
        "log": scored(draws, truth, log_density, log=True) if positive else None,
    }


def _optimum(forecaster: Forecaster, given: Mapping[str, Any] | None) -> tuple[str, np.ndarray] | str | None:
    """Quantiles of the optimum, (scenarios, quantiles), and of which column; or why there is none."""
    if given is None:
        return None
    try:
        found = forecaster.allocate(**given)
    except InputError as error:
        return str(error)
    name, draws = next(iter(found.items()))
    if not np.nanmin(draws) > 0:
        return f"{name} is not positive in all draws, and widths and errors are in decades"
    return name, quantiles_of(np.asarray(draws, dtype=float))


def predictions_of(
    done: Mapping[tuple[str, str], Done],
    methods: Sequence[str],
    splits: Sequence[Split],
    runs: pd.DataFrame,
    response: str,
) -> xr.Dataset:
    """Forecasts and scores of every held-out run, dims (forecaster, split, run[, quantile])."""
    shape = (len(methods), len(splits), len(runs))
    log = all(one.predicted["log"] is not None for one in done.values() if one.predicted is not None)
    found = {name: np.full(shape, np.nan) for name in ("crps", "log_score", "pit")}
    forecast = np.full((*shape, len(QUANTILES)), np.nan)
    for m, method in enumerate(methods):
        for s, (split, held_out) in enumerate(splits):
            one: Any = done[method, split].predicted
            forecast[m, s, held_out] = one["forecast"]
            for name, values in {"pit": one["pit"], **one["log" if log else "linear"]}.items():
                found[name][m, s, held_out] = values
    truth, median = runs[response].to_numpy(dtype=float), forecast[..., QUANTILES.index(0.5)]
    found["miss"] = np.log(median / truth) if log else median - truth
    dims = ("forecaster", "split", "run")
    variables: dict[str, Any] = {name: (dims, values) for name, values in found.items()}
    variables |= {"forecast": ((*dims, "quantile"), forecast), "truth": ("run", truth)}
    variables |= {"held_out": (dims[1:], np.stack([held_out for _, held_out in splits]))}
    coords = _coords(methods, [name for name, _ in splits]) | {"run": np.arange(len(runs))}
    beside = [str(name) for name in runs.columns if str(name) not in {response, *variables, *coords}]
    coords |= {name: column_variable(name, runs[name].to_numpy(), dim="run") for name in beside}
    about = {"response": response, "scale": "log" if log else "linear", "covers": "new run"}
    return xr.Dataset(variables, coords, about)


def _coords(methods: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    return {"forecaster": list(methods), "split": list(splits), "quantile": list(QUANTILES)}


def decisions_of(
    done: Mapping[tuple[str, str], Done],
    methods: Sequence[str],
    splits: Sequence[Split],
    whole: str,
    given: Mapping[str, Any],
) -> tuple[xr.Dataset, list[Status]]:
    """The optimum that some of the runs imply against that of all of them, and why there is none."""
    count = len(next(iter(given.values())))
    optimum = np.full((len(methods), len(splits), count, len(QUANTILES)), np.nan)
    found, quantity, notes = np.full((len(methods), count), np.nan), [], []
    for m, method in enumerate(methods):
        each = {split: done[method, split].optimum for split in (whole, *(one.name for one in splits))}
        why = {split: one for split, one in each.items() if isinstance(one, str)}
        quantity.append(next((one[0] for one in each.values() if isinstance(one, tuple)), ""))
        reached = {split: one[1] for split, one in each.items() if isinstance(one, tuple)}
        if whole in reached:
            found[m] = reached[whole][:, QUANTILES.index(0.5)]
        for s, (split, _) in enumerate(splits):
            if split in reached:
                optimum[m, s] = reached[split]
        notes += [
            Status(f"{method} is not scored on a decision{'' if len(why) == len(each) else f' at {split}'}: {text}")
            for split, text in why.items()
        ]
    coords = _coords(methods, [one.name for one in splits])
    dims = ("forecaster", "split", "scenario", "quantile")
    scores = decision_scores(
        xr.DataArray(optimum, coords, dims),
        xr.DataArray(found, {"forecaster": coords["forecaster"]}, ("forecaster", "scenario")),
    )
    coords |= {"prob": list(PROBS), "quantity": ("forecaster", quantity)}
    coords |= {name: column_variable(name, np.asarray(values)) for name, values in given.items()}
    return scores.assign_coords(coords), list(dict.fromkeys(notes))


def projections_of(
    done: Mapping[tuple[str, str], Done],
    methods: Sequence[str],
    splits: Sequence[str],
    scenarios: pd.DataFrame,
    response: str,
) -> xr.Dataset:
    """Forecasts of runs that nobody made, dims (forecaster, split, scenario, quantile)."""
    forecast = np.array([[done[method, split].projected for split in splits] for method in methods])
    coords = _coords(methods, splits)
    coords |= {str(name): column_variable(str(name), scenarios[name].to_numpy()) for name in scenarios.columns}
    dims = ("forecaster", "split", "scenario", "quantile")
    return xr.Dataset({"forecast": (dims, forecast)}, coords, {"response": response, "covers": "new run"})
