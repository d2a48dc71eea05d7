"""How much an answer is the prior's and how much the runs': power-scaling of either (Kallioinen et al. 2024)."""

from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array
from numpyro.distributions import biject_to

from bayeslaw._columns import format_number
from bayeslaw._errors import Status
from bayeslaw._joint import Joint
from bayeslaw._posterior import Posterior, flat
from bayeslaw._tree import float64

WEAKER, STRONGER = 0.8, 1.25  # powers of the prior or the likelihood whose effect is shown
SENSITIVE = 0.05  # ibid.: a larger gradient of the distance says that the posterior follows the component
PARAMETER = "parameter"  # what a row is about that is of no decision


@float64
def sensitivity_of(posterior: Posterior, parts: Mapping[str, xr.Dataset], prob: float) -> pd.DataFrame:
    """Sensitivity of variables, a row per (about, quantity, component); `posterior` has the group `log_likelihood`.

    Each part is a Dataset of variables (chain, draw, ...), positive ones compared by their logarithms. See `Check`.
    """
    chains, draws = posterior.shape
    log_prior = np.asarray(_log_prior(posterior.joint, flat(posterior))).reshape(chains, draws)
    likelihood = posterior.tree["log_likelihood"].to_dataset()
    logs = {
        "prior": xr.DataArray(log_prior, dims=("chain", "draw")),
        "likelihood": likelihood[posterior.response].sum("run").drop_vars(["chain", "draw"]),
    }
    scaled = {name: _weights(one) for name, one in logs.items()}
    rows, index = [], []
    for about, part in parts.items():
        flattened = {name: one for array in part.data_vars.values() for name, one in _scalars(array).items()}
        if not flattened:
            continue
        distances = {name: _psense(flattened, one) for name, one in logs.items()}
        for quantity, values in flattened.items():
            found = {name: distances[name].get(quantity, np.nan) for name in logs}
            for component, (weaker, stronger, pareto_k) in scaled.items():
                shown = [_quantiles(values, weights, prob) for weights in (None, weaker, stronger)]
                widths = [_width(one) for one in shown]
                ratio = [w / widths[0] if widths[0] > 0 else np.nan for w in widths[1:]]
                index.append((about, quantity, component))
                rows.append((
                    found[component], *shown[0], shown[1][1], shown[2][1], *ratio, pareto_k,
                    _diagnosis(found) if component == "prior" else "",
                ))  # fmt: skip
    columns = ["psense", "lower", "median", "upper", "median_weaker", "median_stronger", "width_weaker"]
    columns += ["width_stronger", "pareto_k", "diagnosis"]
    names = ["about", "quantity", "component"]
    return pd.DataFrame(rows, columns=columns, index=pd.MultiIndex.from_tuples(index, names=names))


@jax.jit
def _log_prior(joint: Joint, values: Mapping[str, Any]) -> Array:
    """The log density of the prior in unconstrained coordinates, (draws,), where a power widens a LogNormal about its
    median; without offsets, whose prior is part of the law."""
    shrunk = joint.law.deviations()

    def one(draw: Mapping[str, Any]) -> Array:
        total = jnp.zeros(())
        for name, prior in joint.sites().items():
            if name not in shrunk:
                transform = biject_to(prior.support)
                z = transform.inv(draw[name])
                total += jnp.sum(prior.log_prob(draw[name])) + jnp.sum(transform.log_abs_det_jacobian(z, draw[name]))
        return total

    return jax.vmap(one)(values)


def _weights(log_density: xr.DataArray) -> tuple[np.ndarray, np.ndarray, float]:
    """Smoothed weights of the draws under the weaker and the stronger component, and the worse Pareto k."""
    dims = ["chain", "draw"]
    found, ks = [], []
    for alpha in (WEAKER, STRONGER):
        logs = log_density.azstats.power_scale_lw(alpha=alpha, dim=dims).to_numpy().ravel()
        weights = np.exp(logs - logs.max())
        found.append(weights / weights.sum())
        ratios = (alpha - 1) * log_density
        ks.append(float(ratios.azstats.pareto_khat(sample_dims=dims, r_eff=1.0, tail="right", log_weights=True)))
    return found[0], found[1], max(ks)


