"""`compare_arms`: how much compute one recipe is worth against another, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._arms_said import Said, remarks_on, unit_of
from bayeslaw._decision import Choices, Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._fit import fit
from bayeslaw._pooled import Pooled
from bayeslaw._posterior import Posterior
from bayeslaw._predict import column_variable, summarise
from bayeslaw._recipes import REACH, Recipe, multipliers, optima, recipes_of
from bayeslaw._runs import Table, read_table
from bayeslaw._stack import over_laws
from bayeslaw._tree import as_prior, float64

_FIT = ("noise", "columns", "method", "chains", "draws", "warmup", "target_accept", "seed", "workers", "progress")
_DIMS = ("chain", "draw", "arm", "scenario")
_SHOWN = 12  # sentences in what is printed


@dataclass(frozen=True, eq=False, repr=False)
class Arms:
    """Recipes compared at the best that each can do with a budget, made by `compare_arms`.

    - `draws`: xarray Dataset with dims (chain, draw, arm, scenario). `multiplier`: the reference needs so many times
      the budget to get as far as the arm does with it; above 1 the arm saves. `inf` where 1e6 times is not enough (the
      arm gets below the floor of the reference), 0 where a millionth is more than enough. The response of each arm
      (`loss`, the mean function), its `difference` from that of the reference, `best` (is it the best of all), what the
      decision reports of its optimum, and the flag `at_edge`. NaN where an arm has no plan. What was given (`flops`) is
      a coordinate of `scenario`; `runs_from` and `runs_to`, of `arm`, are the ends of its own runs.
    - `reference`: the arm that the others are held against; its multiplier is 1.
    - `status`: fits that are not results, budgets far beyond an arm's runs, budgets out of reach.
    """

    draws: xr.Dataset
    reference: str
    decision: Decision
    status: tuple[Status, ...]

    @property
    def budget(self) -> str:
        """The quantity that the multiplier is of, such as `flops`."""
        return str(self.draws.attrs["budget"])

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Median and equal-tailed credible interval of mass `prob`, a row per scenario, arm and quantity.

        Those of the response, the difference and the multiplier are of mean functions, not of single runs.
        """
        far = np.log(REACH)
        with np.errstate(divide="ignore"):  # the logarithm of zero
            logs: Any = np.log(self.draws["multiplier"])
        rows = self.draws.assign(multiplier=logs.clip(-far, far).assign_attrs(_ATTRS)).drop_vars(
            ["best", "runs_from", "runs_to"]
        )
        rows = rows.stack(row=("scenario", "arm"), create_index=False).rename(row="scenario")
        frame = summarise(rows.transpose("chain", "draw", "scenario"), prob)
        at = frame.index.get_level_values("quantity") == "multiplier"
        found = frame.loc[at, ["lower", "median", "upper"]].to_numpy()
        found = np.where(found > far - 1e-9, np.inf, np.where(found < 1e-9 - far, 0.0, np.exp(found)))
        frame.loc[at, ["lower", "median", "upper"]] = found
        return frame.reorder_levels([*self._given(), "arm", "quantity"])

    def probability(self, above: float = 1.0) -> pd.DataFrame:
        """How sure one may be, a row per scenario and arm.

        - `above`: P(multiplier > `above`): does the recipe save as much as would justify it?
        - `best`: P(the arm is the best of all).
        - `out_of_reach`: P(no budget takes the reference as far), which counts as above; `worthless`: P(a millionth of
          the budget does).
        """
        if not above > 0:
            raise InputError(f"above is a multiplier of the budget, such as 1.1; got {above!r}.")
        values = self.draws["multiplier"]
        shares: dict[str, Any] = {"above": values > above, "best": self.draws["best"]}
        shares |= {"out_of_reach": np.isinf(values), "worthless": values == 0}
        rows = {name: one.mean(("chain", "draw")).transpose("scenario", "arm") for name, one in shares.items()}
        arms = self.draws["arm"].to_numpy()
        index = {name: np.repeat(self.draws[name].to_numpy(), len(arms)) for name in self._given()}
        index["arm"] = np.tile(arms, self.draws.sizes["scenario"])
        frame = pd.DataFrame({name: one.to_numpy().ravel() for name, one in rows.items()})
        frame.index = pd.MultiIndex.from_arrays(list(index.values()), names=list(index))
        return frame

    def sentences(self, prob: float = 0.9, above: float = 1.0) -> list[str]:
        """What was found, a sentence for each arm and scenario.

        `B is worth 1.31 times the compute (1.18 to 1.46) of A at 1e+22 FLOPs; P(above 1.1) = 0.98; loss -0.02 (-0.03 to
        -0.01).` The intervals have mass `prob`.
        """
        frame, chances = self.summary(prob), self.probability(above)
        bounds, response = frame[["lower", "median", "upper"]].to_numpy(), str(self.draws.attrs["response"])
        size = len(bounds) // len(chances)
        quantities = list(frame.index.get_level_values("quantity")[:size])
        found = []
        for i, (*given, arm) in enumerate(chances.index):
            if arm != self.reference:
                asked = dict(zip(self._given(), given, strict=True))
                worth, apart = (bounds[i * size + quantities.index(name)] for name in ("multiplier", "difference"))
                about = Said(str(arm), self.reference, self.budget, response, asked)
                found.append(about.sentence(worth, apart, chances.iloc[i].to_dict(), above))
        return found

    def _given(self) -> list[str]:
        return [str(name) for name in self.draws.coords if self.draws[name].dims == ("scenario",)]

    def _said(self) -> tuple[str, list[str]]:
        names = ", ".join(str(name) for name in self.draws["arm"].to_numpy() if name != self.reference)
        title = f"{names} against {self.reference}, each at its best with the {self.budget} given: medians, "
        title += "equal-tailed 90% credible intervals of mean functions, given the law"
        found = self.sentences()
        left = len(found) - _SHOWN
        return title, [*found[:_SHOWN], *([f"({left} more: see sentences() and summary())"] if left > 0 else [])]

    def __repr__(self) -> str:
        title, said = self._said()
        return "\n".join([title, *said, *map(str, self.status)])

    def _repr_html_(self) -> str:
        from html import escape

        from bayeslaw._show import page, readable

        title, said = self._said()
        return "".join(f"<p>{escape(one)}</p>" for one in said) + page(title, readable(self.summary()), self.status)


