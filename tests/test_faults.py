"""Faults from outside: processes that are killed, caches that are shared, full or read-only, settings of the user's own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.models import Chinchilla

pytestmark = [
    pytest.mark.trust,
    pytest.mark.filterwarnings("ignore:this posterior is not a result yet"),
]  # of few draws

Record = Callable[[str, object], None]

SAVES = """
import sys
import bayeslaw as bl
one, other = bl.load(sys.argv[1]), bl.load(sys.argv[2])
print("ready", flush=True)
while True:
    one.save(sys.argv[3])
    other.save(sys.argv[3])
"""
FITS = """
import hashlib, sys
import bayeslaw as bl
from bayeslaw.models import Chinchilla
runs, found = bl.load_chinchilla(), hashlib.sha256()
posterior = bl.fit(Chinchilla, runs, draws=200, warmup=200, seed=5, workers=int(sys.argv[1]))
many = bl.fit_many(Chinchilla, [runs, runs.iloc[::2]], draws=100, warmup=100, seed=5, workers=int(sys.argv[1]))
plan = bl.allocate(posterior, flops=[1e22, 1e24])
for one in (posterior, *many):
    for name, values in sorted(one.draws.items()):
        found.update(values.tobytes())
found.update(plan.summary().to_csv().encode())
print(found.hexdigest())
"""
LONG = """
import hashlib, sys
import bayeslaw as bl
from bayeslaw.models import Chinchilla
runs, found = bl.load_chinchilla(), hashlib.sha256()
tables = [runs.iloc[i : i + 60] for i in range(0, 160, 10)]
for one in bl.fit_many(Chinchilla, tables, draws=100, warmup=100, seed=5, folder=sys.argv[1], progress=False):
    for name, values in sorted(one.draws.items()):
        found.update(values.tobytes())
print(found.hexdigest())
"""
FETCHES = """
import hashlib, sys, time
import pooch
from bayeslaw.datasets._store import Remote, fetch

CONTENT = b"params,loss\\n" + b"1e9,2.5\\n" * 20_000

