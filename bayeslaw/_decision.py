"""A decision: what a paper's question asks one to choose, within what, and what it costs.

The constraint is met by construction: `derive` turns the choice and the budget into the columns of
the law, so the search runs over a plain box.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from bayeslaw._columns import derive as derive_column
from bayeslaw._columns import nearest
from bayeslaw._errors import InputError
from bayeslaw._tree import arguments, evaluate


@dataclass(frozen=True, repr=False)
class Range:
    """A continuous variable between `low` and `high`, searched on a linear scale."""

    low: float
    high: float

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.low:g}, {self.high:g})"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise InputError(f"{self!r}: low must be below high, and both finite.")

    def at(self, unit: Any) -> Any:
        """The value at a point of the unit interval."""
        return self.low + (self.high - self.low) * unit

    def unit(self, value: Any) -> Any:
        """The point of the unit interval at a value."""
        return (np.asarray(value, dtype=float) - self.low) / (self.high - self.low)


@dataclass(frozen=True, repr=False)
class LogRange(Range):
    """A continuous positive variable between `low` and `high`, searched on a logarithmic scale."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise InputError(f"{self!r}: a logarithmic range starts above zero.")

    def at(self, unit: Any) -> Any:
        return jnp.exp(jnp.log(self.low) + (jnp.log(self.high) - jnp.log(self.low)) * unit)

    def unit(self, value: Any) -> Any:
        return np.log(np.asarray(value, dtype=float) / self.low) / np.log(self.high / self.low)


