"""What a law does not know: the formula, cells seen and new, and intervals that hold for a new cell."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw._tree import fill, float64
from bayeslaw.models import Chinchilla

TRUE = Chinchilla.published()["besiroglu2024"]
SIZES, DATA = np.geomspace(2e8, 2e9, 5), np.geomspace(4e9, 1e11, 5)


def grid(skip: tuple[int, int] | None = None, repeats: int = 6) -> pd.DataFrame:
    cells = [(n, d) for i, n in enumerate(SIZES) for j, d in enumerate(DATA) if (i, j) != skip]
    return pd.DataFrame(cells * repeats, columns=["params", "tokens"])


def world(seed: int, spread: float = 0.01) -> pd.DataFrame:
    """Every cell off the law by 1 % of its reducible loss, every run by 0.1 % more."""
    runs = grid()
    rng = np.random.default_rng(seed)
    offsets = {key: rng.normal() for key in sorted({*zip(runs.params, runs.tokens, strict=True)})}
    u = np.array([offsets[key] for key in zip(runs.params, runs.tokens, strict=True)])
    tuned = TRUE(params=runs.params, tokens=runs.tokens)
    truth = TRUE.E + (tuned - TRUE.E) * np.exp(spread * u)
    return runs.assign(loss=truth * np.exp(0.001 * rng.normal(size=len(runs))), truth=truth)


@float64
def test_formula() -> None:
    table = grid()
    law = bl.Discrepant(TRUE, table)
    assert len(law.cells["params"]) == 25
    assert law.centre["params"] == pytest.approx(np.exp(np.log(SIZES).mean()))
    offsets = jnp.arange(26.0)
    law = fill(law, {"bend.params.tokens": 0.02, "spread": 0.003, "offsets": offsets})
    for params, tokens, u in ((SIZES[0], DATA[0], 0.0), (SIZES[1], DATA[2], 7.0), (3e9, 5e10, 25.0)):
        tuned = float(TRUE(params=params, tokens=tokens))
        bent = 0.02 * np.log(params / law.centre["params"]) * np.log(tokens / law.centre["tokens"])
        expected = TRUE.E + (tuned - TRUE.E) * np.exp(bent + 0.003 * u)
        assert float(jax.jit(lambda n, d: law.mean(params=n, tokens=d))(params, tokens)) == pytest.approx(
            expected, rel=1e-12
        )


def left_out(seed: int, skip: tuple[int, int]) -> tuple[bl.Posterior, bool]:
    """A fit without one cell, and whether the 90 % interval of the mean function holds that cell."""
    runs = world(seed)
    out = (runs.params == SIZES[skip[0]]) & (runs.tokens == DATA[skip[1]])
    seen, cell = runs[~out][["params", "tokens", "loss"]], runs[out].iloc[0]
    law = bl.Discrepant(Chinchilla, seen)
    posterior = advised_fit(law, seen, chains=2, draws=1000, warmup=500, seed=1, target_accept=0.95)
    found = bl.predict(posterior, {"params": cell.params, "tokens": cell.tokens}).summary(0.9)
    lower, upper = found.iloc[0][["lower", "upper"]]
    assert upper - lower > 0.01 * (cell.truth - TRUE.E)  # not narrower than a cell's own offset
    return posterior, bool(lower <= cell.truth <= upper)


@pytest.mark.slow
def test_intervals_hold_for_new_cells() -> None:
    """Four worlds, a cell of each left out. The law alone would miss: its 90 % intervals are a tenth of the offsets."""
    held = [left_out(seed, skip)[1] for seed, skip in enumerate(((0, 4), (2, 2), (3, 1), (4, 4)))]
    assert sum(held) >= 3  # at 90 %, two or fewer of four has a chance of 5 %


def test_fits_decides_and_is_saved(tmp_path: Path) -> None:
    posterior, _ = left_out(3, (4, 4))
    assert posterior.ok, posterior.status
    spread = posterior.summary(0.98).loc["spread"]
    assert spread.lower < 0.01 < spread.upper
    assert not any("cannot inform" in str(one) or "offsets" in str(one) for one in posterior.status)
    posterior.save(tmp_path / "fit.nc")
    again = bl.predict(bl.load(tmp_path / "fit.nc"), {"params": 5e9, "tokens": 1e11}).draws["loss"]
    np.testing.assert_array_equal(again, bl.predict(posterior, {"params": 5e9, "tokens": 1e11}).draws["loss"])
    # A constant offset of all new cells does not move an optimum, and there is no formula for it any more.
    plan = bl.allocate(posterior, flops=1e21)
    assert 10 < float(plan.draws["tokens_per_param"].median()) < 60
    with pytest.raises(bl.InputError, match="no closed form"):
        bl.allocate(posterior, flops=1e21, method="closed_form")


def test_bad_input() -> None:
    with pytest.raises(bl.InputError, match="column 'tokens'"):
        bl.Discrepant(Chinchilla, {"params": [1e9]})
    with pytest.raises(bl.InputError, match="works in logarithms, and 'x' is 0 in some run"):
        bl.Discrepant(Chinchilla, {"params": [1e9], "x": [0.0]}, by=("params", "x"))
    with pytest.raises(bl.InputError, match="Discrepant wraps a law and needs its runs"):
        bl.Discrepant.prior()
