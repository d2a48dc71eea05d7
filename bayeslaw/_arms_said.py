"""What a comparison of arms says in words: what an arm is worth, and what to know before believing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._allocate import EDGE_SHARE
from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._errors import Status
from bayeslaw._predict import serious
from bayeslaw._recipes import REACH, Recipe

_FEW = 8  # runs of an arm: fewer than a backtest learns from
_FAR = 0.5  # decades beyond an arm's runs that deserve a sentence
_WORDS = {"flops": "compute"}


def unit_of(name: str) -> str:
    column = COLUMNS.get(name)
    return column.unit if column else ""


def share_of(value: float) -> str:
    """A probability, which is 0 or 1 only if it is so in all draws."""
    if 0 < value < 0.005 or 0.995 < value < 1:
        return "< 0.005" if value < 0.5 else "> 0.995"
    return f"= {value:.2f}"


def times(value: float) -> str:
    """A multiplier, to three figures."""
    if value == 0 or np.isinf(value):
        return f"less than {1 / REACH:g}" if value == 0 else f"more than {REACH:g}"
    return f"{value:#.3g}".rstrip(".") if 1e-3 < value < 1e3 else f"{value:.3g}"


@dataclass(frozen=True)
class Said:
    """One arm at one scenario, and what is to be said of it."""

    arm: str
    reference: str
    budget: str
    response: str
    asked: Mapping[str, Any]

    def sentence(self, worth: np.ndarray, apart: np.ndarray, chance: Mapping[Any, float], above: float) -> str:
        """From (lower, median, upper) of the multiplier and of the difference, and the probabilities."""
        what = _WORDS.get(self.budget, self.budget)
        low, middle, high = (times(float(one)) for one in worth)
        text = f"{self.arm} is worth {middle} times the {what} ({low} to {high}) of {self.reference} at {self._at()}; "
        text += f"P(above {above:g}) {share_of(chance['above'])}"
        if chance["out_of_reach"] > 0:
            text += f"; P(no {what} takes {self.reference} as far) {share_of(chance['out_of_reach'])}"
        low, middle, high = (f"{one:+.2g}" for one in apart)
        return f"{text}; {self.response} {middle} ({low} to {high})."

    def _at(self) -> str:
        """The scenario in words: `1e+22 FLOPs`, and what else was given."""
        shown = {name: v if isinstance(v, str) else format_number(v, name) for name, v in self.asked.items()}
        first = f"{shown.pop(self.budget)} {unit_of(self.budget) or self.budget}"
        return ", ".join([first, *(f"{name} = {value}" for name, value in shown.items())])


def remarks_on(found: Mapping[str, Recipe], draws: xr.Dataset, reference: str) -> list[Status]:
    """What to know before believing it."""
    posteriors = {id(one.posterior): one.posterior for one in found.values()}
    notes = [note for posterior in posteriors.values() for note in serious(posterior)]
    for name, one in found.items():
        if len(one.runs) < _FEW:
            text = f"{name} has {len(one.runs)} runs: what is said of it leans on the prior"
            notes.append(Status(f"{text}, and on other arms that are pooled with it; give it {_FEW} or more."))
    return notes + _scales(found, draws, reference) + _reach(found, draws, reference)


def _scales(found: Mapping[str, Recipe], draws: xr.Dataset, reference: str) -> list[Status]:
    """Arms whose runs are of other budgets than those asked for, or than those of the reference."""
    budget, (base_low, base_high) = str(draws.attrs["budget"]), found[reference].extent
    notes = []
    for name, one in found.items():
        low, high = one.extent
        if name != reference and (low > base_high or high < base_low):
            text = f"the runs of {name} ({low:.3g} to {high:.3g} {budget}) and of {reference} ({base_low:.3g} to "
            text += (
                f"{base_high:.3g}) have no {budget} in common, so that one of them is extrapolated everywhere: what "
            )
            notes.append(Status(f"{text}looks like a recipe may be the law's error. Run both at some budget."))
        asked = draws[budget].to_numpy()
        if name == reference:  # its law is also read where it does as well as the others
            worth = draws["multiplier"].median(("chain", "draw")).to_numpy()
            asked = np.append(asked, np.where(np.isfinite(worth) & (worth > 0), worth, 1.0) * asked)
        above, below = np.log10(asked.max() / high), np.log10(low / asked.min())
        for decades, end, word in ((above, high, "above"), (below, low, "below")):
            if decades > _FAR:
                text = f"{budget} goes {decades:.1f} decades {word} the runs of {name} (which end at {end:.3g}): there "
                notes.append(Status(f"{text}the interval assumes that its law still holds."))
    return notes


def _reach(found: Mapping[str, Recipe], draws: xr.Dataset, reference: str) -> list[Status]:
    """Arms that no budget of the reference equals, that have no plan, or whose optimum is on the edge of the box."""
    notes = []
    for name in found:
        worth = draws["multiplier"].sel(arm=name).to_numpy()
        flags = np.isinf(worth), worth == 0, np.isnan(worth), draws["at_edge"].sel(arm=name).to_numpy()
        beyond, below, lost, edge = (float(flag.mean(axis=(0, 1)).max()) for flag in flags)
        if beyond > 0:
            text = (
                f"in up to {beyond:.1%} of draws {REACH:g} times the budget does not take {reference} as far as {name} "
            )
            notes.append(Status(f"{text}gets: there the multiplier is inf, and counts as above."))
        if below > 0:
            text = (
                f"in up to {below:.1%} of draws a budget smaller by {REACH:g} takes {reference} as far as {name} gets: "
            )
            notes.append(Status(f"{text}there the multiplier is 0."))
        if lost > 0:
            notes.append(Status(f"{name} has no plan in up to {lost:.1%} of draws, which are left out of its figures."))
        if edge > EDGE_SHARE:
            text = f"the optimum of {name}, or that of {reference} which equals it, lies on the edge of the search box "
            notes.append(Status(f"{text}in up to {edge:.0%} of draws: widen it by decision.within(...)."))
    return notes
