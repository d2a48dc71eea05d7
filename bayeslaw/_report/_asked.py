"""What a page is about: the fits, the decision, what is given to it, and the answers, each worked out once."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._allocate import Allocation, allocate, decision_of, scenarios_of
from bayeslaw._choose import Choice, choose
from bayeslaw._columns import COLUMNS, DERIVED, Column, derive
from bayeslaw._decision import Choices, Decision
from bayeslaw._errors import InputError
from bayeslaw._misfit import Misfit
from bayeslaw._posterior import Posterior
from bayeslaw._risk import CVaR, Expectation
from bayeslaw._stack import Stack

_SIZES = ("FLOPs", "parameters", "tokens")  # units of what may be left out: ten times the largest run is asked for
# The slider: how far beyond the runs, around a value that runs do not have, decades in all, and steps in each.
_BEYOND, _AROUND, _DECADES, _STEPS = 100.0, 10.0, 8.0, 10
_FEW = 1000  # draws of the slider where all of them take too long


@dataclass(frozen=True, eq=False)
class Asked:
    """What a page is about.

    - `members`: the posteriors by name; a posterior alone has none.
    - `decision`: None for a law that declares none. `given`: what it is given, a value per scenario.
    - `assumed`: what of it nobody gave. `over`: the column that the slider moves, if there is one.
    - `name`: that of the decision, where it was asked for by name; `""` for the user's own.
    - `tested`: by a backtest too.
    """

    posterior: Posterior | Stack
    members: Mapping[str, Posterior]
    decision: Decision | None
    given: Mapping[str, Any]
    assumed: tuple[str, ...]
    over: str | None
    prob: float
    seed: int
    name: str | None
    tested: bool

    @property
    def first(self) -> Posterior:
        return next(iter(self.members.values()))

    @property
    def response(self) -> str:
        return self.posterior.response

    @property
    def unnamed(self) -> list[str]:
        """Columns of labels that the law lets one leave out, and that were."""
        law = self.first.prior
        return [name for name in law.categories() if name in law.optional() and name not in self.given]

    @cached_property
    def plan(self) -> Allocation:
        """The optimum for what was asked."""
        return allocate(self.posterior, self._needed, seed=self.seed, **self.given)

    @cached_property
    def choice(self) -> Choice:
        return choose(self.posterior, self._needed, risk=Expectation(), seed=self.seed, **self._first_scenario)

    @cached_property
    def careful(self) -> Choice:
        return choose(self.posterior, self._needed, risk=CVaR(0.9), seed=self.seed, **self._first_scenario)

    @cached_property
    def positions(self) -> np.ndarray:
        """Where the slider can be put: what was asked, and round numbers around it."""
        if self.over is None:
            return np.array([])
        asked = np.unique(np.asarray(self.given[self.over], dtype=float))
        column = COLUMNS.get(self.response if self.over == "target" else self.over)
        steps = _steps(asked, self.over, self.seen, column, _STEPS // 2 if self._slow else _STEPS)
        return np.unique(np.concatenate([asked, steps]))

    @cached_property
    def seen(self) -> np.ndarray | None:
        """The column of the slider in the runs, if they have it."""
        if self.over == "target":
            return self.first.tree["observed_data"][self.first.response].to_numpy()
        return derive(str(self.over), self.first.seen())

    @cached_property
    def sweep(self) -> Allocation:
        """The optimum at every position of the slider; those that no choice can meet are left out."""
        others = {name: values[0] for name, values in self.given.items() if name != self.over}
        posterior = self.few if self._slow else self.posterior
        found, refusal = [], None
        for position in self.positions:  # one by one, by the program that is compiled for a single budget
            try:
                given: dict[str, Any] = {**others, str(self.over): float(position)}
                found.append(allocate(posterior, self._needed, seed=self.seed, **given))
            except InputError as error:
                refusal = error
        if refusal is not None and not found:
            raise refusal
        draws: Any = xr.concat([one.draws for one in found], "scenario", combine_attrs="override")
        return Allocation(draws, found[0].decision, tuple(note for one in found for note in one.status))

    @cached_property
    def few(self) -> Posterior | Stack:
        """The posterior with few of its draws, for what is only drawn."""
        return _thinned(self.posterior)

    @property
    def _slow(self) -> bool:
        """Would all draws at all positions take minutes: two ranges to search at once, or a misfit in each draw?"""
        ranges = [one for one in self._needed.choose.values() if not isinstance(one, Choices)]
        return len(ranges) > 1 or any(isinstance(one.prior, Misfit) for one in self.members.values())

    @property
    def start(self) -> int:
        """The position of the slider that was asked for."""
        return int(
            np.argmin(np.abs(self.sweep.draws[str(self.over)].to_numpy() - float(self.given[str(self.over)][0])))
        )

    @property
    def _needed(self) -> Decision:
        if self.decision is None:
            raise InputError(f"{type(self.first.prior).__name__} declares no decision, so there is nothing to choose.")
        return self.decision

    @property
    def _first_scenario(self) -> dict[str, Any]:
        return {name: values[0] for name, values in self.given.items()}


def _thinned(posterior: Posterior | Stack) -> Posterior | Stack:
    if isinstance(posterior, Stack):
        return dataclasses.replace(posterior, members={n: thinned(one) for n, one in posterior.members.items()})
    return thinned(posterior)


def thinned(posterior: Posterior) -> Posterior:
    """About a thousand of the draws: enough for bands to look at."""
    chains, draws = posterior.shape
    tree, step = posterior.tree.copy(), max(chains * draws // _FEW, 1)
    for group in ("posterior", "sample_stats"):
        tree[group] = xr.DataTree(tree[group].to_dataset().isel(draw=slice(None, None, step)))
    return Posterior(tree, posterior.joint)


def _steps(asked: np.ndarray, over: str, seen: np.ndarray | None, column: Column | None, decade: int) -> np.ndarray:
    """Round numbers around what was asked and around the runs, as far as the column goes; so many to a decade."""
    low, high = (column.low, column.high) if column else (-np.inf, np.inf)
    if np.isfinite([low, high]).all():
        return np.linspace(low, high, 4 * decade + 1)[1:-1]
    known = asked if seen is None else np.concatenate([asked, seen])
    if known.min() <= 0:
        return asked
    if over == "target":  # a response: beyond what runs reached there is little to ask for
        return np.linspace(0.9 * known.min(), known.max(), 4 * decade + 1)
    beyond = _BEYOND if seen is not None else _AROUND
    end = np.log10(max(10 * asked.max(), beyond * known.max()))
    start = np.log10(known.min() if seen is not None else known.min() / _AROUND)
    start = max(start, np.log10(low) if low > 0 else start, end - _DECADES)
    steps = 10 ** (np.arange(np.ceil(start * decade), np.floor(end * decade) + 1) / decade)
    rounded = np.array([float(f"{one:.2g}") for one in steps])
    return np.rint(rounded) if column is not None and column.low == 1 else rounded  # counts are whole


def ask(
    posterior: Posterior | Stack,
    decision: Decision | str | None,
    given: Mapping[str, Any],
    prob: float,
    seed: int,
    tested: bool,
) -> Asked:
    """See `report`. Raises `InputError` for what is not known, missing or impossible."""
    members = dict(posterior.members) if isinstance(posterior, Stack) else {"": posterior}
    first = next(iter(members.values()))
    if decision is None and not first.prior.decisions():
        if given:
            raise InputError(
                f"{type(first.prior).__name__} declares no decision, to which {', '.join(given)} could be given."
            )
        return Asked(posterior, members, None, {}, (), None, prob, seed, None, tested)
    chosen = decision_of(first.prior, decision)
    assumed = default_given(first, chosen, given)
    wanted = {**given, **assumed}
    missing = [name for name in chosen.given if name not in wanted]
    if missing:
        ways = ", ".join(f"{name}=..." for name in missing)
        raise InputError(
            f"{chosen.question} That depends on {', '.join(chosen.given)}: give {ways}, one value or several."
        )
    numbers, _ = scenarios_of(first, chosen, wanted)
    labels = first.prior.categories()
    values = {
        name: [labels[name][int(one)] for one in array] if name in labels else array.tolist()
        for name, array in numbers.items()
    }
    numeric = [name for name in chosen.given if name not in labels]
    several = [name for name in numeric if len(set(values[name])) > 1]
    over = next(iter([*[n for n in numeric if n == "flops"], *several, *numeric]), None)
    name = "" if isinstance(decision, Decision) else decision
    return Asked(posterior, members, chosen, values, tuple(assumed), over, prob, seed, name, tested)


def default_given(posterior: Posterior, decision: Decision, given: Mapping[str, Any]) -> dict[str, float]:
    """A budget where none was given: ten times that of the largest run, of the first size that the decision needs."""
    seen = posterior.seen()
    for name in decision.given:
        column = COLUMNS.get(name)
        if column is not None and column.unit in _SIZES:
            known = None if name in given else derive(name, _positive(seen, name))
            return {} if known is None else {name: float(f"{10 * np.max(known):.0e}")}
    return {}


def _positive(seen: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    needs = (name, *DERIVED.get(name, ((),))[0])
    return {one: seen[one] for one in needs if one in seen}
