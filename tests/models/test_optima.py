"""Published optima: the numbers of the card, and that every preset works as a prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._codec import check_stored
from bayeslaw._joint import Joint, as_joint
from bayeslaw._tree import float64, sites
from bayeslaw.models import Chinchilla, optima
from bayeslaw.models.optima import PRESETS

SEQUENCE = 2048
POINTS = {
    "params": 1e9, "nonembedding_params": 8e8, "tokens": 2e10, "flops": 1e20, "tokens_per_param": 20.0,
    "lr": 2e-3, "batch_tokens": 1e6, "timescale": 0.3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "coordinate", "columns", "expected", "tolerance"),
    [
        # recomputed from published data or code
        ("step_law", "lr", {"nonembedding_params": 1.0737e9, "tokens": 1e11}, 1.552e-3, 0.002),
        ("step_law", "batch_tokens", {"tokens": 1e11}, 540.9 * SEQUENCE, 0.002),
        ("deepseek", "lr", {"flops": 1e21}, 7.39e-4, 0.01),
        ("deepseek", "batch_tokens", {"flops": 1e21}, 2.16e6, 0.01),
        ("kaplan", "batch_tokens", {"loss": 3.0}, 1.07e6, 0.01),
        ("minicpm", "batch_tokens", {"loss": 3.0}, 1.275e6, 0.01),
        ("porian", "lr", {"params": 108e6}, 4.74e-3, 0.01),
        ("porian", "batch_tokens", {"params": 108e6}, 164 * SEQUENCE, 0.01),
        ("power_lines", "batch_tokens", {"tokens": 4e10}, 7.205e5, 0.01),
        ("power_lines", "timescale", {"tokens_per_param": 20.0}, 0.2236, 0.01),
        # second-hand: Kaplan's learning rate at 1e8, and where it would be negative
        ("kaplan", "lr", {"nonembedding_params": 1e8}, 0.003239 - 0.0001395 * np.log(1e8), 1e-6),
        ("kaplan", "lr", {"nonembedding_params": 1e11}, 1e-6, 1e-6),
        ("minicpm", "lr", {}, 0.01, 1e-6),
    ],
)
def test_numbers(preset: str, coordinate: str, columns: dict[str, float], expected: float, tolerance: float) -> None:
    law = PRESETS[preset](published=True)[coordinate]
    assert float(law(**columns)) == pytest.approx(expected, rel=tolerance)


def test_step_law_prior_is_the_bootstrap() -> None:
    """Recomputed from 1,000 bootstrap rows: at 1.07e9 and 1e11, lr 1.579e-3 [1.440e-3, 1.731e-3], batch 541.7 [495.8, 585.2]."""
    laws = optima.step_law()
    rng = np.random.default_rng(0)
    for name, columns, (low, median, high) in (
        ("lr", [np.log(1.0737e9 / 4e8), np.log(1e11 / 2e10)], (1.440e-3, 1.579e-3, 1.731e-3)),
        ("batch_tokens", [np.log(1e11 / 2e10)], (495.8 * SEQUENCE, 541.7 * SEQUENCE, 585.2 * SEQUENCE)),
    ):
        prior = laws[name].coefficients
        draws = rng.multivariate_normal(np.asarray(prior.mean), np.asarray(prior.covariance_matrix), 200_000)
        values = np.exp(draws @ np.array([1.0, *columns]))
        # The bootstrap is not exactly normal; the interval agrees to 1 %.
        assert np.quantile(values, [0.025, 0.5, 0.975]) == pytest.approx([low, median, high], rel=0.01)
    # centred: value and exponents are nearly uncorrelated
    assert laws["lr"].columns() == ("nonembedding_params", "tokens")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_prior(name: str) -> None:
    made = PRESETS[name]()
    assert made
    text = " ".join((PRESETS[name].__doc__ or "").split())
    assert "arXiv" in text
    assert any(words in text for words in ("chosen by us", "bootstrap", "priors of the authors' code"))
    law = bl.Penalised(Chinchilla, tuple(made), optima=made)
    check_stored(law)
    for coordinate, optimum in made.items():
        assert sites(optimum), coordinate
        assert sites(law.penalties[coordinate].optimum).keys() == sites(optimum).keys()
        assert f"{coordinate.removesuffix('_tokens')}" in text


@pytest.mark.parametrize("name", PRESETS)
@float64
def test_every_preset_can_be_fitted(name: str) -> None:
    """The density of a run is finite at prior draws, compiled: what a fit needs."""
    made = PRESETS[name]()
    joint = as_joint(bl.Penalised(Chinchilla, tuple(made), optima=made), None)
    columns = {one: jnp.full(1, POINTS[one]) for one in joint.columns()}

    @jax.jit
    def density(joint: Joint, key: jax.Array) -> jax.Array:
        return joint.fill(joint.sample_prior(key)).observe(columns).log_prob(jnp.full(1, 2.5))

    for seed in range(20):
        assert bool(jnp.isfinite(density(joint, jax.random.key(seed))).all())


@pytest.mark.parametrize("name", ["bjorck", "scion", "mist"])
def test_no_numbers_are_invented(name: str) -> None:
    with pytest.raises(bl.InputError, match="take its prior"):
        PRESETS[name](published=True)


def test_the_column_that_plays_n() -> None:
    assert optima.step_law("params")["lr"].columns() == ("params", "tokens")
    same = [
        optima.step_law(size, published=True)["lr"](**{size: 1e9, "tokens": 2e10})
        for size in ("params", "active_params")
    ]
    assert same[0] == same[1]
    with pytest.raises(bl.InputError, match="comes after 'tokens'"):
        optima.step_law("unique")
