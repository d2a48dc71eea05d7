"""`huber`, the papers' estimator, against its published numbers and the scipy of `tests/huber.py`."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from huber import bootstrap, logs, minimise, theta_of

import bayeslaw as bl
from bayeslaw.models import AutoregressiveCompute, Broken, Chinchilla, Coverage

NAMES = ("E", "a", "alpha", "b", "beta")
REFIT = Chinchilla.published()["besiroglu2024"]


def estimate(posterior: bl.Posterior) -> dict[str, float]:
    found = posterior.tree["estimate"].to_dataset()
    return {str(name): float(value) for name, value in found.data_vars.items()}


def theta(values: dict[str, Any]) -> np.ndarray:
    """(ln A, ln B, ln E, alpha, beta) as in `tests/huber.py`."""
    return theta_of(Chinchilla(**{name: values[name] for name in NAMES}))


@pytest.fixture(scope="module")
def found240(epoch240: pd.DataFrame) -> bl.Posterior:
    return bl.huber(Chinchilla, epoch240, resamples=1000)


def test_the_minimum_on_the_published_runs(found240: bl.Posterior, epoch240: pd.DataFrame) -> None:
    """Published: the Huber minimum (A 477.83, B 2143.4); the same as by BFGS from the coefficients of the paper."""
    found = theta(estimate(found240))
    assert [*np.exp(found[:3]), *found[3:]] == pytest.approx([477.83, 2143.4, 1.81722, 0.34731, 0.36717], rel=2e-4)
    np.testing.assert_allclose(found, minimise(logs(epoch240), theta_of(REFIT)), rtol=1e-5)


def test_least_absolute_residuals_are_the_published_refit(epoch240: pd.DataFrame) -> None:
    """Published: E 1.81686, A 482.01, B 2085.43, alpha 0.34781, beta 0.36585, the maximum of a likelihood that is
    Laplace's in all but name: a delta far below the residuals (0.005)."""
    found = bl.huber(Chinchilla, epoch240, resamples=16, delta=1e-6)
    values = estimate(found)
    for name in NAMES:
        assert values[name] == pytest.approx(float(getattr(REFIT, name)), rel=3e-4)


def test_the_bootstrap_is_that_of_scipy(found240: bl.Posterior, epoch240: pd.DataFrame) -> None:
    """Medians and spreads of 1000 resamples against 300 of an independent implementation with other resamples.

    Spreads by the median absolute deviation, for the tails of ln B are long; of so many its relative standard error is
    about 0.07, and the median's is 1.25 / sqrt(300) = 0.07 of a spread: four of them.
    """
    other = bootstrap(logs(epoch240), theta(estimate(found240)), size=300)
    values = {name: found240.draws[name].ravel() for name in NAMES}
    mine = np.stack([theta(dict(zip(NAMES, row, strict=True))) for row in zip(*values.values(), strict=True)])
    spread = lambda x: 1.4826 * np.median(np.abs(x - np.median(x, axis=0)), axis=0)
    assert np.all(np.abs(np.median(mine, axis=0) - np.median(other, axis=0)) < 0.3 * spread(other))
    np.testing.assert_allclose(spread(mine) / spread(other), 1.0, atol=0.3)


def test_what_its_draws_are_is_said(found240: bl.Posterior, tmp_path: Path) -> None:
    assert found240.shape == (4, 250)
    (status,) = found240.status
    assert "bootstrap estimates by Huber's loss, not draws of a posterior" in status.text
    assert found240.ok
    assert (found240.summary()["ess_bulk"] == 1000).all()
    found240.save(tmp_path / "huber.nc")
    again = bl.load(tmp_path / "huber.nc")
    assert again.status == found240.status
    assert estimate(again) == estimate(found240)
    with pytest.raises(bl.InputError, match="bootstrap estimates, which have no density"):
        bl.compare({"huber": found240})
    with pytest.raises(bl.InputError, match="bootstrap estimates, which have no density"):
        bl.check(found240)


