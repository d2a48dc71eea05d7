"""Runs against what the other runs say of them: leave-one-out residuals, and tests of what they should look like."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayeslaw._compare import importance
from bayeslaw._groups import counted, group_labels
from bayeslaw._posterior import Posterior

_RANGE = 0.95  # mass of the range in which a value lies if the law is right
_MASSES = (0.5, 0.9)
_FEW = 6  # runs below which nothing is regressed
_STREAM = 0x917  # of random numbers: not the one that a user's own seed gives, with which runs may have been made
_ONE_SD = float(stats.norm.cdf(1) - stats.norm.cdf(-1))


def residuals_of(full: Posterior, prob: float, seed: int) -> pd.DataFrame:
    from arviz_stats.loo import loo_pit

    response, counts = full.response, counted(full)
    rng = np.random.default_rng([seed, _STREAM])
    loo, tree = importance(full)
    groups = ("observed_data", "posterior_predictive", "prior_predictive")
    seen, new, prior = (tree[group].to_dataset()[response] for group in groups)
    logs = not counts and bool((seen > 0).all() and (new > 0).all())
    scale = np.log if logs else _whole if counts else np.asarray
    on_scale = xr.DataTree.from_dict(
        {
            "posterior": tree["posterior"].to_dataset(),
            "log_likelihood": tree["log_likelihood"].to_dataset(),
            "observed_data": xr.Dataset({response: xr.apply_ufunc(scale, seen)}),
            "posterior_predictive": xr.Dataset({response: xr.apply_ufunc(scale, new)}),
        }
    )
    weights, ks = (xr.Dataset({response: one}) for one in (loo.log_weights, loo.pareto_k))
    pit = loo_pit(
        on_scale, var_names=response, log_weights=weights, pareto_k=ks, random_state=rng, pareto_pit=not counts
    )
    left_out = np.clip(pit[response].to_numpy(), 0.0, 1.0)
    ends = [(1 - prob) / 2, (1 - _ONE_SD) / 2, 0.5, (1 + _ONE_SD) / 2, (1 + prob) / 2]
    found, _ = on_scale["posterior_predictive"][response].azstats.loo_quantile(
        log_weights=loo.log_weights, pareto_k=loo.pareto_k, probs=ends, sample_dims=["chain", "draw"]
    )
    lower, low, middle, high, upper = found.transpose("quantile", "run").to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = _scores(left_out) if counts else (scale(seen.to_numpy()) - middle) / ((high - low) / 2)
    back = np.exp if logs else np.asarray
    columns = {"predicted": back(middle), "lower": back(lower), "upper": back(upper), "residual": residual}
    columns |= {"pit": _pit(scale, new, seen, rng), "loo_pit": left_out, "prior_pit": _pit(scale, prior, seen, rng)}
    return full.runs.assign(**columns, pareto_k=loo.pareto_k.to_numpy())


def _whole(shares: np.ndarray) -> np.ndarray:
    """Counts divided by trials, equal where they are but for rounding."""
    return np.round(shares, 9)


def _pit(scale: Any, predicted: xr.DataArray, seen: xr.DataArray, rng: np.random.Generator) -> np.ndarray:
    """The share of draws below each run, and of those equal to it a random part."""
    draws, at = scale(predicted.to_numpy().reshape(-1, seen.size)), scale(seen.to_numpy())
    return (draws < at).mean(axis=0) + rng.uniform(size=at.size) * (draws == at).mean(axis=0)


def _scores(pit: np.ndarray) -> np.ndarray:
    """Normal scores."""
    return stats.norm.ppf(np.clip(pit, 1e-6, 1 - 1e-6))


def labels_of(full: Posterior, by: Any) -> dict[str, np.ndarray]:
    """Names of groups by what they are groups of."""
    if by is not None:
        return {by if isinstance(by, str) else "labels": group_labels(full.runs, by)}
    found = {name: full.runs[name].to_numpy() for name in full.prior.categories() if name in full.runs}
    return {name: labels for name, labels in found.items() if len(set(labels)) > 1}


def tests_of(
    full: Posterior, residuals: pd.DataFrame, labels: Mapping[str, np.ndarray]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    pit = residuals["loo_pit"].to_numpy()
    scores, count = _scores(pit), len(pit)
    rows: dict[str, tuple[float, float, float, float]] = {}
    tails = np.array([(1 - _RANGE) / 2, (1 + _RANGE) / 2])
    for mass in _MASSES:
        inside = int((np.abs(pit - 0.5) <= mass / 2).sum())
        low, high = stats.binom.ppf(tails, count, mass) / count
        rows[f"inside {mass:.0%}"] = (
            inside / count,
            float(low),
            float(high),
            float(stats.binomtest(inside, count, mass).pvalue),
        )
    distance = float(stats.kstest(pit, "uniform").statistic)
    p = float(xr.DataArray(pit, dims="run").azstats.uniformity_test(dim="run", method="pot_c")[0])
    rows["LOO-PIT"] = (distance, 0.0, float(stats.kstwo.ppf(_RANGE, count)), p)
    sizes = _scales(full, residuals)
    for name, u in sizes.items():
        rows[f"trend {name}"] = _slope(scores, [u])
        if len(np.unique(u)) > 2:
            rows[f"bend {name}"] = _slope(scores, [u, u**2])
        rows[f"scatter {name}"] = _slope(np.abs(scores), [u])
    hidden = full.prior.hyperparameters()
    for one, other in itertools.combinations([name for name in sizes if name not in hidden], 2):
        u, v = sizes[one], sizes[other]
        rows[f"{one} by {other}"] = _slope(scores, [u, v, u * v])
    parts = []
    for name, groups in labels.items():
        kept = pd.DataFrame({"score": scores, "p50": np.abs(pit - 0.5) <= 0.25, "p90": np.abs(pit - 0.5) <= 0.45})
        frame: Any = kept.groupby(pd.Series(groups, name="group"), sort=False).agg(
            runs=("score", "size"), mean=("score", "mean"), inside_50=("p50", "mean"), inside_90=("p90", "mean")
        )
        half = stats.norm.ppf(tails[1]) / np.sqrt(frame["runs"])
        frame.insert(2, "lower", -half)
        frame.insert(3, "upper", half)
        total = float((frame["runs"] * frame["mean"] ** 2).sum())
        ends = stats.chi2.ppf(tails, len(frame))
        rows[f"groups of {name}"] = (total, *ends, float(stats.chi2.sf(total, len(frame))))
        parts.append(pd.concat({name: frame}, names=["by", "group"]))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "lower", "upper", "p"]).rename_axis("test")
    table["p_adjusted"] = _holm(table["p"].to_numpy())
    return table, pd.concat(parts) if parts else pd.DataFrame(columns=["runs", "mean", "lower", "upper"])


def _scales(full: Posterior, residuals: pd.DataFrame) -> dict[str, np.ndarray]:
    """ln of each column of the law that is a positive number and varies, centred."""
    labels, found = full.prior.categories(), {}
    for name in full.prior.columns():
        if name in labels or name not in residuals or len(residuals) < _FEW:
            continue
        values = residuals[name].to_numpy(dtype=float)
        if values.min() > 0 and np.ptp(np.log(values)) > 1e-6:
            found[name] = np.log(values) - np.log(values).mean()
    return found


def _slope(y: np.ndarray, columns: list[np.ndarray]) -> tuple[float, float, float, float]:
    """The last coefficient of a linear regression, the range for it if it is zero, and its p value."""
    x = np.column_stack([np.ones(len(y)), *columns])
    coefficients, _, rank, _ = np.linalg.lstsq(x, y, rcond=1e-10)
    free = len(y) - x.shape[1]
    if rank < x.shape[1] or free < 2:
        return np.nan, np.nan, np.nan, np.nan
    variance = ((y - x @ coefficients) ** 2).sum() / free
    error = float(np.sqrt(variance * np.linalg.inv(x.T @ x)[-1, -1]))
    half = float(stats.t.ppf((1 + _RANGE) / 2, free)) * error
    return float(coefficients[-1]), -half, half, float(2 * stats.t.sf(abs(coefficients[-1]) / error, free))


def _holm(p: np.ndarray) -> np.ndarray:
    """p values adjusted for their number, NaN where there is none."""
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted
