"""`isoflop`: where the minimum lies at each budget, from the runs at that budget and no law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._columns import COLUMNS, derive, format_number
from bayeslaw._errors import InputError, Status
from bayeslaw._posterior import check_prob
from bayeslaw._predict import column_variable, summarise
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._valleys import line, valleys

if TYPE_CHECKING:
    from bayeslaw._agreement import Agreement

_LEAST, _SURE = 3, 0.95  # sizes of a profile; share of draws whose minimum lies among its runs, to be used for the line
_DRAWS = 4000
_GAP = 1.05  # ratio of neighbouring budgets from which they are two
_WIDE = 1.5  # ratio of budgets in one profile that deserves a sentence


@dataclass(frozen=True, eq=False, repr=False)
class Profiles:
    """Valleys of the response over the size at each budget, made by `isoflop`.

    - `draws`: xarray Dataset with dims (chain, draw, scenario): where the minimum lies (`params`), the response there
      (`loss`, the mean function), and the flags `minimum` (is there one at all) and `inside` (does it lie among the
      runs). NaN where there is none. The budget (`flops`) is a coordinate of `scenario`.
    - `line`: dims (chain, draw), the power law through the minima: its `exponent`, its value `params` at `around`
      FLOPs (an attribute), and `scatter`, how far minima lie off it, in ln. NaN where fewer than three can be used.
    - `curves`: the coefficients of each valley, for pictures; `runs`: what was fitted, with the `profile` of each.
    - `table`: a row per budget: its runs, sizes, their ends, the share of draws with the minimum inside them
      (`p_inside`), and whether it is `used` for the line.
    - `status`: budgets left out, minima beyond the runs, and too little to tell scatter by.
    """

    draws: xr.Dataset
    line: xr.Dataset
    curves: xr.Dataset
    runs: pd.DataFrame
    table: pd.DataFrame
    status: tuple[Status, ...]

    @property
    def size(self) -> str:
        """The column that was varied at each budget."""
        return str(self.draws.attrs["size"])

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Median and equal-tailed credible interval of mass `prob` of each minimum, over the draws that have one."""
        frame = summarise(self.draws, prob)
        for name in ("runs", "p_inside", "used"):
            frame[name] = np.repeat(self.table[name].to_numpy(), len(frame) // len(self.table))
        return frame

    def exponent(self, prob: float = 0.9) -> tuple[float, float, float]:
        """(lower, median, upper) of a in params ~ flops^a through the minima: approach 2 of Hoffmann et al. 2022."""
        check_prob(prob)
        low, middle, high = np.quantile(self.line["exponent"].to_numpy(), [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        return float(low), float(middle), float(high)

    def at(self, flops: Any) -> xr.DataArray:
        """Draws of the minimum at any budget by the line, dims (chain, draw, scenario)."""
        budgets = number_columns(read_table({"flops": flops}), ("flops",), what="scenario")[0]["flops"]
        apart = xr.DataArray(np.log(budgets / self.line.attrs["around"]), dims="scenario")
        found = self.line[self.size] * np.exp(self.line["exponent"] * apart)
        return found.assign_coords(flops=column_variable("flops", budgets)).rename(self.size)

    def against(self, posterior: Any, decision: Any = None) -> "Agreement":
        """Does a law put the minimum where the runs do? See `Agreement`. `decision` is as in `allocate`."""
        from bayeslaw._agreement import agreement

        return agreement(self, posterior, decision)

    def _said(self) -> tuple[str, str]:
        used, all_ = int(self.table["used"].to_numpy().sum()), len(self.table)
        title = f"Minima over {self.size} at {all_} budgets, by valleys and no law: 90% credible intervals"
        if used < _LEAST:
            return title, f"No power law through {used} minima: it takes {_LEAST}."
        low, middle, high = self.exponent()
        return title, f"{self.size} ~ flops^{middle:.3f} ({low:.3f} to {high:.3f}) through {used} of {all_} minima."

    def _shown(self) -> pd.DataFrame:
        frame = self.summary().xs(self.size, level="quantity")
        text = {name: [format_number(v, self.size) for v in frame[name]] for name in ("lower", "median", "upper")}
        text |= {"runs": self.table["runs"].to_list(), "p_inside": [f"{v:.2f}" for v in self.table["p_inside"]]}
        text["used"] = self.table["used"].to_list()
        index = pd.Index([format_number(v, "flops") for v in self.table.index], name="flops")
        return pd.DataFrame(text, index=index)

    def __repr__(self) -> str:
        title, said = self._said()
        return "\n".join([title, said, self._shown().to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(" ".join(self._said()), self._shown(), self.status)


def isoflop(
    runs: Table,
    *,
    budgets: Sequence[Any] | None = None,
    tolerance: float = 0.25,
    size: str = "params",
    response: str = "loss",
    window: float = 8.0,
    skewness: float = 0.05,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Profiles:
    """Where the minimum lies at each budget, from runs of several sizes at that budget: `isoflop(runs)`.

    The check on a law's optimum that assumes no law (approach 2 of Hoffmann et al. 2022, with its uncertainty). At each
    budget, with x = ln size,

        ln loss = height + tilt x + bend (x^2 + skew x^3) + scatter

    whose minimum is found in every draw, and a power law goes through the minima. Sizes and data trade off at
    different rates, so valleys are lopsided: with exponents alpha, beta a sum of powers has skew (beta - alpha) / 3. A
    parabola then puts the minimum on the wrong side, and is sure of it. One `skew` for all budgets is estimated with
    the rest. Priors are flat but for its own, so the posterior is a multivariate t and needs no sampler; there is one
    scatter of ln loss for all budgets, for few of them have the runs to tell theirs.

    - `runs`: a table with the size, the response, and `flops` (or `tokens`: then it is 6 params tokens). Each row is a
      run trained for its budget, not a checkpoint of a longer one.
    - `budgets`: what the budgets were meant to be, `[6e18, 1e19, 3e19]`; runs within a factor 1 + `tolerance` of one
      belong to it, others are left out. When left out, neighbouring budgets that differ by less than 5 % are one. Where
      runs of a profile differ in budget they are moved to it: along size ~ flops^0.5, and by a slope of ln loss in
      ln flops, estimated with the rest.
    - `size`, `response`, `columns`: the columns, and how they are called in the table.
    - `window`: sizes more than this factor from that of the best run are left out: no valley is a parabola that far.
    - `skewness`: prior sd of the skew; 0.05 says that beta - alpha is within 0.25 (90 %). 0 is a parabola, as papers
      have it.
    - `seed`: of the 4000 draws.

    Returns `Profiles`: `against(posterior)` compares them with a law, `plots.plot_profiles` draws them. Raises
    `InputError` for columns that are missing, and where no budget has three sizes.
    """
    table = _table(read_table(runs, columns), size, response)
    group, named, notes = _grouped(table["flops"].to_numpy(), budgets, tolerance)
    table, about, more = _kept(table.assign(profile=group), named, size, response, window)
    notes += more
    place = np.searchsorted(about.index.to_numpy(), named[table["profile"].to_numpy()])
    apart = np.log(table["flops"].to_numpy() / named[table["profile"].to_numpy()])
    centre = np.exp([np.log(table[size].to_numpy()[place == i]).mean() for i in range(len(about))])
    x = np.log(table[size].to_numpy() / centre[place]) - 0.5 * apart
    coefficients = 3 * len(about) + int(np.abs(apart).max() > 1e-6)
    if len(table) <= coefficients + 1:
        raise InputError(
            f"{len(table)} runs at {len(about)} budgets leave nothing to tell the scatter by ({coefficients} "
            "coefficients): run more sizes at some budget."
        )
    found = valleys(x, apart, np.log(table[response].to_numpy()), place, skewness, _DRAWS, seed)
    if found.spare < 5:
        notes.append(Status(f"only {found.spare} runs beyond the coefficients tell the scatter: intervals are wide."))
    low, high = (np.log(about[end].to_numpy() / centre) for end in ("smallest", "largest"))
    lowest = found.lowest()
    inside = (lowest > low) & (lowest < high)
    about["p_inside"] = inside.mean(axis=0)
    about["used"] = about["p_inside"] >= _SURE
    notes += _edges(about, found.bend, inside)
    draws = _draws(about, size, response, centre * np.exp(lowest), np.exp(found.at(lowest)), inside)
    level, slope, scatter = _line(about, draws[size].to_numpy()[0], seed)
    if not np.isfinite(slope).all():
        notes.append(Status(f"fewer than {_LEAST} minima lie among their runs: there is no power law through them."))
    around = float(np.exp(np.log(about.index.to_numpy()).mean()))
    one = ("chain", "draw")
    through = xr.Dataset(
        {size: (one, np.exp(level)[None]), "exponent": (one, slope[None]), "scatter": (one, scatter[None])},
        attrs={"around": around},
    )
    each = (*one, "scenario")
    curves: dict[str, Any] = {name: (each, getattr(found, name)[None]) for name in ("height", "tilt", "bend")}
    curves["skew"] = (one, found.skew[None])
    kept = xr.Dataset(curves, {"flops": draws["flops"].variable, "centre": ("scenario", centre)})
    return Profiles(draws, through, kept, table.assign(profile=about.index[place]), about, tuple(notes))


def _table(frame: pd.DataFrame, size: str, response: str) -> pd.DataFrame:
    """The size, the budget and the response as numbers."""
    if size == response:
        raise InputError(f"size and response are both {size!r}: a valley is of the response over the size.")
    wanted = ["flops"] if "flops" in frame else ["params", "tokens"]
    numbers, _ = number_columns(frame, tuple(dict.fromkeys((size, response, *wanted))))
    flops = derive("flops", numbers)
    table = pd.DataFrame({size: numbers[size], "flops": flops, response: numbers[response]})
    for name, values in table.items():
        if values.min() <= 0:
            raise InputError(f"a valley is of logarithms, and {name!r} is {values.min():.4g} in some run.")
    return table


def _grouped(
    flops: np.ndarray, budgets: Sequence[Any] | None, tolerance: float
) -> tuple[np.ndarray, np.ndarray, list[Status]]:
    """The profile of each run (-1: of none), the budgets of profiles, ascending, and remarks."""
    if budgets is not None:
        named = np.sort(number_columns(read_table({"flops": budgets}), ("flops",), what="budget")[0]["flops"])
        apart = np.abs(np.log(flops[:, None] / named))
        group = np.where(apart.min(axis=1) <= np.log1p(tolerance), apart.argmin(axis=1), -1)
        left = int((group < 0).sum())
        text = f"{left} of {len(flops)} runs are not within {tolerance:.0%} of any budget, and left out."
        return group, named, [Status(text)] if left else []
    order = np.argsort(flops, kind="stable")
    jump = np.diff(np.log(flops[order])) > np.log(_GAP)
    group = np.empty(len(flops), dtype=int)
    group[order] = np.concatenate([[0], np.cumsum(jump)])
    named = np.array([np.exp(np.log(flops[group == i]).mean()) for i in range(group.max() + 1)])
    wide = [i for i in range(len(named)) if np.ptp(np.log(flops[group == i])) > np.log(_WIDE)]
    text = ", ".join(f"{flops[group == i].min():.3g} to {flops[group == i].max():.3g}" for i in wide)
    said = f"runs of {text} FLOPs lie too close together to be told apart: name the budgets, budgets=[...]."
    return group, named, [Status(said)] if wide else []


def _kept(
    table: pd.DataFrame, named: np.ndarray, size: str, response: str, window: float
) -> tuple[pd.DataFrame, pd.DataFrame, list[Status]]:
    """The runs of profiles that can be fitted, near the best of each; a row per profile; and remarks."""
    parts, rows, few = [], {}, []
    sizes, values, profile = (table[name].to_numpy() for name in (size, response, "profile"))
    for i, flops in enumerate(named):
        mine = np.flatnonzero(profile == i)
        best = float(sizes[mine[values[mine].argmin()]]) if len(mine) else 1.0
        mine = mine[np.abs(np.log(sizes[mine] / best)) <= np.log(window)]
        count = len(np.unique(sizes[mine]))
        if count < _LEAST:
            few.append(f"{flops:.3g}")
            continue
        parts.append(mine)
        ends = {"smallest": sizes[mine].min(), "largest": sizes[mine].max()}
        rows[flops] = {"runs": len(mine), "sizes": count, **ends, "best": best}
    if not rows:
        raise InputError(
            f"no budget has runs of {_LEAST} sizes within a factor {window:g} of its best run: profiles need runs of "
            "several sizes at one budget. Name the budgets, budgets=[...], or widen tolerance= or window=."
        )
    about = pd.DataFrame.from_dict(rows, orient="index").rename_axis("flops")
    said = f"fewer than {_LEAST} sizes at {', '.join(few[:8])}{', ...' if len(few) > 8 else ''} FLOPs: left out."
    return table.iloc[np.concatenate(parts)].reset_index(drop=True), about, [Status(said)] if few else []


def _edges(about: pd.DataFrame, bend: np.ndarray, inside: np.ndarray) -> list[Status]:
    notes = []
    for i, flops in enumerate(about.index):
        share = inside[:, i].mean()
        if share < _SURE:
            none = (bend[:, i] <= 0).mean()
            text = f"at {flops:.3g} FLOPs the minimum lies among the runs in {share:.0%} of draws only"
            text += f" (in {none:.0%} the runs do not bend upwards)" if none > 0.01 else ""
            notes.append(Status(f"{text}: it is not used for the line. Run sizes on its other side."))
    return notes


def _draws(
    about: pd.DataFrame, size: str, response: str, place: np.ndarray, height: np.ndarray, inside: np.ndarray
) -> xr.Dataset:
    dims = ("chain", "draw", "scenario")
    draws = xr.Dataset(
        {
            size: (dims, place[None]),
            response: (dims, height[None]),
            "minimum": (dims, np.isfinite(place)[None]),
            "inside": (dims, inside[None]),
        },
        {"chain": [0], "draw": np.arange(len(place)), "flops": column_variable("flops", about.index.to_numpy())},
        {"size": size, "response": response},
    )
    for name in (size, response):
        draws[name].attrs["units"] = COLUMNS[name].unit if name in COLUMNS else ""
    draws[size].attrs["covers"], draws[response].attrs["covers"] = "minimum", "mean function"
    return draws


def _line(about: pd.DataFrame, place: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The line through the minima that are used, whose few draws without one are drawn from the others."""
    used = about["used"].to_numpy()
    if used.sum() < _LEAST:
        nothing = np.full(len(place), np.nan)
        return nothing, nothing, nothing
    logs, rng = np.log(place[:, used]), np.random.default_rng(seed + 1)
    for column in logs.T:
        missing = ~np.isfinite(column)
        column[missing] = rng.choice(column[~missing], missing.sum())
    budgets = np.log(about.index.to_numpy())
    return line(budgets[used] - budgets.mean(), logs, seed)
