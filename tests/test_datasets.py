"""Data sets: numbers, cards, flags, checksums, and no network without being asked."""

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw import datasets
from bayeslaw.datasets import _gemstones, _porian
from bayeslaw.datasets._pickles import read_pickled
from bayeslaw.datasets._store import Remote


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


def test_steplaw_dense(steplaw: pd.DataFrame, usable: pd.DataFrame, cache: Path) -> None:
    assert len(steplaw) == 1911
    assert not steplaw.isna().any(axis=None)
    assert steplaw.diverged.dtype == bool
    assert steplaw.diverged.sum() == 181
    # the threshold does not matter: nothing ends near it
    assert steplaw.loss[~steplaw.diverged].max() == pytest.approx(3.1577, abs=1e-4)
    assert steplaw.loss[steplaw.diverged].min() == pytest.approx(4.1768, abs=1e-4)
    assert steplaw.loss.max() == pytest.approx(11.0928, abs=1e-4)
    # the batch is in tokens: the sequences of the file times 2048, and tokens = steps x batch
    assert (steplaw.batch_tokens.min(), steplaw.batch_tokens.max()) == (32768, 4194304)
    steps = pd.read_csv(cache / "steplaw" / "dense_lr_bs_loss.csv").ti
    np.testing.assert_allclose(steps * steplaw.batch_tokens, steplaw.tokens, rtol=3e-3)
    # the size leaves embeddings out: attention and gated feed-forward layers account for all of it
    counted = steplaw.n_layers * (4 * steplaw.d_model**2 + 3 * steplaw.d_model * steplaw.d_ff)
    np.testing.assert_array_equal(counted, steplaw.params)
    assert len(usable) == 1729
    assert not usable.diverged.any()
    assert list(usable.index) == list(range(1729))


def test_cells_of_steplaw_dense(steplaw: pd.DataFrame) -> None:
    cells = steplaw.groupby(["params", "tokens"])
    assert len(cells) == 17
    assert (cells.size().min(), cells.size().max()) == (47, 120)
    assert not steplaw.duplicated(["params", "tokens", "lr", "batch_tokens"]).any()
    # 14 learning rates a factor sqrt(2) apart, each written in one or two ways
    assert np.unique(np.round(2 * np.log2(steplaw.lr))).size == 14
    best = steplaw.loc[cells.loss.idxmin()].set_index(["params", "tokens"])
    assert best.loc[(214663680, 1e11), ["lr", "batch_tokens"]].to_list() == [0.007812, 1024 * 2048]
    assert best.loc[(1073741824, 2e10), ["lr", "batch_tokens"]].to_list() == [0.001381, 256 * 2048]
    assert best.loss[(214663680, 4e9)] == pytest.approx(2.621446, abs=1e-6)
    assert best.loss[(1073741824, 5.69e10)] == pytest.approx(2.120634, abs=1e-6)
    for name in ("lr", "batch_tokens"):  # inside the grid
        assert (best[name] > cells[name].min()).all()
        assert (best[name] < cells[name].max()).all()


def test_steplaw_moe(fetched: Callable[..., pd.DataFrame]) -> None:
    runs = fetched("steplaw_moe")
    cells = runs.groupby(["active_params", "tokens"])
    assert len(runs) == 708
    assert len(cells) == 16
    assert (cells.size().min(), cells.size().max()) == (40, 45)
    assert not runs.diverged.any()
    assert set(zip(runs.active_params, runs.experts, runs.experts_per_token, strict=True)) == {
        (187973632, 89, 1), (232579072, 88, 2), (590436352, 8, 1), (1241270272, 8, 3),
    }  # fmt: skip
    assert sorted(runs.tokens.unique()) == [2e9, 4e9, 8e9, 2e10]
    assert (runs.batch_tokens.min(), runs.batch_tokens.max()) == (65536, 1048576)
    assert cells.loss.min().min() == pytest.approx(2.178140, abs=1e-6)
    assert runs.loss.max() == pytest.approx(2.944246, abs=1e-6)


