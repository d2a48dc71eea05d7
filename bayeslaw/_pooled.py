"""`Pooled`: one law for several groups (corpora, model families, tasks) that are alike but not the same."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logit
from jaxtyping import Array
from numpyro.distributions import biject_to, constraints

from bayeslaw._columns import label_of
from bayeslaw._decision import Decision, through
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import from_sums, to_sums
from bayeslaw._law import AbstractLaw, AbstractWrapper
from bayeslaw._runs import Table, read_table
from bayeslaw._tree import Scalar, as_prior, changed, evaluate, float64, leaves, sites

NEW = "new"  # the label of a group that is not among the runs
_SHARE, _FACTOR = 0.2, 0.6  # default size of the differences, as a share of the prior's sd, and the sd of its log
_MOVE = {
    "identity": lambda value, by: value + by,
    "log": lambda value, by: value * jnp.exp(by),
    "logit": lambda value, by: jax.nn.sigmoid(logit(value) + by),
}


class Pooled(AbstractWrapper):
    """loss = base with each parameter theta moved for the run's group g: theta_g = theta exp(spread_theta u_g)

    Partial pooling: groups learn from each other as far as they turn out alike. `base` is the typical group, its
    parameters as they are named, with its own prior; each group's parameters differ from them by a draw whose size is
    itself learned. A group with few runs leans on the others, one with many stands on its own:

        law = Pooled(Chinchilla, runs, by="corpus")
        posterior = fit(law, runs)                                        # runs: params, tokens, corpus, loss
        allocate(posterior, flops=1e22, corpus=["c4", "new"])             # "new", or left out: a corpus not seen yet

    - `base`: the law of the typical group, a class or an instance.
    - `by`: the column that holds the names of the groups. `groups`: those names, in the order in which `runs` has them.
    - `spread`: for each pooled parameter how much groups differ, as the sd of ln theta_g of a positive parameter, of
      theta_g itself of a real one, of its logit of one between 0 and 1. LogNormal(log(0.2 s), 0.6), where s is the sd
      of the prior of theta on that scale, unless given: `spread={"alpha": dist.HalfNormal(0.1)}`. Where the law has
      terms that add up (E, a, b), groups differ in their sum, by `spread` of the first, and in the ratios of the
      others to the first: the sum is what the runs of a group say best.
    - `offsets`: u_g of each parameter, Normal(0, 1) (non-centred); the last is that of a group not among the runs. The
      sampler moves groups with runs by spread u_g, which is straight where runs are informative (17 leapfrog steps a
      draw on 92 runs of three corpora against 190).
    - `links`: the scale on which each parameter is moved.

    `share` names parameters that are the same in all groups (`share=("E",)` for one text under several recipes).
    Parameters that are not scalars, or bound in other ways than to be positive or between 0 and 1, are shared too.
    With fewer than five groups the prior of `spread` has much to say. Raises `InputError` for names that the law does
    not have, and when there is nothing to pool.
    """

    spread: dict[str, Scalar]
    offsets: dict[str, Any]
    by: str = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)
    links: tuple[tuple[str, str], ...] = eqx.field(static=True)

    def __init__(
        self,
        base: Any,
        runs: Table,
        by: str,
        *,
        share: tuple[str, ...] = (),
        spread: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        if by in ("run", "chain", "draw", "scenario"):
            raise InputError(
                f"{by!r} is the name of a dimension of results: rename the column, such as "
                f"columns={{{by!r}: 'group'}}, and pool by the new name."
            )
        self.base = as_prior(base)
        self.by = by
        self.groups = _groups(runs, by, columns)
        found = sites(self.base)
        links = {name: link for name, prior in found.items() if name not in share and (link := _link(prior))}
        for name in (*share, *(spread or {})):
            if name not in found or (name not in links and name not in share):
                raise InputError(f"{name!r} is not a parameter that can be pooled; these are {', '.join(links)}.")
        if not links:
            raise InputError(f"{type(self.base).__name__} leaves no scalar parameter to pool by {by!r}.")
        self.links = tuple(sorted(links.items()))
        sizes = {name: dist.LogNormal(log(_size(found[name])), _FACTOR) for name in sorted(links)}
        self.spread = {**sizes, **(spread or {})}
        self.offsets = {name: dist.Normal(jnp.zeros(len(self.groups) + 1), 1.0).to_event(1) for name in sorted(links)}

    @classmethod
    def prior(cls) -> "Pooled":
        raise InputError("Pooled wraps a law and needs its runs: Pooled(Chinchilla, runs, by='corpus').")

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        return evaluate(self.member(columns), columns)

    def member(self, columns: Mapping[str, Array]) -> AbstractLaw:
        place = jnp.asarray(columns.get(self.by, len(self.groups))).astype(int)
        return self._group(place).member(columns)

    def _group(self, place: Any) -> AbstractLaw:
        """The law of the group at that place."""
        links, sums = dict(self.links), self._sums()
        by = {name: self.spread[name] * jnp.asarray(self.offsets[name])[place] for name in links}
        own = {path: jnp.log(leaf) for path, leaf in leaves(self.base) if path in sums}
        total = to_sums(own, sums)
        moved = from_sums({name: value + by[name] for name, value in total.items()}, sums)

        def move(path: str, leaf: Any) -> Any:
            if path in moved:
                return jnp.exp(moved[path])
            return _MOVE[links[path]](leaf, by[path]) if path in links else leaf

        return changed(self.base, move)

    def _sums(self) -> tuple[str, ...]:
        """The base law's summands if all of them are pooled: then groups differ in their sum and in their ratios."""
        names, links = self.base.summands(), dict(self.links)
        return names if all(links.get(name) == "log" for name in names) else ()

    def columns(self) -> tuple[str, ...]:
        return (*self.base.columns(), self.by)

    def optional(self) -> tuple[str, ...]:
        return (*self.base.optional(), self.by)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {**self.base.categories(), self.by: (*self.groups, NEW)}

    def concentration(self, **columns: Array) -> Array:
        law = self.member(columns)
        return law.concentration(**{name: columns[name] for name in law.columns() if name in columns})

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        known = {self.by: jnp.asarray(float(len(self.groups))), **columns}
        return AbstractLaw.complete(self, self.member(known).complete(known))

    def deviations(self) -> Mapping[str, str]:
        return {**{f"offsets.{name}": f"spread.{name}" for name, _ in self.links}, **super().deviations()}

    def centred(self) -> Sequence[tuple[str, str, np.ndarray]]:
        seen = np.append(np.ones(len(self.groups)), 0.0)
        return [*((f"offsets.{name}", f"spread.{name}", seen) for name, _ in self.links), *super().centred()]

    def derived(self) -> Mapping[str, Scalar]:
        """The base law's, of the typical group, and each parameter of each group: `alpha[c4]`."""
        found = dict(super().derived())
        for place, group in enumerate(self.groups):
            found |= {f"{path}[{group}]": leaf for path, leaf in leaves(self._group(place)) if path in self.spread}
        return found

    def decisions(self) -> Mapping[str, Decision]:
        """The base law's, for the group that is given."""
        return {name: through(decision, _of_group) for name, decision in self.base.decisions().items()}

    def check_design(self, runs: Mapping[str, np.ndarray]) -> list[Status]:
        notes = super().check_design(runs)
        counts = np.bincount(runs[self.by].astype(int), minlength=len(self.groups) + 1)
        empty = [name for name, count in zip(self.groups, counts, strict=False) if not count]
        if counts[-1]:
            raise InputError(f"{counts[-1]} runs have {self.by} {NEW!r}, which stands for a group without runs.")
        if empty:
            notes.append(
                Status(f"no run is of {self.by} {', '.join(empty)}: what is said of it is said of any new one.")
            )
        return notes


