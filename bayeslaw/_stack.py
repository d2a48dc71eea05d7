"""`Stack`: several laws with weights, on which every verb works, so that not knowing the law reaches the decision."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._errors import InputError, Status
from bayeslaw._mixture import disagreement_of, driver, mixed, together
from bayeslaw._posterior import Posterior
from bayeslaw._sampler import Progress

if TYPE_CHECKING:
    from bayeslaw._compare import Comparison

StackMethod = Literal["stacking", "pseudo-bma+", "equal"]


@dataclass(frozen=True, eq=False, repr=False)
class Stack:
    """Posteriors of several laws and the weight of each, made by `stack`: a mixture of their predictions.

    `predict(stack, ...)`, `allocate(stack, ...)`, `alternatives(stack, ...)` and every later verb answer with draws of
    the mixture: each of the (chain, draw) is of one law, in proportion to the weights; the coordinate `law` says which.
    Where laws differ in their default decision each answers its own, and what all of them report is kept.

    - `members`: the posteriors by name. `weights`: a number for each, adding up to one.
    - `comparison`: where the weights come from; None if they are equal or were given.
    - `status`: what to know about the weights.
    """

    members: Mapping[str, Posterior]
    weights: Mapping[str, float]
    comparison: "Comparison | None"
    status: tuple[Status, ...]

    @property
    def response(self) -> str:
        """The column that all the laws are about, such as `loss`."""
        return next(iter(self.members.values())).response

    @property
    def ok(self) -> bool:
        """No serious status: the draws can be used."""
        return not any(status.serious for status in self.status)

    @functools.cached_property
    def laws(self) -> xr.DataArray:
        """The law of each draw of the mixture, dims (chain, draw): in proportion to the weights, but for rounding.

        The draw at a place is that law's own draw there, so that a stack of one law is that law, and what is predicted
        and what is allocated belong together draw by draw.
        """
        shapes = [member.shape for member in self.members.values()]
        chains, draws = (min(shape[axis] for shape in shapes) for axis in (0, 1))
        names, weights = list(self.weights), np.array(list(self.weights.values()))
        ends = np.rint(np.cumsum(weights) / weights.sum() * chains * draws).astype(int)
        place = np.searchsorted(ends, np.arange(chains * draws), side="right")
        place = np.random.default_rng(0).permutation(place).reshape(chains, draws)
        ids = {"chain": np.arange(chains), "draw": np.arange(draws)}
        return xr.DataArray(np.array(names, dtype=object)[place], coords=ids, dims=("chain", "draw"))

    def summary(self) -> pd.DataFrame:
        """A row per law: its `weight`, and where it comes from a comparison, the columns of that."""
        weights = pd.DataFrame({"weight": pd.Series(dict(self.weights))}).rename_axis("law")
        if self.comparison is None:
            return weights
        return weights.join(self.comparison.table.drop(columns="weight"))

    def disagreement(self, result: Any) -> pd.DataFrame:
        """How far the laws disagree in a result of this stack, a row per scenario and quantity.

        - `between`: the share of the variance of ln(quantity) that lies between the laws' means; the rest is within
          laws. Of the quantity itself where that may be negative.
        - `driver`: the law that most of it is due to. `lowest`, `highest`: the laws with the lowest and the highest
          median; then the median of each law.
        """
        return disagreement_of(result.draws)

    def map[R](self, verb: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """The answers of the laws that have a draw in the mixture, mixed; see the class.

        Works for any verb whose result is a dataclass with `draws`, an xarray Dataset with the dims (chain, draw, ...).
        Raises `InputError`, naming the law, where one of them cannot answer, and where they report nothing in common.
        """
        used = set(np.unique(self.laws.to_numpy()).tolist())
        found: dict[str, Any] = {}
        for name, member in self.members.items():
            if name in used:
                try:
                    found[name] = verb(member, *args, **kwargs)
                except InputError as error:
                    raise InputError(f"{name!r}, a law of this stack, cannot answer: {error}") from error
        first = next(iter(found.values()))
        draws = mixed(self.laws, {name: one.draws for name, one in found.items()})
        status = [*(one for one in self.status if one.serious), *together(found), *driver(draws)]
        changes: dict[str, Any] = {"draws": draws, "status": tuple(dict.fromkeys(status))}
        if hasattr(first, "decision"):
            kept = tuple(name for name in first.decision.report if name in (*draws.data_vars, *draws.coords))
            changes["decision"] = dataclasses.replace(first.decision, report=kept)
        return dataclasses.replace(first, **changes)

    def _title(self) -> str:
        chains, draws = self.laws.shape
        how = "equal or given weights" if self.comparison is None else f"weights by {self.comparison.method}"
        return f"Stack of {len(self.members)} laws of {self.response}: {how}, {chains} x {draws} draws"

    def __repr__(self) -> str:
        return "\n".join([self._title(), self._shown().to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(self._title(), self._shown(), self.status)

    def _shown(self) -> pd.DataFrame:
        from bayeslaw._compare import shown

        return shown(self.summary())


def stack(
    posteriors: Mapping[str, Posterior],
    *,
    method: StackMethod = "stacking",
    weights: Mapping[str, float] | None = None,
    by: Any = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress = None,
) -> Stack:
    """Several laws as one: `stack({"chinchilla": p1, "overtraining": p2})`, then `allocate(stack, flops=1e24)`.

    - `posteriors`: by name, fitted to the same runs, or (with equal or given weights) at least of the same response.
    - `method`: `"stacking"`, the weights whose mixture predicts each left-out run best (Yao et al. 2018), by ArviZ;
      `"pseudo-bma+"`, weights by elpd with its uncertainty (Bayesian bootstrap), which spread less evenly but do not
      ignore a law that is nearly as good; `"equal"`, the honest choice where the runs cannot tell laws apart and the
      question lies far beyond them.
    - `weights`: weights of your own in place of a method; they are scaled to add up to one.
    - `by`, `seed`, `workers`, `progress`: as in `compare`. With `by="params"`, or any groups, what is left out is a
      whole group, which is nearer to the question of a larger model than a single run among its neighbours.

    Returns a `Stack`. Raises `InputError` for anything but posteriors by name, for laws of different responses, for
    weights that cannot be used, for groups where there is nothing to find by them, and for what `compare` refuses.
    """
    members = named(posteriors, "stack")
    if method not in get_args(StackMethod):
        raise InputError(f"method must be one of {', '.join(get_args(StackMethod))}, got {method!r}.")
    responses = {name: one.response for name, one in members.items()}
    if len(set(responses.values())) > 1:
        said = ", ".join(f"{name} of {response}" for name, response in responses.items())
        raise InputError(f"the laws of a stack must be about one response; these are {said}.")
    comparison = None
    if by is not None and (weights is not None or method == "equal"):
        raise InputError(
            "by leaves groups out to find weights, and here they are equal or given: leave one of both out."
        )
    if weights is not None:
        found = _given(weights, members)
    elif method == "equal" or len(members) == 1:
        found = {name: 1 / len(members) for name in members}
    else:
        from bayeslaw._compare import compare

        comparison = compare(members, by=by, method=method, seed=seed, workers=workers, progress=progress)
        known = comparison.table["weight"].to_dict()
        found = {name: float(known[name]) for name in members}
    status = [
        Status(f"{name}: {one.text}", one.serious)
        for name, member in members.items()
        for one in member.status
        if one.serious
    ]
    if comparison is not None:
        status += [one for one in comparison.status if one not in status]
    return Stack(members, found, comparison, tuple(status))


def over_laws[**P, R](
    verb: Callable[Concatenate[Posterior, P], R],
) -> Callable[Concatenate["Posterior | Stack", P], R]:
    """The verb, which on a stack is that of each law, mixed. A verb of a posterior needs nothing else."""

    @functools.wraps(verb)
    def wrapped(posterior: "Posterior | Stack", *args: P.args, **kwargs: P.kwargs) -> R:
        if isinstance(posterior, Stack):
            return posterior.map(verb, *args, **kwargs)
        return verb(posterior, *args, **kwargs)

    return wrapped


def named(posteriors: Any, verb: str) -> dict[str, Posterior]:
    """Checked posteriors by name."""
    if not isinstance(posteriors, Mapping) or not posteriors:
        raise InputError(f'{verb} needs posteriors by name, {verb}({{"one": p1, "other": p2}}).')
    for name, one in posteriors.items():
        if not isinstance(one, Posterior):
            raise InputError(f"{name!r} should be a Posterior, as fit() or load() return it; got {type(one).__name__}.")
    return {str(name): one for name, one in posteriors.items()}


def _given(weights: Mapping[str, float], members: Mapping[str, Posterior]) -> dict[str, float]:
    if set(weights) != set(members):
        raise InputError(
            f"weights are of {', '.join(map(str, weights)) or 'nothing'}; there must be one for each of "
            f"{', '.join(members)}."
        )
    values = np.array([float(weights[name]) for name in members])
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise InputError(f"weights must not be negative, and not all zero; got {dict(weights)}.")
    return dict(zip(members, (values / values.sum()).tolist(), strict=True))
