"""`allocate`: the optimum of a decision in every posterior draw, so that the answer is a distribution."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array

from bayeslaw._columns import COLUMNS
from bayeslaw._decision import Choices, Decision
from bayeslaw._distance import far
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._posterior import Posterior, flat
from bayeslaw._predict import NEW_RUN, column_variable, need_posterior, response_dataset, serious, summarise
from bayeslaw._runs import number_columns, read_table
from bayeslaw._search import into_box, plan_of, score_of, search
from bayeslaw._stack import over_laws
from bayeslaw._tree import float64

EDGE_SHARE = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Allocation:
    """The optimum of a decision, draw by draw.

    - `draws`: xarray Dataset with dims (chain, draw, scenario): every reported variable, the response there
      (`loss` is the mean function, `loss_new_run` a run with its noise), and the flag `at_edge`. What was
      given (`flops`) is a coordinate of `scenario`. NaN in the draws in which no choice meets the aim; a choice
      among names holds positions, the names being in its attribute `names`.
    - `status`: optimum at the edge of the search box, draws without any, distance from the data, health of the
      posterior.
    """

    draws: xr.Dataset
    decision: Decision
    status: tuple[Status, ...]

    @property
    def edge_share(self) -> xr.DataArray:
        """For each scenario the share of draws whose optimum lies on the edge of the search box."""
        return self.draws["at_edge"].mean(("chain", "draw"))

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Median and equal-tailed credible interval of mass `prob`, a row per scenario and quantity.

        `covers` says what the interval is of (the optimum, the mean function or a new run); `at_edge` is
        the share of draws whose optimum lies on the edge of the search box.
        """
        frame = summarise(self.draws, prob)
        frame["at_edge"] = np.repeat(self.edge_share.to_numpy(), len(frame) // self.draws.sizes["scenario"])
        return frame

    def __repr__(self) -> str:
        from bayeslaw._show import as_text

        return as_text(self.decision.question, self.summary(), self.status)

    def _repr_html_(self) -> str:
        from bayeslaw._show import as_html

        return as_html(self.decision.question, self.summary(), self.status)


@float64
@over_laws
def allocate(
    posterior: Posterior,
    decision: Decision | str | None = None,
    *,
    method: Literal["search", "closed_form"] = "search",
    seed: int = 0,
    **given: Any,
) -> Allocation:
    """Where the optimum lies, as a distribution: `allocate(posterior, flops=[1e22, "5.76e23"])`.

    For each posterior draw and each scenario, the choice that minimises the law's mean. This is an
    interval on *where the optimum is*, not yet one plan that is good on average.

    - `posterior`: or a `Stack`, for the optimum of each of its laws, mixed.
    - `decision`: the law's first decision when left out, one of `law.decisions()` by its name, or a `Decision`;
      `decision.within(params=...)` narrows the search.
    - `given`: what the decision needs, one value or many (values broadcast to one scenario each); and any column
      that the law lets one leave out (a hyperparameter, else at its optimum; a corpus, else a new one).
    - `method`: `"search"` (a zoom grid, always available) or `"closed_form"` where the decision has one.
    - `seed`: for the noise in `loss_new_run`.

    Raises `InputError` for unknown or missing quantities and for budgets that no choice in the box meets.
    """
    need_posterior(posterior)
    decision = decision_of(posterior.prior, decision)
    law = posterior.prior
    labels = law.categories()
    numbers, notes = scenarios_of(posterior, decision, given)
    if method not in ("search", "closed_form"):
        raise InputError(f"method must be 'search' or 'closed_form', got {method!r}.")
    if method == "closed_form" and decision.closed_form is None:
        raise InputError("this decision has no closed form; use method='search'.")
    scenarios = {name: jnp.asarray(values) for name, values in numbers.items()}
    keys = jax.random.split(jax.random.key(seed), len(next(iter(numbers.values()), [0])))
    plan, mean, new, edge, best = jax.tree.map(
        np.asarray, _solve(keys, posterior.joint, flat(posterior), scenarios, decision, method)
    )
    reached = np.isfinite(best)
    _check_reached(decision, numbers, plan, reached)
    response = posterior.response
    names = [name for name in decision.report if name not in numbers]
    coords = {name: column_variable(name, array, labels.get(name)) for name, array in numbers.items()}
    found = {name: plan[name] for name in names} | {response: mean, response + NEW_RUN: new}
    found = {name: np.where(reached, array, np.nan) for name, array in found.items()} | {"at_edge": edge & reached}
    medians = {name: np.nanmedian(np.where(reached, array, np.nan), axis=0) for name, array in plan.items()}
    status = serious(posterior) + notes + _reached_status(decision, numbers, reached)
    status += _edge_status(decision, numbers, edge & reached) + far(posterior, medians)
    draws = response_dataset(posterior, found, coords)
    for name in set(names) & set(decision.choose):
        space = decision.choose[name]
        if isinstance(space, Choices) and space.names:
            draws[name].attrs["names"] = list(labels.get(name, space.names))
    return Allocation(draws, decision, tuple(status))


def default_decision(law: Any) -> Decision:
    """The first decision of a law."""
    decisions = law.decisions()
    if not decisions:
        raise InputError(f"{type(law).__name__} declares no decision: pass one, Decision(choose=..., ...).")
    return next(iter(decisions.values()))


def decision_of(law: Any, decision: Decision | str | None) -> Decision:
    """A decision itself, one of the law's by its name, or the law's first."""
    if decision is None:
        return default_decision(law)
    if isinstance(decision, Decision):
        return decision
    decisions = law.decisions()
    if not isinstance(decision, str) or decision not in decisions:
        raise InputError(f"{type(law).__name__} has no decision {decision!r}; it has {', '.join(decisions) or 'none'}.")
    return decisions[decision]


def scenarios_of(
    posterior: Posterior, decision: Decision, given: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], list[Status]]:
    """What is given, checked, a value per scenario; and remarks. A decision to which nothing is given has one scenario.

    Beside what the decision needs it may hold what the law lets one leave out, and the trials of a new run.
    """
    law = posterior.prior
    counted = ("trials",) if "trials" in posterior.noise_prior.columns() else ()
    decision.check_given(given, (*law.optional(), *counted))
    wanted = (*decision.given, *(name for name in given if name not in decision.given))
    table = read_table(given) if given else pd.DataFrame(index=[0])
    return number_columns(table, wanted, labels=law.categories(), what="scenario")


