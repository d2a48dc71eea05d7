"""`snap`: the plans near one that can be built, and what each of them costs."""

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._allowed import Allowed, read_allowed
from bayeslaw._best import size_of
from bayeslaw._choose import FEW, Choice
from bayeslaw._decision import Least
from bayeslaw._errors import InputError, Status
from bayeslaw._options import RECOMMENDED, actions_of, asked_of, label_of
from bayeslaw._page import risks
from bayeslaw._posterior import check_prob
from bayeslaw._predict import NEW_RUN
from bayeslaw._risk import Miss
from bayeslaw._runs import Table
from bayeslaw._settle import Settled, settle, shown
from bayeslaw._tree import float64

_LITTLE, _NOTHING = 0.1, 1e-6  # of what the plan regrets anyway, of the objective: less is not worth thinking of
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Snapped:
    """Configurations that can be built in place of a plan, made by `snap`: the best first.

    - `draws`: xarray Dataset with dims (chain, draw, scenario, configuration): what is reported, the response (`loss`
      is the mean function, `loss_new_run` a run with its noise), `objective`, `regret`: the objective less that of the
      plan in the same draw (so that it may be negative), and `kept`: is it possible, within all limits. By (scenario,
      configuration) the `risk`; `p_better`, the probability of being better than the next one; `breaks`, the limits
      that are broken; and, as coordinates, what is chosen and all columns of the table. By scenario how many
      configurations `there_are`, how many were `compared`, and how many of these are `as_good`: their risk is above the
      plan's by at most `little`, a tenth of what the plan regrets anyway. `near` are the ends of what these choose.
    - `plan`: the choice that was to be built. `status`: what to know.
    """

    draws: xr.Dataset
    plan: Choice
    status: tuple[Status, ...]

    @property
    def action(self) -> pd.DataFrame:
        """What is recommended, a row per scenario."""
        one = self.draws.isel(configuration=0)
        return pd.DataFrame({n: one[n].to_numpy() for n in self.draws.attrs["columns"]}, index=self.plan.action.index)

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """A row per scenario and configuration, the best first.

        What it is; what follows, the median over draws; `risk`; `regret`, how much more that is than the plan's, and
        `share`, of the size of the objective; `mean_regret` and `regret_upper`, over draws the mean of its objective
        less the plan's and what that does not exceed with probability `prob`; `p_better`, the probability of being
        better than the next one; `kept`, of being possible within all limits; `breaks`, the limits that it breaks:
        such a row is never the first.
        """
        check_prob(prob)
        draws, response = self.draws, self.draws.attrs["response"]
        over = ("chain", "draw")
        table = {name: draws[name].to_numpy() for name in draws.attrs["columns"]}
        follows = [name for name in draws.attrs["report"] if name not in (response, response + NEW_RUN)]
        more = draws["risk"] - draws["plan_risk"]
        more = more.where(np.abs(more) > _ROUNDING**2 * draws["plan_size"], 0.0)
        with warnings.catch_warnings():  # a configuration that can be had in no draw has no quantiles
            warnings.simplefilter("ignore", RuntimeWarning)
            table |= {name: draws[name].median(over).to_numpy() for name in (*follows, response)}
            table |= {"risk": draws["risk"].to_numpy(), "regret": more.to_numpy()}
            table["share"] = (more / np.maximum(draws["plan_size"], 1e-300)).to_numpy()
            table["mean_regret"] = draws["regret"].mean(over).to_numpy()
            table["regret_upper"] = draws["regret"].quantile(prob, over).to_numpy()
        table["p_better"] = draws["p_better"].to_numpy()
        table["kept"] = draws["kept"].mean(over).to_numpy()
        table["breaks"] = draws["breaks"].to_numpy()
        count = draws.sizes["configuration"]
        index = self.plan.action.index
        levels = [np.repeat(index.get_level_values(i), count) for i in range(index.nlevels)]
        frame = pd.DataFrame({name: array.ravel() for name, array in table.items()})
        places = np.tile(np.arange(1, count + 1), draws.sizes["scenario"])
        frame.index = pd.MultiIndex.from_arrays([*levels, places], names=[*index.names, "place"])
        frame.attrs |= {"prob": prob, "risk": str(self.plan.aim.risk)}
        return frame

    def page(self, scenario: int = 0, prob: float = 0.9) -> str:
        """What to build in one scenario, what that costs, and what else there is."""
        check_prob(prob)
        from bayeslaw._snap_page import page

        return page(self, scenario, prob)

    def __repr__(self) -> str:
        from bayeslaw._snap_page import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from bayeslaw._snap_page import as_html

        return as_html(self)