def test_misfitting(fetched: Callable[..., pd.DataFrame]) -> None:
    runs = fetched("misfitting")
    assert len(runs) == 261
    assert runs.dtypes.drop(["sweep", "doubtful"]).eq(float).all()
    assert (runs.batch_tokens == 1048576).all()
    np.testing.assert_allclose(6 * runs.params * runs.tokens, runs.flops, rtol=1e-9)
    assert (runs.loss.min(), runs.loss.max()) == pytest.approx((2.685065, 6.384352), abs=1e-6)
    # no flag `diverged`, because nothing did
    cell = ["params", "tokens"]
    assert "diverged" not in runs
    assert (runs.loss / runs.groupby(cell).loss.transform("min")).max() == pytest.approx(1.1058, abs=1e-4)
    assert runs.groupby(cell).lr.nunique().value_counts().to_dict() == {3: 77, 2: 2, 1: 1, 4: 1}
    # the doubtful rows are exactly those whose loss another row has too, 13 of 21 pairs under two learning rates
    assert runs.doubtful.sum() == 42
    pd.testing.assert_series_equal(runs.doubtful, runs.duplicated("loss", keep=False), check_names=False)
    assert (runs[runs.doubtful].groupby("loss").lr.nunique() == 2).sum() == 13
    sound = runs[~runs.doubtful]
    assert len(sound) == 219
    assert not sound.duplicated([*cell, "lr"]).any()


def test_checkpoints_of_misfitting(fetched: Callable[..., pd.DataFrame]) -> None:
    runs, every = fetched("misfitting"), fetched("misfitting", checkpoints=True)
    assert len(every) == 4852
    assert (every.batch_tokens == 1048576).all()
    beyond = every.tokens > every.planned_tokens
    assert beyond.sum() == 2
    assert every.doubtful[beyond].all()
    assert every.doubtful.sum() == 168 + 2
    # the finished runs are the checkpoints at the planned end
    final = every[every.tokens == every.planned_tokens].drop(columns="planned_tokens")
    pd.testing.assert_frame_equal(
        *(one.sort_values(list(runs.columns), ignore_index=True) for one in (runs, final)), check_exact=True
    )


def test_gemstones(fetched: Callable[..., pd.DataFrame]) -> None:
    points = fetched("gemstones")
    assert len(points) == 3850
    runs = points.groupby("run")
    assert (runs.size() == 175).all()
    assert len(runs) == 22
    assert len(points.drop_duplicates(["d_model", "n_layers", "params"])) == 22
    assert (points.batch_tokens == 4194304).all()
    assert (points.tokens.min(), points.tokens.max()) == (477 * 4194304, 83475 * 4194304)
    assert (points.params.min(), points.params.max()) == (48377600, 2007837696)
    assert (points.loss.min(), points.loss.max()) == pytest.approx((2.495360, 4.535723), abs=1e-6)
    rises = runs.loss.diff().nlargest(2)
    assert rises.to_list() == pytest.approx([0.0773, 0.0264], abs=1e-4)
    assert points.run[rises.index[0]] == "PyGemma-1024x28_pretrain"


def test_porian(fetched: Callable[..., pd.DataFrame]) -> None:
    points = fetched("porian")
    assert len(points) == 1748
    setting = ["source", "dataset", "hparams", "warmup", "decay", "param_count", "val"]
    assert len(points.drop_duplicates(setting)) == 15
    assert (points.groupby(setting).flops.nunique() == 12).all()
    assert points.missing.sum() == 3
    assert points.loc[points.missing, ["params", "tokens", "loss"]].isna().all(axis=None)
    assert (points.flops[points.missing] == 2.56e19).all()
    known = points[~points.missing]
    assert not known.isna().any(axis=None)
    np.testing.assert_allclose(6 * known.params * known.tokens, known.flops, rtol=1e-12)
    sizes = known.groupby([*setting, "flops"]).size()
    assert (sizes.min(), sizes.max()) == (5, 16)
    assert (known.loss.min(), known.loss.max()) == pytest.approx((2.651256, 10.085668), abs=1e-6)
    assert (known.tokens / known.params < 3).sum() == 632


def test_gemstones_from_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the converted table, the JSON lines are downloaded and read."""
    lines = tmp_path / "published.jsonl"
    lines.write_text(
        '{"run_name":"a-256x23","params_active_precise":48377600,"width":256,"depth":23,"tokens":2000683008,'
        '"step":477,"num_nodes":8,"seconds_per_step":0.5,"final_loss":4.25}\n'
        '{"run_name":"a-256x23","params_active_precise":48377600,"width":256,"depth":23,"tokens":4001366016,'
        '"step":954,"num_nodes":8,"seconds_per_step":0.5,"final_loss":4.0}\n'
    )
    asked = []
    monkeypatch.setattr(_gemstones, "fetch", lambda remote: asked.append(remote.place) or lines)
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path))
    points = bl.fetch_gemstones()
    assert asked == ["gemstones/wandb_df_for_fitting_hot_100b+_477.jsonl"]
    assert points.to_dict("list") == {
        "run": ["a-256x23"] * 2,
        "params": [48377600.0] * 2,
        "tokens": [2000683008.0, 4001366016.0],
        "batch_tokens": [4194304.0] * 2,
        "d_model": [256] * 2,
        "n_layers": [23] * 2,
        "loss": [4.25, 4.0],
    }


def _old_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A table without the string columns of pandas 3, as the published pickles are."""
    names = pd.Index(list(rows[0]), dtype=object)
    return pd.DataFrame([[row.get(name, np.nan) for name in names] for row in rows], columns=names, dtype=object)


