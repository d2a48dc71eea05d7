"""Where a posterior has its modes and how it curves there: the start and the mass matrix of every fast path."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array
from numpyro.distributions import biject_to

from bayeslaw._joint import Joint

STARTS = 64  # prior draws per climb, of which it starts at the likeliest
_CLIMBS = 200  # Newton steps at most; ten to thirty are usual
_WIDEST = 10.0  # sd given to a direction in which the density does not fall off: prior sds are near one


class Observed(eqx.Module):
    """The runs as compiled programs take them: padded to one of few lengths, with a weight of 0 on padding."""

    columns: dict[str, Any]  # each (rows,)
    response: Any  # (rows,)
    weight: Any  # (rows,), 1 for a run, 0 for padding


def padding(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The positions that pad a table, and weights of 0 on what is padding.

    Rows are padded to 8, 12, 16, 24, 32, 48 ...: growing windows of runs share a program, a third is wasted at most.
    Padding repeats the first row, so that it never makes a law overflow where the rows do not.
    """
    length = 8
    while length < rows:
        length = length * 3 // 2 if length & (length - 1) == 0 else length * 4 // 3
    real = np.arange(length) < rows
    return np.where(real, np.arange(length), 0), real.astype(float)


def observed(columns: Mapping[str, np.ndarray], response: np.ndarray) -> Observed:
    """The runs, padded."""
    index, weight = padding(len(response))
    padded = Observed({name: values[index] for name, values in columns.items()}, response[index], weight)
    return jax.tree.map(jnp.asarray, padded)


def flatten(coordinates: Mapping[str, Any]) -> Array:
    """Sampler coordinates as one vector, (d,)."""
    return ravel_pytree(dict(coordinates))[0]


def _unflatten(joint: Joint) -> Callable[[Array], dict[str, Array]]:
    shapes = {name: biject_to(d.support).inverse_shape(d.shape()) for name, d in joint.sites().items()}
    return ravel_pytree({name: jnp.zeros(shape) for name, shape in shapes.items()})[1]


def density_of(joint: Joint, seen: Observed, *, volume: bool = True) -> Callable[[Array], Array]:
    """The log posterior density, up to a constant, at a vector of sampler coordinates; without `volume` that of the
    coordinates in which deviations are standardised, where the density of a size near zero is bounded."""
    unflatten = _unflatten(joint)

    def density(z: Array) -> Array:
        coordinates = unflatten(z)
        found = joint.log_density(coordinates, seen.columns, seen.response, seen.weight)
        return found + joint.log_volume(coordinates) if volume else found

    return density


def values_of(joint: Joint, z: Array) -> dict[str, Array]:
    """Parameter values at a vector of sampler coordinates."""
    return joint.constrain(joint.from_sampler(_unflatten(joint)(z)))


class Mode(NamedTuple):
    """A local maximum and the Gaussian that has its curvature: centre + root @ standard normal."""

    centre: Array  # (d,)
    root: Array  # (d, d)
    peak: Array  # log density at the centre
    evidence: Array  # log of the mass under that Gaussian


@jax.jit
def climb(candidates: Array, joint: Joint, seen: Observed) -> Mode:
    """The mode above the likeliest of `candidates` (count, d), by Newton steps that are damped until they ascend.

    The peak is -inf where no candidate has a finite density.
    """
    density = density_of(joint, seen, volume=False)

    def slope(z: Array) -> tuple[Array, tuple[Array, Array]]:
        value, gradient = jax.value_and_grad(density)(z)
        return gradient, (value, gradient)

    def step(state: Any) -> Any:
        trial, best, damping, count, _ = state
        # The only place where the density is differentiated twice: a second one would double the compile time.
        curvature, (value, gradient) = jax.jacfwd(slope, has_aux=True)(trial)
        finite = jnp.isfinite(value) & jnp.isfinite(gradient).all() & jnp.isfinite(curvature).all()
        higher = finite & (value > best[1])
        gain = jnp.where(higher, value - best[1], jnp.inf)
        best = jax.tree.map(lambda new, old: jnp.where(higher, new, old), (trial, value, gradient, curvature), best)
        damping = jnp.where(higher, damping / 8, jnp.maximum(damping, 1e-6) * 8)
        spread, axes = jnp.linalg.eigh(-best[3])
        along = axes.T @ best[2]
        move = along / (jnp.maximum(jnp.abs(spread), 1e-8) + damping)
        # Done when the quadratic promises nothing more, or when no step however short ascends.
        flat = ((spread > 0).all() & (jnp.abs(along @ move) < 1e-9)) | (damping > 1e10)
        return best[0] + axes @ move, best, damping, count + 1, flat | (gain < 1e-12)

    heights = jax.vmap(density)(candidates)
    highest = candidates[jnp.argmax(jnp.where(jnp.isfinite(heights), heights, -jnp.inf))]
    d = len(highest)
    nowhere = (highest, -jnp.inf, jnp.zeros(d), -jnp.eye(d))
    start = (highest, nowhere, jnp.asarray(1e-2), 0, jnp.asarray(False))
    _, (centre, peak, _, curvature), *_ = jax.lax.while_loop(
        lambda state: ~state[-1] & (state[3] < _CLIMBS), step, start
    )
    spread, axes = jnp.linalg.eigh(-curvature)
    spread = jnp.maximum(spread, _WIDEST**-2)
    evidence = peak + 0.5 * d * jnp.log(2 * jnp.pi) - 0.5 * jnp.log(spread).sum()
    return Mode(centre, axes / jnp.sqrt(spread), peak, evidence)
