"""What may be chosen in place of a plan: tables of configurations, lists and grids of values, put together."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._columns import format_number, nearest
from bayeslaw._decision import Choices, Decision, Range
from bayeslaw._errors import InputError, Status
from bayeslaw._grids import Grid, Multiples, Powers
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._search import menu_items
from bayeslaw._worlds import Member, Worlds, menus_of

_MOST = 2**20  # configurations that are put together at once: the nearest
_SLACK = 1e-9  # of a value, by rounding


@dataclass(frozen=True, eq=False)
class Allowed:
    """What may be chosen, checked.

    - `names`: the variables that are given values, of the decision's own or of what was given beside it.
    - `parts`: tables to combine row by row, of what lies in the box; `grids`: endless ones, by variable.
    - `left_out`: how many rows lie outside.
    """

    names: tuple[str, ...]
    parts: tuple[pd.DataFrame, ...]
    grids: Mapping[str, Grid]
    decision: Decision
    left_out: int

    def near(self, plan: Mapping[str, Any]) -> tuple[pd.DataFrame, int]:
        """Configurations around a plan, the nearest first, and how many there are: a column for each variable, and what
        else the tables hold."""
        parts = [*self.parts, *(self._values(name, plan[name]) for name in self.grids)]
        frame = self._nearest(parts[0], plan)
        for part in parts[1:]:
            frame = frame.iloc[: max(_MOST // len(part), 1)]
            frame = self._nearest(frame.merge(part, how="cross"), plan)
        return frame, math.prod(map(len, parts))

    def _values(self, name: str, value: Any) -> pd.DataFrame:
        """An endless grid around a value."""
        grid, space = self.grids[name], self.decision.choose[name]
        if isinstance(space, Choices) and space.names:
            raise InputError(
                f"{name} has names, {', '.join(space.names)}: list those that may be chosen, not {grid!r}."
            )
        values = grid.near(float(value), *_ends(space))
        values = values[_inside(space, values)]
        if not values.size:
            raise InputError(f"none of {grid!r} lies within {name} in {space!r}; give values that do.")
        return pd.DataFrame({name: values})

    def _nearest(self, frame: pd.DataFrame, plan: Mapping[str, Any]) -> pd.DataFrame:
        away = sum(
            _away(self.decision.choose[name], frame[name].to_numpy(), plan[name]) ** 2
            for name in self.within()
            if name in frame
        )
        return frame.iloc[np.argsort(away, kind="stable")].reset_index(drop=True)

    def within(self) -> list[str]:
        """The variables that the decision itself chooses."""
        return [name for name in self.names if name in self.decision.choose]

    def numbers(self) -> list[str]:
        """Those of them that are numbers."""
        return [n for n in self.within() if not isinstance(one := self.decision.choose[n], Choices) or not one.names]

    def ends(self, name: str) -> tuple[float, float] | None:
        """The least and the most that a table or list allows; nothing for endless grids and for names."""
        for part in self.parts:
            if name in part and pd.api.types.is_numeric_dtype(part[name]):
                values = part[name].to_numpy()
                return float(np.min(values)), float(np.max(values))
        return None

    def put_into(self, worlds: Worlds, frame: pd.DataFrame) -> Worlds:
        """The same worlds with a menu whose items are the rows, each with every item of the menus that are left."""
        return dataclasses.replace(worlds, members=tuple(self._menu(one, frame) for one in worlds.members))

    def _menu(self, member: Member, frame: pd.DataFrame) -> Member:
        decision, labels = fixed(member.decision, self.names), member.posterior.prior.categories()
        menus = menus_of(decision)
        left = {name: space for name, space in menus.items() if name not in self.names}
        others = menu_items(dataclasses.replace(decision, choose=left), labels)
        columns = {name: np.tile(others[:, j], len(frame)) for j, name in enumerate(left)}
        for name in self.names:
            values, menu = frame[name].to_numpy(), menus[name]
            if menu.names:
                known = labels.get(name, menu.names)
                values = np.array([known.index(value) for value in values], dtype=float)
            columns[name] = np.repeat(values.astype(float), len(others))
        items = np.stack([columns[name] for name in menus], axis=1)
        uncertain = {name: array for name, array in member.uncertain.items() if name not in self.names}
        return dataclasses.replace(member, decision=decision, items=items, uncertain=uncertain)


@functools.cache  # a decision is part of a compiled program
def fixed(decision: Decision, names: tuple[str, ...]) -> Decision:
    """The same decision with menus in place of ranges, and of what was given; what is on them is in the items."""
    spaces = {name: decision.choose.get(name) for name in names}
    menus = {name: space if isinstance(space, Choices) else Choices((0.0,)) for name, space in spaces.items()}
    return dataclasses.replace(decision, choose={**decision.choose, **menus}, closed_form=None)


def read_allowed(worlds: Worlds, table: Table | None, values: Mapping[str, Any]) -> tuple[Allowed, list[Status]]:
    """Tables, lists and grids as a user gives them."""
    decision, first = worlds.decision, worlds.members[0]
    beside = [n for n in (*first.numbers, *first.uncertain) if n not in decision.given]
    beside = [name for name in beside if name not in first.posterior.prior.categories()]
    if not decision.choose:
        raise InputError("nothing is chosen in this plan, so that there is nothing to snap.")
    frames, grids = [], {}
    if table is not None:
        frames.append(_table(decision, table, beside))
    for name, one in values.items():
        if name not in decision.choose:
            guess = nearest(name, decision.choose)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise InputError(f"{name!r} is not chosen in this plan; it chooses {', '.join(decision.choose)}.{hint}")
        if frames and table is not None and name in frames[0]:
            raise InputError(f"{name!r} is a column of the table and given beside it; leave one of them out.")
        if isinstance(one, Multiples | Powers):
            grids[name] = one
        else:
            frames.append(_list(name, one))
    if not frames and not grids:
        names = ", ".join(decision.choose)
        raise InputError(
            f"nothing is said of what may be chosen: pass a table of configurations with {names} among its columns, or "
            f"the values of a variable, {next(iter(decision.choose))}=Multiples(128), Powers(2) or a list."
        )
    parts, left_out, notes = [], 0, []
    for frame in frames:
        part, said = _checked(first, frame, [n for n in (*decision.choose, *beside) if n in frame])
        left_out += len(frame) - len(part)
        parts.append(part)
        notes += said
    names = [name for name in (*decision.choose, *beside) if name in grids or any(name in one for one in parts)]
    return Allowed(tuple(names), tuple(parts), grids, decision, left_out), notes


def _table(decision: Decision, table: Table, beside: list[str]) -> pd.DataFrame:
    frame = read_table(table).reset_index(drop=True)
    if not len(frame):
        raise InputError("the table of configurations has no rows; at least one is needed.")
    for name in decision.given:
        if name in frame:
            raise InputError(
                f"the table has a column {name!r}, which is given in this plan: leave the column out, or let it be "
                f"chosen, decision.within({name}=...)."
            )
    if not any(name in frame for name in decision.choose):
        guesses = {name: nearest(name, frame.columns) for name in decision.choose}
        hints = "".join(f" If {theirs!r} is {ours}, rename it." for ours, theirs in guesses.items() if theirs)
        raise InputError(
            f"the table has {', '.join(frame.columns)}; none of it is chosen in this plan, which chooses "
            f"{', '.join(decision.choose)}.{hints}"
        )
    return frame


def _list(name: str, values: Any) -> pd.DataFrame:
    found = values.values if isinstance(values, Choices) else values
    if isinstance(found, str | bytes) or np.ndim(found) != 1 or not np.size(found):
        raise InputError(
            f"{name} is a list of the values that it may have, Multiples(128), Powers(2), or a column of a table; got "
            f"{values!r}."
        )
    return read_table({name: list(found)})


def _checked(member: Member, frame: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, list[Status]]:
    """The rows of a table that lie in the box."""
    choose = member.decision.choose
    copies = frame.duplicated()
    if copies.any():
        row = int(np.flatnonzero(copies)[0])
        raise InputError(f"row {row} of {', '.join(frame.columns)} repeats an earlier one; drop_duplicates() first.")
    known = member.posterior.prior.categories()
    labels = {
        name: known.get(name, space.names)
        for name, space in choose.items()
        if name in names and isinstance(space, Choices) and space.names
    }
    numbers, notes = number_columns(frame, names, labels=labels, what="configuration")
    named = {name: [labels[name][int(code)] for code in numbers[name]] for name in labels}
    part = frame.assign(**numbers | named)
    inside = np.ones(len(part), dtype=bool)
    for name in names:
        if name in choose:
            inside &= _inside(choose[name], part[name].to_numpy())
    if not inside.any():
        said = [f"{n} in {choose[n]!r}, where the table has {_span(part[n])}" for n in names if n in choose]
        raise InputError(
            f"none of {len(part)} configurations lies in the search box: {'; '.join(said)}. Give others, or choose "
            "again with other limits, decision.within(...)."
        )
    return part.loc[inside].reset_index(drop=True), notes


def _span(column: Any) -> str:
    if not pd.api.types.is_numeric_dtype(column):
        return ", ".join(dict.fromkeys(map(str, column)))
    ends = dict.fromkeys(format_number(float(end), str(column.name)) for end in (column.min(), column.max()))
    return " to ".join(ends)


def _ends(space: Range | Choices) -> tuple[float, float]:
    if isinstance(space, Range):
        return space.low, space.high
    numbers = [value for value in space.values if not isinstance(value, str)]
    return min(numbers, default=0.0), max(numbers, default=0.0)


def _inside(space: Range | Choices, values: np.ndarray) -> np.ndarray:
    if isinstance(space, Choices) and space.names:
        return np.isin(values.astype(object), np.array(space.names, dtype=object))
    if isinstance(space, Choices):
        menu = np.sort(np.array(space.values, dtype=float))
        near = menu[np.clip(np.searchsorted(menu, values * (1 - _SLACK)), 0, len(menu) - 1)]
        return np.isclose(values, near, rtol=_SLACK, atol=0)
    slack = _SLACK * max(abs(space.low), abs(space.high))
    if isinstance(space, Range) and space.low > 0:
        return (values >= space.low * (1 - _SLACK)) & (values <= space.high * (1 + _SLACK))
    return (values >= space.low - slack) & (values <= space.high + slack)


def _away(space: Range | Choices, values: np.ndarray, from_: Any) -> np.ndarray:
    """How far values are from one, as a share of the box, in logarithms where it is searched so."""
    if isinstance(space, Range):
        return space.unit(values) - space.unit(from_)
    if space.names:
        return (values != from_).astype(float)
    low, high = _ends(space)
    return (values - float(from_)) / max(high - low, 1e-300) if high > low else np.zeros(len(values))
