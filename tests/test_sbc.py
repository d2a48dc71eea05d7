"""Simulation-based calibration: uniform where all is right, an alarm where it is not, and nothing done twice."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayeslaw as bl
from bayeslaw import _sbc
from bayeslaw._sbc import holm
from bayeslaw.models import LAWS, Chinchilla

DESIGN = {"params": np.geomspace(5e7, 2e10, 12).repeat(2), "tokens": np.geomspace(2e9, 5e11, 24)[::-1]}
QUICK: dict[str, Any] = {"draws": 150, "warmup": 300}  # 600 draws, of which 99 are used


class Louder(dist.LogNormal):
    """It draws with twice the scale that its density has."""

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        return jnp.exp(self.loc + 2 * (jnp.log(super().sample(key, sample_shape)) - self.loc))


class Understated(bl.LogNormal):
    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return Louder(jnp.log(mean), self.scale)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sbc")


@pytest.fixture(scope="module")
def found(folder: Path) -> bl.Calibration:
    return bl.sbc(Chinchilla, DESIGN, noise=bl.LogNormal, flops=1e22, worlds=24, folder=folder, **QUICK)


def test_where_all_is_right_nothing_is_wrong(found: bl.Calibration) -> None:
    names = ["E", "a", "alpha", "b", "beta", "noise.scale", "log density", "optimum: params"]
    assert list(found.ranks.columns) == names
    assert found.ranks.shape == (24, 8)
    assert found.ranks.to_numpy().min() >= 0
    assert found.ranks.to_numpy().max() <= 99
    assert found.ok, found
    # 24 worlds: the share in a 90 % interval has a standard error of 0.061.
    assert (found.summary()["held_90"] > 0.9 - 4 * 0.061).all()


def test_a_noise_that_is_not_what_it_says_is_found(folder: Path) -> None:
    """Its scale is estimated as twice what it is: the truth is below nearly all draws."""
    wrong = bl.sbc(Chinchilla, DESIGN, noise=Understated, worlds=20, **QUICK)
    assert not wrong.ok
    assert any("the ranks of noise.scale are not uniform" in str(one) for one in wrong.status)
    table = wrong.summary()
    assert table["bias"]["noise.scale"] < -0.4
    assert table["held_90"]["noise.scale"] < 0.2


def test_what_was_found_is_kept_and_added_to(
    found: bl.Calibration, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = folder.glob("Chinchilla-*.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 24
    file.write_text("".join(lines[:-1]) + lines[-1][:20])  # as if it ended while writing
    told: list[tuple[int, int]] = []
    fits: list[int] = []
    fit = _sbc.quiet_fit
    monkeypatch.setattr(_sbc, "quiet_fit", lambda *args, **options: (fits.append(1), fit(*args, **options))[1])
    again = bl.sbc(
        Chinchilla, DESIGN, noise=bl.LogNormal, flops=1e22, worlds=25, folder=folder, workers=1,
        progress=lambda *now: told.append(now), **QUICK,
    )  # fmt: skip
    assert len(fits) == 2
    assert (told[0], told[-1]) == ((23, 25), (25, 25))
    assert again.ranks[:24].equals(found.ranks)  # the one that was lost is found again, the same in one worker
    other = bl.sbc(Chinchilla, DESIGN, noise=bl.LogNormal, worlds=20, folder=folder, **QUICK)
    assert "optimum: params" not in other.ranks
    assert len(list(folder.glob("*.jsonl"))) == 2  # another question, another file


def test_worlds_that_cannot_be_fitted_are_counted() -> None:
    """Losses below zero are none: with a floor near it and a wide scale they come up."""
    law = Chinchilla.prior()
    near = Chinchilla(E=dist.LogNormal(-4.0, 0.3), a=law.a, alpha=law.alpha, b=law.b, beta=law.beta)
    found = bl.sbc(near, DESIGN, noise=bl.Normal(scale=dist.LogNormal(-1.5, 1.0)), worlds=6, **QUICK)
    refused = found.worlds["refused"]
    assert 1 <= (refused != "").sum() < 6
    assert len(found.pit) == 6 - (refused != "").sum()
    assert not found.ok
    assert "worlds could not be fitted and are not in the ranks, the first because" in str(found.status[0])
    assert "worlds are too few for a test" in str(found.status[-1])


def test_holm_is_that_of_the_paper() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worlds": 0}, "worlds is how many are drawn from the prior, one or more; got 0"),
        ({"flops": [1e21, 1e22]}, "ranked in one scenario, here are 2: give single values"),
        ({"decision": "optimal"}, "optimal"),
    ],
)
def test_what_cannot_be_asked_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.sbc(Chinchilla, DESIGN, **options)


def test_the_picture_marks_what_is_not_uniform(found: bl.Calibration) -> None:
    ranks = found.ranks.assign(E=(found.ranks["E"] / 3).round())
    worlds = found.worlds
    ax = bl.plots.plot_calibration(bl.Calibration(ranks, worlds, ()))
    wrong = [one for one in ax.lines if one.get_color() == "#D55E00"]
    assert [str(one.get_label()).split(" ")[0] for one in wrong] == ["E"]
    assert len(ax.lines) == 8 + 1  # and the level of uniform ones


@pytest.mark.trust
def test_laws_of_every_kind_of_noise_and_wrapper(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A look at what `python benchmarks/calibration.py` does at length, for all laws."""
    script = Path(__file__).parents[1] / "benchmarks" / "calibration.py"
    names = ["Chinchilla", "Coverage", "OurRevisions", "Overtraining", "Observational", "Penalised", "Pooled"]
    done = subprocess.run(
        [sys.executable, script, *names, "--worlds", "24", "--folder", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("`")[1] for line in done.stdout.splitlines() if line.startswith("| `")] == names
    record_property("kind", "Laws and wrappers in 24 worlds of their own each")
    record_property("results", len(names))


def test_every_law_is_in_the_table_of_the_documentation() -> None:
    """And none of them is marked wrong; `python benchmarks/calibration.py --write` makes it."""
    text = (Path(__file__).parents[1] / "docs" / "calibration.md").read_text(encoding="utf-8")
    named = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert set(named) >= {law.__name__ for law in LAWS} | {"Penalised", "Pooled", "Discrepant"}
    assert "**wrong**" not in text
