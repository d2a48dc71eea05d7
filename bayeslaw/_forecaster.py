"""What a back-test asks of a method: draws of a new run, their density, and the optimum."""

import abc
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array
from scipy.special import logsumexp

from bayeslaw._allocate import allocate
from bayeslaw._errors import InputError, Status
from bayeslaw._groups import counted
from bayeslaw._joint import Joint, as_joint
from bayeslaw._law import AbstractLaw
from bayeslaw._many import fit_once
from bayeslaw._misfit import corrected
from bayeslaw._modes import padding
from bayeslaw._posterior import Posterior, flat
from bayeslaw._predict import NEW_RUN, predict
from bayeslaw._runs import number_columns
from bayeslaw._stack import Stack
from bayeslaw._tree import float64

_BATCH = 32  # draws whose densities are found at a time


class Forecaster(abc.ABC):
    """A method of forecasting that is no posterior of this library, for `backtest`.

    Subclass it, and give `backtest` a function that is told the training runs and returns one.
    """

    status: tuple[Status, ...] = ()

    @abc.abstractmethod
    def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
        """Draws of the response of a new run at each row, with its noise, (draws, rows)."""

    def log_density(self, scenarios: pd.DataFrame, response: np.ndarray) -> np.ndarray | None:
        """ln of the density that a new run at each row had where it came out, (rows,). When left out, it is estimated
        from the draws by Gaussian kernels."""
        return None

    def allocate(self, **given: Any) -> Mapping[str, np.ndarray]:
        """Draws of the optimum by its column, `{"params": (draws, scenarios)}`, at what is given, one scenario each."""
        raise InputError("it does not say where the optimum is")

    @staticmethod
    def of(posterior: Posterior | Stack, *, misfit: bool = True, decision: Any = None, seed: int = 0) -> "Forecaster":
        """The forecasts of a posterior or a stack, as `backtest` makes them of what a method returns; with
        `misfit=False` of its law alone. `decision` and `seed` are as in `predict` and `allocate`."""
        return _Ours(posterior, misfit, decision, seed)


Method = Callable[[pd.DataFrame, int], Forecaster]


def method_of(name: str, what: Any, decision: Any, place: Path | None, options: Mapping[str, Any]) -> Method:
    """A function of training runs and a seed, from a law, whose fits are kept in a place, or a function."""
    if _is_law(what):
        return partial(_fitted, as_joint(what, options.get("noise")), decision, place, options)
    if not callable(what):
        raise InputError(f"the method {name!r} should be a law or a function of runs; got {type(what).__name__}.")
    return partial(_called, name, what, decision)


def _fitted(
    joint: Joint, decision: Any, place: Path | None, options: Mapping[str, Any], runs: pd.DataFrame, seed: int
) -> Forecaster:
    rest = {name: value for name, value in options.items() if name != "noise"}
    return Forecaster.of(fit_once(place, joint, runs, seed, rest), decision=decision, seed=seed)


def _called(name: str, function: Callable[..., Any], decision: Any, runs: pd.DataFrame, seed: int) -> Forecaster:
    takes = inspect.signature(function).parameters
    found = function(runs.copy(), **({"seed": seed} if "seed" in takes else {}))
    if isinstance(found, Posterior | Stack):
        return Forecaster.of(found, decision=decision, seed=seed)
    if not isinstance(found, Forecaster):
        raise InputError(
            f"the method {name!r} should return a Posterior, a Stack or a Forecaster; got {type(found).__name__}."
        )
    return found


def response_of(methods: Iterable[Any], response: str | None) -> str:
    """The column that the methods forecast: the one that was asked for, the laws', else the loss."""
    laws = {as_joint(one, None).response for one in methods if _is_law(one)}
    if len(laws) > 1 or (response is not None and laws - {response}):
        raise InputError(
            f"the laws forecast {', '.join(sorted(laws))}, of which runs can be held against one at a time."
        )
    return response or next(iter(laws), "loss")


def _is_law(what: Any) -> bool:
    return isinstance(what, AbstractLaw) or (isinstance(what, type) and issubclass(what, AbstractLaw))


class _Ours(Forecaster):
    """A posterior or a stack."""

    def __init__(self, posterior: Posterior | Stack, misfit: bool, decision: Any, seed: int):
        self.posterior, self.misfit, self.decision, self.seed = posterior, misfit, decision, seed
        self.status = tuple(posterior.status)  # found here, in parallel

    def predict(self, scenarios: pd.DataFrame) -> np.ndarray:
        rows, _ = padding(len(scenarios))
        draws = predict(self.posterior, scenarios.iloc[rows], misfit=self.misfit, seed=self.seed).draws
        new = draws[self.posterior.response + NEW_RUN].to_numpy()
        return new.reshape(-1, len(rows))[:, : len(scenarios)]

    def log_density(self, scenarios: pd.DataFrame, response: np.ndarray) -> np.ndarray | None:
        if isinstance(self.posterior, Posterior):
            return self._density(self.posterior, scenarios, response)
        weights = np.array(list(self.posterior.weights.values()))
        each = [self._density(one, scenarios, response) for one in self.posterior.members.values()]
        if any(one is None for one in each):
            return None
        return np.asarray(logsumexp(np.array(each), axis=0, b=(weights / weights.sum())[:, None]))

    def _density(self, posterior: Posterior, scenarios: pd.DataFrame, response: np.ndarray) -> np.ndarray | None:
        return _log_density(corrected(posterior) if self.misfit else posterior, scenarios, response, self.seed)

    def allocate(self, **given: Any) -> Mapping[str, np.ndarray]:
        found = allocate(self.posterior, self.decision, seed=self.seed, **given)
        name = next((one for one in found.decision.report if one in found.draws.data_vars), None)
        if name is None:
            raise InputError("what its decision reports is given")
        if "names" in found.draws[name].attrs:
            raise InputError(f"its decision is about names ({name}), which have no interval")
        return {name: found.draws[name].to_numpy().reshape(-1, found.draws.sizes["scenario"])}


@float64
def _log_density(posterior: Posterior, scenarios: pd.DataFrame, response: np.ndarray, seed: int) -> np.ndarray | None:
    """The log of the mean over draws of the density of each response, none where it is counted."""
    if counted(posterior):
        return None
    law, (rows, _) = posterior.prior, padding(len(response))
    numbers, _ = number_columns(
        scenarios.iloc[rows], posterior.joint.columns(), law.optional(), labels=law.categories(), what="scenario"
    )
    columns = jax.tree.map(jnp.asarray, numbers)
    found = _mixed_density(jax.random.key(seed), posterior.joint, flat(posterior), columns, response[rows])
    return np.asarray(found)[: len(response)]


@jax.jit
def _mixed_density(
    key: Array, joint: Joint, values: Mapping[str, Any], columns: Mapping[str, Any], response: Array
) -> Array:
    def one(inputs: tuple[Array, Mapping[str, Any]]) -> Array:
        key, draw = inputs
        filled = joint.fill(draw)
        return jnp.asarray(filled.observe(filled.law.scatter(key, columns)).log_prob(response))

    keys = jax.random.split(key, len(next(iter(values.values()))))
    densities = jax.lax.map(one, (keys, values), batch_size=_BATCH)
    return jax.nn.logsumexp(densities, axis=0) - jnp.log(len(densities))
