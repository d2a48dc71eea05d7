"""What every law in `LAWS` must keep."""

import dataclasses
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._codec import decode, encode
from bayeslaw._columns import COLUMNS
from bayeslaw._tree import as_joint, float64
from bayeslaw.models import LAWS

# A plausible value of each column; laws add theirs here.
POINTS = {
    "params": 3e9, "tokens": 7e10, "lr": 2e-3, "batch_tokens": 1e6, "ff_ratio": 4.0, "kv_size": 128.0, "aspect_ratio": 80.0,
}  # fmt: skip


@pytest.fixture(params=LAWS, ids=lambda law: law.__name__)
def law(request: pytest.FixtureRequest) -> type[bl.AbstractLaw]:
    return request.param


def row(law: type[bl.AbstractLaw]) -> dict[str, float]:
    return {name: POINTS[name] for name in law.prior().columns()}


def test_documented(law: type[bl.AbstractLaw]) -> None:
    text = inspect.getdoc(law) or ""
    assert text.startswith(f"{law.prior().response} = ")
    assert re.search(r"arXiv \d{4}\.\d{5}", text)
    for field in dataclasses.fields(law):
        assert f"`{field.name}`" in text
    for name in (*law.prior().columns(), law.prior().response):
        assert name in COLUMNS


@float64
def test_pytree_and_json_round_trip(law: type[bl.AbstractLaw]) -> None:
    prior = law.prior()
    leaves, structure = jax.tree.flatten(prior)
    assert encode(jax.tree.unflatten(structure, leaves)) == encode(prior)
    assert encode(decode(encode(prior))) == encode(prior)


@float64
def test_jit_does_not_retrace(law: type[bl.AbstractLaw]) -> None:
    joint = as_joint(law, bl.StudentT)
    traces = []

    @jax.jit
    def mean(values: dict[str, jax.Array], columns: dict[str, jax.Array]) -> jax.Array:
        traces.append(1)
        return joint.fill(values).mean(columns)

    columns = {name: jnp.full(3, value) for name, value in row(law).items()}
    for seed in range(3):
        assert mean(joint.sample_prior(jax.random.key(seed)), columns).shape == (3,)
    assert len(traces) == 1


@float64
def test_gradients_match_finite_differences(law: type[bl.AbstractLaw]) -> None:
    joint = as_joint(law, bl.StudentT)
    columns = {name: jnp.full(1, value) for name, value in row(law).items()}
    centre = joint.unconstrain(joint.sample_prior(jax.random.key(0)))

    def mean(z: dict[str, jax.Array]) -> jax.Array:
        return joint.fill(joint.constrain(z)).mean(columns)[0]

    gradient = jax.grad(mean)(centre)
    step = 1e-5
    rounding = 1e-9 * (1 + abs(float(mean(centre))))
    for name, value in centre.items():
        ends = [mean({**centre, name: value + sign * step}) for sign in (1, -1)]
        assert float(gradient[name]) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=rounding)


@pytest.mark.parametrize("noise", [bl.StudentT, bl.LogNormal, bl.Normal, bl.OneSided])
@float64
def test_density_is_finite_at_prior_draws(law: type[bl.AbstractLaw], noise: type[bl.AbstractNoise]) -> None:
    joint = as_joint(law, noise)
    columns = {name: jnp.full(1, value) for name, value in row(law).items()}
    keys = jax.random.split(jax.random.key(1), 200)
    values = jax.vmap(joint.sample_prior)(keys)
    means = jax.vmap(lambda v: joint.fill(v).mean(columns))(values)
    density = jax.vmap(lambda v, y: joint.fill(v).observe(columns).log_prob(y))(values, means)
    assert bool(jnp.isfinite(density).all())
    floors = jax.vmap(lambda v: jnp.asarray(joint.fill(v).law.floor()))(values)
    assert bool((floors[:, None] <= means).all())


def test_published_fits_are_numbers(law: type[bl.AbstractLaw]) -> None:
    for fitted in law.published().values():
        assert isinstance(fitted, law)
        assert all(np.ndim(leaf) == 0 for leaf in jax.tree.leaves(fitted))
        assert np.isfinite(fitted(**row(law)))


@float64
def test_can_be_wrapped(law: type[bl.AbstractLaw]) -> None:
    """Penalised and Discrepant around any law: finite at prior draws, and the law itself where nothing is off."""
    prior = law.prior()
    columns = {name: jnp.full(1, value) for name, value in row(law).items()}
    discrepant = bl.Discrepant(prior, {name: [value] for name, value in row(law).items()})
    wrapped = [discrepant]
    if prior.hyperparameters():
        with pytest.raises(bl.InputError, match="has penalties already"):
            bl.Penalised(prior, ("lr",))
    else:
        wrapped += [bl.Penalised(one, ("lr",)) for one in (prior, discrepant)]
        columns["lr"] = jnp.full(1, POINTS["lr"])
    for one in wrapped:
        joint = as_joint(one, None)
        values = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(0), 50))
        means = jax.vmap(lambda v, joint=joint: joint.fill(v).mean(columns))(values)
        tuned = jax.vmap(lambda v, joint=joint: joint.fill(v).tuned(columns))(values)
        assert bool(jnp.isfinite(means).all())
        assert bool((means >= tuned * (1 - 1e-12)).all())
        centre = {name: v[0] for name, v in values.items()}
        back = joint.from_sampler(joint.to_sampler(joint.unconstrain(centre)))
        for name, value in joint.unconstrain(centre).items():
            np.testing.assert_allclose(back[name], value, rtol=1e-9, atol=1e-9)


def test_decisions_cover_their_law(law: type[bl.AbstractLaw]) -> None:
    for decision in law.prior().decisions().values():
        assert decision.question.endswith("?")
        assert set(decision.report)
        assert all(name in COLUMNS for name in (*decision.given, *decision.choose, *decision.report))
