"""`misfit`: what a law does not know, learnt from its residuals and growing with the distance from the runs."""

import json
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import xarray as xr
from jaxtyping import Array

from bayeslaw._decision import Decision, through
from bayeslaw._discrepancy import Discrepant
from bayeslaw._errors import InputError
from bayeslaw._identify import prior_of
from bayeslaw._joint import Joint
from bayeslaw._law import AbstractLaw, AbstractWrapper
from bayeslaw._modes import observed
from bayeslaw._posterior import Posterior, draws_dataset, flat
from bayeslaw._second_stage import SIZE, Residuals, second_stage, waves_of
from bayeslaw._tree import Scalar, changed, evaluate, float64, sites

_LEAST = 0.02  # share of the response that counts as reducible at least: a law may put its floor above a run
_MOST = 1000  # draws of which the middle is taken
_TINY = 1e-30  # stands for zero where a logarithm is taken
_FOUND: weakref.WeakKeyDictionary[Posterior, Posterior] = weakref.WeakKeyDictionary()


class Misfit(AbstractWrapper):
    """ln loss = ln base + f(x),  f ~ Gaussian process, orthogonal to what the law can fit; made by `misfit`

        f(x) = size (rho(x) phi(x) - t(x) B) w,   w ~ Normal(0, 1)

    - `base`: the law. `hat`: the same at its fitted parameters, where `rho` and `t` are taken.
    - `phi(x)`: random waves over the logarithms of the scale columns x, whose sum is a Gaussian process with a Matern
      3/2 kernel (Rahimi and Recht 2007) with a length of three decades: smooth, but free to bend.
    - `rho(x)`: the reducible share of the response, 1 - floor / base: a law is not off by 5 % where 1 % is left.
    - `t(x) B`: what the law's own parameters would make of each wave at the runs, as far as their prior lets them move;
      without it law and misfit would explain the same thing twice (Plumlee 2017). `t` is the slope of ln base in the
      parameters, `slopes` is B.
    - `size`: how far the law is off, relative to the reducible response; LogNormal(log 0.03, 1): 0.6 to 16 % (90 %).
      At the runs themselves far less is left once the law has taken its part.
    - `misfit`: w, one for the sine and one for the cosine of each of the `waves`. `centre`: of the runs.
    """

    size: Scalar
    misfit: Any
    hat: AbstractLaw
    slopes: dict[str, np.ndarray]  # by the path of each parameter, (features, ...)
    centre: dict[str, float]
    waves: np.ndarray  # (waves, columns)

    def __init__(self, base: Any, hat: Any, slopes: Any, centre: Mapping[str, float], waves: np.ndarray) -> None:
        self.base, self.hat, self.slopes = base, hat, dict(sorted(slopes.items()))
        self.centre, self.waves = dict(centre), waves
        self.size = dist.LogNormal(*SIZE)
        self.misfit = dist.Normal(jnp.zeros(2 * len(waves)), 1.0).to_event(1)

    @classmethod
    def prior(cls) -> "Misfit":
        raise InputError("Misfit is what misfit(posterior) adds to a law that is fitted.")

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        step = self.size * jnp.asarray(self.misfit)

        def move(path: str, leaf: Any) -> Any:
            return jnp.tensordot(step, self.slopes[path], 1) if path in self.slopes else jnp.zeros_like(leaf)

        def middle(law: AbstractLaw) -> Array:
            return jnp.log(evaluate(law, columns))

        level, taken = jax.jvp(middle, (self.hat,), (changed(self.hat, move),))
        share = reducible(self.hat, columns, jnp.exp(level))
        own = share * (features(self.waves, self.centre, columns) @ step) - taken
        return evaluate(self.base, columns) * jnp.exp(own)

    def columns(self) -> tuple[str, ...]:
        return self.base.columns()

    def tuned(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        return self.base.tuned(columns)

    def deviations(self) -> Mapping[str, str]:
        return {"misfit": "size", **super().deviations()}

    def decisions(self) -> Mapping[str, Decision]:
        """The base law's, without their closed forms: a formula of the base law knows nothing of the rest."""
        return {name: through(decision, None) for name, decision in self.base.decisions().items()}


def features(waves: Array | np.ndarray, centre: Mapping[str, float], columns: Mapping[str, Array]) -> Array:
    """phi at one run, (2 waves,): the sum of its squares is one."""
    x = jnp.stack([jnp.log(jnp.maximum(columns[name], _TINY) / middle) for name, middle in centre.items()])
    angle = jnp.asarray(waves) @ x
    return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)]) / jnp.sqrt(len(waves))