_ATTRS = {"units": "", "covers": "mean function"}


@float64
@over_laws
def compare_arms(
    law: Any,
    runs: Table | None = None,
    by: str | None = None,
    *,
    reference: str | None = None,
    share: tuple[str, ...] = (),
    decision: Decision | str | None = None,
    **given: Any,
) -> Arms:
    """What a recipe is worth in compute: `compare_arms(Chinchilla, runs, by="mix", flops=[1e20, 1e22])`.

    Recipes (arms) may be data mixes, optimisers, architectures. In every posterior draw each arm makes the best of the
    budget by its own law, and its *multiplier* is how many times that budget the reference needs to get as far. All
    arms are fitted at once, so that what is unknown of both alike does not blur what is between them.

    - `law`, `runs`: as in `fit`. Arms are partially pooled (see `Pooled`): each has parameters of its own, which differ
      from those of the others by as much as runs say.
    - `by`: the column of the runs that names their arm; `"arm"` when left out.
    - `reference`: the arm that the others are held against; the first among the runs when left out.
    - `share`: parameters that are the same in all arms. `share=("E",)` is a shared floor: recipes that learn the same
      text may differ in how fast, not in where it ends. It makes the multiplier beyond the runs far surer, if it holds.
    - `decision`: as in `allocate`; its budget is `flops`, else the first quantity that it is given. To hold arms
      against each other on one plan, not on each one's best, pass a decision that leaves nothing to choose.
    - `given`: what the decision needs, one value or many; and options of `fit`: `noise`, `columns`, `method`, `chains`,
      `draws`, `warmup`, `target_accept`, `seed`, `workers`, `progress`.

    In place of a law and runs it takes what is fitted already: a posterior of a `Pooled` law, or of any other that
    reads a column of names (`by` says which, where there are several); a `Stack` of such; or posteriors by name, of one
    law or of several, which share nothing: `compare_arms({"dense": one, "sparse": other}, flops=1e22)`.

    Intervals are of mean functions, *given the law*. Not in them: that arms are off the law each in a way of its own,
    how single runs scatter, that one arm was tuned better. With `misfit(posterior)` they allow for a misfit that all
    arms share. Noise of two arms is taken as independent; where their runs share it (one seed, one order of data) the
    intervals are wider than they need be.

    Raises `InputError` for fewer than two arms, an arm or column that is not there, and for what `fit` and `allocate`
    refuse.
    """
    options = {name: given.pop(name) for name in _FIT if name in given}
    found = recipes_of(law, by, decision) if runs is None else _fitted(law, runs, by, share, decision, options)
    if runs is None and (share or options):
        name = "share" if share else next(iter(options))
        raise InputError(
            f"{name} is for a fit, and these arms are fitted already: give a law and runs, or leave it out."
        )
    if reference is not None and str(reference) not in found:
        raise InputError(f"reference={reference!r} is not one of the arms, which are {', '.join(found)}.")
    return _compared(found, next(iter(found)) if reference is None else str(reference), given)