@float64
def snap(plan: Choice, table: Table | None = None, /, *, keep: int = 10, **values: Any) -> Snapped:
    """What can be built in place of a plan, and what that costs: `snap(plan, shapes.transformers(("30B", "130B")))`.

    A plan says 64.1B parameters; there is no such model. Of the configurations that there are, these are the best by
    the plan's own risk and limits. What is not snapped is chosen again for each.

    - `plan`: made by `choose`.
    - `table`: configurations, a row each, with a column for one or more of what is chosen; the other columns are shown
      beside. What was given to `choose` but is not needed by the decision (`n_layers`, which a memory may depend on) is
      taken from a column of its name.
    - `values`: what a variable may be: `Multiples(128)`, `Powers(2)` or a list, with every row of the table.
    - `keep`: how many configurations are reported; all are compared, or the nearest where there are very many.

    Raises `InputError` for unknown columns, for impossible values and repeated rows, where no configuration lies in the
    box of the decision, and where none keeps the limits (and says which).
    """
    if not isinstance(plan, Choice):
        raise InputError(f"expected a plan made by choose(posterior, ...), got {type(plan).__name__}.")
    if not (isinstance(keep, int) and keep >= 1):
        raise InputError(f"keep is how many configurations are reported, one or more; got {keep!r}.")
    allowed, notes = read_allowed(plan.worlds, table, values)
    few, about = plan.worlds.thinned(FEW), _about(plan)
    enough = (about["plan_risk"] + about["little"]).to_numpy()
    found = [settle(plan, few, allowed, i, keep, one) for i, one in enumerate(enough)]
    draws = _draws(plan, allowed, found, about)
    serious = [one for one in plan.status if one.serious]
    return Snapped(draws, plan, tuple(dict.fromkeys([*serious, *notes, *_statuses(plan, allowed, draws)])))


def _about(plan: Choice) -> xr.Dataset:
    """By scenario the risk of the plan, what it regrets, the size of its objective, and how much more risk is too
    little to think of: a tenth of what it regrets; of a probability of missing a target what is nearly as good."""
    best = plan.draws.sel(option=RECOMMENDED)
    risk, regret = risks(plan)[:, 0], best["regret"].mean(("chain", "draw")).to_numpy()
    plain = isinstance(plan.decision.objective, Least | None)
    objective = risk if plain else best[plan.draws.attrs["response"]].to_numpy().reshape(-1, len(risk)).T
    size = np.array([size_of(plan.aim, one) for one in objective])
    missed = isinstance(plan.aim.risk, Miss)
    little = np.full(len(risk), plan.aim.within) if missed else np.fmax(_LITTLE * regret, _NOTHING * size)
    found = {"plan_risk": risk, "plan_regret": regret, "little": little, "plan_size": size}
    return xr.Dataset({name: ("scenario", array) for name, array in found.items()})


