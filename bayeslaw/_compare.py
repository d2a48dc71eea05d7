"""`compare`: which law predicts runs that it was not given best."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from bayeslaw._errors import InputError, Status
from bayeslaw._groups import columns_of, group_labels, same_runs
from bayeslaw._many import fit_many
from bayeslaw._posterior import Posterior, flat, log_likelihood
from bayeslaw._sampler import Progress
from bayeslaw._stack import named
from bayeslaw._tree import float64

Weights = Literal["stacking", "pseudo-bma+"]
_ARVIZ = {"stacking": "stacking", "pseudo-bma+": "BB-pseudo-BMA"}
_CLOSE, _ALIKE = 2.0, 4.0  # standard errors, and units of elpd, within which two laws predict alike


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Laws compared by how well they predict what they were not given, made by `compare`.

    - `table`: a row per law, the best first. `elpd`: the sum over runs of the log predictive density of each, left out
      (higher is better; comparable between laws of the same runs only), and its standard error `se`; `difference` from
      the best law and `difference_se`; `p_loo`, the effective number of parameters; `weight`, by `method`; `high_k`,
      the runs for which importance sampling could not stand in for a fit without them; `refits`, fits made.
    - `pointwise`: a row per run: its columns, `group` where groups were left out, and for each law its `elpd` and (for
      single runs) `pareto_k`, as columns (`elpd`, law) and (`pareto_k`, law).
    - `status`: what to know before using it.
    """

    table: pd.DataFrame
    pointwise: pd.DataFrame
    method: str
    left_out: str
    status: tuple[Status, ...]

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def _title(self) -> str:
        laws = f"{len(self.table)} law{'s' if len(self.table) > 1 else ''}"
        return f"{laws} compared on {len(self.pointwise)} runs, {self.left_out} left out"

    def __repr__(self) -> str:
        return "\n".join([self._title(), shown(self.table).to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(self._title(), shown(self.table), self.status)


class _Left(NamedTuple):
    """What one law says of each run, left out."""

    elpd: np.ndarray  # log predictive density, (runs,)
    p: np.ndarray  # log density of the full posterior less that
    pareto_k: np.ndarray  # NaN where groups are left out
    high_k: int
    refits: int
    status: list[Status]


@float64
def compare(
    posteriors: Mapping[str, Posterior],
    *,
    by: Any = None,
    method: Weights = "stacking",
    refit: bool = True,
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = None,
) -> Comparison:
    """Which law predicts best: `compare({"chinchilla": p1, "overtraining": p2})`.

    Each run's log predictive density is taken from a posterior that has not seen it. Without `by` single runs are
    left out, by Pareto-smoothed importance sampling (PSIS-LOO, ArviZ), and by a fit without the run where its Pareto k
    is too high for that (above 0.7; somewhat less below 2200 draws). All laws must have been fitted to the same
    runs, in the same order; columns may differ.

    - `by`: leave whole groups out instead, each by a fit without it: a column of the runs (`"params"`), a function of
      the table of runs that returns labels (`lambda runs: np.log10(runs.params).round(1)`), or a label for each run.
      What is asked then is how well a law predicts a model size or corpus it has not seen. Standard errors are those
      of a sum over groups, and pseudo-BMA+ weighs by groups; stacking weighs by runs.
    - `method`: of the weights: `"stacking"` or `"pseudo-bma+"`, see `stack`.
    - `refit`: False leaves out the fits where Pareto k is too high; their number stays in the table.
    - `seed`, `folder`, `workers`, `progress`: for the fits, which have the settings of the posterior and run in
      parallel, as in `fit_many`. A law with an offset for each run (`Discrepant`) needs nearly as many as there are
      runs.

    Returns a `Comparison`. Raises `InputError` when the posteriors are of different runs or responses, when counts are
    compared with densities, for a chained posterior, and for groups that cannot be formed.
    """
    members = named(posteriors, "compare")
    if method not in get_args(Weights):
        raise InputError(f"method must be one of {', '.join(get_args(Weights))}, got {method!r}.")
    runs = same_runs(members)
    groups = None if by is None else group_labels(runs, by)
    options = {"seed": seed + 1, "folder": folder, "workers": workers, "progress": progress}
    found: dict[str, _Left] = {}
    for name, member in members.items():
        left = _singly(member, refit, options) if groups is None else _in_groups(member, groups, options)
        serious = [one for one in member.status if one.serious]
        found[name] = left._replace(status=[Status(f"{name}: {s.text}", s.serious) for s in serious + left.status])
    elpd = pd.DataFrame({name: left.elpd for name, left in found.items()})
    units: Any = elpd if groups is None else elpd.groupby(groups, sort=False).sum()
    table = _table(found, units, _weights(elpd if method == "stacking" else units, method))
    pointwise = pd.concat({"run": runs, "elpd": elpd}, axis=1)
    if groups is None:
        ks = pd.DataFrame({name: left.pareto_k for name, left in found.items()})
        pointwise = pd.concat([pointwise, pd.concat({"pareto_k": ks}, axis=1)], axis=1)
    else:
        pointwise["run", "group"] = groups
    status = [one for left in found.values() for one in left.status] + _remarks(table, units)
    what = "one run at a time" if groups is None else f"one of {len(units)} groups at a time"
    return Comparison(table, pointwise, method, what, tuple(dict.fromkeys(status)))


def _log_likelihood(posterior: Posterior, of: Posterior) -> np.ndarray:
    """Log density of the runs of one posterior under the draws of another, (draws, runs)."""
    observed = of.tree["observed_data"][of.response].to_numpy()
    return np.asarray(log_likelihood(of.joint, flat(posterior), columns_of(of), observed))


def importance(posterior: Posterior) -> tuple[Any, xr.DataTree]:
    """ArviZ's PSIS-LOO of a posterior, with pointwise values and weights, and the tree it is of."""
    _need_sampled(posterior)
    from arviz_stats.loo import loo

    there = "log_likelihood" in posterior.tree.children
    tree = posterior.tree if there else posterior.with_groups("log_likelihood").tree
    settings, (chains, draws) = posterior.tree.attrs, posterior.shape
    worth = settings["ess"] / (chains * draws) if settings.get("method") == "importance" else None
    with warnings.catch_warnings():  # what is said of Pareto k is a status here
        warnings.simplefilter("ignore")
        return loo(tree, pointwise=True, var_name=posterior.response, reff=worth), tree


def _singly(posterior: Posterior, refit: bool, options: Mapping[str, Any]) -> _Left:
    loo, tree = importance(posterior)
    elpd, ks = loo.elpd_i.to_numpy().copy(), loo.pareto_k.to_numpy()
    full = tree["log_likelihood"][posterior.response].to_numpy().reshape(-1, len(elpd))
    bad, status = np.flatnonzero(~(ks <= loo.good_k)), []
    if bad.size and refit:
        fits, status = _without(posterior, [[i] for i in bad], options)
        for i, fit in zip(bad, fits, strict=True):
            elpd[i] = _mean_density(_log_likelihood(fit, posterior))[i]
        some = ", ".join(map(str, bad[:5])) + (", ..." if bad.size > 5 else "")
        text = f"Pareto k is above {loo.good_k:.2g} for {bad.size} of {len(elpd)} runs ({some}): the law was fitted "
        status.insert(0, Status(f"{text}without each of them."))
    elif bad.size:
        text = f"Pareto k is above {loo.good_k:.2g} for {bad.size} of {len(elpd)} runs: elpd is not reliable; "
        status.append(Status(f"{text}use refit=True.", serious=True))
    p = _mean_density(full) - elpd
    return _Left(elpd, p, ks, bad.size, bad.size if refit else 0, status)


def _in_groups(posterior: Posterior, groups: np.ndarray, options: Mapping[str, Any]) -> _Left:
    places = [np.flatnonzero(groups == label) for label in dict.fromkeys(groups)]
    fits, status = _without(posterior, places, options)
    elpd = np.empty(len(groups))
    for rows, fit in zip(places, fits, strict=True):
        elpd[rows] = _mean_density(_log_likelihood(fit, posterior))[rows]
    full = _mean_density(_log_likelihood(posterior, posterior))
    return _Left(elpd, full - elpd, np.full(len(elpd), np.nan), 0, len(fits), status)


def _need_sampled(posterior: Posterior) -> None:
    if posterior.tree.attrs.get("method") == "bootstrap":
        raise InputError("these are bootstrap estimates, which have no density to compare or check: use backtest.")


def _mean_density(values: np.ndarray) -> np.ndarray:
    """The log of the mean over draws of a density, (runs,)."""
    return logsumexp(values, axis=0) - np.log(len(values))


def _without(
    posterior: Posterior, places: list[Any], options: Mapping[str, Any]
) -> tuple[list[Posterior], list[Status]]:
    """Fits with the settings of a posterior to its runs without those at each of the places."""
    _need_sampled(posterior)
    chains, draws = posterior.shape
    settings, runs = posterior.tree.attrs, posterior.runs
    same: dict[str, Any] = {"method": str(settings["method"]), "warmup": int(settings["warmup"])}
    same |= {"chains": chains, "draws": draws}
    if float(settings["target_accept"]) > 0.9:  # asked for, or found to be needed
        same["target_accept"] = float(settings["target_accept"])
    tables = [runs.drop(index=runs.index[rows]) for rows in places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = fit_many(posterior.joint, tables, **same, **options)
    bad = sum(not fit.ok for fit in fits)
    text = f"{bad} of {len(fits)} fits without some of the runs are not results yet: fit with more draws."
    return fits, [Status(text)] if bad else []


def _weights(elpd: pd.DataFrame, method: Weights) -> dict[str, float]:
    """Weights by ArviZ, from values per run or group."""
    from arviz_stats.loo import compare as by_arviz
    from arviz_stats.utils import ELPDDataLOO

    if len(elpd.columns) == 1:
        return {elpd.columns[0]: 1.0}
    values = elpd.sub(elpd.max(axis=1), axis=0)  # weights do not change, and densities do not overflow
    about: dict[str, Any] = {"se": 0.0, "p": 0.0, "n_samples": 1, "scale": "log", "warning": False, "good_k": 0.7}
    each = {
        name: ELPDDataLOO(elpd=one.sum(), n_data_points=len(one), elpd_i=xr.DataArray(one, dims="run"), **about)
        for name, one in ((name, values[name].to_numpy()) for name in values)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = by_arviz(each, method=_ARVIZ[method], round_to="none")["weight"].astype(float).clip(lower=0)
    return (found / found.sum()).to_dict()


def _table(found: Mapping[str, _Left], units: Any, weights: Mapping[str, float]) -> pd.DataFrame:
    best = units.sum().idxmax()
    rows = {}
    for name, left in found.items():
        apart = units[name] - units[best]
        rows[name] = {
            "elpd": units[name].sum(), "se": _se(units[name]), "difference": apart.sum(), "difference_se": _se(apart),
            "p_loo": left.p.sum(), "weight": weights[name], "high_k": left.high_k, "refits": left.refits,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("law").sort_values("elpd", ascending=False)


def _se(values: pd.Series) -> float:
    """The standard error of a sum."""
    return float(np.sqrt(len(values) * values.var(ddof=1)))


def _remarks(table: pd.DataFrame, units: pd.DataFrame) -> list[Status]:
    behind = -table["difference"].iloc[1:]
    within = (behind < _CLOSE * table["difference_se"].iloc[1:]) | (behind < _ALIKE)
    close = [str(name) for name, alike in within.items() if alike]
    if not close:
        return []
    few = " With so few left out it is itself rough." if len(units) < 20 else ""
    return [
        Status(
            f"{', '.join(close)} cannot be told from {table.index[0]}, the best, by these runs: the difference in elpd "
            f"is below {_ALIKE:g} or within {_CLOSE:g} standard errors.{few} Where they differ at your question, "
            "stack() them."
        )
    ]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text."""
    formats = {"weight": "{:.3f}", "high_k": "{:.0f}", "refits": "{:.0f}"}
    text = {name: [formats.get(str(name), "{:.1f}").format(v) for v in one] for name, one in table.items()}
    return pd.DataFrame(text, index=table.index)