@dataclass(frozen=True)
class Choices:
    """A menu of values, all of which are tried: numbers, or names such as those of strategies.

    For names, a result says in which share of draws each is the best. A law that has the column among its categories
    is given the position there, any other function the position in the menu.
    """

    values: tuple[float, ...] | tuple[str, ...]
    ordered_ends: bool = dataclasses.field(default=False, repr=False)

    def __post_init__(self) -> None:
        values = tuple(self.values)
        if not values:
            raise InputError("a menu needs at least one value.")
        names = all(isinstance(value, str) for value in values)
        object.__setattr__(self, "values", values if names else tuple(float(value) for value in values))

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the menu, or nothing where it holds numbers."""
        return tuple(value for value in self.values if isinstance(value, str))


def Integers(low: int, high: int) -> Choices:  # noqa: N802 (reads as the class it stands for)
    """All whole numbers from `low` to `high`, both included."""
    if high < low or high - low > 100_000:
        raise InputError(f"Integers({low}, {high}) needs low <= high and at most 100,001 values; use LogRange beyond.")
    return Choices(tuple(range(low, high + 1)), ordered_ends=True)


Space = Range | Choices


@dataclass(frozen=True, eq=False)
class Decision:
    """What to choose, given what.

    - `question`: the question in one sentence.
    - `choose`: the variables and where to look, `{"params": LogRange(1e6, 1e14)}`.
    - `given`: what the user supplies, such as a budget, `("flops",)`.
    - `derive`: a function of any of these by name that returns the columns of the law, elementwise.
    - `report`: what a result shows; a column, or what follows from columns (`tokens_per_param`).
    - `objective(law, columns)`: what to minimise; the law's mean when left out.
    - `closed_form(law, **given)`: the optimum of `choose` by formula, if there is one.
    - `inner(law, columns)`: the law that `derive` is given, where that is not the posterior's own (`through`).
    - `beside`: more columns of a plan, each a function of others by name; see `also`.
    """

    question: str
    choose: Mapping[str, Space]
    given: tuple[str, ...]
    derive: Callable[..., Mapping[str, Any]]
    report: tuple[str, ...]
    objective: Callable[[Any, Mapping[str, Any]], Any] | None = None
    closed_form: Callable[..., Mapping[str, Any]] | None = None
    inner: Callable[[Any, Mapping[str, Any]], Any] | None = None
    beside: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    def within(self, **spaces: Space) -> "Decision":
        """The same decision with other places to look: `compute_optimal.within(params=Choices((7e9, 70e9)))`.

        What was given can be chosen too: `within(flops=LogRange(1e20, 1e26))` asks for the budget as well. It has no
        closed form: the formula knows nothing of the new limits.
        """
        for name in spaces:
            if name not in (*self.choose, *self.given):
                given = f", and is given {', '.join(self.given)}" if self.given else ""
                raise InputError(
                    f"{name!r} is not chosen in this decision; it chooses {', '.join(self.choose)}{given}."
                )
        freed = tuple(name for name in spaces if name in self.given)
        return dataclasses.replace(
            self,
            choose={**self.choose, **spaces},
            given=tuple(name for name in self.given if name not in freed),
            report=(*self.report, *(name for name in freed if name not in self.report)),
            closed_form=None,
        )

    def also(self, **columns: Callable[..., Any]) -> "Decision":
        """The same decision whose plans have more columns, such as what they cost: `also(memory_bytes=weight_bytes)`.

        Each is a function of columns by name, of the plan or of what follows from it; what else it asks for is given
        with the rest, and its default is taken where that is left out. `bl.costs` holds such functions.
        """
        report = (*self.report, *(name for name in columns if name not in self.report))
        return dataclasses.replace(self, beside={**self.beside, **columns}, report=report)

    def minimising(self, column: str) -> "Decision":
        """The same decision for the least of a column of the plan, such as a cost, in place of its own objective."""
        question = f"Which {', '.join(self.choose)} need the least {column}?"
        return dataclasses.replace(self, question=question, objective=Least(column), closed_form=None)

    def columns(self, law: Any, choice: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a plan: the choice, the given, and what `derive` makes of them."""
        plan = {"trials": 1.0, **given, **choice}  # where answers are counted, a new run is one answer unless one says
        asked = arguments(self.derive)
        known = plan
        if "law" in asked:
            known = {**plan, "law": law if self.inner is None else self.inner(law, plan)}
        plan |= dict(self.derive(**{name: known[name] for name in asked}))
        for name, function in self.beside.items():
            plan[name] = function(**_known(name, function, plan))
        return plan

    def plan(self, law: Any, choice: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """All columns of a plan: `columns`, hyperparameters at the law's optimum where they are not chosen, and what
        is reported."""
        plan = law.complete(self.columns(law, choice, given))
        for name in self.report:
            value = derive_column(name, plan)
            if value is None:
                raise InputError(f"the decision reports {name!r}, but its derive() does not give it.")
            plan[name] = value
        return plan

    def score(self, law: Any, plan: Mapping[str, Any]) -> Any:
        """What is minimised, at a plan."""
        if self.objective is not None:
            return self.objective(law, plan)
        return evaluate(law, plan)

    def check_given(self, given: Mapping[str, Any], optional: tuple[str, ...] = ()) -> None:
        """Raise `InputError` unless the wanted quantities are given, and none but these and `optional` ones."""
        asked = dict.fromkeys((*optional, *(a for function in self.beside.values() for a in arguments(function))))
        may = (*self.given, *(name for name in asked if name not in (*self.given, *self.choose)))
        for name in given:
            if name not in may:
                guess = nearest(name, may)
                hint = f" Did you mean {guess!r}?" if guess else ""
                wanted = ", ".join(self.given) + (
                    f" (and {', '.join(may[len(self.given) :])} if you like)" if may[len(self.given) :] else ""
                )
                raise InputError(f"{name!r} is not a quantity of this decision: give {wanted}.{hint}")
        missing = [name for name in self.given if name not in given]
        if missing:
            raise InputError(f"the decision needs {', '.join(self.given)}; {', '.join(missing)} is missing.")


@dataclass(frozen=True)
class Least:
    """The objective that is a column of the plan."""

    column: str

    def __call__(self, law: Any, plan: Mapping[str, Any]) -> Any:
        value = derive_column(self.column, plan)
        if value is None:
            raise InputError(
                f"{self.column!r}, which is to be least, is no column of the plan: {', '.join(plan)}. Add it with "
                f"decision.also({self.column}=...)."
            )
        return value


def _known(name: str, function: Callable[..., Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a function of columns: from the plan, else its defaults."""
    found = {}
    for one, parameter in inspect.signature(function).parameters.items():
        value = derive_column(one, plan)
        if value is not None:
            found[one] = value
        elif parameter.default is parameter.empty:
            raise InputError(f"the column {name!r} needs {one}: give it, {one}=..., or add it with decision.also().")
    return found


@functools.cache
def through(decision: Decision, inner: Callable[[Any, Mapping[str, Any]], Any] | None) -> Decision:
    """A decision of one law, for a law that wraps it.

    `inner(law, columns)` is the law that the decision's own functions are then given; without it they are given the
    wrapper, and a closed form, which knows nothing of what the wrapper adds, is left out.
    """
    if inner is None:
        return dataclasses.replace(decision, closed_form=None)
    own, objective, closed_form = decision.inner, decision.objective, decision.closed_form
    return dataclasses.replace(
        decision,
        inner=inner if own is None else lambda law, plan: own(inner(law, plan), plan),
        objective=None if objective is None else lambda law, plan: objective(inner(law, plan), plan),
        closed_form=None
        if closed_form is None
        else lambda law, **given: closed_form(inner(law, given), **{name: given[name] for name in decision.given}),
    )
