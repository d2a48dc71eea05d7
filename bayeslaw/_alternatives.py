"""`alternatives`: how good each item on the menu of a decision is, and how sure one may be that it is the best."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array

from bayeslaw._allocate import decision_of, scenarios_of
from bayeslaw._columns import format_number
from bayeslaw._decision import Choices, Decision
from bayeslaw._distance import far
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._posterior import Posterior, check_prob, flat, labelled
from bayeslaw._predict import column_variable, need_posterior, serious
from bayeslaw._search import menu_items, plan_of, score_of, search_each
from bayeslaw._stack import over_laws
from bayeslaw._tree import float64

_MOST = 20_000_000  # draws times alternatives, for a scenario
_SHOWN = 10  # alternatives a scenario, in what is printed


@dataclass(frozen=True, eq=False, repr=False)
class Alternatives:
    """Every combination on the menus of a decision, compared in every draw.

    - `draws`: xarray Dataset with dims (chain, draw, scenario, alternative): the response of each (the mean function),
      its `regret` (how much worse its objective is than that of the best one in the same draw) and the flag `best`.
      What is on the menus are coordinates of `alternative`; NaN where an alternative is impossible or out of budget.
    - `status`: health of the posterior, and distance from the data of those that may be the best.
    """

    draws: xr.Dataset
    decision: Decision
    status: tuple[Status, ...]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """A row per scenario and alternative, in the order of the menus.

        - `p_best`: the share of draws in which it is the best of all; `possible`: in which it can be had at all.
        - `lower`, `median`, `upper`: equal-tailed interval of mass `prob` of the response, the mean function.
        - `regret`: the mean over draws of what one loses by it against the best of each draw; `regret_upper`: what is
          lost at most, with probability `prob`. In units of what the decision minimises. Both over the draws in which
          it is possible.
        """
        check_prob(prob)
        names = [str(name) for name in self.draws.coords if self.draws[name].dims == ("scenario",)]
        menus = [str(name) for name in self.draws.coords if self.draws[name].dims == ("alternative",)]
        response, regret = (self.draws[name].to_numpy() for name in (self.draws.attrs["response"], "regret"))
        scenarios, items = self.draws.sizes["scenario"], self.draws.sizes["alternative"]
        ends = (1 - prob) / 2, 0.5, (1 + prob) / 2
        with warnings.catch_warnings():  # impossible in every draw: no mean, no quantile
            warnings.simplefilter("ignore", RuntimeWarning)
            lower, median, upper = np.nanquantile(response, ends, axis=(0, 1))
            columns = {
                "p_best": self.draws["best"].to_numpy().mean((0, 1)),
                "possible": np.isfinite(regret).mean((0, 1)),
                "lower": lower,
                "median": median,
                "upper": upper,
                "regret": np.nanmean(regret, axis=(0, 1)),
                "regret_upper": np.nanquantile(regret, prob, axis=(0, 1)),
            }
        index = {name: np.repeat(self.draws[name].to_numpy(), items) for name in names}
        index |= {name: np.tile(self.draws[name].to_numpy(), scenarios) for name in menus}
        frame = pd.DataFrame({name: column.ravel() for name, column in columns.items()})
        frame.index = pd.MultiIndex.from_arrays(list(index.values()), names=list(index))
        frame.attrs |= {"prob": prob, "scenario": names}
        return frame

    def _shown(self) -> tuple[str, pd.DataFrame]:
        """The title and the likeliest alternatives of each scenario, as text."""
        frame = self.summary()
        response = self.draws.attrs["response"]
        # Draw shares first, then regret; the scenarios in their order.
        scenario = np.arange(len(frame)) // self.draws.sizes["alternative"]
        order = np.lexsort((frame["regret"].to_numpy(), -frame["p_best"].to_numpy(), scenario))
        order = order.reshape(self.draws.sizes["scenario"], -1)[:, :_SHOWN].ravel()
        shown = frame.iloc[order]
        text = shown.astype(object)
        for name in text.columns:
            share = name in ("p_best", "possible")
            text[name] = [_share(v) if share else format_number(v, response) for v in shown[name]]
        levels = [
            [v if isinstance(v, str) else format_number(v, str(name)) for v in text.index.get_level_values(i)]
            for i, name in enumerate(text.index.names)
        ]
        text.index = pd.MultiIndex.from_arrays(levels, names=text.index.names)
        title = f"{self.decision.question} ({response}: equal-tailed {frame.attrs['prob']:.0%} credible intervals)"
        left = self.draws.sizes["alternative"] - _SHOWN
        return title + (f"; {left} less likely alternatives are not shown" if left > 0 else ""), text

    def __repr__(self) -> str:
        title, text = self._shown()
        return "\n".join([title, text.to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(*self._shown(), self.status)


def _share(value: float) -> str:
    """A share of draws that says nothing is certain unless it is so in all of them."""
    if 0 < value < 0.005 or 0.995 < value < 1:
        return "<1%" if value < 0.5 else ">99%"
    return f"{value:.0%}"


@float64
@over_laws
def alternatives(posterior: Posterior, decision: Decision | str | None = None, **given: Any) -> Alternatives:
    """Which is best, and how sure is that: `alternatives(posterior, decision, inference_flops=[1e12, 1e14])`.

    Every combination of what is on the menus of a decision (`Choices`, `Integers`) is scored in every posterior draw;
    ranges beside them are optimised inside each. To compare a few values of a range put them on a menu:
    `decision.within(params=Choices((7e9, 13e9, 70e9)))`. `posterior`, `decision` and
    `given` are as for `allocate`.

    Raises `InputError` for unknown or missing quantities, for a decision without a menu, and where no alternative of a
    scenario is possible in any draw.
    """
    need_posterior(posterior)
    law = posterior.prior
    decision = decision_of(law, decision)
    menus = {name: space for name, space in decision.choose.items() if isinstance(space, Choices)}
    if not menus:
        first = next(iter(decision.choose))
        raise InputError(
            f"this decision has no menu: {', '.join(decision.choose)} can be anything in a range. Say what to compare, "
            f"decision.within({first}=Choices((..., ...)))."
        )
    labels = law.categories()
    items = menu_items(decision, labels)
    values = flat(posterior)
    size = len(items) * len(next(iter(values.values())))
    if size > _MOST:
        raise InputError(
            f"{len(items)} alternatives in {size // len(items)} draws are too many to compare; narrow the menus by "
            "decision.within(...)."
        )
    numbers, notes = scenarios_of(posterior, decision, given)
    scenarios = {name: jnp.asarray(array) for name, array in numbers.items()}
    scores, mean, plan = jax.tree.map(np.asarray, _score_each(posterior.joint, values, scenarios, decision))
    possible = np.isfinite(scores)  # (draws, scenarios, alternatives)
    for i in np.flatnonzero(~possible.any(axis=(0, 2))):
        asked = ", ".join(f"{name} = {format_number(array[i], name)}" for name, array in numbers.items())
        raise InputError(f"none of the {len(items)} alternatives is possible with {asked or 'what is given'}.")
    least = scores.min(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        regret = np.where(possible, scores - least, np.nan)
    best = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(best, scores.argmin(axis=2)[..., None], True, axis=2)
    best &= possible
    likely = best.mean(axis=0) > 0.01
    status = serious(posterior) + notes + far(posterior, {name: array[likely] for name, array in plan.items()})
    shape = (*posterior.shape, *scores.shape[1:])
    dims = ("chain", "draw", "scenario", "alternative")
    found = {posterior.response: np.where(possible, mean, np.nan), "regret": regret, "best": best}
    coords: dict[str, Any] = {name: posterior.tree["posterior"][name].to_numpy() for name in dims[:2]}
    coords |= {name: column_variable(name, array, labels.get(name)) for name, array in numbers.items()}
    for i, (name, menu) in enumerate(menus.items()):
        shown = labelled(labels.get(name, menu.names) if menu.names else None, items[:, i])
        coords[name] = xr.Variable("alternative", shown)
    draws = xr.Dataset({name: (dims, array.reshape(shape)) for name, array in found.items()}, coords=coords)
    draws.attrs["response"] = posterior.response
    return Alternatives(draws, decision, tuple(status))


@partial(jax.jit, static_argnames="decision")
def _score_each(joint: Joint, values: Mapping[str, Any], scenarios: Mapping[str, Array], decision: Decision) -> Any:
    """Objective and mean, each (draws, scenarios, items), and the median plan, (scenarios, items)."""

    def one(draw: Mapping[str, Any], given: Mapping[str, Array]) -> Any:
        filled = joint.fill(draw)
        law = filled.law
        choices, scores, _ = search_each(decision, lambda c: score_of(decision, law, c, given), law.categories())

        def at(choice: Mapping[str, Array]) -> Any:
            plan = plan_of(decision, law, choice, given)
            row = {name: plan[name][None] for name in filled.columns() if name in plan}
            return filled.mean(row)[0], plan

        return scores, *jax.vmap(at)(choices)

    def scenario(inputs: tuple[Array, Mapping[str, Array]]) -> Any:
        _, given = inputs
        scores, mean, plan = jax.vmap(one, in_axes=(0, None))(values, given)
        return scores, mean, {name: jnp.nanmedian(array, axis=0) for name, array in plan.items()}

    count = len(next(iter(scenarios.values()), [0]))
    scores, mean, plan = jax.lax.map(scenario, (jnp.arange(count), dict(scenarios)))
    return jnp.moveaxis(scores, 1, 0), jnp.moveaxis(mean, 1, 0), plan
