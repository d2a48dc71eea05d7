"""Point estimates to compare posteriors and papers with: least squares of a law, from several starts."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import optimize

from bayeslaw._joint import as_joint
from bayeslaw._tree import float64


@float64
def least_squares(
    law: Any,
    runs: pd.DataFrame,
    *,
    inside: Any = True,
    of: Callable[[Any], Any] = jnp.log,
    starts: int = 6,
    seed: int = 0,
) -> Any:
    """The law whose `of(mean)` is nearest to `of(response)` in the runs `inside`, with numbers as leaves.

    Starts at the nearest few of 500 prior draws; the prior plays no other part.
    """
    joint = as_joint(law, None)
    columns = {name: jnp.asarray(runs[name], dtype=float) for name in (*joint.law.columns(), joint.response)}
    weight = jnp.asarray(np.broadcast_to(inside, len(runs)), dtype=float)
    points = _points(jax.random.key(seed), joint)
    size = np.asarray(_sizes(points, joint, columns, weight, of))
    order = np.argsort(np.where(np.isfinite(size), size, np.inf))[:starts]
    found = []
    for i in order:
        with contextlib.suppress(ValueError):  # a step to where the law overflows ends that start
            found.append(
                optimize.least_squares(
                    lambda z: np.asarray(_residual(z, joint, columns, weight, of)),
                    np.asarray(points[i]),
                    jac=lambda z: np.asarray(_jacobian(z, joint, columns, weight, of)),  # type: ignore[arg-type]
                    x_scale="jac",
                    max_nfev=2000,
                    xtol=1e-12,
                    ftol=1e-12,
                    gtol=1e-12,
                )
            )
    best = min(found, key=lambda one: one.cost)
    return jax.tree.map(float, _filled(jnp.asarray(best.x), joint).law)


@jax.jit
def _points(key: Any, joint: Any) -> Any:
    draws = jax.vmap(lambda one: joint.unconstrain(joint.sample_prior(one)))(jax.random.split(key, 500))
    return jnp.stack([values for name, values in draws.items() if not name.startswith("noise.")], axis=1)


def _filled(z: Any, joint: Any) -> Any:
    names = list(joint.sites())
    own = [name for name in names if not name.startswith("noise.")]
    values = {**dict.fromkeys(names, jnp.zeros(())), **dict(zip(own, z, strict=True))}
    return joint.fill(joint.constrain(values))


@partial(jax.jit, static_argnames=("of",))
def _residual(z: Any, joint: Any, columns: Any, weight: Any, of: Any) -> Any:
    return weight * (of(_filled(z, joint).mean(columns)) - of(columns[joint.response]))


@partial(jax.jit, static_argnames=("of",))
def _jacobian(z: Any, joint: Any, columns: Any, weight: Any, of: Any) -> Any:
    return jax.jacfwd(_residual)(z, joint, columns, weight, of)


@partial(jax.jit, static_argnames=("of",))
def _sizes(points: Any, joint: Any, columns: Any, weight: Any, of: Any) -> Any:
    return jax.vmap(lambda z: jnp.sum(_residual(z, joint, columns, weight, of) ** 2))(points)
