"""`huber`: the estimator of the papers, robust least squares with bootstrap intervals, as a baseline for `fit`."""

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from bayeslaw._errors import InputError, Status
from bayeslaw._identify import prior_of
from bayeslaw._joint import Joint, as_joint
from bayeslaw._modes import Observed, observed, values_of
from bayeslaw._noise import LogNormal
from bayeslaw._posterior import Posterior, build
from bayeslaw._runs import Table, number_columns, read_table, remark_on_rows
from bayeslaw._tree import float64

_CHAINS, _STARTS, _STEPS = 4, 32, 500
_BATCH = 64  # resamples at a time: memory, and the slowest of them is waited for
_SD = 1.4826  # of a normal, in units of its median absolute deviation


@float64
def huber(
    law: Any,
    runs: Table,
    *,
    resamples: int = 1000,
    delta: float = 1e-3,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Posterior:
    """Huber's robust least squares on the log response, with bootstrap intervals: `huber(Chinchilla, runs)`.

    The baseline of the literature, for comparison with `fit`. Minimises the sum over runs of Huber_delta(ln response -
    ln mean), as Hoffmann et al. 2022 (arXiv 2203.15556, Appendix D.3) and Besiroglu et al. 2024 (arXiv 2404.10102) do,
    from the likeliest of many draws of the prior, which is used for nothing else; then again on resamples of the runs.

    - `law`, `runs`, `columns`: as in `fit`.
    - `resamples`: bootstrap estimates, rounded up to a multiple of four (two papers use 4000 and 100).
    - `delta`: residuals of ln response beyond which the loss grows linearly; at 1e-3 nearly all of them.
    - `seed`: of the resamples.

    Returns a `Posterior` whose draws are the bootstrap estimates, so that `predict`, `allocate` and `backtest` work on
    it, and a status says what they are; `posterior.tree["estimate"]` holds the estimate from all runs. A new run
    scatters around it as `LogNormal` noise, with the sd of the residuals of all runs at that estimate, by their median
    absolute deviation. The papers' intervals are of the parameters only. Raises `InputError` for tables that `fit`
    refuses, responses that are not positive, noise that reads columns, such as counts, and laws with offsets of groups.
    """
    if not isinstance(resamples, int) or resamples < 16:
        raise InputError(f"resamples must be a whole number of at least 16, got {resamples!r}.")
    if not delta > 0:
        raise InputError(f"delta must be positive, got {delta!r}: the papers use 1e-3.")
    own = as_joint(law, None)
    fixed = as_joint(own.law, LogNormal(scale=1.0))
    if not fixed.sites():
        raise InputError("the law has no distributions as leaves, so there is nothing to estimate; pass the class.")
    if own.noise.columns():
        raise InputError(
            f"{type(own.law).__name__} has a noise that reads {', '.join(own.noise.columns())}: residuals of the log "
            "response do not describe it. Use fit."
        )
    if own.law.deviations():
        raise InputError(f"{type(own.law).__name__} has offsets of groups that only their prior tells apart. Use fit.")
    frame = read_table(runs, columns)
    wanted = (*fixed.columns(), fixed.response)
    numbers, notes = number_columns(frame, wanted, fixed.law.unmeasured(), labels=fixed.law.categories())
    notes += remark_on_rows(frame, numbers) + fixed.law.check_design(numbers)
    response = numbers.pop(fixed.response)
    if not (response > 0).all():
        raise InputError(f"{fixed.response} is not positive in {(response <= 0).sum()} runs: it has no logarithm.")

    seen = observed(numbers, response)
    places = prior_of(fixed).places
    starts = np.random.default_rng(0).permutation(places)[: _STARTS * (len(places) // _STARTS)]
    best = _estimate(starts.reshape(_STARTS, -1, starts.shape[-1]), fixed, seen, delta)
    if not np.isfinite(best.loss):
        raise InputError("the law is not finite at these runs, wherever the search started; look at the columns.")
    draws = ceil(resamples / _CHAINS)
    counts = _resampled(len(response), len(seen.weight), draws * _CHAINS, seed)
    found, values = _bootstrap(counts, best.place, fixed, seen, delta)
    values, stats = jax.tree.map(
        lambda array: np.asarray(array).reshape(_CHAINS, draws, *array.shape[1:]), (values, {"lp": -found.loss})
    )
    posterior = build(as_joint(own.law, LogNormal), (values, stats), numbers, response, notes + _remarks(found), {
        "method": "bootstrap", "ess": draws * _CHAINS, "seed": seed, "delta": delta,
    })  # fmt: skip
    point = _at(best.place, fixed, seen)
    posterior.tree["estimate"] = xr.DataTree(xr.Dataset({name: np.asarray(value) for name, value in point.items()}))
    return posterior


class Minimum(NamedTuple):
    """Where a search ended."""

    place: Array  # (d,), sampler coordinates
    loss: Array  # sum over runs of Huber's loss, in units of delta^2
    settled: Array  # whether no step was worth taking any more


@jax.jit
def _estimate(starts: Array, joint: Joint, seen: Observed, delta: Array) -> Minimum:
    """The lowest minimum that is reached from the best of each group of places, (groups, places, d)."""

    def search(places: Array) -> Minimum:
        losses = jax.lax.map(lambda place: _loss(_residuals(place, joint, seen, delta), seen.weight), places)
        return _minimise(places[jnp.argmin(losses)], joint, seen, delta)

    found = jax.lax.map(search, starts)
    return jax.tree.map(lambda array: array[jnp.argmin(found.loss)], found)


@jax.jit
def _bootstrap(counts: Array, start: Array, joint: Joint, seen: Observed, delta: Array) -> Any:
    """For each resample, given by how often it holds each run, the minimum and the parameters there."""

    def one(weight: Array) -> tuple[Minimum, dict[str, Array]]:
        found = _minimise(start, joint, Observed(seen.columns, seen.response, weight), delta)
        return found, _at(found.place, joint, seen)

    return jax.lax.map(one, counts, batch_size=_BATCH)


def _minimise(start: Array, joint: Joint, seen: Observed, delta: Array) -> Minimum:
    """The minimum below a place.

    Two damped steps are tried at a time and the better is taken: of weighted least squares that bound the loss from
    above, which descends from far away, and of Newton's method on the runs within delta, which is fast in the end.
    """

    def read(place: Array) -> tuple[Array, Array]:
        r = _residuals(place, joint, seen, delta)
        return r, r

    def step(state: Any) -> Any:
        place, loss, damping, count, _ = state
        slopes, r = jax.jacfwd(read, has_aux=True)(place)
        size = jnp.abs(r)
        downhill = -slopes.T @ (seen.weight * jnp.clip(r, -1.0, 1.0))
        shares = jnp.stack([1 / jnp.maximum(size, 1.0), (size <= 1.0).astype(float)])

        def move(share: Array) -> Array:
            curvature = slopes.T @ ((seen.weight * share)[:, None] * slopes)
            # A direction that the runs say nothing about is not moved along.
            ridge = damping * jnp.maximum(jnp.diag(curvature), 1e-12 * jnp.max(jnp.diag(curvature)) + 1e-300)
            return jnp.linalg.solve(curvature + jnp.diag(ridge), downhill)

        trials = place + jnp.where(jnp.isfinite(moves := jax.vmap(move)(shares)), moves, 0.0)
        losses = jax.vmap(lambda one: _loss(_residuals(one, joint, seen, delta), seen.weight))(trials)
        least = jnp.argmin(losses)
        lower = losses[least] < loss
        gain = jnp.where(lower, loss - losses[least], jnp.inf)
        damping = jnp.where(lower, damping / 10, jnp.maximum(damping, 1e-8) * 10)
        settled = (gain < 1e-12 * loss) | (damping > 1e8)
        place, loss = jax.tree.map(
            lambda new, old: jnp.where(lower, new, old), (trials[least], losses[least]), (place, loss)
        )
        return place, loss, damping, count + 1, settled

    first = _loss(_residuals(start, joint, seen, delta), seen.weight)
    state = (start, first, jnp.asarray(1e-2), 0, jnp.asarray(False))
    place, loss, *_, settled = jax.lax.while_loop(lambda s: ~s[-1] & (s[-2] < _STEPS), step, state)
    return Minimum(place, loss, settled)


def _residuals(place: Array, joint: Joint, seen: Observed, delta: Any) -> Array:
    """ln response less that of the law, in units of delta, (runs,)."""
    mean = joint.fill(values_of(joint, place)).mean(seen.columns)
    return (jnp.log(mean) - jnp.log(seen.response)) / delta


def _loss(r: Array, weight: Array) -> Array:
    size = jnp.abs(r)
    found = jnp.sum(weight * jnp.where(size <= 1.0, 0.5 * r**2, size - 0.5))
    return jnp.where(jnp.isfinite(found), found, jnp.inf)


def _at(place: Array, joint: Joint, seen: Observed) -> dict[str, Array]:
    """The parameters at a place, and the scale of the noise: residuals of all runs there, those that the resample lacks
    among them. Of those it holds they would be too small, as if a run were never new."""
    size = jnp.abs(_residuals(place, joint, seen, 1.0))
    scale = _SD * jnp.nanmedian(jnp.where(seen.weight > 0, size, jnp.nan))
    return values_of(joint, place) | {"noise.scale": scale}


def _resampled(runs: int, length: int, count: int, seed: int) -> Array:
    """How often each of `count` resamples holds each run, (count, length) with zeros for padding."""
    drawn = np.random.default_rng(seed).multinomial(runs, np.full(runs, 1 / runs), size=count)
    return jnp.asarray(np.pad(drawn, ((0, 0), (0, length - runs))), dtype=float)


def _remarks(found: Minimum) -> list[Status]:
    notes = [
        Status(
            "these are bootstrap estimates by Huber's loss, not draws of a posterior: nothing was assumed of the "
            "parameters, and intervals are of the estimator over resampled runs."
        )
    ]
    lost = 1 - float(jnp.mean(found.settled))
    if lost > 0:
        notes.append(
            Status(f"{lost:.1%} of the resamples were still improving after {_STEPS} steps: they hold a flat minimum.")
        )
    return notes
