"""`next_runs`: which runs to make before one decides, and whether any are worth their cost."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._batch import ROUGH, Judge, Judged, Step, greedy
from bayeslaw._columns import COLUMNS, derive, format_number, nearest, parse_number
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._posterior import Posterior
from bayeslaw._predict import serious
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._sampler import Progress, reporter
from bayeslaw._stack import Stack
from bayeslaw._tree import float64
from bayeslaw._value import Actions, Cost, Simulations, actions_of, regret_of, surprise_of
from bayeslaw._worlds import Worlds, worlds_of

_DRAWS, _TRUTHS = 4000, 256
_MANY = 0.2  # share of simulated outcomes with an unreliable Pareto k that deserves a sentence


@dataclass(frozen=True, eq=False, repr=False)
class NextRuns:
    """Which runs to make next, made by `next_runs`.

    - `batch`: a row per run in the order in which they were picked, with the columns of the candidates, `cost`, `spent`
      (with those before), `regret`: what one is to expect from deciding after it and those before it, with its Monte
      Carlo standard `error`, `information` where something is to be learnt (nats, of all up to it), and `buy`.
    - `candidates`: every candidate by itself: `cost`, `gain`, by how much it lowers the expected regret (or the
      information it is to give, in nats), its Monte Carlo `error` and `gain_per_cost`.
    - `before`: the expected regret of deciding now. `price`: what a unit of cost is worth in that unit.
    - `decision`, `unit` (of the regret), `cost` (its column), `status`.
    """

    batch: pd.DataFrame
    candidates: pd.DataFrame
    before: float
    price: float
    decision: Decision
    unit: str
    cost: str
    status: tuple[Status, ...]

    @property
    def runs(self) -> pd.DataFrame:
        """What to buy: the rows of the batch up to where more is not worth its cost; none means stop."""
        return self.batch.loc[self.batch["buy"].to_numpy()]

    @property
    def after(self) -> float:
        """The expected regret of deciding once these runs are made."""
        return float(self.runs["regret"].iloc[-1]) if len(self.runs) else self.before

    @property
    def stop(self) -> bool:
        """Is no run worth its cost?"""
        return self.runs.empty

    def __repr__(self) -> str:
        from bayeslaw._show import figures

        table = [] if self.batch.empty else [figures(self.batch).to_string()]
        return "\n".join([*self._sentences(), *table, *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import figures, page

        return page(" ".join(self._sentences()), figures(self.batch), self.status)

    def _sentences(self) -> list[str]:
        count, unit = len(self.runs), f" {self.unit}" if self.unit else ""
        said = f"Expected regret: {self.before:.3g}{unit} deciding now"
        if self.stop:
            return [self.decision.question, f"{said}."]
        spent = format_number(self.runs["spent"].iloc[-1], self.cost)
        runs = f"{count} more run{'s' if count > 1 else ''}"
        return [self.decision.question, f"{said}, {self.after:.3g} after {runs} for {spent} {self.cost}."]


@float64
def next_runs(
    posterior: Posterior | Stack,
    candidates: Table,
    decision: Decision | str | None = None,
    *,
    budget: float | str | None = None,
    cost: str = "flops",
    learn: str | None = None,
    price: float | None = None,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Progress = None,
    **given: Any,
) -> NextRuns:
    """Which pilot runs to make before deciding: `next_runs(posterior, grid, flops=1e23, budget=1e21)`.

    The outcome of each candidate is drawn from the posterior predictive, the draws are weighted anew by it, the
    decision is made again, and its regret taken in the draw that the outcome came from, which has no weight itself. By
    how much a candidate lowers it, on average over 256 such truths, is what it is worth for *this* decision. Runs are
    picked one by one, each given those before it, once by their worth per cost and once by their worth. The better
    batch of the two is returned, judged on 512 fresh truths with Pareto-smoothed weights.

    - `posterior`: or a `Stack`. The law is taken to be right; with `misfit(posterior)` it need not be.
    - `candidates`: a table of the runs that could be made, with the columns that law and noise read. Each can be had
      once; repeat a row for a run that can be repeated.
    - `decision`, `given`: as for `choose`: the regret is that of the action of least expected loss. Several scenarios
      count alike.
    - `budget`: the most that may be spent on the runs, in the unit of `cost`; without it, as much as is worth it.
    - `cost`: a column of the candidates, or what follows from them (`flops` as 6 params tokens).
    - `learn`: pick by what runs tell about one quantity instead, a parameter or derived quantity of the law or what the
      decision chooses: the expected information gain in nats. It is a lower bound, exact where the posterior of the
      quantity, on its normal scale, stays normal.
    - `price`: what a unit of cost is worth in the unit of the regret. When left out and both are FLOPs, what the same
      FLOPs would gain in the final run; else zero. Runs are bought as long as they are worth it.
    - `columns`: maps the names of `candidates` to ours. `seed`: for outcomes.
    - `progress`: a bar (default: when a terminal or notebook can show one), or a callable that is told (runs picked,
      runs that can be paid for in both ways of picking).

    This is the expected value of sample information (Raiffa and Schlaifer 1961), with the regret cross-validated; the
    information is the bound of Barber and Agakov (2003).

    Raises `InputError` for an empty table, for candidates that all cost more than the budget, for what `choose` refuses
    of a decision and `predict` of a table.
    """
    frame = read_table(candidates, columns)
    worlds, notes = worlds_of(posterior, decision, given, seed)
    costs = _costs_of(frame, cost)
    budget = _budget(budget, costs, cost)
    read = [_columns(frame, one.posterior) for one in worlds.members]
    _alike(worlds)
    worlds = worlds.thinned(_DRAWS)
    actions = actions_of(worlds)
    price = _price(worlds, actions, cost) if price is None else _checked(price)
    regret = regret_of(worlds, actions)
    known = None if learn is None else surprise_of(worlds, learn)
    aim: Cost = regret if known is None else known
    per_cost = price if known is None else 0.0
    most = int(np.searchsorted(np.cumsum(np.sort(costs)), budget, side="right"))
    with reporter(progress, 2 * most, "picking runs") as tell:
        tell(0)
        simulations = Simulations.of(worlds, read, _TRUTHS)
        first = Step.of(simulations, aim, simulations.log_weights, seed, np.arange(len(frame)))
        judge = Judge.of(worlds, read, regret, known, seed + 1)
        batches = [
            greedy(simulations, aim, first, costs, budget, per_cost, seed, by) for by in (costs, np.ones_like(costs))
        ]
        best = max((judge(_told(picks, tell), costs, price) for picks in batches), key=lambda one: one.worth)
    alone = frame.assign(cost=costs, gain=first.gains, error=first.errors, gain_per_cost=first.gains / costs)
    batch = frame.iloc[best.picks].assign(cost=costs[best.picks], **best.columns)
    batch["buy"] = np.arange(len(batch)) < best.buy
    status = [one for member in worlds.members for one in serious(member.posterior)] + notes
    status += _statuses(best, judge.before, cost, price, learn)
    return NextRuns(
        batch, alone.sort_values("gain_per_cost", ascending=False), judge.before, price, worlds.decision,
        _unit(worlds), cost, tuple(dict.fromkeys(status)),
    )  # fmt: skip


def _told(picks: Iterator[int], tell: Callable[[int], None]) -> Iterator[int]:
    for one in picks:
        tell(1)
        yield one


def _columns(frame: pd.DataFrame, posterior: Posterior) -> dict[str, np.ndarray]:
    law = posterior.prior
    found, _ = number_columns(
        frame, posterior.joint.columns(), law.optional(), labels=law.categories(), what="candidate"
    )
    return found


def _costs_of(frame: pd.DataFrame, cost: str) -> np.ndarray:
    if len(frame) == 0:
        raise InputError("the table of candidates has no rows; it needs one for each run that could be made.")
    if cost not in frame and derive(cost, dict.fromkeys(map(str, frame), 1.0)) is None:
        guess = nearest(cost, frame.columns)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InputError(
            f"the cost of a candidate is its {cost!r}, which is no column ({', '.join(map(str, frame.columns))}) and "
            f"does not follow from them: add it, or name another by cost=.{hint}"
        )
    found = number_columns(frame, (cost,), what="candidate")[0][cost]
    if not (found > 0).all():
        row = int(np.argmin(found))
        raise InputError(f"a run costs something; got {cost} = {found[row]:g} in row {frame.index[row]}.")
    return found


def _budget(budget: Any, costs: np.ndarray, cost: str) -> float:
    try:
        found = np.inf if budget is None else parse_number(budget)
    except ValueError:
        found = np.nan
    if not found > 0:
        raise InputError(f"budget is what the runs may cost in all, in the unit of {cost}, above zero; got {budget!r}.")
    if found < costs.min():
        raise InputError(
            f"a budget of {format_number(found, cost)} buys no candidate: the cheapest costs "
            f"{format_number(costs.min(), cost)} {cost}."
        )
    return found


def _checked(price: float) -> float:
    if not (np.isfinite(price) and price >= 0):
        raise InputError(
            f"price is what a unit of cost is worth in the unit of the regret, zero or more; got {price!r}."
        )
    return float(price)


def _alike(worlds: Worlds) -> None:
    """Outcomes are of one response, whichever law makes them."""
    found = list(dict.fromkeys(one.posterior.response for one in worlds.members))
    if len(found) > 1:
        raise InputError(f"the laws of the stack are of {' and '.join(found)}: a run would show only one of them.")


def _price(worlds: Worlds, actions: Actions, cost: str) -> float:
    """What the last FLOPs gain where they are spent on the final run, if that is what is given; zero if not."""
    if cost != "flops" or "flops" not in worlds.decision.given:
        return 0.0
    spared = 0.01
    less = tuple(
        dataclasses.replace(one, numbers={**one.numbers, "flops": (1 - spared) * one.numbers["flops"]})
        for one in worlds.members
    )
    chosen = Actions(tuple(one[-1:] for one in actions.items), tuple(one[-1:] for one in actions.units))
    pair = [chosen.scores(one) for one in (dataclasses.replace(worlds, members=less), worlds)]
    found = 0.0
    for i, (poorer, richer) in enumerate(zip(*pair, strict=True)):
        lost = worlds.weights @ np.nan_to_num(poorer[:, 0] - richer[:, 0])
        found += lost / (spared * worlds.members[0].numbers["flops"][i])
    return max(float(found), 0.0) / worlds.scenarios


def _statuses(best: Judged, before: float, cost: str, price: float, learn: str | None) -> list[Status]:
    notes = []
    if best.rough > _MANY:
        notes.append(
            Status(
                f"in {best.rough:.0%} of simulated outcomes Pareto k is above {ROUGH}: the runs would change the "
                "posterior more than its draws, weighted anew, can follow, and the regret after them is rough. Make "
                "the first of them, fit again and ask again."
            )
        )
    if learn is None and not best.buy:
        notes.append(Status(f"stop: more runs are not worth it; {_why(best, before, cost, price)}."))
    return notes


def _why(best: Judged, before: float, cost: str, price: float) -> str:
    if not best.picks:
        return f"no candidate is expected to lower the regret of {before:.3g} by as much as it costs"
    regret, spent = best.columns["regret"], best.columns["spent"]
    i = int((regret + price * spent).argmin())
    said = f"the best {i + 1} would lower the expected regret from {before:.3g} to {regret[i]:.3g} for "
    said += f"{format_number(spent[i], cost)} {cost}"
    if price * spent[i] > before - regret[i]:
        return f"{said}, which are worth {price * spent[i]:.3g} themselves"
    return f"{said}, which is within the error of the simulation"


def _unit(worlds: Worlds) -> str:
    plain = worlds.decision.objective is None
    return COLUMNS[worlds.response].unit if plain and worlds.response in COLUMNS else ""
