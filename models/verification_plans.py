"""Plans of verification: how many answers and how many verdicts on each, and from which budget on verdicts pay."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from bayeslaw._decision import Choices, Decision

SAMPLES = tuple(2.0**i for i in range(9))  # to 256
VERIFICATIONS = (0.0, *(2.0**i for i in range(6)))  # to 32
BUDGETS = tuple(2.0**i for i in range(1, 13))
QUESTIONS = 128.0  # of the paper's MATH subset: the size of a new run in a decision
CHOSEN = 1.0  # the place of that kind


def _gain(law: Any, samples: Any, verifications: Any, sample_budget: Any, verdict_cost: Any) -> dict[str, Any]:
    voted = law.voted(jnp.floor(jnp.asarray(sample_budget)))  # all of the budget, no verdicts
    return {
        "counted": CHOSEN,
        "trials": QUESTIONS,
        "samples": samples,
        "verifications": verifications,
        "spent": samples * (1 + verdict_cost * verifications),
        "accuracy_gain": law.chosen(samples, verifications) - voted,
    }


def _overtaken(law: Any, sample_budget: Any, verdict_cost: Any) -> dict[str, Any]:
    """The best plan with verdicts that a budget pays for: those of the menus, computed once for all budgets."""
    menu = jnp.asarray(list(itertools.product(SAMPLES, VERIFICATIONS[1:])))
    accuracy = jax.lax.map(lambda plan: law.chosen(plan[0], plan[1]), menu)
    affordable = menu[:, 0] * (1 + verdict_cost * menu[:, 1]) <= sample_budget
    samples, verifications = menu[jnp.argmax(jnp.where(affordable, accuracy, -1.0))]
    plan = _gain(law, samples, verifications, sample_budget, verdict_cost)
    return plan | {"accuracy_gain": jnp.where(affordable.any(), plan["accuracy_gain"], -1.0)}


verify = Decision(
    question="How many solutions, and how many verdicts on each (none: majority vote), at a budget per problem?",
    choose={"samples": Choices(SAMPLES, ordered_ends=True), "verifications": Choices(VERIFICATIONS)},
    given=("sample_budget", "verdict_cost"),
    derive=_gain,
    report=("samples", "verifications", "spent", "accuracy_gain"),
    objective=lambda law, plan: jnp.where(plan["spent"] <= plan["sample_budget"], -plan["accuracy_gain"], jnp.inf),
)
"""accuracy_gain is over voting with all of the budget; P(verdicts are worth it) is the share of draws with some."""
overtakes = Decision(
    question="What is the least budget per problem at which verdicts beat a majority vote of the same cost?",
    choose={"sample_budget": Choices(BUDGETS, ordered_ends=True)},
    given=("verdict_cost",),
    derive=_overtaken,
    report=("sample_budget", "samples", "verifications", "accuracy_gain"),
    objective=lambda law, plan: jnp.where(plan["accuracy_gain"] > 0, jnp.log(plan["sample_budget"]), jnp.inf),
)
"""NaN are the draws in which they do not at any budget of the menu."""


def exponents(draws: xr.Dataset) -> xr.Dataset:
    """The paper's a and b, per draw: slopes of ln samples and ln verifications on ln sample_budget, by least squares.

    `draws` are those of `allocate(posterior, verify, sample_budget=[...], verdict_cost=...)`, best with
    `verify.within(verifications=Choices((1, 2, 3, ...)))`, since no verdicts have no logarithm: NaN then.
    """
    budget = np.log(draws["sample_budget"].to_numpy())
    centred = xr.DataArray(budget - budget.mean(), dims="scenario")
    weights = centred / (centred**2).sum()
    found = {"a": draws["samples"], "b": draws["verifications"]}
    logs = {name: np.log(one.where(one > 0)) for name, one in found.items()}
    return xr.Dataset({name: xr.dot(one, weights, dim="scenario") for name, one in logs.items()})
