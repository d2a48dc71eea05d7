"""Shared data and posteriors: each fit is done once a session."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw import datasets
from bayeslaw.models import Chinchilla

SHARED = Path(__file__).parents[2] / "shared" / "data"

# What each data set needs in the cache; `../shared/data` beside the checkout has the same layout.
FILES = {
    "chinchilla_epoch": ["chinchilla_epoch/svg_extracted_data.csv"],
    "double_descent": ["double_descent/nakkiran_double_descent.csv", "double_descent/nanogpt_n_embd.csv"],
    "farseer": ["farseer/1222_full.csv"],
    "gemstones": ["gemstones/hot_100b_plus.csv"],
    "learning_curves": ["revisiting_benchmark/benchmark.lang.csv", "revisiting_benchmark/benchmark.vision.csv"],
    "misfitting": ["misfitting/scaling_results.csv", "misfitting/scaling_results_last_ckpt_only.csv"],
    "monkeys": [
        "monkeys_pass_at_k/gsm8k_counts.csv",
        "monkeys_pass_at_k/math_counts.csv",
        "monkeys_pass_at_k/original_llmonkeys_counts.csv",
    ],
    "porian": ["porian/runs_isoflop.csv"],
    "steplaw_dense": ["steplaw/dense_lr_bs_loss.csv"],
    "steplaw_moe": ["steplaw/moe_lr_bs_loss.csv"],
    "visual_tokens_ocr": ["llava_token_compression/scores.csv"],
    "vocabulary": ["vocab_scaling/exp_data.csv"],
}
# What only tests read.
ONLY_TESTS = ["monkeys_pass_at_k/models.csv"]


@pytest.fixture(autouse=True, scope="module")
def forget_programs() -> Iterator[None]:
    """Drop compiled programs before they use up the memory maps a process may have (65,530 on Linux by default): the
    compiler does not survive that."""
    yield
    maps = Path("/proc/self/maps")
    if maps.is_file() and len(maps.read_bytes().splitlines()) > 20_000:
        jax.clear_caches()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A download cache filled from the optional folder `../shared/data` beside the checkout."""
    folder = tmp_path_factory.mktemp("cache")
    for file in (*(file for files in FILES.values() for file in files), *ONLY_TESTS):
        if (SHARED / file).is_file():
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(SHARED / file, folder / file)
    return folder


@pytest.fixture(scope="session")
def fetched(cache: Path) -> Callable[..., pd.DataFrame]:
    """`fetched("steplaw_dense")`: that data set from the cache, read once a session; skips when it is not at hand."""

    @functools.cache
    def fetched(name: str, **options: bool | str) -> pd.DataFrame:
        missing = [file for file in FILES[name] if not (cache / file).is_file()]
        if missing:
            pytest.skip(f"{missing[0]} is not at hand (no ../shared/data) and tests do not use the network")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BAYESLAW_DATA", str(cache))
            return getattr(datasets, datasets.DATASETS[name])(**options)

    return fetched


@pytest.fixture(scope="session")
def steplaw(fetched: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """The 1911 dense runs of Step Law, with the size called params."""
    return fetched("steplaw_dense").rename(columns={"nonembedding_params": "params"})


@pytest.fixture(scope="session")
def usable(steplaw: pd.DataFrame) -> pd.DataFrame:
    """The 1729 of them that end within a factor 1.2 of the best loss of their (params, tokens) cell."""
    best = steplaw.groupby(["params", "tokens"]).loss.transform("min")
    return steplaw[steplaw.loss <= 1.2 * best].reset_index(drop=True)


@pytest.fixture(scope="session")
def epoch(fetched: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """All 245 runs of `fetch_chinchilla_epoch()`."""
    return fetched("chinchilla_epoch")


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
