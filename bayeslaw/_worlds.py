"""What may be true: draws of one law, or of several mixed, and of what is uncertain in the question itself.

An action is an item of the menus of a decision and a point of the unit cube of its ranges. `Worlds.outcomes` says what
actions lead to in every draw; what makes one better than another is in `_best`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayeslaw._allocate import decision_of, scenarios_of
from bayeslaw._columns import COLUMNS
from bayeslaw._columns import derive as derive_column
from bayeslaw._decision import Choices, Decision, Range
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._posterior import Posterior, flat
from bayeslaw._predict import NEW_RUN, need_posterior
from bayeslaw._search import menu_items, plan_of, score_of
from bayeslaw._stack import Stack
from bayeslaw._tree import is_distribution

_AT_ONCE = 2**22  # draws times actions of one call: what fits into memory beside everything else


@dataclass(frozen=True, eq=False)
class Member:
    """One law that may be true, with its draws. `items` are the rows of the menus, as that law reads them."""

    name: str
    posterior: Posterior
    decision: Decision
    items: np.ndarray
    values: Mapping[str, np.ndarray]
    uncertain: Mapping[str, np.ndarray]
    keys: Any
    numbers: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: np.ndarray) -> "Member":
        """The same with some of its draws."""
        return dataclasses.replace(
            self,
            values={name: array[rows] for name, array in self.values.items()},
            uncertain={name: array[rows] for name, array in self.uncertain.items()},
            keys=self.keys[rows],
        )

    def with_mean(self) -> "Member":
        """The same with the posterior mean of everything, parameter by parameter, as a first draw."""

        def before(array: np.ndarray) -> np.ndarray:
            return np.concatenate([array.mean(axis=0, keepdims=True), array])

        return dataclasses.replace(
            self,
            values={name: before(array) for name, array in self.values.items()},
            uncertain={name: before(array) for name, array in self.uncertain.items()},
            keys=jnp.concatenate([self.keys[:1], self.keys]),
        )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What actions lead to: the score of each and the columns asked for, each (draws, actions)."""

    scores: np.ndarray
    columns: Mapping[str, np.ndarray]

    def take(self, actions: np.ndarray) -> "Outcomes":
        return Outcomes(self.scores[:, actions], {name: array[:, actions] for name, array in self.columns.items()})


