"""Whether a law puts the optimum where profiles put it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._allocate import allocate
from bayeslaw._columns import format_number
from bayeslaw._errors import InputError, Status
from bayeslaw._isoflop import Profiles
from bayeslaw._predict import summarise


@dataclass(frozen=True, eq=False, repr=False)
class Agreement:
    """The optimum of a law held against the minima of profiles, budget by budget, made by `Profiles.against`.

    - `draws`: xarray Dataset with dims (chain, draw, scenario): `law` and `profile`, where each puts the optimum, and
      their `ratio`, law over profile. NaN where a profile has no minimum in a draw.
    - `table`: a row per budget: P(the law's is larger), `p_larger`; whether a 90 % interval of the ratio leaves out 1,
      `apart`; and the share of draws with the minimum among the runs, `p_inside`.
    - `status`: those of both.

    Law and profiles are of the same runs, and the draws of one know nothing of those of the other: noise that moves
    both alike is counted twice, so the interval of the ratio is on the wide side, and what it finds is there.
    """

    draws: xr.Dataset
    table: pd.DataFrame
    status: tuple[Status, ...]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Median and equal-tailed credible interval of mass `prob` of the two optima and of their ratio."""
        return summarise(self.draws, prob)

    def sentence(self) -> str:
        """Where the two disagree."""
        sure = self.table.loc[self.table["used"]]
        apart = sure.loc[sure["apart"]]
        if not len(sure):
            return "No profile has its minimum among its runs: there is nothing to hold the law against."
        if not len(apart):
            return f"At none of {len(sure)} budgets do they disagree (90% intervals of the ratio hold 1)."
        ratio = self.draws["ratio"].to_numpy()[..., self.table["used"] & self.table["apart"]]
        middle = np.nanmedian(ratio, axis=(0, 1))
        words = [
            f"{format_number(flops, 'flops')} FLOPs ({one:.2f} times the {self.draws.attrs['size']} of the profile)"
            for flops, one in zip(apart.index, middle, strict=True)
        ]
        # One in ten is to be expected from sound ones; all on one side is not.
        few = "; one in ten is to be expected of a law that holds" if len(apart) <= max(1, len(sure) // 10) else ""
        side = ""
        if len(apart) > 1 and ((middle > 1).all() or (middle < 1).all()):
            side = f"; always the {'larger' if middle[0] > 1 else 'smaller'}"
        return f"The law's optimum is elsewhere at {len(apart)} of {len(sure)} budgets: {', '.join(words)}{side}{few}."

    def _shown(self) -> pd.DataFrame:
        rows = {}
        for name in ("law", "profile", "ratio"):
            frame = self.summary().xs(name, level="quantity")
            column = str(self.draws.attrs["size"]) if name != "ratio" else ""
            values = zip(*(frame[end] for end in ("median", "lower", "upper")), strict=True)
            rows[name] = [
                f"{format_number(one, column)} ({format_number(low, column)} to {format_number(high, column)})"
                for one, low, high in values
            ]
        rows |= {"p_larger": [f"{v:.2f}" for v in self.table["p_larger"]], "apart": self.table["apart"].to_list()}
        return pd.DataFrame(rows, index=[format_number(v, "flops") for v in self.table.index]).rename_axis("flops")

    def __repr__(self) -> str:
        title = f"The {self.draws.attrs['size']} of the law's optimum against that of profiles, which know no law"
        return "\n".join([title, self.sentence(), self._shown().to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(self.sentence(), self._shown(), self.status)


def agreement(profiles: Profiles, posterior: Any, decision: Any) -> Agreement:
    """See `Profiles.against`."""
    size, budgets = profiles.size, profiles.table.index.to_numpy()
    optimum = allocate(posterior, decision, flops=budgets)
    if size not in optimum.draws:
        raise InputError(
            f"the law's decision does not report {size!r}, which the profiles are over; it reports "
            f"{', '.join(optimum.decision.report)}."
        )
    law = optimum.draws[size].to_numpy()
    mine = profiles.draws[size].to_numpy().reshape(-1, len(budgets))
    count = law.shape[0] * law.shape[1]
    rng = np.random.default_rng(0)
    places = rng.permutation(np.resize(np.arange(len(mine)), count))
    profile = mine[places].reshape(law.shape)
    dims = ("chain", "draw", "scenario")
    draws = xr.Dataset(
        {"law": (dims, law), "profile": (dims, profile), "ratio": (dims, law / profile)},
        {"flops": profiles.draws["flops"].variable},
        {"size": size},
    )
    units = profiles.draws[size].attrs["units"]
    for name in ("law", "profile"):
        draws[name].attrs |= {"units": units, "covers": "optimum"}
    draws["ratio"].attrs |= {"units": "", "covers": "optimum"}
    ratio = draws["ratio"].to_numpy()
    low, high = np.nanquantile(ratio, [0.05, 0.95], axis=(0, 1))
    known = np.isfinite(ratio).sum(axis=(0, 1))
    table = profiles.table[["runs", "p_inside", "used"]].assign(
        p_larger=(ratio > 1).sum(axis=(0, 1)) / np.maximum(known, 1), apart=(low > 1) | (high < 1)
    )
    return Agreement(draws, table, tuple(dict.fromkeys((*optimum.status, *profiles.status))))
