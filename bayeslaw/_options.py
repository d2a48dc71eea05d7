"""What is compared: whole actions in every draw, the items of menus, and the risk along each range."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._best import Found
from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._decision import Choices
from bayeslaw._posterior import labelled
from bayeslaw._predict import NEW_RUN, column_variable
from bayeslaw._ranked import Aim, ranked
from bayeslaw._worlds import Outcomes, Worlds, in_order, menus_of, ranges_of

RECOMMENDED, PLUG_IN = "recommended", "plug-in"
_POINTS = 31  # of a landscape, for each range
_OTHERS = 4  # items of the menus beside the best that are compared in full


def _compared(worlds: Worlds, found: Found) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The options of a scenario: names, items, points."""
    options = [(RECOMMENDED, found.item, found.unit), (PLUG_IN, found.plug_item, found.plug_unit)]
    for j, name in enumerate(ranges_of(worlds.decision)):
        low, high = found.ends[found.item, j]
        options += [(f"lowest {name}", found.item, low), (f"highest {name}", found.item, high)]
    order = np.lexsort((found.ranked.mean, found.ranked.risk, found.ranked.violation))
    others = [int(i) for i in order if i != found.item][:_OTHERS]
    options += [(f"next best {k + 1}", i, found.units[i]) for k, i in enumerate(others)]
    names, items, units = zip(*options, strict=True)
    return list(names), np.array(items), np.array(units)


def options_of(worlds: Worlds, aim: Aim, found: list[Found]) -> xr.Dataset:
    """See `Choice.draws`."""
    names, actions = [], []
    for one in found:
        names, *action = _compared(worlds, one)
        actions.append(action)
    draws = actions_of(worlds, aim, actions, "option").assign_coords(option=names)
    dims = ("chain", "draw", "scenario")
    optimum = in_order(worlds, np.stack([one.optimum for one in found], axis=1))[..., None]
    draws["regret"] = ((*dims, "option"), _regret(draws["objective"].to_numpy(), draws["kept"].to_numpy(), optimum))
    if menus_of(worlds.decision):
        optimal = [one.optimum_item[:, None] == items for one, (items, _) in zip(found, actions, strict=True)]
        draws["optimal"] = ((*dims, "option"), in_order(worlds, np.stack(optimal, axis=1)))
    for name, best in _optima(worlds, found).items():
        draws[f"best_{name}"] = (dims, in_order(worlds, best), {"units": _unit(name)})
    return draws


def actions_of(worlds: Worlds, aim: Aim, actions: Sequence[Sequence[np.ndarray]], dim: str) -> xr.Dataset:
    """What actions lead to, by (chain, draw, scenario, `dim`): of each scenario the items of the menus and the points
    of the ranges, as many in all."""
    decision, response = worlds.decision, worlds.response
    first = worlds.members[0]
    known = set.intersection(*(set(one.numbers) | set(one.uncertain) for one in worlds.members))
    report = [n for n in decision.report if n not in known and all(n in one.decision.report for one in worlds.members)]
    read = set.intersection(
        *(set(one.posterior.prior.columns()) - set(one.posterior.prior.optional()) for one in worlds.members)
    )
    wanted = tuple(dict.fromkeys((*report, response, response + NEW_RUN, *sorted(read), *aim.wanted)))
    parts, chosen = [], []
    for i, (items, units) in enumerate(actions):
        parts.append(_judged(worlds.outcomes(i, items, units, wanted), aim))
        chosen.append(values_of(worlds, items, units))
    shown = [n for n in (*report, response, response + NEW_RUN) if n not in decision.choose or n == response]
    kept = dict.fromkeys((*shown, "objective", "kept", *sorted(read)))
    dims = ("chain", "draw", "scenario", dim)
    variables: dict[str, Any] = {
        name: (dims, in_order(worlds, np.stack([part[name] for part in parts], axis=1)), _attrs(name, response))
        for name in kept
        if (name not in decision.choose or name == response) and name not in known
    }
    for name in first.uncertain:
        array = np.concatenate([one.uncertain[name] for one in worlds.members])
        variables[name] = (dims[:2], in_order(worlds, array), {"units": _unit(name)})
    coords: dict[str, Any] = {"chain": np.arange(worlds.shape[0]), "draw": np.arange(worlds.shape[1])}
    labels = first.posterior.prior.categories()
    coords |= {name: column_variable(name, array, labels.get(name)) for name, array in first.numbers.items()}
    coords |= {label_of(n, response): (dims[2:], np.stack([one[n] for one in chosen])) for n in decision.choose}
    if len(worlds.members) > 1:
        coords["law"] = (dims[:2], in_order(worlds, worlds.laws().astype(object)))
    return xr.Dataset(variables, coords, {"response": response, "report": shown})


