"""What the runs can say about a law at all, known before any sampling."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from bayeslaw._errors import Status
from bayeslaw._joint import Joint
from bayeslaw._modes import Observed, flatten

_RANK = 1e-9  # singular values below this share of the largest count as zero
_LOADING = 1e-3  # a parameter belongs to a flat direction when its squared share is above this


class PriorDraws(NamedTuple):
    """Draws of every site from the prior, and what follows from them whatever the runs."""

    values: dict[str, Any]  # each (draws, ...)
    unconstrained: dict[str, Any]  # the same in unconstrained coordinates
    places: Any  # the same in the sampler's, as vectors (draws, d)
    centre: dict[str, Any]  # medians of the unconstrained
    spread: dict[str, Any]  # and their standard deviations
    floor: Any  # below which the law's floor hardly ever lies (0.1 % quantile)


@jax.jit
def prior_draws(joint: Joint, seed: int) -> PriorDraws:
    """2000 draws from the prior."""
    values = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(seed), 2000))
    unconstrained = jax.vmap(joint.unconstrain)(values)
    places = jax.vmap(lambda z: flatten(joint.to_sampler(z)))(unconstrained)
    centre = jax.tree.map(lambda z: jnp.median(z, axis=0), unconstrained)
    spread = jax.tree.map(lambda z: jnp.std(z, axis=0), unconstrained)
    floors = jax.vmap(lambda v: jnp.asarray(joint.fill(v).law.floor(), dtype=float))(values)
    return PriorDraws(values, unconstrained, places, centre, spread, jnp.quantile(floors, 0.001))


@functools.lru_cache(maxsize=16)
def prior_of(joint: Joint) -> PriorDraws:
    """The same draws whenever they are asked for."""
    return jax.tree.map(np.asarray, prior_draws(joint, 0))


@jax.jit
def _probe(
    joint: Joint, centre: Mapping[str, Array], spread: Mapping[str, Array], columns: Mapping[str, Array]
) -> dict[str, Array]:
    """Relative sensitivities of the mean, and of the concentration of counts, to each parameter, at the prior median,
    one prior sd as the unit: (1 or 2, runs, ...)."""

    def read(offset: Any) -> tuple[Array, Array]:
        z = jax.tree.map(lambda c, s, o: c + s * o, centre, spread, offset)
        filled = joint.fill(joint.constrain(z))
        parts = [filled.mean(columns), *([filled.concentration(columns)] if filled.counts_problems() else [])]
        return jnp.stack(parts), jnp.stack(parts)

    jacobian, at_centre = jax.jacfwd(read, has_aux=True)(jax.tree.map(jnp.zeros_like, centre))
    return {name: (j.T / jnp.where(at_centre == 0, 1.0, at_centre).T).T for name, j in jacobian.items()}


def remark_on_design(
    joint: Joint, numbers: Mapping[str, np.ndarray], response: np.ndarray, seen: Observed, frame: pd.DataFrame
) -> list[Status]:
    """Notes on too few runs, parameters that these runs cannot tell apart, and losses below any plausible floor."""
    prior = prior_of(joint)
    jacobian, floor = _probe(joint, prior.centre, prior.spread, seen.columns), float(prior.floor)
    names, rows = [], []
    shrunk = {one for pair in joint.law.deviations().items() for one in pair}
    for site, block in jacobian.items():
        if site.startswith("noise.") or site in shrunk:
            continue
        read = np.asarray(block)[:, : len(response)]
        flat = read.reshape(read.shape[0] * len(response), -1)
        names += [site] if flat.shape[1] == 1 else [f"{site}[{i}]" for i in range(flat.shape[1])]
        rows.append(flat)
    notes = []
    count = len(names) + sum(int(np.prod(d.shape())) for name, d in joint.sites().items() if name.startswith("noise."))
    if len(response) < count:
        notes.append(
            Status(
                f"{len(response)} runs for {count} parameters: at least {count} runs are needed for the data to "
                "inform them all, and several times as many to do it well; until then the prior dominates the answer."
            )
        )
    elif names:
        matrix = np.concatenate(rows, axis=1)
        if np.isfinite(matrix).all():
            notes += _flat_directions(matrix, names, numbers, joint)
    if len(response) > 1 and np.ptp(response) == 0:
        text = f"{joint.response} is {response[0]:.4g} in every run: there is nothing in it to learn from, and no noise"
        notes.append(Status(f"{text} to measure. Is it the right column?"))
    low = response < floor
    if low.any() and floor > 0:
        labels = ", ".join(f"{frame.index.name or 'row'} {label}" for label in frame.index[low][:5])
        more = f" and {low.sum() - 5} more" if low.sum() > 5 else ""
        notes.append(
            Status(
                f"{joint.response} is below any plausible floor in {labels}{more}: {response.min():.4g} against a "
                f"prior floor above {floor:.3g}. Check the unit, or widen the prior of the floor."
            )
        )
    return notes


def _flat_directions(matrix: np.ndarray, names: list[str], numbers: Mapping[str, Any], joint: Joint) -> list[Status]:
    _, singular, right = np.linalg.svd(np.linalg.qr(matrix, mode="r"), full_matrices=True)
    rank = int((singular > _RANK * singular.max()).sum()) if singular.max() > 0 else 0
    loadings = (right[rank:] ** 2).sum(axis=0)
    confused = [name for name, share in zip(names, loadings, strict=True) if share > _LOADING]
    if not confused:
        return []
    constant = [f"{n} = {numbers[n][0]:.4g}" for n in joint.law.columns() if n in numbers and np.ptp(numbers[n]) == 0]
    why = f"all runs have {', '.join(constant)}" if constant else "the runs vary too few of their columns independently"
    return [
        Status(
            f"{why}, so these runs cannot inform {', '.join(confused)} separately: what the posterior says about "
            "them comes from the prior. Add runs at other values."
        )
    ]