def _settings(hparams: str) -> pd.DataFrame:
    def budget(flops: float, *params: float) -> dict[str, object]:
        size = pd.Series(params)
        return {"flops": np.float64(flops), "orig_n": size, "orig_t": flops / (6 * size), "orig_loss": 1e9 / size}

    data = _old_table([budget(1e17, 1e8, 2e8), budget(2e17, 4e8), {"flops": 4e17}])
    labels = {"dataset": "rw", "hparams": hparams, "warmup": "long", "decay": "const", "param_count": "kaplan"}
    return _old_table([{**labels, "val": "train", "data": data, "fit": {"a": np.array([0.5])}}])


def test_porian_from_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the converted table, four pickles are downloaded, read and laid out, one row per model and budget."""

    def fetch(remote: Remote) -> Path:
        path = tmp_path / Path(remote.place).name
        _settings(hparams=path.name).to_pickle(path)  # compressed as the name says
        return path

    monkeypatch.setattr(_porian, "fetch", fetch)
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path))
    points = bl.fetch_porian()
    sources = ["summary_df", "summary_df_owt2", "summary_df_att", "summary_df_kaplan_tuned_hparams"]
    assert points.source.to_list() == [source for source in sources for _ in range(4)]
    assert list(points.index) == list(range(16))
    assert (points.hparams == points.source + ".pickle.xz").all()
    assert (
        points[["dataset", "warmup", "decay", "param_count", "val"]].iloc[0]
        == ["rw", "long", "const", "kaplan", "train"]
    ).all()
    first = points[:4]
    assert first.flops.to_list() == [1e17, 1e17, 2e17, 4e17]
    assert first.missing.to_list() == [False, False, False, True]
    np.testing.assert_array_equal(first.params, [1e8, 2e8, 4e8, np.nan])
    np.testing.assert_array_equal(first.loss, [10.0, 5.0, 2.5, np.nan])
    np.testing.assert_allclose(6 * first.params * first.tokens, [1e17, 1e17, 2e17, np.nan])


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_tables_pickled_before_numpy_2_are_read(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "old.pickle.xz"
    _settings("base").to_pickle(path, protocol=protocol)
    if protocol == 3:  # names are plain lines there, so they can be put back to what they were
        text = lzma.decompress(path.read_bytes())
        assert b"numpy._core" in text
        path.write_bytes(lzma.compress(text.replace(b"numpy._core", b"numpy.core")))
    assert len(_porian._flatten(read_pickled(path), "old")) == 4


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("pandas.io.common", "os.system"),  # a package that is admitted, on the way to one that is not
        ("pandas", "read_pickle"),
        ("numpy", "memmap"),
    ],
)
def test_a_pickle_that_asks_for_more_than_a_table_is_refused(module: str, name: str, tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    mark = tmp_path / "mark"
    call = text(module) + text(name) + b"\x93" + text(f"touch {mark}") + b"\x85R."  # module.name("touch ...")
    path = tmp_path / "bad.pickle.xz"
    path.write_bytes(lzma.compress(b"\x80\x04" + call))
    with pytest.raises(bl.InputError, match=rf"bad\.pickle\.xz asks for {module}\.{name}, which a table does not need"):
        read_pickled(path)
    assert not mark.exists()


def test_the_held_out_cell() -> None:
    """The card: 117 runs, best 2.0762 at lr 1.381e-3 and 512 sequences."""
    cell = bl.load_steplaw_heldout()
    assert len(cell) == 117
    best = cell.loc[cell.loss.idxmin()]
    assert (best.loss, best.lr, best.batch_tokens) == (2.0762, 1.381e-3, 512 * 2048)
    assert cell.nonembedding_params.unique() == [1073741824.0]
    assert not cell.duplicated(["lr", "batch_tokens"]).any()
    assert cell.loss.mean() == pytest.approx(2.1204, abs=5e-3)


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
