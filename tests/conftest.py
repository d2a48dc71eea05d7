"""Shared data and posteriors: each fit is done once a session."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.models import Chinchilla

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A download cache filled from the optional folder `../shared/data` beside the checkout."""
    folder = tmp_path_factory.mktemp("cache")
    source = SHARED / "chinchilla_epoch" / "svg_extracted_data.csv"
    if source.is_file():
        (folder / "chinchilla_epoch").mkdir()
        shutil.copy(source, folder / "chinchilla_epoch")
    return folder


@pytest.fixture(scope="session")
def epoch(cache: Path) -> pd.DataFrame:
    """All 245 runs of `fetch_chinchilla_epoch()`."""
    if not any(cache.iterdir()):
        pytest.skip("Epoch AI's table is not at hand (no ../shared/data) and tests do not use the network")
    before = os.environ.get("BAYESLAW_DATA")
    os.environ["BAYESLAW_DATA"] = str(cache)
    try:
        return bl.fetch_chinchilla_epoch()
    finally:
        if before is None:
            del os.environ["BAYESLAW_DATA"]
        else:
            os.environ["BAYESLAW_DATA"] = before


@pytest.fixture(scope="session")
def epoch240(epoch: pd.DataFrame) -> pd.DataFrame:
    """The 240 runs that published refits use."""
    return epoch[~epoch.outlier]


@pytest.fixture(scope="session")
def posterior240(epoch240: pd.DataFrame) -> bl.Posterior:
    return bl.fit(Chinchilla, epoch240, seed=1)


@pytest.fixture(scope="session")
def posterior240_lognormal(epoch240: pd.DataFrame) -> bl.Posterior:
    return bl.fit(Chinchilla, epoch240, noise=bl.LogNormal, seed=1)


@pytest.fixture(scope="session")
def posterior245(epoch: pd.DataFrame) -> bl.Posterior:
    return bl.fit(Chinchilla, epoch, seed=1)


@pytest.fixture(scope="session")
def posterior245_lognormal(epoch: pd.DataFrame) -> bl.Posterior:
    return bl.fit(Chinchilla, epoch, noise=bl.LogNormal, seed=1)


@pytest.fixture(scope="session")
def posterior() -> bl.Posterior:
    """The shipped runs, for tests that only need a good posterior."""
    return bl.fit(Chinchilla, bl.load_chinchilla(), seed=1)