def test_verbs_work_on_it(found240: bl.Posterior) -> None:
    plan = bl.allocate(found240, flops=5.76e23).summary().loc[(5.76e23, "params")]
    best = float(Chinchilla(**{name: estimate(found240)[name] for name in NAMES}).derived()["optimal_params_exponent"])
    assert 0.5 < best < 0.53
    assert plan["lower"] < 70e9 < plan["upper"]
    at = {"params": 1e9, "tokens": 2e10}
    frame = bl.predict(found240, at).summary()
    new, mean = (frame.xs(name, level="quantity").iloc[0] for name in ("loss_new_run", "loss"))
    assert new["upper"] - new["lower"] > 2 * (mean["upper"] - mean["lower"])


def test_the_same_seed_gives_the_same_resamples_and_another_others(epoch240: pd.DataFrame) -> None:
    before = epoch240.copy()
    one, same, other = (bl.huber(Chinchilla, epoch240, resamples=18, seed=seed) for seed in (3, 3, 4))
    assert one.shape == (4, 5)  # rounded up
    np.testing.assert_array_equal(one.draws["alpha"], same.draws["alpha"])
    assert not np.array_equal(one.draws["alpha"], other.draws["alpha"])
    assert estimate(one) == estimate(other)
    pd.testing.assert_frame_equal(epoch240, before)


def test_outliers_do_not_move_it_and_the_scale_is_that_of_the_noise() -> None:
    """A known world of 200 runs with 1 % noise, five of them 30 % off. Estimates within four bootstrap spreads; the
    scale within four standard errors of a MAD of 200 (0.082)."""
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"params": 10 ** rng.uniform(7, 10, 200), "tokens": 10 ** rng.uniform(9, 12, 200)})
    made = bl.simulate(REFIT, runs, noise=bl.LogNormal(scale=0.01), seed=1)  # type: ignore[arg-type]
    made.loc[:4, "loss"] *= 1.3
    found = bl.huber(Chinchilla, made, resamples=200)
    for name in NAMES:
        draws = found.draws[name]
        assert abs(np.median(draws) - float(getattr(REFIT, name))) < 4 * draws.std()
    assert math.log(estimate(found)["noise.scale"] / 0.01) == pytest.approx(0, abs=0.33)


def test_other_laws() -> None:
    """One of a single column, and one that bends, whose parameters these runs cannot all tell."""
    runs = bl.load_chinchilla().assign(flops=lambda runs: 6.0 * runs.params * runs.tokens)
    for law in (AutoregressiveCompute, Broken.prior(x="flops", reference=1e21, limit=1.8, excess=0.6)):
        found = bl.huber(law, runs, resamples=16)
        assert all(np.isfinite(draws).all() for draws in found.draws.values())
        # The noise is what the law leaves: the spread of sizes at each budget, a few percent.
        assert 0.005 < estimate(found)["noise.scale"] < 0.1


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"resamples": 4}, "resamples must be a whole number of at least 16, got 4"),
        ({}, {"delta": 0}, "delta must be positive"),
        ({"law": REFIT}, {}, "no distributions as leaves"),
        ({"law": Coverage}, {}, "noise that reads trials"),
        ({"runs": {"params": [1e9], "loss": [2.0]}}, {}, "column 'tokens'"),
    ],
)
def test_bad_input(change: dict[str, Any], options: dict[str, Any], message: str) -> None:
    given = {"law": Chinchilla, "runs": bl.load_chinchilla()} | change
    with pytest.raises(bl.InputError, match=message):
        bl.huber(given["law"], given["runs"], **options)


def test_offsets_of_groups_need_their_prior() -> None:
    runs = bl.load_overtraining()
    with pytest.raises(bl.InputError, match="offsets of groups that only their prior tells apart"):
        bl.huber(bl.Pooled(Chinchilla, runs, by="corpus"), runs)
