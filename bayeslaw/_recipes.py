"""Recipes side by side: what each does best with a budget, and what budget another needs for the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from bayeslaw._allocate import decision_of, scenarios_of
from bayeslaw._columns import derive
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._posterior import Posterior, flat
from bayeslaw._search import plan_of, score_of, search

REACH = 1e6  # multipliers beyond it, or below its inverse, count as out of reach
_STEPS = 12  # of bisection, to 0.7 % of the multiplier; the line between the ends is good to 1e-6


@dataclass(frozen=True, eq=False)
class Recipe:
    """One arm: the posterior that knows it, and what tells it from the other arms of that posterior.

    `fixed` holds its label, as a number; `draws` the places of the draws to take (chain * draw).
    """

    posterior: Posterior
    decision: Decision
    fixed: Mapping[str, float]
    runs: pd.DataFrame
    draws: np.ndarray

    @property
    def values(self) -> dict[str, np.ndarray]:
        return {name: array[self.draws] for name, array in flat(self.posterior).items()}

    @property
    def budget(self) -> str:
        """What the multiplier is of."""
        given = self.decision.given
        if not given:
            raise InputError("this decision is given nothing, so that there is no budget to compare arms by.")
        return "flops" if "flops" in given else given[0]

    @property
    def extent(self) -> tuple[float, float]:
        """The least and the largest budget of its runs; NaN where their columns do not say."""
        seen = derive(self.budget, {str(name): one.to_numpy() for name, one in self.runs.items()})
        return (np.nan, np.nan) if seen is None else (float(seen.min()), float(seen.max()))

    def scenarios(self, given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], list[Status]]:
        """What is given, as numbers, checked; and remarks."""
        for name in self.fixed:
            if name in given:
                raise InputError(f"{name!r} tells the arms apart, and all of them are compared: leave it out.")
        return scenarios_of(self.posterior, self.decision, given)

    def told(self, numbers: Mapping[str, np.ndarray]) -> dict[str, Array]:
        """Scenarios with the label of this arm."""
        count = len(next(iter(numbers.values())))
        return {name: jnp.asarray(array) for name, array in numbers.items()} | {
            name: jnp.full(count, code) for name, code in self.fixed.items()
        }


def recipes_of(fitted: Any, by: str | None, decision: Decision | str | None) -> dict[str, Recipe]:
    """The arms of a posterior that tells them apart by a column of names, or of posteriors by name."""
    if isinstance(fitted, Posterior):
        return _of_one(fitted, by, decision)
    if not isinstance(fitted, Mapping) or not all(isinstance(one, Posterior) for one in fitted.values()):
        came = getattr(fitted, "__name__", type(fitted).__name__)
        raise InputError(
            "compare_arms needs a law and runs, compare_arms(Chinchilla, runs, by='arm', flops=1e22), or what is "
            f"fitted: a posterior that knows the arms, or posteriors by name; got {came}."
        )
    if by is not None:
        raise InputError(f"by={by!r} is for arms of one posterior; these are told apart by the names of posteriors.")
    if len(fitted) < 2:
        raise InputError(f"a comparison needs two arms or more, and {', '.join(map(str, fitted)) or 'none'} was given.")
    responses = {name: one.response for name, one in fitted.items()}
    if len(set(responses.values())) > 1:
        said = ", ".join(f"{name} of {response}" for name, response in responses.items())
        raise InputError(f"arms must be of one response to be compared; these are {said}.")
    shape = [min(one.shape[axis] for one in fitted.values()) for axis in (0, 1)]
    found = {}
    for i, (name, one) in enumerate(fitted.items()):
        places = np.arange(np.prod(one.shape)).reshape(one.shape)[: shape[0], : shape[1]].ravel()
        if i:  # fits with one seed have draws that move alike, which says nothing of their arms
            places = np.random.default_rng(i).permutation(places)
        found[str(name)] = Recipe(one, decision_of(one.prior, decision), {}, one.runs, places)
    return found


def _of_one(posterior: Posterior, by: str | None, decision: Decision | str | None) -> dict[str, Recipe]:
    labels, runs = posterior.prior.categories(), posterior.runs
    known = [name for name in labels if name in runs]
    if by is None and len(known) == 1:
        by = known[0]
    if by is None or by not in known:
        hint = "give a law and runs, or fit Pooled(law, runs, by='arm')"
        hint = f"it reads {', '.join(known)}, by={known[0]!r}" if known else hint
        what = "tells arms apart by a column of names" if by is None else f"reads a column {by!r} of names"
        raise InputError(f"the posterior is of no law that {what}; {hint}.")
    seen = [name for name in labels[by] if (runs[by] == name).any()]
    if len(seen) < 2:
        raise InputError(f"all runs have {by} {', '.join(seen)!r}: a comparison needs two arms or more.")
    decision, every = decision_of(posterior.prior, decision), np.arange(np.prod(posterior.shape))
    return {
        name: Recipe(posterior, decision, {by: float(labels[by].index(name))}, runs.loc[runs[by] == name], every)
        for name in seen
    }


@partial(jax.jit, static_argnames="decision")
def optima(joint: Joint, values: Mapping[str, Any], scenarios: Mapping[str, Array], decision: Decision) -> Any:
    """The best plan of each draw and scenario, its mean, its score, and whether it lies on the edge of the box; each
    (draws, scenarios)."""

    def one(draw: Mapping[str, Any], given: Mapping[str, Array]) -> Any:
        filled = joint.fill(draw)
        choice, score, edge = _best(filled.law, decision, given)
        plan = plan_of(decision, filled.law, choice, given)
        row = {name: plan[name][None] for name in filled.law.columns() if name in plan}
        return plan, filled.mean(row)[0], score, edge

    found = jax.lax.map(lambda given: jax.vmap(one, in_axes=(0, None))(values, given), dict(scenarios))
    return jax.tree.map(lambda array: jnp.moveaxis(array, 0, 1), found)


@partial(jax.jit, static_argnames=("decision", "budget"))
def multipliers(
    joint: Joint,
    values: Mapping[str, Any],
    scenarios: Mapping[str, Array],
    scores: Array,
    decision: Decision,
    budget: str,
) -> Any:
    """How many times the budget of each scenario is needed for these scores (draws, scenarios), and whether the optimum
    there lies on the edge of the box. `inf` where `REACH` times is not enough, 0 where its inverse is more than that.

    By bisection, for the best score falls with the budget and a menu may make it a staircase; then by a straight line.
    """
    far = jnp.log(REACH)

    def one(draw: Mapping[str, Any], given: Mapping[str, Array], score: Array) -> tuple[Array, Array]:
        law = joint.fill(draw).law

        def step(ends: Any, _: None) -> tuple[Any, None]:
            low, high, short, enough, edge = ends
            middle = (low + high) / 2
            there, edged = _best(law, decision, {**given, budget: given[budget] * jnp.exp(middle)})[1:]
            above = (middle, high, there, enough, edge)
            below = (low, middle, short, there, edged)
            return jax.tree.map(lambda x, y: jnp.where(there > score, x, y), above, below), None

        start = (-far, far, jnp.asarray(jnp.inf), jnp.asarray(-jnp.inf), jnp.asarray(False))
        (low, high, short, enough, edge), _ = jax.lax.scan(step, start, None, length=_STEPS)
        share = (short - score) / (short - enough)
        found = jnp.exp(low + (high - low) * jnp.where(jnp.isfinite(share), share, 0.5))
        found = jnp.where(high == far, jnp.inf, jnp.where(low == -far, 0.0, found))
        return jnp.where(jnp.isfinite(score), found, jnp.nan), edge

    def scenario(inputs: tuple[Mapping[str, Array], Array]) -> tuple[Array, Array]:
        return jax.vmap(one, in_axes=(0, None, 0))(values, *inputs)

    found = jax.lax.map(scenario, (dict(scenarios), scores.T))
    return jax.tree.map(lambda array: jnp.moveaxis(array, 0, 1), found)


def _best(law: Any, decision: Decision, given: Mapping[str, Array]) -> tuple[dict[str, Array], Array, Array]:
    choice, edge = search(decision, lambda c: score_of(decision, law, c, given), law.categories())
    return choice, score_of(decision, law, choice, given), edge