@dataclass(frozen=True, eq=False)
class Worlds:
    """All draws, law after law.

    - `members`: the laws, one for a posterior. `weights`: of the draws, adding up to one.
    - `places`: where each draw stands among (chain, draw); `shape` of these.
    - `plugged`: the row that is the posterior mean, of weight zero, where there is one (`thinned`).
    """

    members: tuple[Member, ...]
    weights: np.ndarray
    places: np.ndarray
    shape: tuple[int, int]
    plugged: int | None = None

    @property
    def decision(self) -> Decision:
        return self.members[0].decision

    @property
    def response(self) -> str:
        return self.members[0].posterior.response

    @property
    def scenarios(self) -> int:
        return len(next(iter(self.members[0].numbers.values()), [0]))

    def __len__(self) -> int:
        return len(self.weights)

    def laws(self) -> np.ndarray:
        """The name of the law of each draw."""
        return np.repeat([one.name for one in self.members], [len(one) for one in self.members])

    def thinned(self, count: int) -> "Worlds":
        """At most about so many of the draws, evenly, and the posterior mean of the law that has most of them."""
        heaviest = int(np.argmax([len(one) for one in self.members]))
        members, weights, places, start, plugged = [], [], [], 0, 0
        for i, one in enumerate(self.members):
            kept = min(len(one), max(1, round(count * len(one) / len(self))))
            rows = np.unique(np.linspace(0, len(one) - 1, kept).round().astype(int))
            share = self.weights[start : start + len(one)].sum()
            own = self.weights[start + rows]
            own = own / own.sum() * share if own.sum() > 0 else own
            where = self.places[start + rows]
            member = one.take(rows)
            if i == heaviest:
                plugged = sum(map(len, weights))
                mean = one.with_mean().take(np.array([0, *(1 + rows)]))
                member, own, where = mean, np.concatenate([[0.0], own]), np.concatenate([[-1], where])
            members.append(member)
            weights.append(own)
            places.append(where)
            start += len(one)
        found = np.concatenate(weights)
        return Worlds(tuple(members), found / found.sum(), np.concatenate(places), self.shape, plugged)

    def outcomes(self, scenario: int, items: np.ndarray, units: np.ndarray, wanted: tuple[str, ...] = ()) -> Outcomes:
        """What actions lead to in one scenario.

        `items` (actions,) are rows of the menus; `units` points of the unit cube, (actions, ranges), or (draws,
        actions, ranges) where each draw has its own. `wanted` are columns of the plan, the response or a new run.
        """
        chunk = max(1, _AT_ONCE // len(self))
        if len(items) <= chunk:
            return self._some(scenario, items, units, wanted)
        count = len(items)
        filled_up = -count % chunk  # so that the last part is of the size of the others and nothing is compiled anew
        items = np.pad(items, (0, filled_up), mode="edge")
        units = np.pad(units, [(0, 0)] * (units.ndim - 2) + [(0, filled_up), (0, 0)], mode="edge")
        parts = [
            self._some(scenario, items[at : at + chunk], units[..., at : at + chunk, :], wanted)
            for at in range(0, len(items), chunk)
        ]
        scores = np.concatenate([one.scores for one in parts], axis=1)[:, :count]
        columns = {n: np.concatenate([one.columns[n] for one in parts], axis=1)[:, :count] for n in wanted}
        return Outcomes(scores, columns)

    def _some(self, scenario: int, items: np.ndarray, units: np.ndarray, wanted: tuple[str, ...]) -> Outcomes:
        found, start = [], 0
        for one in self.members:
            own = units[start : start + len(one)] if units.ndim == 3 else units
            given = {name: array[scenario] for name, array in one.numbers.items()}
            found.append(
                _outcomes(one.posterior.joint, one.values, one.uncertain, one.keys, given, one.items[items], own,
                          one.decision, wanted)
            )  # fmt: skip
            start += len(one)
        scores = np.concatenate([np.asarray(one) for one, _ in found])
        return Outcomes(scores, {n: np.concatenate([np.asarray(columns[n]) for _, columns in found]) for n in wanted})


def in_order(worlds: Worlds, array: np.ndarray) -> np.ndarray:
    """Draws law after law, (draws, ...), as (chain, draw, ...)."""
    found = np.empty_like(array)
    found[worlds.places] = array
    return found.reshape(*worlds.shape, *array.shape[1:])


def ranges_of(decision: Decision) -> dict[str, Range]:
    return {name: space for name, space in decision.choose.items() if isinstance(space, Range)}


def menus_of(decision: Decision) -> dict[str, Choices]:
    return {name: space for name, space in decision.choose.items() if isinstance(space, Choices)}


@partial(jax.jit, static_argnames=("decision", "wanted"))
def _outcomes(
    joint: Joint, values: Any, uncertain: Any, keys: Any, given: Any, items: Any, units: Any, decision: Decision,
    wanted: tuple[str, ...],
) -> Any:  # fmt: skip
    """Scores (draws, actions), and the columns wanted."""

    def draw(value: Any, unsure: Any, key: Any, unit: Any) -> Any:
        filled = joint.fill(value)
        law = filled.law
        question = {**given, **unsure}

        def act(item: Any, point: Any) -> Any:
            choice = {name: space.at(point[i]) for i, (name, space) in enumerate(ranges_of(decision).items())}
            choice |= {name: item[i] for i, name in enumerate(menus_of(decision))}
            plan = plan_of(decision, law, choice, question)
            columns = {name: _column(filled, plan, name, key) for name in wanted}
            return score_of(decision, law, choice, question), columns

        return jax.vmap(act)(items, unit)

    return jax.vmap(draw, in_axes=(0, 0, 0, 0 if units.ndim == 3 else None))(values, uncertain, keys, units)


def _column(filled: Joint, plan: Mapping[str, Any], name: str, key: Any) -> Any:
    if name in (filled.response, filled.response + NEW_RUN):
        missing = [one for one in filled.columns() if one not in plan and one not in filled.law.optional()]
        if missing:
            raise InputError(f"the law and its noise read {', '.join(missing)}, which the decision does not derive.")
        row = {one: plan[one][None] for one in filled.columns() if one in plan}
        return (filled.mean(row) if name == filled.response else filled.draw(key, row))[0]
    value = derive_column(name, plan)
    if value is None:
        raise InputError(
            f"a plan has no {name!r}; it has {', '.join(plan)}. Add it with decision.also({name}=...), a function of "
            "columns."
        )
    return jnp.asarray(value, dtype=float)


def worlds_of(
    posterior: Posterior | Stack,
    decision: Decision | str | None,
    given: Mapping[str, Any],
    seed: int,
    change: Callable[[Decision], Decision] = lambda decision: decision,
) -> tuple[Worlds, list[Status]]:
    """The draws and the question, checked, and remarks on what is given. Values that are distributions are drawn once a
    draw of the posterior."""
    if isinstance(posterior, Stack):
        shape = (posterior.laws.sizes["chain"], posterior.laws.sizes["draw"])
        place = posterior.laws.to_numpy().ravel()
        members = {name: one for name, one in posterior.members.items() if (place == name).any()}
        first = next(iter(members))
    else:
        need_posterior(posterior)
        shape, members, first = posterior.shape, {"": posterior}, ""
        place = np.full(shape[0] * shape[1], "", dtype=object)
    total = shape[0] * shape[1]
    unsure = {name: value for name, value in given.items() if is_distribution(value)}
    drawn = {name: _drawn(name, value, total, seed + i) for i, (name, value) in enumerate(unsure.items())}
    table = {**given, **{name: float(np.median(array)) for name, array in drawn.items()}}
    keys = jax.random.split(jax.random.key(seed), total)
    found, places, notes = [], [], []
    for name, one in members.items():
        own = change(decision_of(one.prior, decision))
        if found and own.choose != found[0].decision.choose:
            raise InputError(
                f"{name!r} would choose {', '.join(own.choose)} within {tuple(own.choose.values())}, {first!r} "
                f"{', '.join(found[0].decision.choose)} within {tuple(found[0].decision.choose.values())}: one action "
                "for all laws needs one decision, pass it."
            )
        numbers, said = scenarios_of(one, own, table)
        rows = np.flatnonzero(place == name)
        chains, draws = np.divmod(rows, shape[1])
        within = chains * one.shape[1] + draws
        values = {site: array[within] for site, array in flat(one).items()}
        certain = {column: array for column, array in numbers.items() if column not in drawn}
        items = menu_items(own, one.prior.categories())
        uncertain = {column: array[rows] for column, array in drawn.items()}
        found.append(Member(name, one, own, items, values, uncertain, keys[rows], certain))
        places.append(rows)
        notes += [note for note in said if note not in notes]
    return Worlds(tuple(found), np.full(total, 1 / total), np.concatenate(places), shape), notes


def _drawn(name: str, value: Any, count: int, seed: int) -> np.ndarray:
    if value.batch_shape or value.event_shape:
        raise InputError(f"{name!r} should be a distribution of one number, got one of shape {value.batch_shape}.")
    drawn = np.asarray(value.sample(jax.random.fold_in(jax.random.key(seed), 1), (count,)), dtype=float)
    known = COLUMNS.get(name)
    if not np.isfinite(drawn).all() or (known is not None and not known.allows(drawn).all()):
        raise InputError(
            f"{name!r} must be {known.domain if known else 'finite'}; of the distribution given, "
            f"{np.min(drawn):.4g} to {np.max(drawn):.4g} was drawn."
        )
    return drawn
