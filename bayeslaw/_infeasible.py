"""Why no action will do: which limit, what can be had, and how likely."""

import dataclasses

import numpy as np

from bayeslaw._best import Found, find
from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._options import asked_of, values_of
from bayeslaw._ranked import Aim
from bayeslaw._risk import AtMost, Expectation, Miss
from bayeslaw._worlds import Worlds


def explain(worlds: Worlds, few: Worlds, scenario: int, aim: Aim, found: Found) -> str:
    """The sentence of an `InputError`."""
    asked = asked_of(worlds, scenario)
    box = ", ".join(f"{name} in {space!r}" for name, space in worlds.decision.choose.items())
    if isinstance(aim.risk, Miss) and found.ranked.violation[found.item] <= 0:
        return f"{asked}{_hopeless(worlds, few, scenario, aim.risk.limit)}, with {box}."
    free = dataclasses.replace(aim, risk=Expectation(), limits=())
    alone = find(worlds, few, scenario, free)
    if alone.ranked.violation[alone.item] > 0:
        return f"{asked}{_impossible(worlds, scenario, aim, alone)}, anywhere with {box}."
    wrong = []
    for limit in aim.limits:
        one = find(worlds, few, scenario, dataclasses.replace(free, limits=(limit,)))
        if one.ranked.violation[one.item] > 0:
            wrong.append(_unmet(worlds, few, scenario, limit, one))
    if wrong:
        return f"{asked}{'; '.join(wrong)}. The search was with {box}."
    said = " and ".join(map(str, aim.limits))
    return f"{asked}each of {said} can be kept alone, but not together, with {box}: give one of them more room."


def _unmet(worlds: Worlds, few: Worlds, scenario: int, limit: AtMost, found: Found) -> str:
    """That a limit cannot be kept, and what can be."""
    outcome = worlds.outcomes(scenario, np.array([found.item]), found.unit[None], (limit.column,))
    values = np.where(np.isfinite(outcome.scores), outcome.columns[limit.column], np.nan)
    bound = float(limit.attained(np.nan_to_num(values, nan=limit._sign * np.inf), worlds.weights)[0])
    likeliest = find(worlds, few, scenario, Aim(Miss(limit)))
    chance = 1 - float(likeliest.ranked.risk[likeliest.item])
    sure = "in every draw" if limit.prob == 1 else f"with probability {limit.prob:g}"
    end = "least" if limit._sign > 0 else "most"
    text = f"no action keeps {limit}: {format_number(bound, limit.column)} is the {end} that can be had {sure}"
    if chance < 1e-9:
        return f"{text}, and {_hopeless(worlds, few, scenario, limit)}"
    return f"{text}; {format_number(limit.bound, limit.column)} can be kept with probability {chance:.3g} at best"


def _hopeless(worlds: Worlds, few: Worlds, scenario: int, limit: AtMost) -> str:
    """That a limit is kept in no draw, and the nearest to it that any draw comes."""
    once = dataclasses.replace(limit, prob=0.5 / len(worlds))
    one = find(worlds, few, scenario, Aim(Expectation(), (once,), 0.5 / len(worlds)))
    outcome = worlds.outcomes(scenario, np.array([one.item]), one.unit[None], (limit.column,))
    values = outcome.columns[limit.column][np.isfinite(outcome.scores)]
    end, nearest = ("lowest", np.min(values)) if limit._sign > 0 else ("highest", np.max(values))
    return (
        f"the probability of {limit.column} {limit._words} {format_number(limit.bound, limit.column)} is 0: the {end} "
        f"that any of {len(worlds)} draws reaches, whatever is chosen, is {format_number(float(nearest), limit.column)}"
    )


def _impossible(worlds: Worlds, scenario: int, aim: Aim, found: Found) -> str:
    share = float(found.ranked.possible[found.item])
    if share > 0:
        return (
            f"no action is possible in {'every draw' if aim.feasible == 1 else f'{aim.feasible:.0%} of draws'}: "
            f"the one that comes nearest is in {share:.1%}. Ask for less, or accept it: subject_to=Feasible(prob)"
        )
    columns = [name for name in worlds.decision.report if name in COLUMNS]
    outcome = worlds.outcomes(scenario, np.array([found.item]), found.unit[None], tuple(columns))
    for name in columns:
        values = outcome.columns[name]
        known = COLUMNS[name]
        if np.isfinite(values).any() and not known.allows(values[np.isfinite(values)]).all():
            at = values_of(worlds, np.array([found.item]), found.unit[None])
            chosen = ", ".join(f"{one} = {value[0]}" for one, value in at.items())
            return (
                f"what is given cannot be met in any draw: with {chosen}, {name} would be {values.ravel()[0]:.3g}, and "
                f"must be {known.domain}"
            )
    return "what is given is out of reach in every draw"