def _of_group(law: Pooled, columns: Mapping[str, Any]) -> AbstractLaw:
    return law.member(columns)


def _groups(runs: Table, by: str, columns: Mapping[str, str] | None) -> tuple[str, ...]:
    frame = read_table(runs, columns)
    if by not in frame.columns:
        raise InputError(f"the runs have no column {by!r} to tell groups apart; they have {', '.join(frame.columns)}.")
    raw = frame[by].tolist()
    for row, value in zip(frame.index, raw, strict=True):
        if value is None or value != value:
            raise InputError(
                f"column {by!r} is empty in {frame.index.name or 'row'} {row}: name the group of each run."
            )
    groups = tuple(dict.fromkeys(label_of(value) for value in raw))
    if NEW in groups:
        raise InputError(f"a group is called {NEW!r}, which stands for one that is not among the runs; rename it.")
    return groups


def _link(prior: dist.Distribution) -> str | None:
    """The scale on which a parameter is moved, or None if it is not to be."""
    known = {"log": constraints.positive, "identity": constraints.real, "logit": constraints.unit_interval}
    return next((link for link, support in known.items() if prior.support is support and not prior.shape()), None)


@float64
def _size(prior: dist.Distribution) -> float:
    """A fifth of the sd of a prior on the scale on which its parameter is moved, to two digits."""
    draws = biject_to(prior.support).inv(prior.sample(jax.random.key(0), (20_000,)))
    return float(f"{_SHARE * float(jnp.std(draws)):.2g}")
