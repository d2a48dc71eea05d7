"""`choose`: one action for all draws, what it risks, and what the alternatives cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._best import Found, find
from bayeslaw._decision import Decision
from bayeslaw._distance import far
from bayeslaw._drivers import drivers_of
from bayeslaw._errors import InputError, Status
from bayeslaw._law import named
from bayeslaw._options import RECOMMENDED, asked_of, label_of, landscape, menu, options_of, regions
from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._predict import NEW_RUN, serious
from bayeslaw._ranked import Aim
from bayeslaw._risk import Expectation, Limits, Miss, Risk, limits_of, measure
from bayeslaw._stack import Stack
from bayeslaw._tree import float64
from bayeslaw._worlds import Worlds, menus_of, ranges_of, worlds_of

FEW = 128  # draws that show the search where to look; all of them decide
_MOST = 20_000_000  # draws times items of the menus, for a scenario
_EDGE = 1e-5  # closer than this to the end of the box (as a share of it) counts as on it


@dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """One action for all draws, made by `choose`. Printed, it is a page to decide by; `page(scenario)` is that as text.

    - `draws`: xarray Dataset with dims (chain, draw, scenario, option). Options are whole actions: `recommended`;
      `plug-in`, the optimum at the posterior mean; the ends of what is nearly as good; the next items of a menu. Of
      each: what is reported, the response (`loss` is the mean function, `loss_new_run` a run with its noise),
      `objective` (what is minimised), `regret` (how much worse that is than the best action of the same draw) and
      `kept` (is it possible, within all limits). What is chosen are coordinates. Beside them by (chain, draw,
      scenario) the optimum of each draw, `best_params` and so on, and what was given as a distribution.
    - `menu`: by (scenario, item) the `risk` of every item of the menus, `p_optimal` and `near`: is it nearly as good.
    - `landscape`: by (scenario, variable, point) the risk along each range, all else as recommended, with the regret.
    - `region`: a row per scenario and variable: `chosen`, and from where to where an action is nearly as good. For
      menus `items` are those that are.
    - `drivers`: a row per scenario, quantity and what it depends on, with the share of its variance.
    - `aim`: the risk measure, the limits and how near is nearly. `law`, `noise`: what is assumed, by name.
    - `worlds`: all draws of the law and of the question, of which the choice was made; `snap` asks them again.
    - `status`: what to know.
    """

    draws: xr.Dataset
    menu: xr.Dataset
    landscape: xr.Dataset
    region: pd.DataFrame
    drivers: pd.DataFrame
    decision: Decision
    aim: Aim
    law: str
    noise: str
    worlds: Worlds
    status: tuple[Status, ...]

    @property
    def action(self) -> pd.DataFrame:
        """What is recommended, a row per scenario."""
        return self._chosen(RECOMMENDED)

    def _chosen(self, option: str) -> pd.DataFrame:
        one = self.draws.sel(option=option)
        labels = {name: one[name].to_numpy() for name in self.given} or {"scenario": np.arange(1)}
        index = pd.MultiIndex.from_arrays(list(labels.values()), names=list(labels))
        values = {name: one[label_of(name, one.attrs["response"])].to_numpy() for name in self.decision.choose}
        return pd.DataFrame(values, index=index)

    @property
    def given(self) -> list[str]:
        """The names of what was given as numbers, which tell scenarios apart."""
        return [str(name) for name in self.draws.coords if self.draws[name].dims == ("scenario",)]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Every option of every scenario.

        What it chooses; `risk`; `lower`, `median`, `upper`, the equal-tailed interval of mass `prob` of the response,
        the mean function; `regret`, its mean over draws, and `regret_upper`, which is not exceeded with probability
        `prob`; `kept`, the probability of its being possible within all limits; with menus `p_optimal`, the share of
        draws in which its items are the best.
        """
        check_prob(prob)
        from bayeslaw._page import table_of

        return table_of(self, prob)

    def page(self, scenario: int = 0, prob: float = 0.9) -> str:
        """The plan of one scenario on one page: recommendation, interval, risk, regret, alternatives, what drives the
        uncertainty, assumptions."""
        check_prob(prob)
        from bayeslaw._page import page

        return page(self, scenario, prob)

    def __repr__(self) -> str:
        from bayeslaw._page import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from bayeslaw._page import as_html

        return as_html(self)


@float64
def choose(
    posterior: Posterior | Stack,
    decision: Decision | str | None = None,
    *,
    risk: Risk | None = None,
    subject_to: Limits | None = None,
    within: float = 0.01,
    seed: int = 0,
    **given: Any,
) -> Choice:
    """One plan to sign off, and what it risks: `choose(posterior, flops=5.76e23, risk=CVaR(0.9))`.

    `allocate` says where the optimum may be; this is the action of least risk over all draws, the same in each.

    - `posterior`: or a `Stack`: the draws are mixed before the choice, so that one action has to do for all laws.
    - `decision`: as for `allocate`. Where its `derive` asks the law, what is derived follows the law of each draw and
      only what is chosen is fixed.
    - `risk`: of the objective (what the decision minimises) over draws: `Expectation()` when left out, `Quantile`,
      `CVaR`, `WorstCase`, `MeanVariance`, `Miss(AtMost("loss", 2.1))`, or a function of the losses (draws,) that
      returns a number.
    - `subject_to`: limits. `{"memory_bytes": 24e9}`, at most so much in every draw, or a list of `AtMost`, `AtLeast`
      with a `prob`, and `Feasible(0.95)`, for decisions that are not possible in every draw.
    - `within`: an action is nearly as good where its risk is higher by at most this share of the objective's size: of
      the risk itself where the response or a column is minimised, else of the mean response; of one for `Miss`.
    - `given`: as for `allocate`. A NumPyro distribution is drawn once a draw of the posterior: what is not known when
      one chooses, such as `inference_tokens` or `training_utilisation`.
    - `seed`: for these, and for the noise of new runs.

    Raises `InputError` for unknown or missing quantities, for limits that no action keeps (and says which, and what can
    be had), and where no action is possible in enough draws.
    """
    if not within >= 0:
        raise InputError(f"within is a share such as 0.01, zero or more; got {within!r}.")
    worlds, notes = worlds_of(posterior, decision, given, seed)
    aim = Aim(measure(Expectation() if risk is None else risk), *limits_of(subject_to), within)
    return solve(worlds, aim, notes)


