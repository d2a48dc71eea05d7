"""`predict`: the law's mean and a new run, with intervals, at any scenario. `simulate`: made-up runs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._columns import COLUMNS
from bayeslaw._distance import distance, far
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint, as_joint
from bayeslaw._misfit import corrected
from bayeslaw._posterior import Posterior, check_prob, flat, labelled
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._stack import over_laws
from bayeslaw._tree import OVERFLOW, float64

NEW_RUN = "_new_run"  # suffix of a response with noise
EXCESS = "_excess"  # suffix of a response less the same with tuned hyperparameters


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What a posterior says about scenarios.

    - `draws`: xarray Dataset with dims (chain, draw, scenario); the response by its name (`loss`) is the
      mean function, with `_new_run` appended (`loss_new_run`) it is a run with its noise. Where hyperparameters
      were given, `loss_excess` is what they cost: the mean function less that with tuned hyperparameters.
    - `distance`: a row per scenario: for each scale column the decades by which it lies beyond the runs (negative
      below them, 0 inside their range), and `mahalanobis`, its distance from the middle of the runs in the logarithms
      of these columns, in standard deviations: a corner that no run came near lies far even inside every range.
    - `status`: how far the scenarios are from the data, and whether the posterior can be trusted.
    """

    draws: xr.Dataset
    distance: pd.DataFrame
    status: tuple[Status, ...]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Median and equal-tailed credible interval of mass `prob`, a row per scenario and quantity.

        `covers` says what the interval is of: the mean function, or a new run.
        """
        return summarise(self.draws, prob)

    def __repr__(self) -> str:
        from bayeslaw._show import as_text

        return as_text("Prediction", self.summary(), self.status)

    def _repr_html_(self) -> str:
        from bayeslaw._show import as_html

        return as_html("Prediction", self.summary(), self.status)


@float64
@over_laws
def predict(
    posterior: Posterior,
    scenarios: Table,
    *,
    misfit: bool = True,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Prediction:
    """The response at scenarios: `predict(posterior, {"params": ["7B", "70B"], "tokens": "1.4T"})`.

    - `scenarios`: a DataFrame, a mapping of columns or a file, with the columns the law (and noise) read;
      hyperparameters of a penalised law that are left out are at their optimum, draw by draw.
    - `misfit`: no law is exact; what it leaves of the runs says how far it is off, and a Gaussian process carries that
      to the scenarios, where intervals widen with the distance from the runs (see `bayeslaw.misfit`). Held-out runs of
      larger compute fall into such intervals about as often as these say, and far less often into those of the law
      alone, which `misfit=False` gives (docs/extrapolation.md). Noise of counts and shares has none.
    - `columns`: maps the names of `scenarios` to ours. `seed`: for the noise of the new runs.

    A `Stack` is answered by each of its laws, mixed. Raises `InputError`.
    """
    need_posterior(posterior)
    frame = read_table(scenarios, columns)
    optional = posterior.prior.optional()
    labels = posterior.prior.categories()
    numbers, notes = number_columns(frame, posterior.joint.columns(), optional, labels=labels, what="scenario")
    arrays = {name: jnp.asarray(values) for name, values in numbers.items()}
    used = corrected(posterior) if misfit else posterior
    mean, new, excess = _program(jax.random.key(seed), used.joint, flat(used), arrays)
    coords = {name: column_variable(name, values, labels.get(name)) for name, values in numbers.items()}
    response = posterior.response
    found = {response: mean, response + NEW_RUN: new}
    if set(posterior.prior.hyperparameters()) & set(numbers):
        found[response + EXCESS] = excess
    found = {name: np.where(np.abs(array) < OVERFLOW, array, np.nan) for name, array in found.items()}
    draws = response_dataset(posterior, found, coords)
    notes = serious(posterior) + _without_value(posterior, np.asarray(mean)) + notes + far(used, numbers)
    return Prediction(draws, distance(posterior, numbers), tuple(notes))


def _without_value(posterior: Posterior, mean: np.ndarray) -> list[Status]:
    """That the law has no finite value at a scenario, in so many draws."""
    share = 1 - (np.abs(mean) < OVERFLOW).mean(axis=0)
    if not share.any():
        return []
    worst = int(share.argmax())
    return [
        Status(
            f"{posterior.response} has no finite value in {share[worst]:.0%} of draws at scenario {worst}: the formula "
            "overflows or is not defined there, and the interval is of the other draws. Ask nearer to the runs.",
            serious=True,
        )
    ]


@jax.jit
def _program(key: Any, joint: Joint, values: Mapping[str, Any], columns: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    def one(key: Any, draw: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        filled = joint.fill(draw)
        mean = filled.mean(columns)
        return mean, filled.draw(key, columns), mean - filled.tuned(columns)

    return jax.vmap(one)(jax.random.split(key, len(next(iter(values.values())))), values)


@float64
def simulate(law: Any, scenarios: Table, *, noise: Any = None, seed: int = 0) -> pd.DataFrame:
    """Made-up runs at the given scenarios: a DataFrame of the columns and a simulated response.

    Leaves of `law` and `noise` that are numbers are used as they are; those that are distributions are
    drawn once, so `simulate(Chinchilla, table)` is one world from the prior. `attrs["truth"]` holds every
    drawn value, `attrs["simulated"]` says that nothing here was measured.
    """
    joint = as_joint(law, noise)
    labels, optional = joint.law.categories(), joint.law.optional()
    numbers, _ = number_columns(read_table(scenarios), joint.columns(), optional, labels=labels, what="scenario")
    key_truth, key_noise = jax.random.split(jax.random.key(seed))
    truth = joint.sample_prior(key_truth)
    arrays = {name: jnp.asarray(values) for name, values in numbers.items()}
    response = joint.fill(truth).draw(key_noise, arrays)
    shown = {name: labelled(labels.get(name), values) for name, values in numbers.items()}
    frame = pd.DataFrame({**shown, joint.response: np.asarray(response)})
    frame.attrs |= {
        "simulated": f"simulated from {type(joint.law).__name__} with {type(joint.noise).__name__} noise, seed {seed}",
        "truth": {name: np.asarray(value).tolist() for name, value in truth.items()},
    }
    return frame


def column_variable(name: str, values: Any, labels: Sequence[str] | None = None, dim: str = "scenario") -> xr.Variable:
    """A column on a dimension, with its unit, or its labels in place of their positions."""
    known = COLUMNS.get(name)
    return xr.Variable(
        dim, labelled(labels, values), {"units": known.unit, "long_name": known.meaning} if known else {}
    )


def response_dataset(posterior: Posterior, values: Mapping[str, Any], coords: Mapping[str, Any]) -> xr.Dataset:
    """Flattened draws (chain * draw, scenario) as a Dataset with dims (chain, draw, scenario), units and meanings."""
    chains, draws = posterior.shape
    variables = {}
    for name, array in values.items():
        known = COLUMNS.get(name.removesuffix(NEW_RUN).removesuffix(EXCESS))
        attrs = {"units": known.unit if known else ""}
        if name.startswith(posterior.response):
            kinds = {NEW_RUN: "new run", EXCESS: "mean function less tuned"}
            kind = name.removeprefix(posterior.response)
            attrs["covers"] = kinds.get(kind, "mean function")
        variables[name] = (("chain", "draw", "scenario"), np.asarray(array).reshape(chains, draws, -1), attrs)
    ids = {name: posterior.tree["posterior"][name].to_numpy() for name in ("chain", "draw")}
    return xr.Dataset(variables, coords={**ids, **coords})


def summarise(draws: xr.Dataset, prob: float) -> pd.DataFrame:
    """Median and equal-tailed interval of each variable, one row per scenario and variable."""
    check_prob(prob)
    labels = [str(name) for name in draws.coords if draws[name].dims == ("scenario",)]
    rows, index = [], []
    ends = (1 - prob) / 2, 0.5, (1 + prob) / 2
    with warnings.catch_warnings():  # where no draw has a value there is no quantile, and a status says so
        warnings.simplefilter("ignore", RuntimeWarning)
        quantiles = {
            str(name): np.nanquantile(array.to_numpy(), ends, axis=(0, 1))
            for name, array in draws.data_vars.items()
            if array.dtype != bool and "names" not in array.attrs
        }
    for i in range(draws.sizes["scenario"]):
        for name, (lower, median, upper) in quantiles.items():
            attrs = draws[name].attrs
            index.append((*(draws[label].to_numpy()[i] for label in labels), name))
            rows.append((lower[i], median[i], upper[i], attrs.get("units", ""), attrs.get("covers", "optimum")))
        for name, array in draws.data_vars.items():
            for place, one in enumerate(array.attrs.get("names", ())):
                share = float(np.mean(array.to_numpy()[..., i] == place))
                index.append((*(draws[label].to_numpy()[i] for label in labels), f"{name}={one}"))
                rows.append((np.nan, share, np.nan, "", "share of draws"))
    frame = pd.DataFrame(
        rows,
        columns=["lower", "median", "upper", "unit", "covers"],
        index=pd.MultiIndex.from_tuples(index, names=[*labels, "quantity"]),
    )
    frame.attrs["prob"] = prob
    return frame


def serious(posterior: Posterior) -> list[Status]:
    """What forbids using the posterior, to be repeated on everything made from it."""
    return [status for status in posterior.status if status.serious]


def need_posterior(what: Any) -> None:
    if not isinstance(what, Posterior):
        raise InputError(f"expected a Posterior, as fit() or load() return it; got {type(what).__name__}.")
