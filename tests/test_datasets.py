"""Data sets: numbers, cards, flags, checksums, and no network without being asked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw import datasets


def test_shipped_runs() -> None:
    runs = bl.load_chinchilla()
    assert list(runs.columns) == ["params", "tokens", "flops", "loss"]
    assert len(runs) == 234
    np.testing.assert_allclose(6.0 * runs.params * runs.tokens, runs.flops, rtol=1e-8)
    assert runs.loss.min() == pytest.approx(2.077394)


def test_epoch_runs_and_their_outliers(epoch: pd.DataFrame) -> None:
    assert len(epoch) == 245
    assert epoch.outlier.sum() == 5
    assert epoch.loss[epoch.outlier].min() > epoch.loss[~epoch.outlier].max()
    # the card: they are also the five lowest tokens per parameter, 0.036 to 0.4045
    ratio = epoch.tokens / epoch.params
    assert ratio[epoch.outlier].max() == pytest.approx(0.4045, abs=1e-4)
    assert ratio[epoch.outlier].max() < ratio[~epoch.outlier].min()


def test_simulated_runs_say_so() -> None:
    made = bl.make_chinchilla(50, seed=3)
    assert len(made) == 50
    assert "simulated from Chinchilla" in made.attrs["simulated"]
    np.testing.assert_allclose(6 * made.params * made.tokens, made.flops)
    pd.testing.assert_frame_equal(made, bl.make_chinchilla(50, seed=3))
    with pytest.raises(bl.InputError, match="at least 1"):
        bl.make_chinchilla(0)


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_every_data_set_has_a_card_and_a_documented_function(name: str) -> None:
    card = datasets.card(name)
    assert card.startswith(f"# {name}:")
    assert "**A row**" in card
    assert datasets.DATASETS[name] in card
    assert getattr(datasets, datasets.DATASETS[name]).__doc__


def test_a_damaged_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with the wrong checksum is not used; offline, the sentence says where to put the right one."""
    import pooch

    def offline(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", offline)
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path))
    (tmp_path / "chinchilla_epoch").mkdir()
    target = tmp_path / "chinchilla_epoch" / "svg_extracted_data.csv"
    target.write_text("loss\n1.0\n")
    with pytest.raises(bl.InputError, match=r"not in the cache and could not be downloaded.*put it at .*svg_extracted"):
        bl.fetch_chinchilla_epoch()
