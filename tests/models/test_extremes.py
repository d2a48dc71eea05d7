"""Every law far outside of any run: its mean, the density of a run and their gradients stay finite."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import constraints
from test_contract import POINTS

import bayeslaw as bl
from bayeslaw._columns import COLUMNS
from bayeslaw._joint import Joint, as_joint
from bayeslaw._tree import float64
from bayeslaw.models import LAWS, QAT, MoESparsity, OurGraph, OurRefinement, OurVerification, Precision

pytestmark = pytest.mark.trust

MOST = {"parameters": 1e15, "tokens": 1e18, "FLOPs": 1e30}
# Where the law itself is not defined: quantised from the start, nothing active, no call, below the bits of its runs,
# more attempts or verdicts than are summed over.
UNDEFINED = {
    (QAT, "qat_fraction"): (0.0, 1 - 1e-9),
    (MoESparsity, "sparsity"): (0.0, 1 - 1e-9),
    (OurGraph, "iterations"): (1.0, 1e4),
    (OurRefinement, "attempts"): (0.0, 32.0),
    (OurVerification, "verifications"): (0.0, 32.0),
    **{(Precision, f"bits_{part}"): (4.0, 64.0) for part in ("weights", "activations", "kv")},
}  # fmt: skip
DRAWS, ROWS = 16, 40


def ends(law: type[bl.AbstractLaw], name: str) -> tuple[float, float]:
    """The least and the most of a column: what it allows; where that has no end 1 to 1e15 parameters, 1 to 1e18 tokens,
    what is usual, or a thousand times more and less than a plausible value."""
    column, point = COLUMNS[name], POINTS.get(name, 500.0)
    most = MOST.get(column.unit, column.usual[1] if np.isfinite(column.usual[1]) else 1e3 * point)
    least = column.usual[0] if np.isfinite(column.usual[0]) else point / 1e3
    if np.isfinite(column.low) and not column.open:
        least = column.low
    return UNDEFINED.get((law, name), (least, min(most, column.high)))


def rows(law: type[bl.AbstractLaw], joint: Joint) -> dict[str, np.ndarray]:
    """A plausible run; each column at its ends; all at their ends; and mixtures of these."""
    labels, rng = joint.law.categories(), np.random.default_rng(0)
    names = [name for name in joint.columns() if name not in labels]
    point = {name: POINTS.get(name, 500.0) for name in joint.columns()}
    found = [point, *({**point, name: end} for name in names for end in ends(law, name))]
    found += [{**point, **{name: ends(law, name)[side] for name in names}} for side in (0, 1)]
    while len(found) < ROWS:
        mixed = {name: rng.choice([point[name], *ends(law, name)]) for name in names}
        found.append({**mixed, **{name: float(rng.integers(len(labels[name]))) for name in labels if name in point}})
    return {name: np.array([one[name] for one in found]) for name in point}


def draws(joint: Joint) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Draws from the prior: their keys and unconstrained places; then the first with each positive parameter in turn,
    such as an exponent, at 0.01."""
    keys = jax.random.split(jax.random.key(3), DRAWS)
    drawn = [joint.unconstrain(joint.sample_prior(key)) for key in keys]
    positive = [name for name, prior in joint.sites().items() if prior.support is constraints.positive]
    drawn += [{**drawn[0], name: jnp.full_like(drawn[0][name], jnp.log(0.01))} for name in positive]
    order = np.append(np.arange(DRAWS), np.zeros(len(positive), int))
    return keys[order], jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)


@float64
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_means_densities_and_gradients_are_finite(
    law: type[bl.AbstractLaw], record_property: Callable[[str, object], None]
) -> None:
    joint = as_joint(law, None)
    columns = {name: jnp.asarray(values) for name, values in rows(law, joint).items()}
    usual = {name: values[:1] for name, values in columns.items()}
    keys, places = draws(joint)

    @jax.jit
    @jax.vmap
    def at(key: jax.Array, z: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
        """Where what is seen is what the prior's draw gives for a plausible run: (rows,) each."""
        response = joint.fill(joint.sample_prior(key)).draw(key, usual)

        def density(z: dict[str, jax.Array], run: dict[str, jax.Array]) -> jax.Array:
            run = {name: value[None] for name, value in run.items()}  # alone: NaN elsewhere would hide in sums
            return joint.fill(joint.constrain(z)).observe(run).log_prob(response)[0]

        each = jax.vmap(jax.value_and_grad(density), in_axes=(None, 0))
        return joint.fill(joint.constrain(z)).mean(columns), *each(z, columns)

    mean, density, gradient = at(keys, places)
    slopes = {f"slope in {name}": jnp.reshape(one, (*density.shape, -1)).sum(-1) for name, one in gradient.items()}
    for what, found in {"mean": mean, "density": density, **slopes}.items():
        draw, row = np.nonzero(~np.isfinite(np.asarray(found)))
        run = {name: float(values[row[0]]) for name, values in columns.items()} if len(row) else {}
        assert not run, f"the {what} is {found[draw[0], row[0]]} at {run} in draw {draw[0]}"
    record_property("kind", "Runs at the extremes of a law, at draws from its prior, each run with each draw")
    record_property("results", ROWS * len(keys))
