"""`pareto`: what less of the objective costs, as a front with bands, and how surely each plan is on it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._best import find, points
from bayeslaw._choose import FEW
from bayeslaw._columns import format_number
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._options import RECOMMENDED, asked_of, label_of, options_of
from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._predict import serious
from bayeslaw._ranked import Aim
from bayeslaw._risk import AtMost, Expectation, Limits, Miss, Risk, limits_of, measure
from bayeslaw._sampler import Progress, reporter
from bayeslaw._stack import Stack
from bayeslaw._tree import float64
from bayeslaw._worlds import Worlds, in_order, ranges_of, worlds_of

_LEVELS = 17
_SIDE = {1: 129, 2: 33, 3: 13, 4: 7}
_EQUAL = 1e-9  # of the cost: as good as no more


@dataclass(frozen=True, eq=False, repr=False)
class Front:
    """The best plan at each cost, made by `pareto`.

    - `draws`: xarray Dataset with dims (chain, draw, level): the response (`loss` is the mean function,
      `loss_new_run` a run with its noise), `objective`, the cost (`cost_flops`), `regret` against the best plan of
      the same draw that costs at most as much, and what is reported. What is chosen are coordinates of `level`.
    - `against`: the cost. `aim`: the risk, the limits, and `within`: how much regret, as a share of the objective's
      size (`scale`), still is on the front. `status`: what to know.
    """

    draws: xr.Dataset
    decision: Decision
    against: str
    aim: Aim
    scale: np.ndarray
    status: tuple[Status, ...]

    @property
    def p_front(self) -> np.ndarray:
        """For each plan the share of draws in which no plan of at most its cost is better, but for `within`."""
        regret = self.draws["regret"].to_numpy()
        with np.errstate(invalid="ignore"):
            return (regret <= self.aim.within * self.scale + 1e-12).mean(axis=(0, 1))

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """A row per plan: what it chooses, the median of its cost, the equal-tailed interval of mass `prob` of the
        response (mean function), its mean `regret` and `p_front`."""
        check_prob(prob)
        response = self.draws.attrs["response"]
        ends = (1 - prob) / 2, 0.5, (1 + prob) / 2
        lower, median, upper = np.nanquantile(self.draws[response].to_numpy(), ends, axis=(0, 1))
        frame = pd.DataFrame({n: self.draws[label_of(n, response)].to_numpy() for n in self.decision.choose})
        frame[self.against] = np.nanmedian(self.cost.to_numpy(), axis=(0, 1))
        frame = frame.assign(lower=lower, median=median, upper=upper)
        frame["regret"] = np.nanmean(self.draws["regret"].to_numpy(), axis=(0, 1))
        frame["p_front"] = self.p_front
        frame.attrs["prob"] = prob
        return frame.rename_axis("level")

    @property
    def cost(self) -> xr.DataArray:
        """The cost of each plan, (chain, draw, level)."""
        return self.draws[f"cost_{self.against}"]

    def _shown(self) -> tuple[str, pd.DataFrame]:
        frame, response = self.summary(), str(self.draws.attrs["response"])
        shown = frame.astype(object)
        for name in frame.columns:
            kind = response if name in ("lower", "median", "upper") else name
            shown[name] = [v if isinstance(v, str) else format_number(float(v), kind) for v in frame[name]]
        shown["p_front"] = [f"{share:.0%}" for share in frame["p_front"]]
        return f"{self.decision.question} ({response} against {self.against}: 90% credible intervals)", shown

    def __repr__(self) -> str:
        title, shown = self._shown()
        return "\n".join([title, shown.to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(*self._shown(), self.status)


@float64
def pareto(
    posterior: Posterior | Stack,
    decision: Decision | str | None = None,
    *,
    against: str,
    levels: Sequence[Any] | None = None,
    risk: Risk | None = None,
    subject_to: Limits | None = None,
    within: float = 0.001,
    seed: int = 0,
    progress: Progress = None,
    **given: Any,
) -> Front:
    """What a better response costs: `pareto(posterior, decision.within(flops=LogRange(1e20, 1e26)), against="flops")`.

    For each level of the cost the plan of least risk that costs no more, with the interval of its response and the
    probability of its being on the front: no plan of at most its cost is better in that draw by more than `within` of
    the objective's size.

    - `against`: a column of the plan to spend less of, such as `flops`, `params`, `memory_bytes`, `total_flops`.
    - `levels`: of the cost; 17 from the least to where more of it no longer helps when left out.
    - `progress`: a bar (default: when a terminal or notebook can show one), or a callable that is told
      (levels done, levels in all).
    - the rest as for `choose`. One scenario: values that are given are single ones, or distributions.

    Raises `InputError` for more than one scenario, for a cost that no plan has or that does not vary, and for levels
    that nothing keeps.
    """
    worlds, notes = worlds_of(posterior, decision, given, seed)
    if worlds.scenarios != 1:
        raise InputError(f"a front is of one scenario, here are {worlds.scenarios}: give one value of each quantity.")
    measured = measure(Expectation() if risk is None else risk)
    if isinstance(measured, Miss):
        raise InputError("a front is of losses and costs; choose() finds the least probability of missing a target.")
    aim = Aim(measured, *limits_of(subject_to), within)
    few = worlds.thinned(FEW)
    steps = _levels(worlds, few, aim, against) if levels is None else [AtMost(against, one).bound for one in levels]
    found, kept = [], []
    with reporter(progress, len(steps), "levels") as tell:
        for bound in sorted(steps):
            level = dataclasses.replace(aim, limits=(*aim.limits, AtMost(against, bound * (1 + _EQUAL))))
            one = find(worlds, few, 0, level)
            if one.ranked.violation[one.item] <= 0:
                found.append((level, one))
                kept.append(bound)
            elif levels is not None:
                raise InputError(f"{asked_of(worlds, 0)}no plan keeps {AtMost(against, bound)}: the least is more.")
            tell(1)
    draws, scale = _plans(worlds, found, against)
    status = [one for member in worlds.members for one in serious(member.posterior)] + notes
    return Front(draws, worlds.decision, against, aim, scale, tuple(dict.fromkeys(status)))


def _plans(worlds: Worlds, found: list[Any], against: str) -> tuple[xr.Dataset, np.ndarray]:
    """See `Front.draws`; and the size of the objective at each plan."""
    parts = [
        options_of(worlds, level, [one]).sel(option=RECOMMENDED, drop=True).rename(scenario="level")
        for level, one in found
    ]
    for part, (_, one) in zip(parts, found, strict=True):
        cost = worlds.outcomes(0, np.array([one.item]), one.unit[None], (against,)).columns[against][:, 0]
        part[f"cost_{against}"] = (("chain", "draw", "level"), in_order(worlds, cost)[..., None])
    draws = xr.concat(parts, "level", data_vars="minimal", coords="minimal", compat="override", join="override")
    response = str(draws.attrs["response"])
    size = draws["objective" if worlds.decision.objective is None else response]
    return draws.transpose("chain", "draw", "level"), np.abs(size.mean(("chain", "draw")).to_numpy())


def _levels(worlds: Worlds, few: Worlds, aim: Aim, against: str) -> np.ndarray:
    """From the least cost of any plan to that of the best one; even in ratios where costs are positive."""
    best = find(worlds, few, 0, aim)
    if best.ranked.violation[best.item] > 0:
        from bayeslaw._infeasible import explain

        raise InputError(explain(worlds, few, 0, aim, best))
    items, size = len(worlds.members[0].items), len(ranges_of(worlds.decision))
    grid = points(np.linspace(0, 1, _SIDE.get(size, 5)), size)
    units = np.concatenate([np.tile(grid, (items, 1)), best.unit[None]])
    outcome = few.outcomes(0, np.append(np.repeat(np.arange(items), len(grid)), best.item), units, (against,))
    cost = outcome.columns[against].max(axis=0)
    usable = np.isfinite(cost) & np.isfinite(outcome.scores).all(axis=0)
    low, high = float(np.min(cost[usable])), float(cost[-1])
    if not high > low * (1 + 1e-9) + 1e-300:
        raise InputError(
            f"the best plan already has the least {against}, {format_number(high, against)}: nothing is to be gained "
            "by spending less. Where it is given, let it be chosen: decision.within(flops=LogRange(...))."
        )
    if not size and items <= 4 * _LEVELS:  # a menu: each of its costs
        return np.unique(cost[usable & (cost <= high)])
    return np.geomspace(low, high, _LEVELS) if low > 0 else np.linspace(low, high, _LEVELS)
