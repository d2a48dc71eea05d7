"""`Posterior.then`: two steps, the uncertainty of the first carried into the second."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from advised import advised_fit

import bayeslaw as bl


class ErrorOfLoss(bl.AbstractLaw):
    """A benchmark error that falls with the loss, for these tests."""

    response = "error"
    top: bl.Scalar
    slope: bl.Scalar

    def mean(self, loss: jax.Array) -> jax.Array:  # type: ignore[override]
        return self.top - self.slope * jnp.exp(-loss)

    @classmethod
    def prior(cls) -> "ErrorOfLoss":
        return cls(top=dist.Normal(0.8, 0.05), slope=dist.LogNormal(0.0, 0.5))

    def noise(self) -> bl.AbstractNoise:
        return bl.Normal.prior()


@pytest.fixture(scope="module")
def error() -> bl.Posterior:
    loss = np.linspace(2.0, 4.0, 30)
    truth = ErrorOfLoss(top=0.8, slope=2.0)  # type: ignore[arg-type]
    runs = bl.simulate(truth, {"loss": loss}, noise=bl.Normal(scale=0.01))  # type: ignore[arg-type]
    return advised_fit(ErrorOfLoss, runs, seed=1, draws=500)


@pytest.fixture(scope="module")
def both(posterior: bl.Posterior, error: bl.Posterior) -> bl.Posterior:
    return posterior.then(error)


AT = {"params": [1e9, 7e10], "tokens": [2e10, 1.4e12]}


def test_each_draw_goes_through_both_steps(posterior: bl.Posterior, error: bl.Posterior, both: bl.Posterior) -> None:
    assert both.ok
    assert both.response == "error"
    assert both.shape == error.shape  # the fewer of the two
    loss = bl.predict(posterior, AT, misfit=False).draws["loss"].to_numpy()[:, :500]
    law = error.law
    by_hand = law.top[..., None] - law.slope[..., None] * np.exp(-loss)
    np.testing.assert_allclose(bl.predict(both, AT).draws["error"], by_hand, rtol=1e-9)


def test_a_new_run_scatters_by_both_steps(both: bl.Posterior, error: bl.Posterior) -> None:
    """At a given loss only the second noise is left. Standard deviations of 2000 draws are known to about 2 %."""
    loss = float(bl.predict(both, {"loss": 2.0}).draws["error"].median())
    assert 0 < loss < 1
    both_steps = bl.predict(both, AT)
    middle = both_steps.draws["error"].to_numpy()
    wide = (both_steps.draws["error_new_run"].to_numpy() - middle)[..., 0].std()
    given = bl.predict(both, {"loss": [2.5]})
    narrow = (given.draws["error_new_run"] - given.draws["error"]).to_numpy().std()
    alone = bl.predict(error, {"loss": [2.5]}, misfit=False)
    np.testing.assert_allclose(given.draws["error"], alone.draws["error"])
    assert narrow == pytest.approx(float(error.draws["noise.scale"].mean()), rel=0.1)
    assert wide > 0.99 * narrow


def test_distance_from_the_runs_of_both_steps_is_said(both: bl.Posterior) -> None:
    texts = [str(one) for one in bl.predict(both, {"params": 1e13, "tokens": 2e14}).status]
    assert any("params goes" in one for one in texts)
    assert any("loss goes" in str(one) for one in bl.predict(both, {"loss": 0.5}).status)


def test_decisions_of_the_first_step_are_about_the_second(both: bl.Posterior, posterior: bl.Posterior) -> None:
    """The least error is at the least loss."""
    found = bl.allocate(both, flops=1e22)
    assert set(found.draws) == {"params", "tokens", "tokens_per_param", "error", "error_new_run", "at_edge"}
    first = bl.allocate(posterior, flops=1e22).draws["params"].to_numpy()[:, :500]
    np.testing.assert_allclose(found.draws["params"], first, rtol=1e-3)  # the search stops at 1e-7 of a decade range


def test_survives_being_saved(both: bl.Posterior, tmp_path: Path) -> None:
    both.save(tmp_path / "both.nc")
    loaded = bl.load(tmp_path / "both.nc")
    np.testing.assert_array_equal(bl.predict(loaded, AT).draws["error"], bl.predict(both, AT).draws["error"])


def test_arviz_groups_are_of_the_second_step(both: bl.Posterior, error: bl.Posterior) -> None:
    tree = both.with_groups("log_likelihood").tree
    np.testing.assert_allclose(
        tree["log_likelihood"]["error"], error.with_groups("log_likelihood").tree["log_likelihood"]["error"]
    )


def test_what_does_not_fit_together_is_refused(
    posterior: bl.Posterior, error: bl.Posterior, both: bl.Posterior
) -> None:
    with pytest.raises(
        bl.InputError, match="Chinchilla reads params, tokens, not 'error', which is what ErrorOfLoss predicts"
    ):
        error.then(posterior)
    with pytest.raises(bl.InputError, match="tokens is missing: give it, or 'loss' in place of the first step"):
        bl.predict(both, {"params": 1e9})
