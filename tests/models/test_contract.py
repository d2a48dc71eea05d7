"""What every law in `LAWS` must keep."""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._codec import decode, encode
from bayeslaw._columns import COLUMNS
from bayeslaw._joint import as_joint
from bayeslaw._posterior import build
from bayeslaw._tree import fill, float64, under
from bayeslaw.models import LAWS

# A plausible value of each column; laws add theirs here.
POINTS = {
    "params": 3e9, "tokens": 7e10, "lr": 2e-3, "batch_tokens": 1e6, "ff_ratio": 4.0, "kv_size": 128.0, "aspect_ratio": 80.0,
    "unique_tokens": 2e10,
    "steps": 2e4, "flops": 1e21,
    "loss": 5.0,
    "nonembedding_params": 2e9,
    "average_params": 2e9,
    "final_params": 1e9,
    "prune_start_compute": 0.25,
    "prune_end_compute": 0.75,
    "capability": 0.3,
    "recipe": 1.0, "ensemble_size": 3.0,
    "samples": 20.0,
    "inference_flops": 1e14, "size_ratio": 3.0, "prm_score": 60.0, "chain_ratio": 4.0,
    "method": 1.0,
    "activation_ratio": 0.06, "granularity": 8.0, "experts": 8.0, "architecture": 1.0,
    "active_params": 1e9,
    "total_params": 8e9,
    "sparsity": 0.9,
    "visual_tokens": 100.0,
    "teacher_steps": 6e4, "student_steps": 1.5e5,
    "datastore_tokens": 1e11,
    "relative_compute": 2.0,
    "bits": 4.0, "qat_fraction": 0.3, "tokens_per_byte": 1000.0,
    "vocab_size": 5e4, "d_model": 2048.0,
    "bits_weights": 8.0, "bits_activations": 8.0, "bits_kv": 8.0, "bits_post": 5.0,
    "format": 1.0, "bit_operations": 2e11,
    "counted": 2.0, "model": 2.0, "problem": 2.0, "after_tokens": 2000.0, "cap_tokens": 16000.0,
    "subtask": 1.0, "upstream": 0.8,
    "task": 1.0, "width": 4.0, "iterations": 2.0,
    "peak_flops": 3e14, "memory_ratio": 0.4, "network_ratio": 0.3,
    "documents": 50.0, "shots": 8.0, "document_value": 0.5, "shot_value": 0.2,
    "attempts": 6.0, "generated_tokens": 2000.0,
    "verifications": 8.0,
}  # fmt: skip


@pytest.fixture(params=LAWS, ids=lambda law: law.__name__)
def law(request: pytest.FixtureRequest) -> type[bl.AbstractLaw]:
    return request.param


def row(law: type[bl.AbstractLaw]) -> dict[str, float]:
    return {name: POINTS[name] for name in law.prior().columns()}


def table(law: type[bl.AbstractLaw]) -> dict[str, Any]:
    """The same as a user writes it: labels in place of their positions."""
    labels = law.prior().categories()
    return {name: labels[name][int(value)] if name in labels else value for name, value in row(law).items()}


def signed(law: type[bl.AbstractLaw]) -> bool:
    """May the response be zero or negative? Then it has no logarithm and no floor, and a penalty is not a factor."""
    return COLUMNS[law.prior().response].low < 0


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
        along = float(jnp.sum(gradient[name]))  # of a vector of parameters, all moved alike
        assert along == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=rounding)


def means_of(joint: Any, draws: int, *rows: dict[str, float]) -> tuple[dict[str, jax.Array], np.ndarray]:
    """Prior draws, and the mean of each row at each of them: (rows, draws)."""
    values = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(1), draws))
    columns = {name: jnp.array([one[name] for one in rows]) for name in rows[0]}
    return values, np.asarray(jax.jit(jax.vmap(lambda v: joint.fill(v).mean(columns)))(values)).T


@float64
def test_density_is_finite_at_prior_draws(law: type[bl.AbstractLaw]) -> None:
    noises = [bl.Normal] if signed(law) else [bl.StudentT, bl.LogNormal, bl.Normal, bl.OneSided]
    for noise in noises:
        joint = as_joint(law, noise)
        values, (means,) = means_of(joint, 200, row(law))
        scatter = {name: v for name, v in values.items() if name.startswith("noise.")}
        at = {name: jnp.full(1, 10.0) for name in joint.noise.columns()}

        def density(drawn: Any, mean: Any, noise: Any = joint.noise, at: Any = at) -> Any:
            return fill(noise, under(drawn, "noise")).observe(mean[None], **at).log_prob(mean[None])

        around = jax.vmap(density)(scatter, jnp.asarray(means))
        assert bool(jnp.isfinite(around).all())
        assert np.isfinite(means).all()
    floors = jax.vmap(lambda v: jnp.asarray(joint.fill(v).law.floor()))(values)
    assert signed(law) or bool((floors <= means).all())


@float64
def test_prior_predictive_is_plausible(law: type[bl.AbstractLaw]) -> None:
    """Nine in ten prior draws give a response that the notation table calls usual or possible, and they differ."""
    if law is bl.models.MIST:
        pytest.skip("the authors' priors are of molecules and span many powers of ten")
    response = COLUMNS[law.prior().response]
    _, (means,) = means_of(as_joint(law, None), 500, row(law))
    low, high = np.quantile(means, [0.05, 0.95])
    assert low < high
    assert response.allows(np.array([low, high])).all()
    assert response.usual[0] / 2 <= low
    assert high <= 2 * response.usual[1]


