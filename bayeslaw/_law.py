"""The base of all laws: a formula whose leaves are numbers, distributions or draws."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayeslaw._columns import derive
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._noise import AbstractNoise, StudentT
from bayeslaw._tree import Scalar, arguments, float64, sites, under


class AbstractLaw(eqx.Module):
    """A scaling law: declare the parameters as fields, then `mean` and `prior`.

    The arguments of `mean` after self are the columns it reads. Everything else the library does
    follows from these two.
    """

    response: ClassVar[str] = "loss"

    @abc.abstractmethod
    def mean(self, *args: Any, **columns: Any) -> Array:
        """The response of one run from that run's columns: scalars in, scalar out, in jax.numpy."""

    @classmethod
    @abc.abstractmethod
    def prior(cls) -> "AbstractLaw":
        """The law with a distribution in each leaf."""

    @classmethod
    def published(cls) -> Mapping[str, "AbstractLaw"]:
        """Fits from papers, by name, at full printed precision."""
        return {}

    def floor(self) -> Scalar:
        """The part of the response that no amount of scale removes."""
        return 0.0

    def derived(self) -> Mapping[str, Scalar]:
        """Quantities that follow from the parameters, reported beside them in a summary."""
        return {}

    def decisions(self) -> Mapping[str, Decision]:
        """The questions this law answers; the first is the default of `allocate`."""
        return {}

    def columns(self) -> tuple[str, ...]:
        """The columns that `mean` reads."""
        return arguments(type(self).mean, skip=("self",))

    def noise(self) -> AbstractNoise:
        """How runs scatter around this law when the user does not say: a noise with distributions as leaves."""
        return StudentT.prior()

    def summands(self) -> tuple[str, ...]:
        """Positive parameters that add up to the response at a reference run, floor first: `("E", "a", "b")`.

        Runs determine their sum far better than each of them. The sampler then moves along the sum and the ratios,
        which are straight where the parameters themselves are bound to a thin curved sheet.
        """
        return ()

    def deviations(self) -> Mapping[str, str]:
        """Parameters that their prior is meant to shrink (offsets of groups), and the parameter of their size.

        Runs need not tell them apart from the rest: that is what the shrinkage is for.
        """
        return {}

    def hyperparameters(self) -> tuple[str, ...]:
        """The columns that have an optimum in this law, whatever the sizes."""
        return ()

    def optional(self) -> tuple[str, ...]:
        """The columns that a scenario may leave out: hyperparameters, then tuned, and what only their optima read."""
        return ()

    def tuned(self) -> "AbstractLaw":
        """The law of runs whose hyperparameters are at their optimum."""
        return self

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """The columns of one run with those added that follow from them, and hyperparameters at their optimum."""
        found = {name: derive(name, columns) for name in self.columns()}
        return {**columns, **{name: value for name, value in found.items() if value is not None}}

    def check_design(self, runs: Mapping[str, np.ndarray]) -> list[Status]:
        """What to remark on the columns of the runs, before any sampling."""
        return []

    def check_fit(self, runs: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> list[Status]:
        """What to remark once fitted; `draws` are those of every parameter by name, (draws,)."""
        return []

    @float64
    def __call__(self, **columns: Any) -> np.ndarray:
        """Evaluate a law whose leaves are numbers, in 64-bit: `law(params=70e9, tokens=[1e12, 2e12])`.

        Columns broadcast against each other. For a posterior use `predict`.
        """
        if sites(self):
            raise InputError("this law has distributions as leaves (a prior), not numbers: fit it, then use predict().")
        if any(jnp.ndim(leaf) for leaf in jax.tree.leaves(self)):
            raise InputError("this law has draws as leaves: use predict(posterior, scenarios).")
        names = [name for name in self.columns() if name in columns or name not in self.optional()]
        if set(columns) != set(names):
            raise InputError(f"the law reads the columns {', '.join(names)}; got {', '.join(columns) or 'none'}.")
        values = [jnp.asarray(columns[name], dtype=float) for name in names]
        if not names:
            return np.asarray(self.mean(), dtype=float)
        mean = jnp.vectorize(lambda *row: self.mean(**dict(zip(names, row, strict=True))))
        return np.asarray(mean(*values))


class AbstractWrapper(AbstractLaw):
    """A law made of a law: everything it does not change is that of `base`."""

    base: AbstractLaw

    @property
    def response(self) -> str:  # type: ignore[override]
        return self.base.response

    def floor(self) -> Scalar:
        return self.base.floor()

    def noise(self) -> AbstractNoise:
        return self.base.noise()

    def derived(self) -> Mapping[str, Scalar]:
        return self.base.derived()

    def summands(self) -> tuple[str, ...]:
        return tuple(f"base.{name}" for name in self.base.summands())

    def deviations(self) -> Mapping[str, str]:
        return {f"base.{name}": f"base.{size}" for name, size in self.base.deviations().items()}

    def hyperparameters(self) -> tuple[str, ...]:
        return self.base.hyperparameters()

    def optional(self) -> tuple[str, ...]:
        return self.base.optional()

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        return super().complete(self.base.complete(columns))

    def check_design(self, runs: Mapping[str, np.ndarray]) -> list[Status]:
        return list(self.base.check_design(runs))

    def check_fit(self, runs: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> list[Status]:
        return list(self.base.check_fit(runs, under(draws, "base")))