def _draws(plan: Choice, allowed: Allowed, found: list[Settled], about: xr.Dataset) -> xr.Dataset:
    """See `Snapped.draws`."""
    count = min(len(one.risk) for one in found)
    worlds = allowed.put_into(plan.worlds, found[0].frame.iloc[:1])
    members = [
        dataclasses.replace(member, items=np.concatenate([one.items[j][:count] for one in found]))
        for j, member in enumerate(worlds.members)
    ]
    worlds = dataclasses.replace(worlds, members=tuple(members))
    actions = [(np.arange(i * count, (i + 1) * count), one.units[:count]) for i, one in enumerate(found)]
    draws = actions_of(worlds, plan.aim, actions, "configuration").merge(about)
    response, dims = draws.attrs["response"], ("scenario", "configuration")
    best = plan.draws["objective"].sel(option=RECOMMENDED, drop=True)
    draws["regret"] = draws["objective"] - best
    objective = draws["objective"].to_numpy()
    better = (objective[..., :-1] < objective[..., 1:]).mean((0, 1))
    draws["risk"] = (dims, np.stack([one.risk[:count] for one in found]))
    breaks = np.array([one.breaks[:count] for one in found], dtype=object)
    better = np.where(breaks[:, 1:] == "", better, np.nan)
    draws["p_better"] = (dims, np.pad(better, [(0, 0), (0, 1)], constant_values=np.nan))
    draws["breaks"] = (dims, breaks)
    for name in ("there_are", "compared", "as_good"):
        draws[name] = (dims[:1], np.array([getattr(one, name) for one in found]))
    draws["near"] = (("scenario", "variable", "end"), np.stack([one.ends for one in found]))
    chosen = {name: label_of(name, response) for name in worlds.decision.choose}
    beside = [name for name in found[0].frame if name not in chosen]
    taken = [name for name in beside if name in draws.variables or name in draws.dims]
    kept = {n: (dims, np.stack([one.frame[n].to_numpy()[:count] for one in found])) for n in beside if n not in taken}
    first = [chosen.get(name, name) for name in found[0].frame if name not in taken]
    draws.attrs |= {"columns": list(dict.fromkeys([*first, *chosen.values()])), "taken": taken}
    return draws.assign_coords(kept | {"variable": allowed.numbers()})


def _statuses(plan: Choice, allowed: Allowed, draws: xr.Dataset) -> list[Status]:
    notes, first = [], draws.isel(configuration=0)
    notes += [
        f"{name} was given; each configuration has its own, from the table."
        for name in allowed.names
        if name not in allowed.decision.choose
    ]
    if allowed.left_out:
        notes.append(f"{allowed.left_out} rows lie outside the search box of the plan and were left out.")
    notes += [
        f"the table's {name} is not shown: what is reported has a column of that name." for name in draws.attrs["taken"]
    ]
    for i in range(draws.sizes["scenario"]):
        asked, one = asked_of(plan.worlds, i), first.isel(scenario=i)
        there_are, compared = int(one["there_are"]), int(one["compared"])
        if compared < there_are:
            notes.append(f"{asked}the {compared:,} configurations nearest to the plan were compared, of {there_are:,}.")
        notes += [asked + text for name in allowed.within() if (text := _beyond(plan, allowed, name, i))]
        lost, own = float(one["risk"] - one["plan_risk"]), float(one["plan_regret"])
        if lost > float(one["little"]) / _LITTLE:
            notes.append(
                f"{asked}what is built costs {lost:.2g} more, where the plan itself regrets {own:.2g}: configurations "
                "nearer to it are worth having."
            )
    return [Status(text) for text in notes]


def _beyond(plan: Choice, allowed: Allowed, name: str, scenario: int) -> str:
    """That a plan lies beyond a table, if it does."""
    at, ends = plan.action[name].iloc[scenario], allowed.ends(name)
    if ends is None or ends[0] * (1 - _ROUNDING) <= at <= ends[1] * (1 + _ROUNDING):
        return ""
    end = "above" if at > ends[1] else "below"
    span = f"{shown(ends[0], name)} to {shown(ends[1], name)}"
    return f"the plan's {name}, {shown(at, name)}, lies {end} all that is allowed, {span}: allow more to come nearer."