@float64
def test_falls_with_what_it_says_and_ends_at_its_floor(law: type[bl.AbstractLaw]) -> None:
    """Three times as much of any such column never costs; with endless amounts of all, nothing but the floor is left.

    Endless is 1e100 times as much: an exponent of 0.02 then leaves a hundredth.
    """
    start, joint = row(law), as_joint(law, None)
    if not law.falls:
        pytest.skip("claims nothing")
    more = [{**start, name: 3 * start[name]} for name in law.falls]
    endless = {name: value * (1e100 if name in law.falls else 1.0) for name, value in start.items()}
    values, (at_start, *after, at_end) = means_of(joint, 100, start, *more, endless)
    for name, means in zip(law.falls, after, strict=True):
        assert (means <= at_start * (1 + 1e-12)).all(), name
    floors = np.asarray(jax.vmap(lambda v: jnp.asarray(joint.fill(v).law.floor(), dtype=float))(values))
    if (floors > 0).all() and set(law.falls) >= set(joint.law.columns()):
        assert np.median((at_end - floors) / (at_start - floors)) < 0.01


@float64
def test_a_posterior_of_it_is_saved_whole(
    law: type[bl.AbstractLaw], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prior draws stand in for a fit (whose health is not at issue): the file holds the same law, draws and runs."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    joint = as_joint(law, None)
    columns = {name: np.full(4, value) for name, value in row(law).items()}
    values = jax.vmap(jax.vmap(joint.sample_prior))(jax.random.split(jax.random.key(0), (2, 10)))
    stats = {"diverging": np.zeros((2, 10), bool), "n_steps": np.ones((2, 10), int)}
    made = build(joint, (jax.tree.map(np.asarray, values), stats), columns, np.full(4, 0.5), [], {"seed": 0})
    made.save(tmp_path / "fit.nc")
    loaded = bl.load(tmp_path / "fit.nc")
    assert encode(loaded.prior) == encode(made.prior)
    assert loaded.runs.equals(made.runs)
    for name, draws in made.draws.items():
        np.testing.assert_array_equal(loaded.draws[name], draws)


def test_published_fits_are_numbers(law: type[bl.AbstractLaw]) -> None:
    for fitted in law.published().values():
        assert isinstance(fitted, law)
        assert all(np.ndim(leaf) == 0 for leaf in jax.tree.leaves(fitted))
        assert np.isfinite(fitted(**table(law)))


@float64
def test_can_be_wrapped(law: type[bl.AbstractLaw]) -> None:
    """Penalised and Discrepant around any law: finite at prior draws, and the law itself where nothing is off."""
    prior = law.prior()
    columns = {name: jnp.full(1, value) for name, value in row(law).items()}
    discrepant = bl.Discrepant(prior, {name: [value] for name, value in table(law).items()})
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
        both = jax.vmap(lambda v, joint=joint: (joint.fill(v).mean(columns), joint.fill(v).tuned(columns)))
        means, tuned = jax.jit(both)(values)
        assert bool(jnp.isfinite(means).all())
        assert signed(law) or bool((means >= tuned * (1 - 1e-12)).all())
        centre = {name: v[0] for name, v in values.items()}
        back = joint.from_sampler(joint.to_sampler(joint.unconstrain(centre)))
        for name, value in joint.unconstrain(centre).items():
            np.testing.assert_allclose(back[name], value, rtol=1e-9, atol=1e-9)


@float64
def test_can_be_pooled(law: type[bl.AbstractLaw]) -> None:
    """Around any law: the law itself where a group does not differ, another where it does, stored and sampled alike."""
    prior = law.prior()
    pooled = bl.Pooled(prior, {"task": ["one", "two"]}, by="task")
    assert encode(decode(encode(pooled))) == encode(pooled)
    joint = as_joint(pooled, None)
    values = joint.sample_prior(jax.random.key(0))
    alike = {name: jnp.zeros_like(v) if name.startswith("offsets.") else v for name, v in values.items()}
    columns = {name: jnp.full(3, value) for name, value in row(law).items()} | {"task": jnp.arange(3.0)}
    base = as_joint(prior, None).fill({name[5:]: v for name, v in values.items() if name.startswith("base.")} | values)
    np.testing.assert_allclose(joint.fill(alike).mean(columns), base.mean(columns), rtol=1e-9)
    groups = np.asarray(joint.fill(values).mean(columns))
    assert np.isfinite(groups).all()
    assert len(set(groups)) == 3
    back = joint.from_sampler(joint.to_sampler(joint.unconstrain(values)))
    for name, value in joint.unconstrain(values).items():
        np.testing.assert_allclose(back[name], value, rtol=1e-7, atol=1e-7)


def test_decisions_cover_their_law(law: type[bl.AbstractLaw]) -> None:
    for decision in law.prior().decisions().values():
        assert decision.question.endswith("?")
        assert set(decision.report)
        assert all(name in COLUMNS for name in (*decision.given, *decision.choose, *decision.report))