def solve(worlds: Worlds, aim: Aim, notes: list[Status]) -> Choice:
    """The choice of every scenario."""
    decision = worlds.decision
    items = len(worlds.members[0].items)
    if items * len(worlds) > _MOST:
        raise InputError(
            f"{items} items in {len(worlds)} draws are too many to compare; narrow the menus by decision.within(...)."
        )
    few = worlds.thinned(FEW)
    found = []
    for i in range(worlds.scenarios):
        one = find(worlds, few, i, aim)
        if one.ranked.violation[one.item] > 0 or (isinstance(aim.risk, Miss) and one.ranked.risk[one.item] > 1 - 1e-9):
            from bayeslaw._infeasible import explain

            raise InputError(explain(worlds, few, i, aim, one))
        found.append(one)
    draws = options_of(worlds, aim, found)
    status = [one for member in worlds.members for one in serious(member.posterior)] + notes
    status += _statuses(worlds, draws, found)
    for member in worlds.members:
        status += far(member.posterior, _typical(draws, member.posterior))
    joints = [member.posterior.joint for member in worlds.members]
    law = ", ".join(dict.fromkeys(named(one.law) for one in joints))
    noise = ", ".join(dict.fromkeys(type(one.noise).__name__ for one in joints))
    return Choice(
        draws, menu(worlds, aim, found), landscape(worlds, aim, found), regions(worlds, found),
        drivers_of(worlds, draws), decision, aim, law, noise, worlds, tuple(dict.fromkeys(status)),
    )  # fmt: skip


def _statuses(worlds: Worlds, draws: xr.Dataset, found: list[Found]) -> list[Status]:
    """What to know about the plans: edges of the box, draws in which they cannot be had, what they leave open."""
    decision, notes = worlds.decision, []
    one = draws.sel(option=RECOMMENDED)
    for i, here in enumerate(found):
        asked = asked_of(worlds, i)
        notes += [
            Status(
                f"{asked}the choice of {name} lies on the edge of the search box, {decision.choose[name]!r}: it may be "
                "beyond. Widen it by decision.within(...), or read the edge as the answer."
            )
            for name in _at_edge(worlds, here)
        ]
        possible = 1 - float(np.isnan(one["objective"].to_numpy()[..., i]).mean())
        if possible < 1:
            notes.append(
                Status(f"{asked}the plan is possible in {possible:.1%} of draws: risk and regret are over these.")
            )
        none = float(np.mean(~np.isfinite(here.optimum)))
        if none > 0:
            notes.append(Status(f"{asked}in {none:.1%} of draws nothing keeps what is asked for: no regret there."))
    own = (worlds.response, worlds.response + NEW_RUN)
    moving = [str(n) for n in draws.attrs["report"] if n not in own and _moves(one[n].to_numpy())]
    if moving:
        text = f"{', '.join(moving)} differ from draw to draw, by the law or by what is not known of the question: "
        notes.append(Status(f"{text}only {', '.join(decision.choose)} are fixed by the choice, the rest follows."))
    return notes


def _at_edge(worlds: Worlds, found: Found) -> list[str]:
    """What is chosen at an end of its range, or of a menu that goes on beyond it."""
    names = [n for n, u in zip(ranges_of(worlds.decision), found.unit, strict=True) if not _EDGE < u < 1 - _EDGE]
    items = worlds.members[0].items
    for j, (name, space) in enumerate(menus_of(worlds.decision).items()):
        if space.ordered_ends and items[found.item, j] in (space.values[0], space.values[-1]):
            names.append(name)
    return names


def _moves(array: np.ndarray) -> bool:
    """Does a column differ between draws, beyond rounding?"""
    values = array.reshape(-1, array.shape[-1])
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    return bool((spread > 1e-9 * np.nanmax(np.abs(values), axis=0)).any())


def _typical(draws: xr.Dataset, posterior: Posterior) -> dict[str, np.ndarray]:
    """The columns of the recommended plans that the law reads, the median over draws, (scenarios,)."""
    one = draws.sel(option=RECOMMENDED)
    found = {}
    for name in posterior.prior.columns():
        if name in one.variables and np.issubdtype(one[name].dtype, np.number):
            array = one[name].to_numpy()
            found[name] = np.nanmedian(array, axis=(0, 1)) if array.ndim == 3 else np.atleast_1d(array)
    return found
