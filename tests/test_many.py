"""`fit_many`: the same posteriors as `fit`, in threads, on a cluster and from a folder."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.models import Chinchilla

RUNS = bl.load_chinchilla()
TABLES = {f"first {end}": RUNS[:end] for end in (200, 210, 220, 234)}
QUICK: dict[str, Any] = {"method": "importance", "draws": 250}


def assert_same(found: bl.Posterior, expected: bl.Posterior) -> None:
    assert found.draws.keys() == expected.draws.keys()
    for name, values in expected.draws.items():
        np.testing.assert_array_equal(found.draws[name], values)
    pd.testing.assert_frame_equal(found.runs, expected.runs)


@pytest.fixture(scope="module")
def expected() -> dict[str, bl.Posterior]:
    return {name: bl.fit(Chinchilla, runs, seed=i, **QUICK) for i, (name, runs) in enumerate(TABLES.items())}


def test_names_order_and_seeds(expected: dict[str, bl.Posterior]) -> None:
    seen: list[tuple[int, int]] = []
    found = bl.fit_many(Chinchilla, TABLES, progress=lambda *now: seen.append(now), **QUICK)
    assert list(found) == list(TABLES)
    assert seen[-1] == (4, 4)
    for name, posterior in expected.items():
        assert_same(found[name], posterior)
    listed = bl.fit_many(Chinchilla, list(TABLES.values()), workers=1, **QUICK)
    assert_same(listed[3], expected["first 234"])


def test_many_laws_on_one_table(expected: dict[str, bl.Posterior]) -> None:
    laws = {"centred": Chinchilla, "fixed": Chinchilla.prior()}
    found = bl.fit_many(laws, TABLES["first 200"], **QUICK)
    assert_same(found["centred"], expected["first 200"])
    pairs = bl.fit_many([Chinchilla, Chinchilla], [TABLES["first 200"], TABLES["first 210"]], **QUICK)
    assert_same(pairs[1], expected["first 210"])
    named = bl.fit_many(laws, {"fixed": TABLES["first 210"], "centred": TABLES["first 200"]}, **QUICK)
    assert_same(named["centred"], expected["first 200"])


def test_resumes_from_a_folder(expected: dict[str, bl.Posterior], tmp_path: Path) -> None:
    """What is done is read, what is not is fitted; other options, data or seeds are other fits."""

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bl.fit_many(Chinchilla, TABLES, folder=tmp_path, workers=1, progress=stop, **QUICK)
    done = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert len(done) == 2
    found = bl.fit_many(Chinchilla, TABLES, folder=tmp_path, **QUICK)
    assert len(list(tmp_path.iterdir())) == 4
    assert all(file.stat().st_mtime_ns == time for file, time in done.items())
    for name, posterior in expected.items():
        assert_same(found[name], posterior)
    bl.fit_many(Chinchilla, TABLES, folder=tmp_path, seed=1, **QUICK)  # another seed
    bl.fit_many(Chinchilla, [RUNS.assign(loss=RUNS.loss * 1.001)], folder=tmp_path, **QUICK)  # other data
    assert len(list(tmp_path.iterdir())) == 9


def test_on_a_cluster_whose_worker_is_killed(expected: dict[str, bl.Posterior], tmp_path: Path) -> None:
    """Two local Dask workers, of which one is killed: its fits are done anew, with the same draws."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with cluster, Client(cluster) as client, joblib.parallel_config(backend="dask"):
        victim, *_ = client.run(os.getpid).values()

        def kill(done: int, total: int) -> None:
            if done == 1:
                os.kill(victim, signal.SIGKILL)

        found = bl.fit_many(Chinchilla, TABLES, progress=kill, folder=tmp_path, **QUICK)
        assert victim not in client.run(os.getpid).values()
    assert len(list(tmp_path.iterdir())) == 4
    for name, posterior in expected.items():
        assert_same(found[name], posterior)


LONG = """
import signal, sys
import bayeslaw as bl
from bayeslaw.models import Chinchilla

runs = bl.load_chinchilla()
tables = [runs] * 3 if sys.argv[1] == "interrupt" else [runs, runs.drop(columns="loss")]
told = lambda done, total: signal.raise_signal(signal.SIGINT) if sys.argv[1] == "interrupt" and done == 1 else None
bl.fit_many(Chinchilla, tables, seed=1, draws=200_000, warmup=300, folder="fits", progress=told, workers=2)
"""


@pytest.mark.parametrize(("how", "last"), [("interrupt", "KeyboardInterrupt"), ("fail", "InputError: fit 1: column")])
def test_fits_that_still_run_are_ended(how: str, last: str, tmp_path: Path) -> None:
    """A process that exits while a thread computes is aborted; here it ends in order, and long before its fits would."""
    script = LONG if how == "fail" else LONG.replace("draws=200_000", "draws=500")
    done = subprocess.run([sys.executable, "-c", script, how], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "terminate called" not in done.stderr
    assert done.returncode == (1 if how == "fail" else -signal.SIGINT)
    assert any(line.startswith(last) or f".{last}" in line for line in done.stderr.splitlines())
    saved = list((tmp_path / "fits").glob("*.nc"))
    assert len(saved) == (0 if how == "fail" else 1)
    assert all(bl.load(one).ok for one in saved)  # what was done is kept, whole


def test_a_posterior_can_be_pickled(expected: dict[str, bl.Posterior]) -> None:
    again = pickle.loads(pickle.dumps(expected["first 200"]))
    assert_same(again, expected["first 200"])
    assert again.status == expected["first 200"].status


def test_what_is_no_result_is_named() -> None:
    options = {"method": "nuts", "draws": 20, "warmup": 20}
    with pytest.warns(UserWarning, match="1 of 1 posteriors are not results yet: short; see their status"):
        bl.fit_many(Chinchilla, {"short": RUNS}, **options)


@pytest.mark.parametrize(
    ("law", "runs", "options", "message"),
    [
        (Chinchilla, RUNS, {}, "needs a list or mapping of laws or of tables; for one law on one table use fit"),
        (Chinchilla, [], {}, "was given an empty list"),
        ([Chinchilla], [RUNS, RUNS], {}, r"there are 1 laws \(list\) and 2 tables \(list\)"),
        ([Chinchilla], {"a": RUNS}, {}, r"there are 1 laws \(list\) and 1 tables \(dict\)"),
        ({"a": Chinchilla}, {"b": RUNS}, {}, "paired by name, and a, b is only among one of them"),
        (Chinchilla, [RUNS], {"draw": 10}, "no option 'draw'; it passes chains, columns, draws"),
        (Chinchilla, [RUNS], {"workers": 0}, "workers must be a whole number of at least 1, got 0"),
        (
            [Chinchilla],
            [RUNS],
            {"method": "laplace"},
            "method must be one of nuts, importance, plain, got 'laplace'",
        ),
    ],
)
def test_what_cannot_be_fitted_is_said(law: Any, runs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.fit_many(law, runs, **options)
