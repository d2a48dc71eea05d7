"""The best configurations in place of a plan: a few draws look at all of them, all draws judge the best of these."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._allowed import Allowed
from bayeslaw._best import acting, points_of, zoom
from bayeslaw._choose import Choice
from bayeslaw._columns import format_number
from bayeslaw._errors import InputError
from bayeslaw._options import asked_of
from bayeslaw._ranked import Ranked
from bayeslaw._worlds import Outcomes, Worlds, ranges_of

_LOOKED = 2**21  # draws times points of a round that few draws look at
_JUDGED = 2**22  # the same for all draws
_WIDTH = 0.25  # of the box: where what is left open is looked for first, around the plan
_ALL = 0.2  # the same with all draws, around what the few have found
_NEAREST = 3  # configurations around the plan that are shown though they break a limit


@dataclass(frozen=True, eq=False)
class Settled:
    """What was found in one scenario: configurations as rows, the best first; of each the items for every law, the
    point of the ranges, the risk and the limits it breaks; how many there are, were compared and are as good, and the
    ends of what these choose (variables, 2)."""

    frame: pd.DataFrame
    items: tuple[np.ndarray, ...]
    units: np.ndarray
    risk: np.ndarray
    breaks: list[str]
    there_are: int
    compared: int
    as_good: int
    ends: np.ndarray


def settle(plan: Choice, few: Worlds, allowed: Allowed, scenario: int, keep: int, enough: float) -> Settled:
    """The best configurations of one scenario, and how many have a risk of at most `enough`."""
    chosen = plan.action.iloc[scenario].to_dict()
    frame, there_are = allowed.near(chosen)
    one = allowed.put_into(few, frame.iloc[:1])  # for what all have alike
    each, ranges = len(one.members[0].items), ranges_of(one.decision)
    round_ = points_of(len(ranges)) * each
    frame = frame.iloc[: max(_LOOKED // (len(few) * round_), keep + _NEAREST)]
    some, worlds = allowed.put_into(few, frame), allowed.put_into(plan.worlds, frame)
    start = np.array([float(space.unit(chosen[name])) for name, space in ranges.items()])
    items, width = np.arange(len(frame) * each), _WIDTH
    units = np.broadcast_to(start, (len(items), len(start)))
    finalists = max(_JUDGED // (len(worlds) * round_), keep + _NEAREST) * each
    if len(items) > finalists:
        _, units, rank, _ = zoom(acting(scenario, items, plan.aim.wanted), some, some, plan.aim, units, width)
        best = _order(rank)[:finalists]
        items = np.unique(np.append(best, np.arange(_NEAREST * each)))
        units, width = units[items], _ALL
    _, units, rank, last = zoom(acting(scenario, items, plan.aim.wanted), some, worlds, plan.aim, units, width)
    order, rows = _order(rank), items // each
    order = order[np.sort(np.unique(rows[order], return_index=True)[1])]  # each configuration at its best
    kept, broken = (order[(rank.violation[order] <= 0) == one] for one in (True, False))
    if not kept.size:
        wrong = "; ".join(_broken(plan, rank, last, order[0]))
        raise InputError(_none(plan, allowed, scenario, frame.iloc[rows[order[0]]], wrong, len(frame)))
    near = broken[rows[broken] < _NEAREST][: keep - 1]
    best = np.concatenate([kept[: keep - len(near)], near])
    best = np.concatenate([best, broken[~np.isin(broken, near)]])[:keep]
    good = frame.iloc[rows[kept[rank.risk[kept] <= enough]]]
    return Settled(
        frame.iloc[rows[best]].reset_index(drop=True),
        tuple(member.items[items[best]] for member in worlds.members), units[best], rank.risk[best],
        ["; ".join(_broken(plan, rank, last, i)) if rank.violation[i] > 0 else "" for i in best],
        there_are, len(frame), len(good),
        np.array([(good[name].min(), good[name].max()) for name in allowed.numbers()], dtype=float).reshape(-1, 2),
    )  # fmt: skip


def _order(rank: Ranked) -> np.ndarray:
    """The best first; of those that are equally good, but for rounding, the first."""
    risk, mean = (
        np.round(one / np.max(np.abs(one[np.isfinite(one)]), initial=1e-300), 12) for one in (rank.risk, rank.mean)
    )
    return np.lexsort((rank.margin, mean, risk, rank.violation))


def _broken(plan: Choice, rank: Ranked, found: Outcomes, i: int) -> list[str]:
    """The limits that an action breaks, and what it has instead."""
    said, possible = [], np.isfinite(found.scores[:, i])
    for limit in plan.aim.limits:
        values = np.where(possible, found.columns[limit.column][:, i], np.nan)[:, None]
        beyond = limit.margin(values, plan.worlds.weights)[0]
        if beyond > 0:
            has = limit.attained(np.nan_to_num(values, nan=limit._sign * np.inf), plan.worlds.weights)[0]
            said.append(f"{limit}: {format_number(float(has), limit.column)}, {100 * beyond:.2g} % beyond")
    if not said:
        said.append(f"possible in {rank.possible[i]:.1%} of draws")
    return said


def _none(plan: Choice, allowed: Allowed, scenario: int, nearest: Any, broken: str, count: int) -> str:
    said = ", ".join(f"{name} = {shown(nearest[name], name)}" for name in allowed.names)
    limits = " and ".join([str(one) for one in plan.aim.limits]) or "what is asked"
    return (
        f"{asked_of(plan.worlds, scenario)}none of {count:,} configurations keeps {limits}: {said} comes nearest "
        f"({broken}). Allow others, or give a limit more room."
    )


def shown(value: Any, name: str) -> str:
    """What is to be built, in full: 131,072 entries, 80 layers; large counts as 64.1B."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return str(value)
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e8 else format_number(number, name)