def reducible(law: AbstractLaw, columns: Mapping[str, Array], mean: Array) -> Array:
    """The share of the response that scale can remove, at one run."""
    return jnp.clip(1 - law.member(columns).floor() / mean, _LEAST, 1.0)


def why_not(posterior: Posterior) -> str | None:
    """Why a posterior cannot be given a misfit, if it cannot."""
    if "first" in posterior.tree.children:
        return "it is chained from two posteriors: give each its own, misfit(loss).then(misfit(error))"
    if any(isinstance(law, Misfit | Discrepant) for law in _wrapped(posterior.prior)):
        return "it has one already, or a discrepancy"
    if posterior.tree.attrs.get("method") == "bootstrap":
        return "its draws are bootstrap estimates, not those of a posterior"
    if not posterior.noise_prior.scales:
        return f"its noise, {type(posterior.noise_prior).__name__}, is not a relative scatter around the law"
    if not _columns(posterior):
        return "the law reads no positive column to move away in"
    return None


def _wrapped(law: AbstractLaw) -> Iterator[AbstractLaw]:
    """A law and those it is made of."""
    yield law
    if isinstance(law, AbstractWrapper):
        yield from _wrapped(law.base)


def corrected(posterior: Posterior) -> Posterior:
    """The posterior with its misfit; as it is where it can have none."""
    return posterior if why_not(posterior) else _with_misfit(posterior)


def _columns(posterior: Posterior) -> list[str]:
    """The columns the misfit is a function of: sizes, neither labels nor what may be left out."""
    law, seen = posterior.prior, posterior.seen()
    left_out = (*law.categories(), *law.optional(), *law.hyperparameters())
    return [name for name in law.columns() if name not in left_out and name in seen and seen[name].min() > 0]


@float64
def misfit(posterior: Posterior) -> Posterior:
    """A posterior that also knows how far its law is off: for `allocate`, `choose` and `stack` far from the runs.

        allocate(misfit(posterior), flops=1e25)

    No law is exact, and a credible interval of its parameters shrinks with the number of runs however wrong it is.
    What the law leaves of the runs says how far it is off, and a Gaussian process on the logarithms of the scale
    columns carries that to where no run is: near the runs it bends the law towards them, far from them it widens the
    interval. See `Misfit` for the formula, docs/extrapolation.md for what it was chosen on and how often its intervals
    hold.

    It is a second stage: the posterior of the law stays as it is, that of the misfit follows from the residuals around
    its middle in closed form (outliers reweighted as in the noise of the fit, the size of the misfit and that of the
    noise integrated over a grid), so once compiled it costs a fraction of a second and no new fit. `predict` does this
    by itself.

    Returns a `Posterior` with as many draws: the law's own as `base.*`, `size`, `misfit` (chain, draw, 256), and the
    noise that is left. Raises `InputError` for a posterior that is chained, that has a misfit or a `Discrepant` law,
    that is of bootstrap estimates (`huber`), or whose noise is not a relative scatter (counts, shares, `Normal`).
    """
    if not isinstance(posterior, Posterior):
        raise InputError(f"misfit needs a Posterior, as fit() or load() return it; got {type(posterior).__name__}.")
    if reason := why_not(posterior):
        raise InputError(f"this posterior cannot be given a misfit: {reason}.")
    return _with_misfit(posterior)


def _with_misfit(posterior: Posterior) -> Posterior:
    if posterior not in _FOUND:
        _FOUND[posterior] = _made(posterior)
    return _FOUND[posterior]


def _made(posterior: Posterior) -> Posterior:
    names = _columns(posterior)
    columns = {str(name): one.to_numpy() for name, one in posterior.tree["constant_data"].data_vars.items()}
    response = posterior.tree["observed_data"][posterior.response].to_numpy()
    centre = {name: float(np.exp(np.log(columns[name]).mean())) for name in names}
    waves = waves_of(len(names))
    values = flat(posterior)
    at, fitted = _middle(posterior, values, columns, response)
    spreads = prior_of(posterior.joint).spread
    spread = {name: np.asarray(spreads[name]) for name in sorted(sites(posterior.prior))}  # as JAX orders a dict
    padded = observed(columns, response).columns
    found = _at_runs(posterior.joint, at, spread, padded, waves, centre)
    table = Residuals(*(np.asarray(one)[: len(response)] for one in found))
    count = len(next(iter(values.values())))
    taken, weights, size, factor = second_stage(np.log(response) - fitted, table, count)
    ends = np.cumsum([0, *(one.size for one in spread.values())])
    steps = {
        name: taken[start:end].T.reshape(-1, *one.shape)
        for (name, one), start, end in zip(spread.items(), ends, ends[1:], strict=False)
    }
    by_name = jax.tree.map(np.asarray, _moves(posterior.joint, at, spread, steps))
    hat = posterior.joint.fill(at).law
    law = Misfit(posterior.prior, hat, by_name, centre, waves)
    return _joined(posterior, law, {"size": size, "misfit": weights}, factor)


