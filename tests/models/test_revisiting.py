"""M4 of Alabdulmohsin et al. 2022, and what it is worth on their benchmark.

The paper prints no coefficients: figures here are *recomputed* from published data, or *ours*.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from scipy.optimize import brentq

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models import M4, Broken
from bayeslaw.models.revisiting import _root


def law(alpha: float = 1.3, *, reference: float = 1e8, level: float = 0.5, limit: float = 0.4) -> M4:
    return M4(
        x="examples", response="error", reference=reference, e_0=0.99, level=level, limit=limit, c=0.6, alpha=alpha
    )


@pytest.mark.parametrize("reference", [1e6, 1e8, 1e11])
@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_papers_equation(alpha: float, reference: float) -> None:
    """(y - e_inf) / (e_0 - y)^alpha = beta x^-c, with the e_inf and beta of `derived`, solved here by bisection."""
    one = law(alpha, reference=reference)
    found = {name: float(value) for name, value in one.derived().items()}
    # Not nearer to random guessing, where a bisection in y has no digits left.
    for x in np.geomspace(reference / 1e2, reference * 1e4, 9):

        def off(y: float, x: float = x) -> float:
            side = np.log(y - found["e_inf"]) - alpha * np.log(0.99 - y)
            return side - np.log(found["beta"]) + 0.6 * np.log(x)

        root = brentq(off, found["e_inf"] + 1e-12, 0.99 - 1e-15, xtol=1e-15)
        assert float(one(examples=x)) == pytest.approx(root, rel=1e-6)
    assert float(one(examples=reference)) == pytest.approx(0.99 * 0.5, rel=1e-12)


def test_it_falls_from_guessing_to_its_limit() -> None:
    """Finite and ordered at any x."""
    for alpha in (1e-3, 0.5, 3.0):
        curve = law(alpha)(examples=np.geomspace(1e-20, 1e40, 200))
        assert np.isfinite(curve).all()
        assert (np.diff(curve) <= 0).all()
        assert curve[[0, -1]] == pytest.approx([0.99, 0.99 * 0.5 * 0.4], rel=1e-5)


def test_a_small_alpha_is_a_shifted_power_law() -> None:
    plain = Broken(
        x="examples", response="error", reference=1e8, a=0.99 * 0.2, b=0.99 * 0.3, c0=0.6, breaks=()
    )  # fmt: skip
    x = np.geomspace(1e8, 1e14, 20)
    np.testing.assert_allclose(law(1e-7)(examples=x), plain(examples=x), rtol=1e-6)


@float64
def test_the_root_and_its_curvature() -> None:
    """Exact to rounding over all that alpha and x may be; second derivatives, which a mode needs, by differences."""
    at = np.concatenate([-np.geomspace(700, 1e-3, 40), np.geomspace(1e-3, 700, 40)])
    for alpha in (1e-4, 0.1, 1.0, 10.0, 1e4):
        height = alpha * np.logaddexp(0, at) - np.logaddexp(0, -at)
        root = np.asarray(_root(jnp.asarray(height), jnp.full(at.shape, alpha)))
        np.testing.assert_allclose(root, at, rtol=1e-8, atol=1e-10)
    place, step = jnp.array([0.3, 1.5]), 1e-5
    slope = jax.grad(lambda z: _root(z[0], z[1]))
    by_differences = [(slope(place.at[i].add(step)) - slope(place.at[i].add(-step))) / (2 * step) for i in range(2)]
    np.testing.assert_allclose(jax.hessian(lambda z: _root(z[0], z[1]))(place), by_differences, rtol=1e-6)


def test_what_a_prior_refuses() -> None:
    with pytest.raises(bl.InputError, match="no usual value of 'examples' is known"):
        M4.prior("examples")


def test_recovery_and_the_smallest_x() -> None:
    """Parameters of a simulated curve: 99 % intervals. The data for a target: search against the closed form."""
    truth = law()
    runs = bl.simulate(truth, {"examples": np.geomspace(1e6, 1e10, 30)}, noise=bl.LogNormal(scale=0.005), seed=2)
    prior = M4.prior("examples", "error", reference=1e8, guess=0.99)
    posterior = advised_fit(prior, runs, seed=1, chains=2)
    assert posterior.ok
    found = posterior.summary(prob=0.99)
    derived = {name: float(value) for name, value in truth.derived().items()}
    for name, value in {"level": 0.5, "limit": 0.4, "c": 0.6, "alpha": 1.3, "noise.scale": 0.005, **derived}.items():
        assert found.lower[name] < value < found.upper[name], name
    by_search, by_formula = (
        bl.allocate(posterior, method=method, target=0.3).draws["examples"].to_numpy()
        for method in ("search", "closed_form")
    )
    np.testing.assert_allclose(by_search, by_formula, rtol=1e-5)
    assert float(truth(examples=np.quantile(by_formula, 0.001))) > 0.3 > float(truth(examples=by_formula.max()))


def test_less_than_its_limit_is_out_of_reach() -> None:
    prior = M4.prior("examples", "error", reference=1e8, guess=0.99)
    runs = bl.simulate(law(), {"examples": np.geomspace(1e6, 1e10, 30)}, noise=bl.LogNormal(scale=0.005), seed=2)
    posterior = advised_fit(prior, runs, seed=1, chains=2)
    with pytest.raises(bl.InputError, match="out of reach in every draw"):
        bl.allocate(posterior, target=1e-3)


@pytest.mark.slow
def test_a_curve_that_a_shifted_power_law_misses(fetched: Callable[..., pd.DataFrame]) -> None:
    """Ours: ImageNet from 25 images a class, MiX/L/16, fitted on its first 66 points and judged on 226 further on.

    M4 is off by 0.5 %, the shifted power law by 9 %: each as the root of the mean square, of the law alone.
    """
    points = fetched("learning_curves")
    curve = points[(points.task == "inet_25") & (points.model == "MiX/L/16")]
    train, rest = curve[curve.train], curve[~curve.train]
    off = {}
    plain = Broken.prior("seen_examples", "loss", 0, reference=1e8, limit=0.2, excess=0.5)
    for name, prior in {"M4": M4.prior("seen_examples", reference=1e8, guess=0.999), "M2": plain}.items():
        posterior = advised_fit(prior, train, seed=1, target_accept=0.95)
        median = bl.predict(posterior, rest, misfit=False).summary().xs("loss", level="quantity")["median"].to_numpy()
        off[name] = float(np.sqrt(np.mean(np.log(median / rest.loss.to_numpy()) ** 2)))
    assert off["M4"] < 0.01  # Monte Carlo error and a machine's rounding move either by a few percent of itself
    assert 0.07 < off["M2"] < 0.11