def _scalars(array: xr.DataArray) -> dict[str, np.ndarray]:
    """The components of a variable (chain, draw, ...) by name, each (chain, draw)."""
    values = array.transpose("chain", "draw", ...).to_numpy()
    inner = values.shape[2:]
    return {
        str(array.name) + (f"[{','.join(map(str, at))}]" if inner else ""): values[(..., *at)]
        for at in np.ndindex(inner)
    }


def _psense(quantities: Mapping[str, np.ndarray], log_density: xr.DataArray) -> dict[str, float]:
    """ArviZ's sensitivity of quantities that are finite and vary."""
    from arviz_stats.psense import psense

    kept = {n: np.log(v) if (v > 0).all() else v for n, v in quantities.items() if np.isfinite(v).all() and np.ptp(v)}
    if not kept:
        return {}
    names = {f"q{i}": name for i, name in enumerate(kept)}
    data = {one: (("chain", "draw"), kept[name]) for one, name in names.items()}
    groups = {"posterior": xr.Dataset(data), "log_prior": xr.Dataset({"total": log_density})}
    found = psense(xr.DataTree.from_dict(groups), group="prior", sample_dims=["chain", "draw"])
    return {name: float(found[one]) for one, name in names.items()}


def _quantiles(values: np.ndarray, weights: np.ndarray | None, prob: float) -> np.ndarray:
    """Lower end, median and upper end under weights, of the draws in which there is a value."""
    kept = np.isfinite(values.ravel())
    if not kept.any():
        return np.full(3, np.nan)
    ends, method = [(1 - prob) / 2, 0.5, (1 + prob) / 2], "inverted_cdf"
    return np.quantile(values.ravel()[kept], ends, weights=None if weights is None else weights[kept], method=method)


def _width(ends: np.ndarray) -> float:
    lower, _, upper = np.log(ends) if (ends > 0).all() else ends
    return float(upper - lower)


def _diagnosis(found: Mapping[str, float]) -> str:
    if not found["prior"] >= SENSITIVE:
        return ""
    return "possible conflict of prior and runs" if found["likelihood"] >= SENSITIVE else "the prior dominates"


def sensitivity_status(frame: pd.DataFrame, without: Collection[str] = ()) -> list[Status]:
    """What of a decision, or which parameters but the ones in `without`, follow the prior."""
    moved: dict[str, list[str]] = {}
    for (about, quantity, component), row in zip(frame.index.to_list(), frame.to_dict("records"), strict=True):
        if component == "prior" and row["psense"] >= SENSITIVE and quantity not in without:
            now, weaker, stronger = (
                format_number(row[name], quantity) for name in ("median", "median_weaker", "median_stronger")
            )
            wider, narrower = (f"{row[name]:.2f} times" for name in ("width_weaker", "width_stronger"))
            text = f"{quantity} (median {now}; with a weaker prior {weaker} and an interval {wider} as wide, with a "
            text += f"stronger {stronger} and {narrower})"
            moved.setdefault(about, []).append(quantity if about == PARAMETER else text)
    asked = set(frame.index.get_level_values("about")) - {PARAMETER}
    found = []
    for about, quantities in moved.items():
        said = ", ".join(quantities)
        if about == PARAMETER:
            reaches = "it reaches the decision" if set(moved) & asked else "it does not reach the decision"
            found.append(
                f"the prior shapes {said}; {reaches if asked else 'check(posterior, flops=...) says if it matters'}."
            )
        else:
            found.append(
                f"the answer at {about} depends on the prior, in {said}: report that with it, make the prior's claim "
                "one you would defend, or add runs that inform it."
            )
    return [Status(text) for text in found]
