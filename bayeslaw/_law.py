"""The base of all laws: a formula whose leaves are numbers, distributions or draws."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayeslaw._columns import codes, derive
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
    falls: ClassVar[tuple[str, ...]] = ()
    """The columns with which the mean never rises, whatever the parameters."""

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

    def factors(self) -> Mapping[str, Scalar]:
        """Positive parameters that runs determine less well than their product with this: `{"c": slope / c}`.

        The sampler then moves along that product; the prior stays where it is. A factor is positive and reads none of
        the parameters that have one.
        """
        return {}

    def deviations(self) -> Mapping[str, str]:
        """Parameters that their prior is meant to shrink (offsets of groups), and the parameter of their size.

        Runs need not tell them apart from the rest: that is what the shrinkage is for.
        """
        return {}

    def centred(self) -> Sequence[tuple[str, str, np.ndarray]]:
        """Which `deviations` the sampler moves at their full size: (deviations, their size, powers of the size).

        One that runs determine well is straight at its full size (power 1), one that only its prior determines
        relative to it (power 0).
        """
        return ()

    def hyperparameters(self) -> tuple[str, ...]:
        """The columns that have an optimum in this law, whatever the sizes."""
        return ()

    def optional(self) -> tuple[str, ...]:
        """The columns that a scenario may leave out: hyperparameters, then tuned, and what only their optima read."""
        return ()

    def unmeasured(self) -> tuple[str, ...]:
        """The columns that a whole table of runs may lack: those of plans, where runs are counts of their parts."""
        return ()

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that hold labels, and the labels; `mean` is given the position of a run's label among them."""
        return {}

    def member(self, columns: Mapping[str, Array]) -> "AbstractLaw":
        """The law that holds for one run: a law that differs from group to group gives that of the run's group."""
        return self

    def concentration(self, **columns: Array) -> Array:
        """For answers counted over problems: how alike the problems are, the sum of the two exponents of their Beta
        distribution. The noise `BetaBinomial` asks for it."""
        raise InputError(f"{type(self).__name__} does not say how problems differ: use the noise Binomial.")

    def scatter(self, key: Array, columns: Mapping[str, Array]) -> dict[str, Array]:
        """The columns of new runs, (runs,), with those drawn that the law itself predicts and a new run scatters in."""
        return dict(columns)

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """The columns of one run with those added that follow from them, and hyperparameters at their optimum."""
        found = {name: derive(name, columns) for name in self.columns()}
        return {**columns, **{name: value for name, value in found.items() if value is not None}}

    def tuned(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """What `mean` needs of one run for the response at tuned hyperparameters: all columns but these."""
        hidden = self.hyperparameters()
        full = self.complete({name: value for name, value in columns.items() if name not in hidden})
        return {name: value for name, value in full.items() if name not in hidden}

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
        if any(jnp.ndim(leaf) > 1 for leaf in jax.tree.leaves(self)):  # (chain, draw)
            raise InputError("this law has draws as leaves: use predict(posterior, scenarios).")
        names = [name for name in self.columns() if name in columns or name not in self.optional()]
        if set(columns) != set(names):
            raise InputError(f"the law reads the columns {', '.join(names)}; got {', '.join(columns) or 'none'}.")
        labels = self.categories()
        values = [jnp.asarray(codes(labels[n], columns[n]) if n in labels else columns[n], dtype=float) for n in names]
        if not names:
            return np.asarray(self.mean(), dtype=float)
        mean = jnp.vectorize(lambda *row: self.mean(**dict(zip(names, row, strict=True))))
        return np.asarray(mean(*values))


class AbstractWrapper(AbstractLaw):
    """A law made of a law: everything it does not change is that of `base`."""

    base: AbstractLaw

    def __getattr__(self, name: str) -> Any:
        """What it does not have itself: a decision of the base law may read that law's parameters."""
        if name == "base" or name.startswith(("__", "_repr")):
            raise AttributeError(name)
        return getattr(self.base, name)

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

    def factors(self) -> Mapping[str, Scalar]:
        return {f"base.{name}": factor for name, factor in self.base.factors().items()}

    def deviations(self) -> Mapping[str, str]:
        return {f"base.{name}": f"base.{size}" for name, size in self.base.deviations().items()}

    def centred(self) -> Sequence[tuple[str, str, np.ndarray]]:
        return [(f"base.{name}", f"base.{size}", power) for name, size, power in self.base.centred()]

    def hyperparameters(self) -> tuple[str, ...]:
        return self.base.hyperparameters()

    def optional(self) -> tuple[str, ...]:
        return self.base.optional()

    def unmeasured(self) -> tuple[str, ...]:
        return self.base.unmeasured()

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return self.base.categories()

    def member(self, columns: Mapping[str, Array]) -> AbstractLaw:
        return eqx.tree_at(lambda law: law.base, self, self.base.member(columns))

    def concentration(self, **columns: Array) -> Array:
        return self.base.concentration(**{name: columns[name] for name in self.base.columns() if name in columns})

    def scatter(self, key: Array, columns: Mapping[str, Array]) -> dict[str, Array]:
        return self.base.scatter(key, columns)

    def complete(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        return super().complete(self.base.complete(columns))

    def check_design(self, runs: Mapping[str, np.ndarray]) -> list[Status]:
        return list(self.base.check_design(runs))

    def check_fit(self, runs: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> list[Status]:
        return list(self.base.check_fit(runs, under(draws, "base")))


def named(law: AbstractLaw) -> str:
    """A law in words: `Penalised(Chinchilla)`."""
    own = type(law).__name__
    return f"{own}({named(law.base)})" if isinstance(law, AbstractWrapper) else own
