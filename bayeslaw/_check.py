"""`check`: does the law describe the runs, and how much of the answer is the prior's?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._allocate import allocate
from bayeslaw._columns import format_number
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._predict import NEW_RUN, need_posterior, serious
from bayeslaw._residuals import labels_of, residuals_of, tests_of
from bayeslaw._sensitivity import PARAMETER, sensitivity_of, sensitivity_status
from bayeslaw._tree import float64

_ALARM = 0.05  # of all tests of a check together, by Holm's rule
_SURPRISE = 0.01  # a run this far in either tail of the prior predictive was not expected
_HALF = 0.5  # share of such runs that deserves a sentence
_HIGH_K = 0.7


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """How well a posterior describes its runs, made by `check`.

    - `residuals`: a row per run: its columns and response; of the prediction by the other runs (leave-one-out) the
      `predicted` median and the ends `lower`, `upper` of the interval; `residual`, the distance to that median in half
      widths of the central 68 % interval (of ln response where it is positive; of counts, the normal score of LOO-PIT);
      `pit`, `loo_pit` and `prior_pit`, where the run lies in the posterior predictive, in that without the run and in
      the prior predictive, 0 to 1, randomised for counts; `pareto_k`, above 0.7 where LOO is approximate at best.
    - `table`: a row per test, see `summary`. `groups`: a row per group, if there are any: `runs`, `mean` residual (as
      normal score) and the ends of the range in which it lies if the law is right, shares inside 50 and 90 %.
    - `sensitivity`: a row per (about, quantity, component): what becomes of a parameter, or of a decision's quantity at
      a scenario, when the prior or the likelihood is raised to a power. `psense` (ArviZ; above 0.05 it follows that
      component), median and interval as fitted, the median with the component weaker (power 0.8) and stronger (1.25),
      how much wider the interval is then, the `pareto_k` of that, and a `diagnosis`.
    - `posterior`: with the groups log_likelihood, posterior_predictive, prior, prior_predictive: for plots by ArviZ.
    - `status`: what is wrong, with advice.
    """

    residuals: pd.DataFrame
    table: pd.DataFrame
    groups: pd.DataFrame
    sensitivity: pd.DataFrame
    posterior: Posterior
    status: tuple[Status, ...]

    def summary(self) -> pd.DataFrame:
        """A row per test: its `value`, the ends `lower`, `upper` of the range in which it lies with 95 % if the law is
        right, its `p` value and that adjusted for the number of tests (`p_adjusted`, Holm).

        - `inside 50 %`, `inside 90 %`: share of runs inside the predictive interval that has not seen them.
        - `LOO-PIT`: largest distance of its distribution from uniform; the test is ArviZ's, which allows for the
          dependence of LOO-PITs (POT-C: Tesso and Vehtari 2026).
        - `trend x`, `bend x`: slope and curvature of residuals (normal scores of LOO-PIT) over ln x; `x by y`: over the
          product of both. A law that misses something about x leaves it there. `scatter x`: slope of their size.
        - `groups of x`: sum over groups of the squared standardised mean residual, where there are groups.
        """
        return self.table.copy()

    def worst(self, count: int = 5) -> pd.DataFrame:
        """The runs with the largest residuals."""
        order = np.argsort(-self.residuals["residual"].abs().to_numpy(), kind="stable")
        return self.residuals.iloc[order[:count]]

    def _title(self) -> str:
        prior = type(self.posterior.prior).__name__
        return f"Check of {prior} on {len(self.residuals)} runs (ranges: 95 % if the law is right)"

    def _parts(self) -> list[pd.DataFrame]:
        table = self.table.map(lambda value: "" if np.isnan(value) else f"{value:.3g}")
        response = self.posterior.response
        worst = self.worst(3)
        runs = worst.drop(columns=["pit", "prior_pit", "pareto_k"]).astype(object)
        for name in runs.columns:
            like = response if name in ("predicted", "lower", "upper") else str(name)
            runs[name] = [v if isinstance(v, str) else format_number(v, like) for v in worst[name]]
        moved = self.sensitivity[self.sensitivity["diagnosis"] != ""]
        return [table, runs, *([_sensitivity_shown(moved)] if len(moved) else [])]

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(one.to_string() for one in self._parts()), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        table, *rest = self._parts()
        return page(self._title(), table, self.status) + "".join(one.to_html(border=0) for one in rest)


def _sensitivity_shown(frame: Any) -> pd.DataFrame:
    shown = frame.astype(object)
    quantities = frame.index.get_level_values("quantity")
    for name in frame.columns.drop("diagnosis"):
        of_quantity = name in ("lower", "median", "upper", "median_weaker", "median_stronger")
        like = quantities if of_quantity else [""] * len(frame)
        shown[name] = [format_number(v, q) if q else f"{v:.3g}" for v, q in zip(frame[name], like, strict=True)]
    return shown


@float64
def check(
    posterior: Posterior,
    decision: Decision | str | None = None,
    *,
    by: Any = None,
    prob: float = 0.9,
    seed: int = 0,
    **given: Any,
) -> Check:
    """Does the law describe its runs, and is the answer the prior's? `check(posterior, flops=1e23)`.

    Runs are held against what the other runs say of them (PSIS-LOO, by ArviZ), over every scale column and in groups;
    against the prior predictive; and parameters, and the decision for what is `given`, against a weaker and stronger
    prior and likelihood (power-scaling, on the unconstrained scale, where a power of a LogNormal keeps its median;
    sizes of offsets count as prior, the offsets themselves as part of the law).

    - `decision`, `given`: as for `allocate`; without them only parameters are power-scaled.
    - `by`: groups, as in `compare`: a column of the runs, a function of their table, or a label for each. The columns
      of names that the law reads when left out.
    - `prob`: mass of the intervals. `seed`: for predictive draws.

    Returns a `Check`; `plots.plot_check` draws it. Raises `InputError` for a chained posterior, and for what `allocate`
    refuses. A law that passes describes these runs; whether it holds far beyond them no check of them can say.
    """
    need_posterior(posterior)
    check_prob(prob)
    if "first" in posterior.tree.children:
        raise InputError("this posterior is chained from two: check each of its steps.")
    full = posterior.with_groups(seed=seed)
    residuals = residuals_of(full, prob, seed)
    table, groups = tests_of(full, residuals, labels_of(full, by))
    parts = {PARAMETER: _parameters(full)}
    if decision is not None or given:
        parts |= _answers(allocate(posterior, decision, seed=seed, **given).draws)
    sensitivity = sensitivity_of(full, parts, prob)
    status = serious(posterior) + _status(residuals, table, groups) + sensitivity_status(sensitivity, _sizes(posterior))
    return Check(residuals, table, groups, sensitivity, full, tuple(status))


def _parameters(full: Posterior) -> xr.Dataset:
    """The parameters, without offsets of groups."""
    return full.tree["posterior"].to_dataset().drop_vars([n for n in full.prior.deviations() if n in full.draws])


def _sizes(posterior: Posterior) -> set[str]:
    """Parameters of the noise and sizes of offsets, of which runs never say much."""
    return {name for name in posterior.draws if name.startswith("noise.")} | set(posterior.prior.deviations().values())


def _answers(draws: xr.Dataset) -> dict[str, xr.Dataset]:
    """The quantities of a decision, without the noise of a run, at each scenario by its description."""
    kept = [n for n, one in draws.data_vars.items() if one.dtype != bool and "names" not in one.attrs]
    kept = [name for name in kept if not str(name).endswith(NEW_RUN)]
    labels = [str(name) for name, coord in draws.coords.items() if coord.dims == ("scenario",)]
    found = {}
    for i in range(draws.sizes["scenario"]):
        here = draws.isel(scenario=i)
        asked = ((label, here[label].item()) for label in labels)
        about = ", ".join(f"{n} = {v if isinstance(v, str) else format_number(v, n)}" for n, v in asked)
        found[about or "the decision"] = here[kept].drop_vars(labels)
    return found


def _status(residuals: pd.DataFrame, table: pd.DataFrame, groups: pd.DataFrame) -> list[Status]:
    found: list[str] = []
    p = {str(name): float(value) for name, value in zip(table.index, table["p_adjusted"], strict=True)}
    wrong = [name for name, value in p.items() if value < _ALARM]

    def said(*kinds: str) -> str:
        """The failed tests of a kind, with their p values."""
        return ", ".join(f"{name} (p = {p[name]:.1g})" for name in wrong if any(kind in name for kind in kinds))

    for name in (name for name in wrong if name.startswith("inside")):
        value, low = table["value"].to_dict()[name], table["lower"].to_dict()[name]
        ends = {
            True: "narrow: something makes runs scatter that law and noise leave out",
            False: "wide: the noise has heavier tails, or a larger scatter, than the runs",
        }
        mass = name.removeprefix("inside ")
        found.append(
            f"{value:.0%} of the runs lie inside their {mass} predictive interval, which is too {ends[value < low]}."
        )
    if said("LOO-PIT"):
        found.append(
            f"runs are not distributed as predicted, {said('LOO-PIT')}: plot_check shows where. A hump means a bias, "
            "an S intervals too wide or too narrow; look at the noise (noise=...) once the law fits."
        )
    if said("trend ", "bend ", " by "):
        found.append(
            f"residuals are not level over the scale of the runs: {said('trend ', 'bend ', ' by ')}. The law misses "
            "how the response depends on it, and what it misses grows with the distance: compare() it with another "
            "law, or wrap it in Discrepant."
        )
    if said("scatter "):
        found.append(
            f"the size of residuals changes with the scale of the runs: {said('scatter ')}. One noise for all is "
            "wrong: intervals are too wide at one end and too narrow at the other."
        )
    for name in (name for name in wrong if name.startswith("groups of ")):
        part: Any = groups.loc[name.removeprefix("groups of ")]
        beyond = part[(part["mean"] < part["lower"]) | (part["mean"] > part["upper"])]
        which = ", ".join(f"{group} ({mean:+.1f} sd)" for group, mean in beyond["mean"].head(5).items())
        found.append(f"runs of some groups lie off together: {which}. Fit the groups with Pooled(..., by=...).")
    high = int((residuals["pareto_k"].to_numpy() > _HIGH_K).sum())
    if high:
        found.append(
            f"{high} of {len(residuals)} runs have a Pareto k above {_HIGH_K}: without such a run the posterior would "
            "be another, and what is said of it here is approximate; compare() fits the law anew without it."
        )
    place = residuals["prior_pit"].to_numpy()
    surprising = float((np.minimum(place, 1 - place) < _SURPRISE).mean())
    if surprising > _HALF:
        found.append(
            f"the prior did not expect {surprising:.0%} of the runs (outside {1 - 2 * _SURPRISE:.0%} of its predictive "
            "distribution): check the units, or widen the prior."
        )
    return [Status(text) for text in found]
