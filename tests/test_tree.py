"""Leaves: numbers, distributions, draws; and the NumPyro model made from them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import SVI, Predictive, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

import bayeslaw as bl
from bayeslaw._joint import Joint, as_joint
from bayeslaw._tree import fill, float64, nth, sites
from bayeslaw.models import M4, Chinchilla

RUNS = bl.load_chinchilla()
COLUMNS = {"params": RUNS.params.to_numpy(dtype=float), "tokens": RUNS.tokens.to_numpy(dtype=float)}


class Wrapped(bl.AbstractLaw):
    """A law around a law, with a vector of parameters: what wrappers need of the engine."""

    base: Chinchilla
    weights: bl.Scalar

    def mean(self, params: jax.Array, tokens: jax.Array) -> jax.Array:  # type: ignore[override]
        return self.base.mean(params, tokens) * jnp.exp(jnp.sum(jnp.asarray(self.weights)))

    @classmethod
    def prior(cls) -> "Wrapped":
        return cls(base=Chinchilla.prior(), weights=dist.Normal(jnp.zeros(2), 0.01))


def test_paths_name_the_sites() -> None:
    assert list(sites(Chinchilla.prior())) == ["E", "a", "alpha", "b", "beta"]
    assert list(sites(Wrapped.prior())) == ["base.E", "base.a", "base.alpha", "base.b", "base.beta", "weights"]
    joint = as_joint(Wrapped, bl.StudentT)
    assert list(joint.sites())[-2:] == ["noise.df", "noise.scale"]


def test_numbers_are_fixed_and_filled_back() -> None:
    law = eqx.tree_at(
        lambda law: law.alpha, Chinchilla.prior(), 0.35, is_leaf=lambda x: isinstance(x, dist.Distribution)
    )
    assert "alpha" not in sites(law)
    filled = fill(law, {"E": 1.0, "a": 2.0, "b": 3.0, "beta": 4.0})
    assert (filled.E, filled.a, filled.alpha, filled.b, filled.beta) == (1.0, 2.0, 0.35, 3.0, 4.0)


@float64
def test_joint_density_is_the_sum_of_its_parts() -> None:
    """NumPyro's model against the density written out with SciPy."""
    from numpyro.infer.util import log_density
    from scipy import stats

    law = {"E": 1.8, "a": 0.36, "alpha": 0.35, "b": 0.37, "beta": 0.34}
    df, scale = 4.0, 0.005
    loss = RUNS.loss.to_numpy()
    values = {**law, "noise.df": df, "noise.scale": scale}
    found, _ = log_density(bl.model(Chinchilla), (), {**COLUMNS, "loss": loss}, values)
    prior = {"E": (1.7, 0.3), "a": (0.35, 1.0), "alpha": (0.33, 0.4), "b": (0.4, 1.0), "beta": (0.33, 0.4)}
    expected = sum(stats.lognorm.logpdf(law[name], s, scale=m) for name, (m, s) in prior.items())
    expected += stats.gamma.logpdf(df - 1, 2, scale=10) + stats.lognorm.logpdf(scale, 1, scale=0.01)
    log_mean = np.log(Chinchilla(**law)(**COLUMNS))
    expected += np.sum(stats.t.logpdf(np.log(loss), df, log_mean, scale) - np.log(loss))
    assert float(found) == pytest.approx(expected, rel=1e-10)


def test_the_model_is_plain_numpyro() -> None:
    model = bl.model(Chinchilla, bl.LogNormal)
    drawn = Predictive(model, num_samples=50)(jax.random.key(0), **COLUMNS)
    assert drawn["loss"].shape == (50, len(RUNS))
    assert set(drawn) == {"E", "a", "alpha", "b", "beta", "noise.scale", "loss"}
    graph = numpyro.render_model(model, model_kwargs={**COLUMNS, "loss": RUNS.loss.to_numpy()})
    assert "alpha" in graph.source
    assert "noise.scale" in graph.source


def test_the_model_works_with_svi() -> None:
    model = bl.model(Chinchilla)
    svi = SVI(model, AutoNormal(model), numpyro.optim.Adam(0.02), Trace_ELBO())
    columns = {name: jnp.asarray(values) for name, values in COLUMNS.items()}
    result = svi.run(jax.random.key(1), 1500, **columns, loss=jnp.asarray(RUNS.loss.to_numpy()), progress_bar=False)
    # a mean-field guide, so only its centre is compared, loosely, with NUTS (E 1.79, beta 0.346)
    assert float(jnp.exp(result.params["E_auto_loc"])) == pytest.approx(1.79, abs=0.08)
    assert float(jnp.exp(result.params["beta_auto_loc"])) == pytest.approx(0.346, abs=0.05)