@partial(jax.jit, static_argnames=("decision", "method"))
def _solve(
    keys: Array,
    joint: Joint,
    values: Mapping[str, Any],
    scenarios: Mapping[str, Array],
    decision: Decision,
    method: str,
) -> Any:
    """Plans, mean, new run, edge flag and objective, each (draws, scenarios)."""
    draws = len(next(iter(values.values())))

    def one(key: Array, draw: Mapping[str, Any], given: Mapping[str, Array]) -> Any:
        filled = joint.fill(draw)
        if method == "closed_form":
            assert decision.closed_form is not None
            choice, edge = into_box(decision, decision.closed_form(filled.law, **given))
        else:
            choice, edge = search(decision, lambda c: score_of(decision, filled.law, c, given), filled.law.categories())
        plan = plan_of(decision, filled.law, choice, given)
        missing = [name for name in filled.columns() if name not in plan and name not in filled.law.optional()]
        if missing:
            raise InputError(f"the law and its noise read {', '.join(missing)}, which the decision does not derive.")
        row = {name: plan[name][None] for name in filled.columns() if name in plan}
        mean, new = filled.mean(row)[0], filled.draw(key, row)[0]
        return plan, mean, new, edge, score_of(decision, filled.law, choice, given)

    def scenario(inputs: tuple[Array, Mapping[str, Array]]) -> Any:
        key, given = inputs
        return jax.vmap(one, in_axes=(0, 0, None))(jax.random.split(key, draws), values, given)

    # One scenario after the other: memory stays that of one, however many are asked for.
    return jax.tree.map(lambda array: jnp.moveaxis(array, 0, 1), jax.lax.map(scenario, (keys, dict(scenarios))))


def _check_reached(
    decision: Decision, numbers: Mapping[str, Any], plan: Mapping[str, Any], reached: np.ndarray
) -> None:
    for i in np.flatnonzero(~reached.any(axis=0)):
        asked = _asked(numbers, i)
        box = ", ".join(f"{name} in {space!r}" for name, space in decision.choose.items())
        for name, values in plan.items():
            known = COLUMNS.get(name)
            column = values[np.isfinite(values[:, i]), i]
            if known is not None and not known.allows(column).all():
                raise InputError(
                    f"{asked} cannot be met: with {box}, {name} would be {column[0]:.3g} at best, and must be "
                    f"{known.domain}. Give another budget, or other limits by decision.within(...)."
                )
        raise InputError(f"{asked} is out of reach in every draw, anywhere with {box}.")


def _asked(numbers: Mapping[str, Any], scenario: Any) -> str:
    return ", ".join(f"{name} = {array[scenario]:.4g}" for name, array in numbers.items())


def _reached_status(decision: Decision, numbers: Mapping[str, Any], reached: np.ndarray) -> list[Status]:
    found = []
    for i in np.flatnonzero(~reached.all(axis=0)):
        asked = _asked(numbers, i)
        found.append(
            Status(
                f"{asked} is out of reach in {1 - reached[:, i].mean():.1%} of draws, whatever is chosen: medians and "
                "intervals are of the other draws."
            )
        )
    return found


def _edge_status(decision: Decision, numbers: Mapping[str, Any], edge: np.ndarray) -> list[Status]:
    shares = edge.mean(axis=0)
    found = []
    for i in np.flatnonzero(shares > EDGE_SHARE):
        asked = _asked(numbers, i)
        found.append(
            Status(
                f"at {asked} the optimum lies on the edge of the search box in {shares[i]:.0%} of draws: it may be "
                f"beyond. The box is {', '.join(f'{n} in {s!r}' for n, s in decision.choose.items())}; widen it by "
                "decision.within(...), or read the edge as the answer."
            )
        )
    return found
