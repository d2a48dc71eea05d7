"""`Posterior`: draws with everything needed to trust, reuse, save and reload them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._columns import COLUMNS
from bayeslaw._errors import InputError, Status
from bayeslaw._identify import prior_draws
from bayeslaw._joint import Joint
from bayeslaw._law import named
from bayeslaw._status import diagnostics_of, prior_status, sampler_status
from bayeslaw._tree import fill, float64

FORMAT = 1  # of the saved file; raise it when a reader of this version could misread the new one
_GROUPS = ("log_likelihood", "posterior_predictive", "prior", "prior_predictive")


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """The posterior of a law, made by `fit` or `load`.

    - `tree`: an ArviZ DataTree with the groups posterior (dims chain, draw), sample_stats, observed_data
      and constant_data (dim run); `az.summary(posterior.tree)` and all of ArviZ work on it.
    - `prior`, `noise_prior`: the law and the noise with distributions as leaves.
    - `law`, `noise`: the same with draws as leaves, NumPy arrays of shape (chain, draw).
    - `status`: what a careful reader would remark on; look here first.
    """

    tree: xr.DataTree
    joint: Joint = dataclasses.field(repr=False)

    @property
    def prior(self) -> Any:
        return self.joint.law

    @property
    def noise_prior(self) -> Any:
        return self.joint.noise

    @property
    def response(self) -> str:
        """The column the law is about, such as `loss`."""
        return self.joint.response

    @property
    def draws(self) -> dict[str, np.ndarray]:
        """Posterior draws by parameter name, each (chain, draw, ...)."""
        return {str(name): array.to_numpy() for name, array in self.tree["posterior"].data_vars.items()}

    @property
    def law(self) -> Any:
        return fill(self.joint.law, self.draws)

    @property
    def noise(self) -> Any:
        return self.joint.fill(self.draws).noise

    @property
    def runs(self) -> pd.DataFrame:
        """What was fitted: one row per run, the law's columns and the response."""
        labels = self.prior.categories()
        return pd.DataFrame(
            {str(name): labelled(labels.get(str(name)), array.to_numpy())
             for group in ("constant_data", "observed_data") for name, array in self.tree[group].data_vars.items()}
        )  # fmt: skip

    def seen(self) -> dict[str, np.ndarray]:
        """The columns of the runs that were fitted, as numbers; of a chained posterior those of both steps."""
        groups = [node.to_dataset() for node in self.tree.subtree if node.name == "constant_data"]
        return {str(name): array.to_numpy() for group in groups[::-1] for name, array in group.data_vars.items()}

    @cached_property
    def derived(self) -> xr.Dataset:
        """What follows from the parameters (raw coefficients, optimal exponents), dims (chain, draw)."""
        values = _derived(self.joint, flat(self))
        shape = self.shape
        return xr.Dataset({name: (("chain", "draw"), np.asarray(v).reshape(shape)) for name, v in values.items()})

    @property
    def _settings(self) -> dict[str, Any]:
        return {str(name): value for name, value in self.tree.attrs.items()}

    @property
    def shape(self) -> tuple[int, int]:
        """(chains, draws)."""
        sizes = self.tree["posterior"].sizes
        return sizes["chain"], sizes["draw"]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Mean, sd, equal-tailed credible interval of mass `prob`, and diagnostics of every parameter.

        Derived quantities follow at the end. Columns: mean, sd, lower, median, upper, ess_bulk, ess_tail, r_hat.
        """
        check_prob(prob)
        both = self.draws | {str(name): array.to_numpy() for name, array in self.derived.data_vars.items()}
        tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
        rows: dict[str, list[float]] = {}
        diagnostics = diagnostics_of(both, self._settings)
        for name, array in both.items():
            values = array.reshape(-1, *array.shape[2:])
            for index in np.ndindex(values.shape[1:]):
                label = name + (f"[{','.join(map(str, index))}]" if index else "")
                one = values[(slice(None), *index)]
                marks = [float(diagnostics[kind][name][index]) for kind in ("ess_bulk", "ess_tail", "r_hat")]
                with np.errstate(invalid="ignore"):  # what follows from parameters may be infinite in a draw
                    rows[label] = [one.mean(), one.std(ddof=1), *np.quantile(one, tails), *marks]
        columns = ["mean", "sd", "lower", "median", "upper", "ess_bulk", "ess_tail", "r_hat"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        frame.attrs["prob"] = prob
        return frame

    @cached_property
    def status(self) -> tuple[Status, ...]:
        """Sentences with advice: sampler problems first, then what the data could not say."""
        notes = [Status(**note) for note in json.loads(self.tree.attrs["notes"])]
        stats = {str(name): array.to_numpy() for name, array in self.tree["sample_stats"].data_vars.items()}
        columns = {str(name): array.to_numpy() for name, array in self.tree["constant_data"].data_vars.items()}
        found = self.joint.law.check_fit(columns, flat(self))
        # Those drawn one by one, not by a chain, have nothing to converge.
        alone = json.loads(self.tree.attrs.get("independent", "[]"))
        chained = {name: array for name, array in self.draws.items() if name not in alone}
        sampling = sampler_status(chained, stats, self._settings)
        return tuple(sampling + prior_status(self.joint, flat(self), self._settings) + found + notes)

    @property
    def ok(self) -> bool:
        """No serious status: the draws can be used."""
        return not any(status.serious for status in self.status)

    @float64
    def with_groups(self, *groups: str, seed: int = 0) -> "Posterior":
        """A posterior whose tree also holds the named groups, for ArviZ.

        `log_likelihood` and `posterior_predictive` (chain, draw, run), `prior` and `prior_predictive`
        (1 chain, 2000 draws). Without names: all four.
        """
        unknown = sorted(set(groups) - set(_GROUPS))
        if unknown:
            raise InputError(f"unknown group {unknown[0]!r}; there are {', '.join(_GROUPS)}.")
        columns = {name: jnp.asarray(a.to_numpy()) for name, a in self.tree["constant_data"].data_vars.items()}
        observed = self.tree["observed_data"][self.response].to_numpy()
        keys: dict[str, Any] = dict(zip(_GROUPS, jax.random.split(jax.random.key(seed), 4), strict=True))
        ids = {name: self.tree["posterior"][name].to_numpy() for name in ("chain", "draw")}
        prior = prior_draws(self.joint, seed + 1).values
        prior_ids = {"chain": np.arange(1), "draw": np.arange(len(next(iter(prior.values()))))}

        def simulate(group: str, values: Mapping[str, Any], where: Mapping[str, np.ndarray]) -> xr.Dataset:
            return _per_run(self.response, _predictive(keys[group], self.joint, values, columns), where)

        make = {
            "log_likelihood": lambda: _per_run(
                self.response, log_likelihood(self.joint, flat(self), columns, observed), ids
            ),
            "posterior_predictive": lambda: simulate("posterior_predictive", flat(self), ids),
            "prior": lambda: draws_dataset({name: np.asarray(values)[None] for name, values in prior.items()}),
            "prior_predictive": lambda: simulate("prior_predictive", prior, prior_ids),
        }
        tree = self.tree.copy()
        for group in groups or _GROUPS:
            tree[group] = xr.DataTree(make[group]())
        return Posterior(tree, self.joint)

    def then(self, second: "Posterior") -> "Posterior":
        """This posterior carried through a second: `loss.then(error)` is the posterior of the error of a planned model.

        `second` is of a law that reads this one's response as a column (benchmark error from loss), fitted to runs for
        which that was measured. Draws are paired, so the uncertainty of both steps is in what is predicted; `predict`
        and `allocate` work on the result as on any posterior. Raises `InputError` when `second` does not read it.
        """
        from bayeslaw._chained import Chained, joined

        joint = Joint(Chained(self.prior, second.prior, self.noise_prior), second.noise_prior)
        tree = second.tree.copy()
        draws = draws_dataset(joined(self.draws, second.draws))
        tree["posterior"] = xr.DataTree(draws)
        kept = {name: slice(draws.sizes[name]) for name in ("chain", "draw")}
        tree["sample_stats"] = xr.DataTree(tree["sample_stats"].to_dataset().isel(kept))
        tree["first"] = self.tree.copy()
        notes = [dataclasses.asdict(status) for status in self.status if status.serious]
        notes += [note for one in (self, second) for note in json.loads(one.tree.attrs["notes"])]
        tree.attrs["notes"] = json.dumps(notes)
        return Posterior(tree, joint)

    def save(self, path: str | Path) -> None:
        """Write the fit to a netCDF file that `load` reads: draws, law, priors, noise, data, units, seed, versions.

        The file appears whole or not at all. Raises `InputError` when a prior cannot be stored.
        """
        from bayeslaw._saved import save

        save(self, path)

    def __repr__(self) -> str:
        chains, draws = self.shape
        return (
            f"Posterior of {named(self.prior)} with {type(self.noise_prior).__name__} noise: "
            f"{len(self.runs)} runs, {chains} x {draws} draws, {'ok' if self.ok else 'NOT OK, see .status'}"
        )

    def _repr_html_(self) -> str:
        from bayeslaw._show import posterior_html

        return posterior_html(self)


def build(
    joint: Joint,
    sampled: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    columns: Mapping[str, np.ndarray],
    response: np.ndarray,
    notes: list[Status],
    settings: Mapping[str, Any],
) -> Posterior:
    """A Posterior from what the sampler returned."""
    import numpyro

    from bayeslaw import __version__

    values, stats = sampled
    run = {"run": np.arange(len(response))}
    groups = {
        "posterior": draws_dataset(values),
        "sample_stats": draws_dataset(stats),
        "observed_data": xr.Dataset({joint.response: _column(joint.response, response)}, coords=run),
        "constant_data": xr.Dataset({name: _column(name, array) for name, array in columns.items()}, coords=run),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs |= {
        "bayeslaw_format": FORMAT,
        "bayeslaw_version": __version__,
        "numpyro_version": numpyro.__version__,
        "jax_version": jax.__version__,
        "notes": json.dumps([dataclasses.asdict(note) for note in notes]),
        **settings,
    }
    return Posterior(tree, joint)


def draws_dataset(values: Mapping[str, np.ndarray]) -> xr.Dataset:
    chains, draws = next(iter(values.values())).shape[:2]
    variables = {
        name: (("chain", "draw", *(f"{name}_dim_{i}" for i in range(array.ndim - 2))), array)
        for name, array in values.items()
    }
    return xr.Dataset(variables, coords={"chain": np.arange(chains), "draw": np.arange(draws)})


def _column(name: str, array: np.ndarray) -> tuple[str, np.ndarray, dict[str, str]]:
    known = COLUMNS.get(name)
    return "run", array, {"units": known.unit, "long_name": known.meaning} if known else {}


def _per_run(response: str, values: Any, ids: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Values of shape (chain * draw, run) as a Dataset with the dims (chain, draw, run)."""
    array = np.asarray(values).reshape(*(len(one) for one in ids.values()), -1)
    return xr.Dataset({response: (("chain", "draw", "run"), array)}, coords=ids)