def test_the_model_says_which_column_is_missing() -> None:
    with pytest.raises(bl.InputError, match=r"needs the columns params, tokens; \['tokens'\] are missing"):
        Predictive(bl.model(Chinchilla), num_samples=1)(jax.random.key(0), params=COLUMNS["params"])


def test_user_precision_is_left_alone() -> None:
    assert not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    law = Chinchilla.published()["besiroglu2024"]
    assert law(params=1e9, tokens=2e10).dtype == np.float64
    assert jnp.asarray(1.0).dtype == jnp.float32


def test_parameters_may_not_be_called_like_columns() -> None:
    class Confusing(bl.AbstractLaw):
        params: bl.Scalar

        def mean(self, tokens: jax.Array, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return self.params * tokens

        @classmethod
        def prior(cls) -> "Confusing":
            return cls(params=dist.LogNormal(0.0, 1.0))

    with pytest.raises(bl.InputError, match="parameter 'params' of the law has the name of a column"):
        bl.model(Confusing)


@float64
def test_constrain_and_unconstrain_are_inverse() -> None:
    joint = as_joint(Wrapped, bl.StudentT)
    assert isinstance(joint, Joint)
    values = joint.sample_prior(jax.random.key(0))
    back = joint.constrain(joint.unconstrain(values))
    for name, value in values.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-12)


def test_calling_a_law_that_has_no_numbers() -> None:
    with pytest.raises(bl.InputError, match="distributions as leaves"):
        Chinchilla.prior()(params=1e9, tokens=1e10)
    law = Chinchilla.published()["besiroglu2024"]
    with pytest.raises(bl.InputError, match="reads the columns params, tokens; got params"):
        law(params=1e9)
    assert law(params=[1e9, 1e10], tokens=2e10).shape == (2,)


@float64
def test_the_samplers_coordinates_keep_densities() -> None:
    """The sum of the terms and their ratios, in logarithms: a map of determinant one, and its inverse."""
    joint = as_joint(Chinchilla, bl.StudentT)
    z = joint.unconstrain(joint.sample_prior(jax.random.key(3)))
    names = list(z)

    def forth(x: jax.Array) -> jax.Array:
        moved = joint.to_sampler(dict(zip(names, x, strict=True)))
        return jnp.stack([moved[name] for name in names])

    x = jnp.stack([z[name] for name in names])
    assert float(jnp.linalg.det(jax.jacfwd(forth)(x))) == pytest.approx(1.0, rel=1e-12)
    moved = dict(zip(names, forth(x), strict=True))
    law = joint.fill(joint.constrain(z)).law
    assert float(moved["E"]) == pytest.approx(float(jnp.log(law.E + law.a + law.b)))
    back = joint.from_sampler(moved)
    np.testing.assert_allclose([back[name] for name in names], x, rtol=1e-12)
    # a fixed floor leaves nothing to move along
    fixed = as_joint(eqx.tree_at(lambda one: one.E, Chinchilla.prior(), 1.7), bl.StudentT)
    z = fixed.unconstrain(fixed.sample_prior(jax.random.key(0)))
    assert fixed.to_sampler(z) == z


@float64
@pytest.mark.parametrize("wrap", [lambda law: law, lambda law: bl.Penalised(law, ("lr",))])
def test_the_sampler_moves_along_a_parameter_times_its_factor(wrap: Callable[[Any], Any]) -> None:
    """For M4 that is a slope: a map of determinant one, and its inverse; what is no positive parameter stays."""
    joint = as_joint(wrap(M4.prior()), None)
    z = joint.unconstrain(joint.sample_prior(jax.random.key(3)))
    forth, back = jax.jacfwd(joint.to_sampler)(z), joint.from_sampler(joint.to_sampler(z))
    matrix = jnp.stack([jnp.stack([forth[row][column] for column in z]) for row in z])
    assert float(jnp.linalg.det(matrix)) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose([back[name] for name in z], list(z.values()), rtol=1e-12)
    law = joint.fill(joint.constrain(z)).law
    law, c = (law.base, "base.c") if "base.c" in z else (law, "c")
    slope = jax.grad(lambda size: jnp.log(law.mean(tokens=law.reference * jnp.exp(size))))(0.0)
    assert float(joint.to_sampler(z)[c]) == pytest.approx(float(jnp.log(-slope)), rel=1e-9)
    fixed = as_joint(wrap(eqx.tree_at(lambda one: one.c, M4.prior(), 0.3)), None)
    z = fixed.unconstrain(fixed.sample_prior(jax.random.key(0)))
    assert fixed.to_sampler(z) == z


@float64
def test_the_value_of_a_label() -> None:
    """Numbers and draws side by side; a float as positions are; differentiable in what is read alone."""
    assert float(nth([1, 2.5, np.float64(4)], 2.0)) == 4.0
    slope = jax.grad(lambda x: nth([x, 2 * x, x**2], 1.0))(3.0)
    assert float(slope) == 2.0