def label_of(name: str, response: str) -> str:
    """What the coordinate of a chosen variable is called: that of a law whose response it is has that name already."""
    return f"chosen_{name}" if name == response else name


def _judged(outcome: Outcomes, aim: Aim) -> dict[str, np.ndarray]:
    """The columns of actions, each (draws, actions), and whether they keep the limits: NaN where they cannot be had."""
    possible = np.isfinite(outcome.scores)
    kept = possible.copy()
    for limit in aim.limits:
        kept &= limit.holds(outcome.columns[limit.column])
    found = {name: np.where(possible, array, np.nan) for name, array in outcome.columns.items()}
    return {**found, "objective": np.where(possible, outcome.scores, np.nan), "kept": kept}


def _regret(objective: np.ndarray, kept: np.ndarray, optimum: np.ndarray) -> np.ndarray:
    """How much worse than the best of the same draw; NaN where the limits are not kept, or by nothing."""
    with np.errstate(invalid="ignore"):
        regret = np.where(kept & np.isfinite(optimum), objective - optimum, np.nan)
    return np.maximum(regret, 0.0)  # the best is found to a tolerance: to be better than that is no gain


def values_of(worlds: Worlds, items: np.ndarray, units: np.ndarray) -> dict[str, np.ndarray]:
    """What actions choose, as users write it: numbers, and names from menus. `units` are (..., ranges)."""
    found: dict[str, np.ndarray] = {}
    first = worlds.members[0]
    labels = first.posterior.prior.categories()
    for j, (name, space) in enumerate(ranges_of(worlds.decision).items()):
        found[name] = np.asarray(space.at(units[..., j]))
    for j, (name, menu) in enumerate(menus_of(worlds.decision).items()):
        codes = first.items[items, j]
        found[name] = labelled(labels.get(name, menu.names) if menu.names else None, codes)
    return found


def _optima(worlds: Worlds, found: list[Found]) -> dict[str, np.ndarray]:
    """What is best in each draw, (draws, scenarios), of all that is chosen as a number; NaN where nothing is."""
    each = [values_of(worlds, one.optimum_item, one.optimum_unit) for one in found]
    none = np.stack([~np.isfinite(one.optimum) for one in found], axis=1)
    return {
        name: np.where(none, np.nan, np.stack([one[name] for one in each], axis=1))
        for name, space in worlds.decision.choose.items()
        if not (isinstance(space, Choices) and space.names)
    }


def menu(worlds: Worlds, aim: Aim, found: list[Found]) -> xr.Dataset:
    """See `Choice.menu`."""
    items = np.arange(len(worlds.members[0].items))
    names = menus_of(worlds.decision)
    if not names:
        return xr.Dataset()
    share = [np.bincount(one.optimum_item[np.isfinite(one.optimum)], minlength=len(items)) for one in found]
    variables = {
        "risk": [np.where(one.ranked.violation > 0, np.nan, one.ranked.risk) for one in found],
        "p_optimal": [one / len(worlds) for one in share],
        "near": [one.inside for one in found],
    }
    values = values_of(worlds, items, np.zeros((len(items), len(ranges_of(worlds.decision)))))
    coords = {name: ("item", values[name]) for name in names}
    return xr.Dataset({name: (("scenario", "item"), np.stack(array)) for name, array in variables.items()}, coords)


