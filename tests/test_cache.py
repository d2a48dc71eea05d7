"""Compiled programs on disk: found again by another process, switched off, or kept where the user says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import jax
import bayeslaw as bl
from bayeslaw.models import Chinchilla
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name) if "cache_hits" in name else None)
bl.fit(Chinchilla, bl.load_chinchilla(), chains=2, draws=100, warmup=100, progress=False)
print(len(hits), jax.config.jax_compilation_cache_dir)
"""
SETTING = """
import jax
{before}
from bayeslaw._cache import use_cache
use_cache()
print(jax.config.jax_compilation_cache_dir)
"""


def fit_in_a_process(hash_seed: int, **environment: str) -> tuple[int, str]:
    """How many programs it found on disk, and where it keeps them."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    count, _, folder = done.stdout.split("\n")[-2].partition(" ")
    return int(count), folder


@pytest.mark.slow
def test_another_process_compiles_nothing_again(tmp_path: Path) -> None:
    """Whatever the order of its sets of strings: NumPyro flattens distributions in such an order, `Joint` does not."""
    place = {"BAYESLAW_COMPILATION_CACHE": str(tmp_path)}
    assert fit_in_a_process(1, **place)[0] == 0
    programs = {file.name for file in tmp_path.rglob("*-cache")}
    assert {"jit_climb", "jit__advance", "jit_prior_draws"} <= {name.split("-")[0] for name in programs}
    found, folder = fit_in_a_process(2, **place)
    assert found >= len(programs)
    assert folder.startswith(str(tmp_path))
    assert {file.name for file in tmp_path.rglob("*-cache")} == programs


@pytest.mark.parametrize(
    ("before", "environment", "folder"),
    [
        ("", {"BAYESLAW_COMPILATION_CACHE": "off"}, "None"),
        ("jax.config.update('jax_compilation_cache_dir', '/tmp/mine')", {}, "/tmp/mine"),
        ("", {"BAYESLAW_COMPILATION_CACHE": "/proc/nowhere"}, "None"),
    ],
    ids=["off", "the user's own", "not writable"],
)
def test_where_programs_are_kept(before: str, environment: dict[str, str], folder: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "BAYESLAW_"))}
    done = subprocess.run(
        [sys.executable, "-c", SETTING.format(before=before)],
        env={**environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [folder]
    assert ("cannot be written to" in done.stderr) == ("/proc/nowhere" in environment.values())
