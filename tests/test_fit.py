"""`fit`: compiled once, reproducible, calibrated, interruptible."""

import sys
import threading
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from scipy import stats

import bayeslaw as bl
from bayeslaw._sampler import reporter
from bayeslaw.models import Chinchilla, MoESparsity

COMPILED: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, *args, **kwargs: COMPILED.append(kwargs.get("fun_name", "?")) if "backend_compile" in name else None
)


def is_distribution(leaf: object) -> bool:
    return isinstance(leaf, dist.Distribution)


def test_a_second_fit_compiles_nothing() -> None:
    """New data, new prior hyperparameters, another seed and another target: no program is compiled again."""
    runs = bl.load_chinchilla()
    # Not a fixture's posterior: its programs may have been forgotten between modules (see conftest.py). An instance, for
    # what is made of a class is kept longer than those.
    bl.fit(Chinchilla.prior(), runs, seed=1)
    other = runs.assign(loss=runs.loss * 1.01, params=runs.params * 1.1)
    prior = eqx.tree_at(lambda law: law.E, Chinchilla.prior(), dist.LogNormal(0.6, 0.2), is_leaf=is_distribution)
    del COMPILED[:]
    bl.fit(prior, other, seed=7, target_accept=0.85)
    for window in (200, 210, 220):  # all of them padded to 256 runs
        bl.fit(Chinchilla, other[:window], seed=window)
    assert COMPILED == []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this posterior is not a result yet")
        bl.fit(Chinchilla, runs[:90], chains=1, draws=20, warmup=20)  # to 96: the counter does count
    assert "jit(_advance)" in COMPILED


def test_a_changed_leaf_as_the_docstring_writes_it() -> None:
    """Fix one exponent's prior tightly and another parameter at a number; the rest stays free."""
    prior = eqx.tree_at(lambda law: law.alpha, Chinchilla.prior(), dist.Normal(0.35, 0.002))
    prior = eqx.tree_at(lambda law: law.E, prior, 1.8)
    fitted = bl.fit(prior, bl.load_chinchilla(), seed=1)
    assert set(fitted.draws) == {"a", "alpha", "b", "beta", "noise.df", "noise.scale"}
    assert fitted.draws["alpha"].std() < 0.0025
    assert float(fitted.law.E) == 1.8


def test_same_seed_same_draws(posterior: bl.Posterior) -> None:
    again = bl.fit(Chinchilla, bl.load_chinchilla(), seed=1)
    for name, values in posterior.draws.items():
        np.testing.assert_array_equal(again.draws[name], values)
    other = bl.fit(Chinchilla, bl.load_chinchilla(), seed=2)
    assert not np.array_equal(other.draws["E"], posterior.draws["E"])


def test_draws_are_float64_and_input_is_untouched(posterior: bl.Posterior) -> None:
    assert all(values.dtype == np.float64 for values in posterior.draws.values())
    runs = bl.load_chinchilla()
    pd.testing.assert_frame_equal(posterior.runs, runs[["params", "tokens", "loss"]].astype(float))


def test_a_conjugate_case_has_the_known_posterior() -> None:
    """A constant law with Normal noise of known scale: the posterior is Gaussian with known mean and sd."""

    class Constant(bl.AbstractLaw):
        level: bl.Scalar

        def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return self.level + 0 * params

        @classmethod
        def prior(cls) -> "Constant":
            return cls(level=dist.Normal(0.0, 2.0))

    loss = np.array([1.0, 1.5, 0.7, 2.2, 1.1])
    fitted = bl.fit(Constant, {"params": [1e9] * 5, "loss": loss}, noise=bl.Normal(scale=0.5), seed=1)
    precision = 1 / 2.0**2 + 5 / 0.5**2
    mean, sd = (loss.sum() / 0.5**2) / precision, precision**-0.5
    row = fitted.summary().loc["level"]
    error = sd / np.sqrt(row["ess_bulk"])
    assert row["mean"] == pytest.approx(mean, abs=4 * error)
    assert row["sd"] == pytest.approx(sd, rel=4 / np.sqrt(2 * row["ess_bulk"]))
    draws = fitted.draws["level"].ravel()[::4]  # thinned towards independence
    assert stats.kstest(draws, stats.norm(mean, sd).cdf).pvalue > 1e-3
    assert fitted.noise_prior.scale == 0.5  # a number stays a number
    assert set(fitted.draws) == {"level"}


def test_vector_parameters() -> None:
    class Groups(bl.AbstractLaw):
        levels: bl.Scalar

        def mean(self, group: jax.Array) -> jax.Array:  # type: ignore[override]
            return jnp.asarray(self.levels)[group.astype(int)]

        @classmethod
        def prior(cls) -> "Groups":
            return cls(levels=dist.LogNormal(jnp.zeros(3), 1.0).to_event(1))

    rng = np.random.default_rng(0)
    group = np.tile([0, 1, 2], 20)
    loss = np.array([1.0, 2.0, 3.0])[group] * np.exp(0.01 * rng.standard_normal(60))
    fitted = bl.fit(Groups, {"group": group, "loss": loss}, noise=bl.LogNormal, seed=1)
    assert fitted.draws["levels"].shape == (4, 1000, 3)
    np.testing.assert_allclose(fitted.draws["levels"].mean((0, 1)), [1, 2, 3], rtol=0.01)
    assert list(fitted.summary().index) == ["levels[0]", "levels[1]", "levels[2]", "noise.scale"]