class Slow:
    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, url, output_file, pooch, **kwargs):
        for at in range(0, len(CONTENT), len(CONTENT) // 20):
            output_file.write(CONTENT[at : at + len(CONTENT) // 20]) if hasattr(output_file, "write") else open(
                output_file, "ab"
            ).write(CONTENT[at : at + len(CONTENT) // 20])
            time.sleep(0.05)

pooch.core.choose_downloader = lambda *args, **kwargs: Slow()
path = fetch(Remote("some/runs.csv", "a/b/c", hashlib.sha256(CONTENT).hexdigest()))
assert path.read_bytes() == CONTENT
print("whole")
"""
FULL = """
import resource, signal, sys, warnings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import bayeslaw as bl
from bayeslaw.models import Chinchilla
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a write beyond a kilobyte fails, as on a full disk
posterior = bl.fit(Chinchilla, bl.load_chinchilla(), draws=200, warmup=200, seed=5, progress=False)
print(posterior.draws["alpha"].shape)
try:
    posterior.save(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
"""
OWN = """
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", {x64})
jax.config.update("jax_default_matmul_precision", "bfloat16")
names = [name for name in jax.config.values if name != "jax_compilation_cache_dir" and "cache" not in name]
before = {{name: jax.config.values[name] for name in names}}
import bayeslaw as bl
from bayeslaw.models import Chinchilla
posterior = bl.fit(Chinchilla, bl.load_chinchilla(), draws=200, warmup=200, seed=5, progress=False)
assert all(values.dtype == np.float64 for values in posterior.draws.values())
plan = bl.allocate(posterior, flops=1e24)
assert {{name: jax.config.values[name] for name in names}} == before
assert jnp.asarray(1.0).dtype == ("float64" if {x64} else "float32")
print(repr(float(posterior.draws["alpha"].mean())), repr(float(plan.draws["params"].mean())))
"""


def start(program: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.split("\n")[-2]


def test_killed_while_saving(tmp_path: Path, record_property: Record) -> None:
    """Whenever that is, the file is one of the two that were to be there, whole."""
    golden, kills = Path(__file__).parent / "golden" / "format_1.nc", 20
    one = bl.load(golden)
    other = bl.fit(Chinchilla, bl.load_chinchilla(), method="importance", draws=100)
    one.save(tmp_path / "one.nc")
    other.save(tmp_path / "other.nc")
    target = tmp_path / "target.nc"
    one.save(target)
    rng, found = np.random.default_rng(0), []
    for _ in range(kills):
        process = start(SAVES, tmp_path / "one.nc", tmp_path / "other.nc", target)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        found.append(set(bl.load(target).draws))
    assert all(names in (set(one.draws), set(other.draws)) for names in found)
    record_property("kind", "Killed while saving a fit")
    record_property("results", kills)


def test_same_seed_same_numbers(tmp_path: Path, record_property: Record) -> None:
    """In processes of their own, whatever the number of workers and the order of sets."""
    place = {"BAYESLAW_COMPILATION_CACHE": str(tmp_path)}
    found = {output(start(FITS, n, PYTHONHASHSEED=str(n), **place)) for n in (1, 2, 3)}
    assert len(found) == 1
    record_property("kind", "Processes with 1, 2 and 3 workers, the same to the last bit")
    record_property("results", 3)


def test_a_long_job_that_is_killed(tmp_path: Path, record_property: Record) -> None:
    """Again and again: what it had fitted is not fitted again, and the end is the same."""
    place = {"BAYESLAW_COMPILATION_CACHE": str(tmp_path / "programs")}
    whole = output(start(LONG, tmp_path / "whole", **place))
    folder, rng, kills = tmp_path / "killed", np.random.default_rng(0), 0
    written: dict[Path, int] = {}
    while True:
        written |= {file: file.stat().st_mtime_ns for file in folder.glob("*.nc") if file not in written}
        process = start(LONG, folder, **place)
        while process.poll() is None and len(list(folder.glob("*.nc"))) < len(written) + 5:
            time.sleep(0.01)
        if process.poll() is not None:
            break
        time.sleep(rng.uniform(0.0, 0.1))
        process.kill()
        process.communicate()
        kills += 1
    assert output(process) == whole
    assert kills
    assert len(written) >= 5
    assert {file: file.stat().st_mtime_ns for file in written} == written
    record_property("kind", "Long jobs killed, and going on")
    record_property("results", kills)


def test_a_cache_that_is_damaged_or_cannot_be_used(tmp_path: Path, record_property: Record) -> None:
    """Costs the time of compiling again, and no more."""
    folder, blocked, rng = tmp_path / "programs", tmp_path / "file", np.random.default_rng(0)
    blocked.write_text("no folder")
    whole = output(start(FITS, 1, BAYESLAW_COMPILATION_CACHE=str(folder)))
    programs = [file for file in folder.rglob("*-cache") if file.is_file()]
    assert len(programs) > 10
    for i, file in enumerate(programs):
        content = bytearray(file.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        file.write_bytes((content, content[: len(content) // 2], b"")[i % 3])
    assert output(start(FITS, 1, BAYESLAW_COMPILATION_CACHE=str(folder))) == whole
    assert output(start(FITS, 1, BAYESLAW_COMPILATION_CACHE=str(blocked))) == whole
    record_property("kind", "Damaged programs in a cache, and a cache that is none")
    record_property("results", len(programs) + 1)


def test_processes_that_share_caches(tmp_path: Path, record_property: Record) -> None:
    """All begin with the same empty folders, at the same time."""
    place = {"BAYESLAW_COMPILATION_CACHE": str(tmp_path / "programs"), "BAYESLAW_DATA": str(tmp_path / "data")}
    fetching = [start(FETCHES, **place) for _ in range(4)]
    assert [output(one) for one in fetching] == ["whole"] * 4
    fitting = [start(FITS, 1, **place) for _ in range(3)]
    assert len({output(one) for one in fitting}) == 1
    assert [file.name for file in (tmp_path / "data" / "some").iterdir()] == ["runs.csv"]
    record_property("kind", "Processes that fill the same caches at once")
    record_property("results", 7)


def test_a_full_disk(tmp_path: Path, record_property: Record) -> None:
    """A fit needs none; saving fails as whole as it succeeds."""
    folder = tmp_path / "fits"
    folder.mkdir()
    process = start(FULL, folder / "fit.nc", BAYESLAW_COMPILATION_CACHE=str(tmp_path / "programs"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.split() == ["(4,", "200)", "OSError"]
    assert list(folder.iterdir()) == []
    record_property("kind", "Disks that are full, for programs and fits")
    record_property("results", 1)


def test_settings_of_the_user_are_left_alone(record_property: Record) -> None:
    """And change no number: single precision and cheap products are for others."""
    assert len({output(start(OWN.format(x64=x64))) for x64 in (False, True)}) == 1
    record_property("kind", "Settings of JAX that are the user's")
    record_property("results", 2)
