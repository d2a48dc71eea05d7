"""Posteriors with several modes: found, sampled or left with a remark."""

import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import bayeslaw as bl


class Square(bl.AbstractLaw):
    """loss = a^2 + tilt a ln(params / 1e9): but for the tilt, a and -a are the same law."""

    a: bl.Scalar
    tilt: bl.Scalar

    def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
        return self.a**2 + self.tilt * self.a * jax.numpy.log(params / 1e9)

    @classmethod
    def prior(cls) -> "Square":
        return cls(a=dist.Normal(0.0, 2.0), tilt=0.0)


def runs(tilt: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    params = 1e9 * np.exp(rng.uniform(-1, 1, 40))
    return {"params": params, "loss": 4.0 + 2.0 * tilt * np.log(params / 1e9) + 0.1 * rng.standard_normal(40)}


NOISE = bl.Normal(scale=0.1)


def test_two_equal_modes() -> None:
    """Importance sampling covers both; chains cannot pass between them, and say so."""
    law = Square(a=dist.Normal(0.0, 2.0), tilt=0.0)
    fitted = bl.fit(law, runs(0.0), noise=NOISE, method="importance", seed=1)
    assert fitted.ok
    assert fitted.tree.attrs["method"] == "importance"
    draws = fitted.draws["a"]
    # The least variance that independent draws could have; resampling adds to the proposals' own.
    assert (draws > 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(fitted.tree.attrs["ess"]))
    # Given the sign, a^2 is known to 0.1 / sqrt(40), so a to a quarter of that.
    assert np.abs(draws).std() == pytest.approx(0.1 / np.sqrt(40) / 4, rel=0.1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this posterior is not a result yet")
        chains = bl.fit(law, runs(0.0), noise=NOISE, seed=1)
    assert any("R-hat is above 1.01 for a" in status.text for status in chains.status)


@pytest.mark.parametrize("method", ["nuts", "importance"])
def test_a_local_maximum_is_left_with_a_remark(method: str) -> None:
    """The tilt has the wrong sign at the other mode, which holds nothing but is where some searches end."""
    law = Square(a=dist.Normal(0.0, 2.0), tilt=0.3)
    fitted = bl.fit(law, runs(0.3), noise=NOISE, method=method, chains=8, draws=500, seed=2)
    assert fitted.ok
    assert (fitted.draws["a"] > 0).all()
    (remark,) = (status.text for status in fitted.status if "local maximum" in status.text)
    assert "of 8 searches from the prior ended at a local maximum that holds less than 1e-3" in remark