def landscape(worlds: Worlds, aim: Aim, found: list[Found]) -> xr.Dataset:
    """See `Choice.landscape`."""
    ranges = ranges_of(worlds.decision)
    if not ranges:
        return xr.Dataset()
    kept = ("at", "risk", "regret", "regret_upper")
    arrays = {name: np.full((len(found), len(ranges), _POINTS), np.nan) for name in kept}
    for i, one in enumerate(found):
        units = np.broadcast_to(one.unit, (len(ranges), _POINTS, len(ranges))).copy()
        for j in range(len(ranges)):
            low, high = one.ends[one.item, j, :, j]
            wide = max(high - low, 0.02)
            units[j, :, j] = np.linspace(max(low - wide, 0.0), min(high + wide, 1.0), _POINTS)
        flat = units.reshape(-1, len(ranges))
        items = np.full(len(flat), one.item)
        outcome = worlds.outcomes(i, items, flat, aim.wanted)
        rank, judged = ranked(outcome, worlds.weights, aim), _judged(outcome, aim)
        regret = _regret(judged["objective"], judged["kept"], one.optimum[:, None])
        sure = np.sort(regret, axis=0)  # NaN last
        count = np.isfinite(sure).sum(axis=0)
        upper = sure[np.maximum(np.ceil(0.9 * count).astype(int) - 1, 0), np.arange(len(flat))]
        found_here = {
            "risk": np.where(rank.violation > 0, np.nan, rank.risk),
            "regret": np.where(count > 0, np.nansum(sure, axis=0) / np.maximum(count, 1), np.nan),
            "regret_upper": upper,
        }
        for name, array in found_here.items():
            arrays[name][i] = array.reshape(len(ranges), _POINTS)
        for j, (name, values) in enumerate(values_of(worlds, items, units).items()):
            if name in ranges:
                arrays["at"][i, j] = values[j]
    dims = ("scenario", "variable", "point")
    return xr.Dataset({name: (dims, array) for name, array in arrays.items()}, {"variable": list(ranges)})


def regions(worlds: Worlds, found: list[Found]) -> pd.DataFrame:
    """See `Choice.region`."""
    rows, every = [], np.arange(len(worlds.members[0].items))
    for i, one in enumerate(found):
        chosen = values_of(worlds, np.array([one.item]), one.unit[None])
        near = every[one.inside]
        for j, name in enumerate(ranges_of(worlds.decision)):
            points = np.concatenate([one.unit[None], one.ends[near, j].reshape(-1, len(one.unit))])
            values = values_of(worlds, np.append(one.item, np.repeat(near, 2)), points)[name]
            rows.append((i, name, chosen[name][0], values.min(), values.max(), ()))
        menus = values_of(worlds, near, one.units[near])
        for name in menus_of(worlds.decision):
            rows.append((i, name, chosen[name][0], None, None, tuple(dict.fromkeys(menus[name].tolist()))))
    return pd.DataFrame(rows, columns=["scenario", "variable", "chosen", "low", "high", "items"])


def _unit(name: str) -> str:
    known = COLUMNS.get(name.removesuffix(NEW_RUN))
    return known.unit if known else ""


def _attrs(name: str, response: str) -> dict[str, str]:
    covers = {response: "mean function", response + NEW_RUN: "new run"}.get(name)
    return {"units": _unit(name)} | ({"covers": covers} if covers else {})


def asked_of(worlds: Worlds, scenario: int) -> str:
    """What was given, to start a sentence with."""
    numbers = worlds.members[0].numbers
    labels = worlds.members[0].posterior.prior.categories()
    said = [
        f"{n} = {labels[n][int(a[scenario])] if n in labels else format_number(a[scenario], n)}"
        for n, a in numbers.items()
    ]
    return f"at {', '.join(said)} " if said else ""
