"""On a GPU the same verbs, unchanged."""

import jax
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.models import Chinchilla


def test_same_posterior_on_a_gpu(posterior: bl.Posterior) -> None:
    """Fits, predictions and optima agree with those of the CPU within Monte Carlo error."""
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("JAX finds no GPU here")
    with jax.default_device(device):
        fitted = bl.fit(Chinchilla, bl.load_chinchilla(), seed=1, workers=1)  # the device is that of a thread
        plan = bl.allocate(fitted, flops=[1e22, 1e24]).summary()
    assert fitted.ok
    ours, reference = fitted.summary(), posterior.summary()
    error = reference["sd"] * np.sqrt(1 / ours.ess_bulk + 1 / reference.ess_bulk)
    assert ((ours["mean"] - reference["mean"]).abs() < 5 * error).all()
    expected = bl.allocate(posterior, flops=[1e22, 1e24]).summary()
    # A median of thousands of effective draws; tokens per parameter vary by a fifth.
    np.testing.assert_allclose(plan["median"], expected["median"], rtol=0.03)
