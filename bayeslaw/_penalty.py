"""What a hyperparameter costs when it is off: an optimum, a curvature, a shape."""

import dataclasses
from collections.abc import Mapping
from math import log
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._columns import COLUMNS, REFERENCE
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, as_prior, evaluate

Target = Literal["total", "reducible", "additive"]
# Prior medians of a curvature: two-fold off costs 0.5 % of the loss, 1.4 % of its reducible part, 0.01 nats.
_CURVATURE: Mapping[str, float] = {"total": 0.01, "reducible": 0.03, "additive": 0.02}


class LogLinear(AbstractLaw):
    """value prod_i (column_i / reference_i)^exponent_i

    A power law of any columns, written at a reference: the usual form of an optimal hyperparameter, and of a
    curvature that changes with scale. It is linear in logarithms, hence the name.

    - `value`: what it is where every column is at its reference.
    - `exponents`: `{"params": -0.7, "tokens": 0.3}`; the columns it reads are the keys.
    - `reference`: where each column is centred, by default the usual reference of the notation table
      (1e9 parameters, 2e10 tokens, 2^19 tokens a batch; 1 for what has none). Centre near the runs: far
      from them `value` and the exponents are strongly correlated.
    """

    value: Scalar
    exponents: dict[str, Scalar]
    reference: dict[str, float]

    def __init__(
        self, value: Scalar, exponents: Mapping[str, Scalar], reference: Mapping[str, float] | None = None
    ) -> None:
        usual = {name: REFERENCE.get(name, 1.0) for name in exponents}
        if reference is not None and (unknown := set(reference) - set(exponents)):
            raise InputError(f"reference names {', '.join(sorted(unknown))}, which has no exponent.")
        self.value = value
        self.exponents = dict(exponents)
        self.reference = {**usual, **(reference or {})}

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        power = sum(self.exponents[name] * jnp.log(columns[name] / self.reference[name]) for name in self.exponents)
        return self.value * jnp.exp(power)

    def columns(self) -> tuple[str, ...]:
        return tuple(self.exponents)

    @classmethod
    def prior(cls) -> "LogLinear":
        raise InputError("LogLinear has no prior of its own: give it distributions, LogLinear(value, exponents).")


class AbstractShape(eqx.Module):
    """How the cost grows with x, the signed distance from the optimum: the cost is curvature * shape(x)^2."""

    def __call__(self, x: Array) -> Array:
        raise NotImplementedError


class Quadratic(AbstractShape):
    """x^2: the same cost on both sides."""

    def __call__(self, x: Array) -> Array:
        return x


class Asymmetric(AbstractShape):
    """x^2 below the optimum, ratio x^2 above: too high a learning rate costs more than one too low.

    `ratio`: LogNormal(0, 0.7), so 0.3 to 3.2 (90 %) and neither side is favoured; Step Law's runs say 3 to 5 for
    the learning rate, 1 to 1.5 for the batch.
    """

    ratio: Scalar = dataclasses.field(default_factory=lambda: dist.LogNormal(0.0, 0.7))

    def __call__(self, x: Array) -> Array:
        return x * jnp.sqrt(jnp.where(x > 0, self.ratio, 1.0))


class PseudoHuber(AbstractShape):
    """2 width^2 (sqrt(1 + x^2 / width^2) - 1): x^2 near the optimum, linear beyond `width` (in e-folds)."""

    width: Scalar = dataclasses.field(default_factory=lambda: dist.LogNormal(log(2.0), 0.7))

    def __call__(self, x: Array) -> Array:
        return x * jnp.sqrt(2 / (1 + jnp.sqrt(1 + (x / self.width) ** 2)))


class Penalty(eqx.Module):
    """What one hyperparameter costs when it is off: curvature * shape(ln coordinate - ln optimum)^2.

    - `optimum`: a number, a distribution, or a law of the coordinate: `LogLinear`, a preset of
      `bayeslaw.models`, or any law whose arguments are columns (other hyperparameters included) or the
      response of the base law at that run (`loss`).
    - `curvature`: cost per e-fold squared, at least zero: a number, a distribution or a law. With 0.01 and the total
      target, two-fold off costs 0.5 % of the loss.
    - `shape`: `Quadratic`, `Asymmetric` or `PseudoHuber`.
    - `log`: whether the distance is in logarithms (default) or in the coordinate's own unit.
    """

    optimum: Any
    curvature: Any
    shape: AbstractShape
    log: bool = eqx.field(static=True)

    def __init__(self, optimum: Any, curvature: Any, shape: AbstractShape | None = None, *, log: bool = True) -> None:
        self.optimum = as_prior(optimum)
        self.curvature = as_prior(curvature)
        self.shape = Asymmetric() if shape is None else shape
        self.log = log

    def reads(self) -> tuple[str, ...]:
        """The columns of the optimum and the curvature."""
        laws = [part for part in (self.optimum, self.curvature) if isinstance(part, AbstractLaw)]
        return tuple(dict.fromkeys(name for law in laws for name in law.columns()))

    def root(self, value: Array, columns: Mapping[str, Array]) -> Array:
        """The signed square root of the cost where the coordinate is `value`."""
        best = evaluate(self.optimum, columns)
        distance = jnp.log(value) - jnp.log(best) if self.log else value - best
        return jnp.sqrt(evaluate(self.curvature, columns)) * self.shape(distance)


def default_penalty(name: str, base: AbstractLaw, names: tuple[str, ...], target: Target = "total") -> Penalty:
    """The penalty that `Penalised` uses for a hyperparameter given by its name alone."""
    sizes = [one for one in base.columns() if one in COLUMNS and COLUMNS[one].unit in ("parameters", "tokens")]
    curvature = dist.LogNormal(log(_CURVATURE[target]), 1.0)
    if name == "lr":
        exponents: dict[str, Any] = {one: dist.Normal(0.0, 0.5) for one in sizes}
        if "batch_tokens" in names:
            exponents["batch_tokens"] = dist.Normal(0.5, 0.25)
        return Penalty(LogLinear(dist.LogNormal(log(2e-3), 1.0), exponents), curvature)
    if name == "batch_tokens":
        exponents = {
            one: dist.Normal(0.5, 0.3) if COLUMNS[one].unit == "tokens" else dist.Normal(0.0, 0.3) for one in sizes
        }
        return Penalty(LogLinear(dist.LogNormal(log(REFERENCE[name]), 1.0), exponents), curvature)
    if name in _CONSTANT:
        centre, spread = _CONSTANT[name]
        return Penalty(dist.LogNormal(log(centre), spread), curvature)
    raise InputError(
        f"{name!r} has no default penalty; those with one are lr, batch_tokens, {', '.join(_CONSTANT)}. Give "
        f"{{{name!r}: Penalty(optimum=..., curvature=...)}}."
    )


# Hyperparameters whose optimum is taken to be the same at all sizes: prior median and log sd.
_CONSTANT: Mapping[str, tuple[float, float]] = {
    "warmup_tokens": (1e9, 1.5),
    "weight_decay": (0.1, 1.0),
    "ff_ratio": (4.0, 0.5),
    "kv_size": (64.0, 0.5),
    "aspect_ratio": (64.0, 0.7),
    "timescale": (0.2, 1.0),
}