def test_recovery_of_parameters_and_optimum(epoch240: pd.DataFrame, posterior240: bl.Posterior) -> None:
    """8 worlds drawn from the prior, simulated at the design of Epoch's 240 runs: 90 % intervals cover 90 %.

    Drawn from the prior, coverage is 90 % exactly in expectation for every quantity.
    """
    inside: dict[str, list[bool]] = {}
    for seed in range(8):
        runs = bl.simulate(Chinchilla, epoch240[["params", "tokens"]], seed=seed)
        truth = runs.attrs["truth"]
        # 4 % scatter: a curved ridge between the floor and the terms.
        fitted = advised_fit(Chinchilla, runs, seed=seed, target_accept=0.95)
        found = fitted.summary(prob=0.9)
        for name, value in truth.items():
            inside.setdefault(name, []).append(bool(found.lower[name] < value < found.upper[name]))
        law = Chinchilla(**{name: value for name, value in truth.items() if not name.startswith("noise.")})
        closed = next(iter(law.decisions().values())).closed_form
        assert closed is not None
        best = float(closed(law, flops=1e22)["params"])
        row = bl.allocate(fitted, flops=1e22).summary(prob=0.9).loc[(1e22, "params")]
        inside.setdefault("optimum", []).append(bool(row["lower"] < best < row["upper"]))
    counts = {name: sum(hits) for name, hits in inside.items()}
    assert set(counts) == {"E", "a", "alpha", "b", "beta", "noise.df", "noise.scale", "optimum"}
    # Each count is Binomial(8, 0.9): below 5 with probability 0.5 %, 4 % over eight quantities.
    assert min(counts.values()) >= 5, counts
    # All 64 together: 57.6 expected; the quantities of one world are correlated, so the sd is between 2.4
    # (independent) and 6.8 (all the same); 10 is a mild bound.
    assert sum(counts.values()) >= 48, counts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chains": 0}, "chains must be a whole number of at least 1, got 0"),
        ({"draws": 2}, "draws must be a whole number of at least 4, got 2"),
        ({"warmup": 5}, "warmup must be a whole number of at least 20"),
        ({"target_accept": 1.0}, "target_accept must lie between 0 and 1"),
    ],
)
def test_settings_are_checked(settings: dict[str, float], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.fit(Chinchilla, bl.load_chinchilla(), **settings)  # type: ignore[arg-type]


def test_nothing_to_fit() -> None:
    with pytest.raises(bl.InputError, match="no distributions as leaves"):
        bl.fit(Chinchilla.published()["besiroglu2024"], bl.load_chinchilla(), noise=bl.LogNormal(scale=0.01))


def test_a_law_without_finite_values_is_named() -> None:
    class Broken(bl.AbstractLaw):
        a: bl.Scalar

        def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return -self.a * params

        @classmethod
        def prior(cls) -> "Broken":
            return cls(a=dist.LogNormal(0.0, 1.0))

    with pytest.raises(bl.InputError, match="Broken gives no finite density at any of 64 draws from its prior"):
        bl.fit(Broken, {"params": [1e9] * 9, "loss": np.linspace(1, 2, 9)})


def test_a_run_where_the_law_is_not_defined_is_named() -> None:
    runs = {"total_params": np.geomspace(1e9, 1e11, 9), "tokens": np.geomspace(1e10, 1e12, 9)}
    runs |= {"sparsity": [0.5] * 4 + [1.0] + [0.8] * 4, "loss": np.linspace(3, 2, 9)}
    with pytest.raises(
        bl.InputError, match=r"at more than half of them one run has none, sparsity = 1, tokens = 100B, total_pa"
    ):
        bl.fit(MoESparsity, runs)


@pytest.mark.filterwarnings("ignore:this posterior is not a result yet")
def test_progress_is_reported_and_an_interrupt_stops_all_chains() -> None:
    seen: list[tuple[int, int]] = []
    bl.fit(Chinchilla, bl.load_chinchilla(), draws=200, warmup=200, progress=lambda *now: seen.append(now))
    assert seen[-1] == (1600, 1600)
    assert sorted(done for done, _ in seen) == [done for done, _ in seen]

    def interrupt(done: int, total: int) -> None:
        if done >= 300:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        bl.fit(Chinchilla, bl.load_chinchilla(), draws=200, warmup=200, progress=interrupt)
    assert threading.active_count() <= before


def test_no_bar_in_a_notebook_without_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich would warn, which is an error here."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with reporter(None, 10) as tell:
        tell(10)
    with pytest.warns(UserWarning, match="ipywidgets"), reporter(True, 10) as tell:
        tell(10)