def _fitted(
    law: Any,
    runs: Table,
    by: str | None,
    share: tuple[str, ...],
    decision: Decision | str | None,
    options: dict[str, Any],
) -> dict[str, Recipe]:
    """The arms of runs, fitted at once."""
    if isinstance(law, Posterior | Mapping):
        raise InputError("what is fitted already knows its runs: compare_arms(posterior, flops=...), without a table.")
    by = "arm" if by is None else by
    prior, table = as_prior(law), read_table(runs, options.pop("columns", None))
    if by not in prior.categories():
        prior = Pooled(prior, table, by, share=tuple(share))
        first, *others = prior.groups
        if not others:
            raise InputError(f"all runs have {by} {first!r}: a comparison needs two arms or more.")
    elif share:
        raise InputError(f"share is for arms that are pooled here; this law tells them apart by {by!r} itself.")
    return recipes_of(fit(prior, table, **options), by, decision)


def _compared(found: Mapping[str, Recipe], reference: str, given: Mapping[str, Any]) -> Arms:
    """What each arm does with what is given, and what that is worth to the reference."""
    base = found[reference]
    asked = {name: one.scenarios(given) for name, one in found.items()}
    budget, numbers = base.budget, asked[reference][0]
    parts: dict[str, dict[str, Any]] = {}
    for name, one in found.items():
        plan, mean, score, edge = optima(one.posterior.joint, one.values, one.told(asked[name][0]), one.decision)
        parts[name] = {**plan, "mean": mean, "score": score, "at_edge": edge}
    for name, part in parts.items():
        worth, edge = multipliers(
            base.posterior.joint, base.values, base.told(numbers), part["score"], base.decision, budget
        )
        part["multiplier"] = np.ones_like(worth) if name == reference else worth
        part["at_edge"] |= np.isfinite(worth) & (np.asarray(worth) > 0) & edge
    parts = jax.tree.map(np.asarray, parts)
    draws = _dataset(found, parts, reference, numbers)
    notes = [note for _, more in asked.values() for note in more]
    return Arms(draws, reference, base.decision, tuple(dict.fromkeys(notes + remarks_on(found, draws, reference))))


def _dataset(
    found: Mapping[str, Recipe],
    parts: Mapping[str, Mapping[str, Any]],
    reference: str,
    numbers: Mapping[str, Any],
) -> xr.Dataset:
    """See `Arms.draws`."""
    base = found[reference]
    response, labels = base.posterior.response, base.posterior.prior.categories()
    common = set(base.decision.report).intersection(*parts.values()) - {*numbers, response}
    report = [name for name in base.decision.report if name in common]

    def each(name: str) -> np.ndarray:
        return np.stack([part[name] for part in parts.values()], axis=1)  # (draws, arms, scenarios)

    mean, score = each("mean"), each("score")
    difference = mean - parts[reference]["mean"][:, None]
    values = {"multiplier": each("multiplier"), response: mean, "difference": difference}
    values |= {name: each(name) for name in report}
    possible = np.isfinite(score)
    values = {name: np.where(possible, array, np.nan) for name, array in values.items()}
    values["best"] = possible & (score == np.where(possible, score, np.inf).min(axis=1, keepdims=True))
    values["at_edge"] = possible & each("at_edge")
    shape = [min(one.posterior.shape[axis] for one in found.values()) for axis in (0, 1)]
    arrays = {name: (_DIMS, array.reshape(*shape, *array.shape[1:])) for name, array in values.items()}
    ends = np.array([one.extent for one in found.values()])
    coords: dict[str, Any] = {name: np.arange(size) for name, size in zip(_DIMS, shape, strict=False)}
    coords |= {"arm": list(found), "runs_from": ("arm", ends[:, 0]), "runs_to": ("arm", ends[:, 1])}
    coords |= {name: column_variable(name, array, labels.get(name)) for name, array in numbers.items()}
    draws = xr.Dataset(arrays, coords, {"response": response, "budget": base.budget})
    for name in ("multiplier", response, "difference"):
        draws[name].attrs |= {**_ATTRS, "units": "" if name == "multiplier" else unit_of(response)}
    for name in report:
        space = base.decision.choose.get(name)
        draws[name].attrs["units"] = unit_of(name)
        if isinstance(space, Choices) and space.names:
            draws[name].attrs["names"] = list(labels.get(name, space.names))
    return draws
