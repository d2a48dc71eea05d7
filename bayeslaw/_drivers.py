"""What the uncertainty about a plan comes from: parameters, laws, and what is not known of the question."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import rankdata

from bayeslaw._worlds import Worlds, in_order

_KEPT = 5  # drivers of each quantity


def drivers_of(worlds: Worlds, draws: xr.Dataset) -> pd.DataFrame:
    """A row per scenario, quantity and driver: the share of the variance of the quantity's ranks that goes with it.

    The quantities are the response at the recommended action, and the optimum of each draw (the regret where only names
    are chosen). For a parameter the share is the squared rank correlation; of several laws each has its part of the
    variance within laws, and `law` is what lies between them; of a vector of parameters (offsets of groups) its parts
    add up. Shares of parameters that go together add up to more than one.
    """
    one = draws.sel(option="recommended")
    optima = [str(name) for name in draws.data_vars if str(name).startswith("best_")]
    quantities = [draws.attrs["response"], *(optima or ["regret"])]
    causes = {name: rankdata(array, axis=1, nan_policy="omit") for name, array in _causes(worlds)}
    laws = in_order(worlds, np.repeat(np.arange(len(worlds.members)), [len(m) for m in worlds.members])).ravel()
    rows = []
    for i in range(draws.sizes["scenario"]):
        for name in quantities:
            values = one[name].to_numpy()[..., i].ravel()
            known = np.isfinite(values)
            if known.sum() < 3 or np.ptp(values[known]) <= 1e-9 * np.abs(values[known]).max():  # does not vary
                continue
            shares = _shares(rankdata(values[known]), laws[known], {n: a[:, known] for n, a in causes.items()})
            best = sorted(shares.items(), key=lambda item: -item[1])[:_KEPT]
            rows += [(i, name, *pair) for pair in best]
    return pd.DataFrame(rows, columns=["scenario", "quantity", "driver", "share"])


def _causes(worlds: Worlds) -> Iterator[tuple[str, np.ndarray]]:
    """What varies, by name, (parts, draws) in the order of (chain, draw); NaN where another law holds."""
    several = len(worlds.members) > 1
    for one in worlds.members:
        rows = worlds.laws() == one.name
        for site, values in one.values.items():
            array = np.full((len(worlds), int(np.prod(values.shape[1:]))), np.nan)
            array[rows] = values.reshape(len(values), -1)
            yield f"{one.name}: {site}" if several else site, in_order(worlds, array).reshape(len(worlds), -1).T
    for name in worlds.members[0].uncertain:
        array = np.concatenate([one.uncertain[name] for one in worlds.members])
        yield name, in_order(worlds, array).reshape(1, -1)


def _shares(ranks: np.ndarray, laws: np.ndarray, causes: dict[str, np.ndarray]) -> dict[str, float]:
    total = ranks.var() * len(ranks)
    found = {}
    if len(np.unique(laws)) > 1:
        means = {law: ranks[laws == law].mean() for law in np.unique(laws)}
        found["law"] = sum((laws == law).sum() * (mean - ranks.mean()) ** 2 for law, mean in means.items()) / total
    for name, parts in causes.items():
        here = np.isfinite(parts[0])
        if here.sum() < 3 or np.ptp(ranks[here]) == 0:
            continue
        mine = ranks[here] - ranks[here].mean()
        each = parts[:, here] - parts[:, here].mean(axis=1, keepdims=True)
        varies = (each**2).sum(axis=1) > 0
        square = (each[varies] @ mine) ** 2 / ((each[varies] ** 2).sum(axis=1) * (mine @ mine))
        chance = 1 / here.sum() if len(parts) > 1 else 0.0  # of many parts each seems to go a little with anything
        share = float(np.clip(np.sum(square - chance), 0.0, 1.0))
        found[name] = share * float(mine @ mine) / total
    return found
