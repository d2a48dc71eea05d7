"""`Penalised`: any law for runs whose hyperparameters were not tuned, with the optimum as part of the model.

The base law is what a run reaches with tuned hyperparameters; a penalty says what being off costs. Both are
fitted at once, so untuned runs inform the law and the law's residuals say where the optimum is.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from math import log
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayeslaw._columns import COLUMNS
from bayeslaw._decision import Decision, LogRange, through
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._law import AbstractLaw, AbstractWrapper
from bayeslaw._noise import AbstractNoise, UntunedT
from bayeslaw._penalty import Penalty, Target, default_penalty
from bayeslaw._tree import Scalar, as_prior, evaluate, exp, fill, float64

_COLLINEAR = 0.98  # correlation of two log scale columns above which their exponents are not told apart
_FEW = 400  # draws of which the median optimum is taken
_OUTSIDE = 0.1  # share of runs whose optimum may lie outside the swept range before it is said


class Penalised(AbstractWrapper):
    """loss = floor + (base - floor) exp(P),  P = sum_i curvature_i shape_i(ln x_i - ln x_i*)^2

    A law for runs whose hyperparameters x (learning rate, batch, shape of the network) were not tuned, after MIST
    (Wadell et al. 2025, arXiv 2510.18900); P is zero at the optimum x*, so the base law is the loss of tuned runs:

        law = Penalised(Chinchilla, ("lr", "batch_tokens"))
        posterior = fit(law, runs)                          # runs: params, tokens, lr, batch_tokens, loss
        predict(posterior, {"params": "1B", "tokens": "100B"})            # hyperparameters left out: tuned
        allocate(posterior, law.decisions()["hyperparameters"], params="1B", tokens="100B")

    - `base`: the law at tuned hyperparameters, a class or an instance.
    - `penalties`: names of hyperparameters, for the default penalty of each, or a dict of `Penalty` by column name.
      A derived column (`aspect_ratio`, `timescale`) may be named where the runs hold what it follows from.
    - `optima`: other optima for some of the names, such as the presets of `bayeslaw.models.optima`:
      `Penalised(Chinchilla, ("lr", "batch_tokens"), optima=step_law("params"))`.
    - `target`: what is inflated. `"reducible"` (default, best on held-out cells; see docs/hyperparameters.md):
      floor + (base - floor) exp(P). `"total"`, MIST's: base exp(P). `"additive"`: base + P.
    - `cross`: terms between two coordinates, `{("lr", "batch_tokens"): dist.Uniform(-0.9, 0.9)}`: adds
      2 rho root_i root_j to P, where root_i^2 is the cost of i alone. |rho| below 1 keeps P positive.

    Default penalties (`default_penalty`): the optimum is log-linear in the sizes that the base law reads; lr* ~
    LogNormal(log 2e-3, 1) at the reference, with exponents Normal(0, 0.5), and batch^Normal(0.5, 0.25) when the batch
    is penalised too; batch* ~ LogNormal(log 2^19, 1) with tokens^Normal(0.5, 0.3), params^Normal(0, 0.3). Curvature
    LogNormal(log 0.03, 1): two-fold off costs 0.3 to 8 % of the reducible loss (90 %); asymmetric. Noise: `UntunedT`.

    In `predict` and in decisions, hyperparameters that are left out are at their optimum, draw by draw.
    Raises `InputError` for an unknown target, a name without a default, and optima that depend on each
    other in a circle.
    """

    penalties: dict[str, Penalty]
    cross: dict[str, dict[str, Scalar]]
    target: Target = eqx.field(static=True)

    def __init__(
        self,
        base: Any,
        penalties: Mapping[str, Penalty] | tuple[str, ...] | list[str],
        *,
        target: Target = "reducible",
        optima: Mapping[str, Any] | None = None,
        cross: Mapping[Any, Any] | None = None,
    ) -> None:
        if target not in get_args(Target):
            raise InputError(f"target must be one of {', '.join(get_args(Target))}; got {target!r}.")
        if isinstance(penalties, str):
            raise InputError(f"penalties is a tuple of names or a dict of Penalty; write ({penalties!r},).")
        self.base = as_prior(base)
        if already := self.base.hyperparameters():
            raise InputError(f"the law has penalties already, of {', '.join(already)}: give them all to one Penalised.")
        self.target = target
        if not isinstance(penalties, Mapping):
            penalties = {name: default_penalty(name, self.base, tuple(penalties), target) for name in penalties}
        if optima and (unknown := sorted(set(optima) - set(penalties))):
            raise InputError(f"optima names {', '.join(unknown)}, which is not among {', '.join(penalties)}.")
        changed = {name: dataclasses.replace(penalties[name], optimum=one) for name, one in (optima or {}).items()}
        self.penalties = dict(sorted((dict(penalties) | changed).items()))  # the order in which JAX returns a dict
        self.cross = _nested(cross or {}, self.penalties)
        self._order()

    @classmethod
    def prior(cls) -> "Penalised":
        raise InputError("Penalised wraps a law: Penalised(Chinchilla, ('lr', 'batch_tokens')).")

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        base = self.base.member(columns)
        tuned = evaluate(base, columns)
        seen = {**columns, self.response: tuned}
        for name, penalty in self.penalties.items():
            missing = [one for one in penalty.reads() if one not in seen]
            if name in columns and missing:
                raise InputError(
                    f"what {name} costs depends on {', '.join(missing)}, which is missing: give it too, or leave "
                    f"{name} out, which is then at its optimum."
                )
        roots = {
            name: penalty.root(columns[name], seen) if name in columns else jnp.zeros(())  # left out: tuned
            for name, penalty in self.penalties.items()
        }
        cost = jnp.asarray(sum(root**2 for root in roots.values()))
        for one, others in self.cross.items():
            for other, rho in others.items():
                cost += 2 * rho * roots[one] * roots[other]
        if self.target == "additive":
            return tuned + cost
        floor = base.floor() if self.target == "reducible" else 0.0
        return floor + (tuned - floor) * exp(cost)

    def columns(self) -> tuple[str, ...]:
        reads = [name for penalty in self.penalties.values() for name in penalty.reads() if name != self.response]
        return tuple(dict.fromkeys((*self.base.columns(), *reads, *self.penalties)))

    def hyperparameters(self) -> tuple[str, ...]:
        return tuple(self.penalties)

    def optional(self) -> tuple[str, ...]:
        own = tuple(name for name in self.columns() if name not in self.base.columns())
        return (*self.base.optional(), *own)

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        found = super().complete(columns)
        seen = {**found, self.response: evaluate(self.base, found)}
        for name in self._order():
            if name not in found and all(one in seen for one in _reads(self.penalties[name].optimum)):
                found[name] = seen[name] = jnp.asarray(evaluate(self.penalties[name].optimum, seen))
        return found

    def _order(self) -> list[str]:
        """The coordinates in an order in which each optimum reads only earlier ones."""
        order: list[str] = []
        while len(order) < len(self.penalties):
            ready = [
                name
                for name, penalty in self.penalties.items()
                if name not in order and all(n in order or n not in self.penalties for n in _reads(penalty.optimum))
            ]
            if not ready:
                rest = ", ".join(name for name in self.penalties if name not in order)
                raise InputError(f"the optima of {rest} depend on each other in a circle; let one of them not.")
            order += ready
        return order

    def noise(self) -> AbstractNoise:
        return UntunedT.prior()

    def derived(self) -> Mapping[str, Scalar]:
        """The base law's, and P at twice and at half each optimum where curvature is constant (0.005 is 0.5 %)."""
        found = dict(super().derived())
        for name, penalty in self.penalties.items():
            if penalty.log and not isinstance(penalty.curvature, AbstractLaw):
                for word, x in (("twice", log(2.0)), ("half", -log(2.0))):
                    found[f"{name}_{word}"] = penalty.curvature * penalty.shape(jnp.asarray(x)) ** 2
        return found

    def decisions(self) -> Mapping[str, Decision]:
        """The base law's decisions at tuned hyperparameters; `tuned`: the loss at the optimum;
        `hyperparameters`: where the optimum is, for given sizes."""
        free = (*self.penalties, *self.base.optional())
        given = tuple(name for name in self.columns() if name not in free)
        own = _own_decisions(given, tuple(self.penalties))
        return {name: through(decision, _base) for name, decision in self.base.decisions().items()} | own

    def check_design(self, runs: Mapping[str, np.ndarray]) -> list[Status]:
        notes = super().check_design(runs)
        for name, penalty in self.penalties.items():
            if np.ptp(runs[name]) == 0:
                notes.append(
                    Status(
                        f"{name} is {runs[name][0]:.4g} in every run: these runs cannot say where its optimum is or "
                        f"what being off costs, so the tuned loss is the prior's guess. Leave {name!r} out of the "
                        "penalties, or add runs at other values.",
                        serious=True,
                    )
                )
                continue
            reads = [one for one in _reads(penalty.optimum) if one in runs and runs[one].min() > 0]
            notes += _collinear(name, {one: runs[one] for one in reads})
        return notes

    def check_fit(self, runs: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> list[Status]:
        notes = super().check_fit(runs, draws)
        few = {name: values[:: max(1, len(values) // _FEW)] for name, values in draws.items()}
        best = _median_optimum(Joint(self, None), few, {name: jnp.asarray(values) for name, values in runs.items()})
        for name in self.penalties:
            low, high = runs[name].min(), runs[name].max()
            where = np.asarray(best[name])
            outside = (where < low) | (where > high)
            if outside.mean() > _OUTSIDE:
                notes.append(
                    Status(
                        f"the optimal {name} lies outside the swept range ({low:.4g} to {high:.4g}) at the scale of "
                        f"{outside.sum()} of {len(where)} runs (it goes from {where.min():.4g} to {where.max():.4g}): "
                        "there it is extrapolated. Add runs beyond the end of the sweep."
                    )
                )
        return notes


def _reads(part: Any) -> tuple[str, ...]:
    return part.columns() if isinstance(part, AbstractLaw) else ()


def _nested(cross: Mapping[Any, Any], penalties: Mapping[str, Penalty]) -> dict[str, dict[str, Any]]:
    """{("lr", "batch_tokens"): rho} as {"lr": {"batch_tokens": rho}}, checked."""
    nested: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for pair, rho in cross.items():
        nested_already = isinstance(rho, Mapping)
        items = [(pair, other, one) for other, one in rho.items()] if nested_already else [(*pair, rho)]
        for one, other, value in items:
            if one not in penalties or other not in penalties or one == other:
                raise InputError(f"cross names {one!r} and {other!r}; it needs two of {', '.join(penalties)}.")
            if seen & {one, other}:
                raise InputError("cross pairs must not share a coordinate: the penalty could become negative.")
            seen |= {one, other}
            nested.setdefault(one, {})[other] = value
    return nested


def _collinear(name: str, columns: Mapping[str, np.ndarray]) -> list[Status]:
    """A sentence for the first pair of log columns that hardly vary independently."""
    varied = {one: np.log(values) for one, values in columns.items() if np.ptp(values) > 0}
    names = list(varied)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            r = np.corrcoef(varied[one], varied[other])[0, 1]
            if abs(r) > _COLLINEAR:
                return [
                    Status(
                        f"{one} and {other} vary together in these runs (correlation of their logarithms {r:.3f}): "
                        f"their exponents in the optimal {name} cannot be told apart, only the sum along the data is "
                        "known. Do not use the optimum off that line without runs there."
                    )
                ]
    return []


@float64
@jax.jit
def _median_optimum(joint: Joint, draws: Mapping[str, Any], runs: Mapping[str, Array]) -> dict[str, Array]:
    """The posterior median of each optimum at the scale of each run."""
    law = joint.law
    names = law.hyperparameters()
    scale = {name: values for name, values in runs.items() if name not in names}

    def at(draw: Mapping[str, Any], row: Mapping[str, Array]) -> dict[str, Array]:
        full = fill(law, draw).complete(row)
        return {name: full[name] for name in names}

    found = jax.lax.map(lambda row: jax.vmap(lambda draw: at(draw, row))(dict(draws)), scale)
    return jax.tree.map(lambda values: jnp.median(values, axis=1), found)


def _base(law: Penalised, columns: Mapping[str, Any]) -> AbstractLaw:
    return law.base


@cache
def _own_decisions(given: tuple[str, ...], coordinates: tuple[str, ...]) -> dict[str, Decision]:
    def optimum(law: Any, **scale: Any) -> dict[str, Any]:
        full = law.complete(scale)
        return {name: full[name] for name in coordinates}

    spaces = {name: LogRange(*COLUMNS[name].usual) for name in coordinates if name in COLUMNS}
    spaces = {name: space for name, space in spaces.items() if np.isfinite(space.high)}
    found = {
        "tuned": Decision(
            question="Which loss would a run of this size reach with tuned hyperparameters?",
            choose={},
            given=given,
            derive=lambda: {},
            report=coordinates,
        )
    }
    if len(spaces) == len(coordinates):
        found["hyperparameters"] = Decision(
            question="Which hyperparameters give the lowest loss at this size?",
            choose=spaces,
            given=given,
            derive=lambda: {},
            report=coordinates,
            closed_form=optimum,
        )
    return found