def labelled(labels: Sequence[str] | None, values: np.ndarray) -> np.ndarray:
    """Positions among labels as the labels themselves; anything else as it is."""
    return values if labels is None else np.asarray(labels, dtype=object)[values.astype(int)]


def flat(posterior: Posterior) -> dict[str, np.ndarray]:
    """Posterior draws with chains joined, each (chain * draw, ...)."""
    return {name: array.reshape(-1, *array.shape[2:]) for name, array in posterior.draws.items()}


def check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise InputError(f"prob is the credible mass, between 0 and 1, such as 0.9; got {prob!r}.")


@float64
@jax.jit
def _derived(joint: Joint, values: Mapping[str, Any]) -> dict[str, Any]:
    return jax.vmap(lambda v: dict(joint.fill(v).law.derived()))(values)


@jax.jit
def log_likelihood(joint: Joint, values: Mapping[str, Any], columns: Mapping[str, Any], observed: Any) -> Any:
    return jax.vmap(lambda v: joint.fill(v).observe(columns).log_prob(observed))(values)


@jax.jit
def _predictive(key: Any, joint: Joint, values: Mapping[str, Any], columns: Mapping[str, Any]) -> Any:
    keys = jax.random.split(key, len(next(iter(values.values()))))
    return jax.vmap(lambda k, v: joint.fill(v).observe(columns).sample(k))(keys, values)