def _joined(posterior: Posterior, law: Misfit, own: Mapping[str, np.ndarray], factor: np.ndarray) -> Posterior:
    """The posterior with the draws of the misfit, and the noise that is left."""
    found = dict(own)
    for name, array in flat(posterior).items():
        part = name.removeprefix("noise.")
        if part == name:
            found[f"base.{name}"] = array
        else:
            found[name] = np.median(array) * factor if part in posterior.noise_prior.scales else array
    shape = posterior.shape
    tree = posterior.tree.copy()
    tree["posterior"] = xr.DataTree(
        draws_dataset({name: array.reshape(*shape, *array.shape[1:]) for name, array in found.items()})
    )
    for name in ("log_likelihood", "posterior_predictive", "prior", "prior_predictive"):
        if name in tree.children:  # those of the law alone
            del tree[name]
    scales = [f"noise.{name}" for name in posterior.noise_prior.scales]
    tree.attrs["independent"] = json.dumps([*own, *scales])
    joint = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=float), Joint(law, posterior.noise_prior))
    return Posterior(tree, joint)


def _middle(
    posterior: Posterior, values: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray], response: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The draw that is nearest to the middle of all in what it says of the runs, with the middle of the noise; and
    what it says, ln response."""
    count = len(next(iter(values.values())))
    kept = np.arange(0, count, max(count // _MOST, 1))[:_MOST]
    some = {name: array[kept] for name, array in values.items()}
    logs = np.asarray(_log_means(posterior.joint, some, observed(columns, response).columns))[:, : len(response)]
    middle = np.median(logs, axis=0)
    best = int(((logs - middle) ** 2).sum(axis=1).argmin())
    at = {name: np.median(array, axis=0) if name.startswith("noise.") else array[best] for name, array in some.items()}
    return at, logs[best]


@jax.jit
def _log_means(joint: Joint, values: Mapping[str, Any], columns: Mapping[str, Any]) -> Array:
    return jax.vmap(lambda draw: jnp.log(joint.fill(draw).mean(columns)))(values)


def _stepped(
    joint: Joint, at: Mapping[str, Any], spread: Mapping[str, Any], steps: Mapping[str, Any]
) -> dict[str, Array]:
    """The law's parameters so many sds of their prior away, on the unconstrained scale."""
    start = joint.unconstrain(at)
    return {name: joint.constrain({**start, name: start[name] + spread[name] * steps[name]})[name] for name in spread}


@jax.jit
def _moves(joint: Joint, at: Mapping[str, Any], spread: Mapping[str, Any], steps: Mapping[str, Any]) -> dict[str, Any]:
    """What steps (features, ...) of each parameter are in its own units, to first order."""
    zero = {name: jnp.zeros_like(one) for name, one in spread.items()}
    return jax.vmap(lambda one: jax.jvp(lambda z: _stepped(joint, at, spread, z), (zero,), (one,))[1])(dict(steps))


@jax.jit
def _at_runs(
    joint: Joint,
    at: Mapping[str, Any],
    spread: Mapping[str, Any],
    columns: Mapping[str, Any],
    waves: Array,
    centre: Mapping[str, float],
) -> tuple[Array, ...]:

    def logs(steps: Mapping[str, Any]) -> Array:
        return jnp.log(joint.fill({**at, **_stepped(joint, at, spread, steps)}).mean(columns))

    filled = joint.fill(at)
    slopes = jax.jacfwd(logs)({name: jnp.zeros_like(one) for name, one in spread.items()})
    rows = len(next(iter(columns.values())))
    slopes = jnp.concatenate([slopes[name].reshape(rows, -1) for name in spread], axis=1)
    full = jax.vmap(filled.law.complete)(dict(columns))
    share = jax.vmap(lambda row, mean: reducible(filled.law, row, mean))(full, filled.mean(columns))
    phi = jax.vmap(lambda row: features(waves, centre, row))(dict(columns))
    scatter: Any = filled.observe(columns)
    base = scatter.base_dist  # ln y = loc + scale z
    df = jnp.broadcast_to(getattr(base, "df", jnp.inf), (rows,))
    return share[:, None] * phi, slopes, jnp.broadcast_to(base.scale, (rows,)), df
