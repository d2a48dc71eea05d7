"""How long a fit takes, side by side: this library, NumPyro, PyMC, PyMC + nutpie, BlackJAX, scipy with a bootstrap.

    python benchmarks/speed.py              # all contenders on Chinchilla's runs, three processes each
    python benchmarks/speed.py many         # 200 fits of tables of one size, ours against nutpie's compiled model
    python benchmarks/speed.py rows         # seconds, effective draws and memory from 1e2 to 1e5 runs
    python benchmarks/speed.py chains       # and with the number of chains

Needs pymc, nutpie, numba and blackjax beside the library; contenders that are not installed are left out. Each prints a
table in Markdown; docs/speed.md has them. A figure is the median of three; only ratios of one run mean anything, for
machines differ and a busy one slows all.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
from contenders import CHAINS, CONTENDERS, DRAWS

FITS = 3


def tables(count: int, rows: int = 240) -> list[pd.DataFrame]:
    """Made-up tables with the spread of Chinchilla's runs, from the same truth."""
    import bayeslaw as bl

    runs = bl.load_chinchilla()
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        design = runs[["params", "tokens"]].sample(rows, replace=True, random_state=seed)
        mean = 1.82 + 0.36 * (design.params / 1e9) ** -0.348 + 0.38 * (design.tokens / 1e11) ** -0.366
        found.append(design.assign(loss=mean * np.exp(0.005 * rng.standard_t(5, rows))).reset_index(drop=True))
    return found


def measure(name: str) -> dict[str, Any]:
    """One process: the first fit with its imports, and further fits of other data of the same shape."""
    data = json.loads(os.environ["BENCHMARK_TABLES"])
    runs = [pd.read_csv(path) for path in data]
    start = time.perf_counter()
    contender = CONTENDERS[name]()
    contender.fit(runs[0], 0)
    first = time.perf_counter() - start
    seconds, cpu, found = [], [], []
    for seed, table in enumerate(runs[1:], 1):
        start, used = time.perf_counter(), time.process_time()
        found.append(contender.fit(table, seed))
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # before ArviZ is loaded
    if hasattr(contender, "ess"):
        ess = [contender.ess(table, seed) for seed, table in enumerate(runs[1:], 1)]
    else:
        ess = [_least_ess(draws) for draws, _ in found]
    gradients = [count / one for (_, count), one in zip(found, ess, strict=True)]
    return {"first": first, "second": seconds, "cpu": cpu, "ess": ess, "gradients": gradients, "memory": memory}


def _least_ess(draws: dict[str, np.ndarray]) -> float:
    from arviz_stats.base.array import array_stats

    return min(float(array_stats.ess(array, chain_axis=0, draw_axis=1, method="bulk")) for array in draws.values())


def in_process(name: str, files: list[str], cache: str) -> dict[str, Any]:
    environment = {**os.environ, "BENCHMARK_TABLES": json.dumps(files), "BAYESLAW_COMPILATION_CACHE": cache}
    command = [sys.executable, __file__, "measure", "--contender", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _installed(name: str) -> bool:
    try:
        CONTENDERS[name]()
    except ImportError:
        return False
    return True


def versions() -> str:
    found = []
    for name in ("bayeslaw", "jax", "numpyro", "pymc", "nutpie", "blackjax", "scipy"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {', '.join(found)}."


def chinchilla() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, table in enumerate(tables(FITS + 1)):
            files.append(f"{folder}/{i}.csv")
            table.to_csv(files[-1], index=False)
        for name in [name for name in CONTENDERS if _installed(name)]:
            ours = name.startswith("bayeslaw")
            cold = [in_process(name, files, tempfile.mkdtemp(dir=folder)) for _ in range(FITS)]
            warm = [in_process(name, files, f"{folder}/warm") for _ in range(FITS + 1)][1:] if ours else []
            both = cold + warm
            second, cpu, ess, gradients = (
                statistics.median(value for one in both for value in one[what])
                for what in ("second", "cpu", "ess", "gradients")
            )
            rows.append({
                "": name,
                "first fit, s": statistics.median(one["first"] for one in cold),
                "warm cache, s": statistics.median(one["first"] for one in warm) if ours else np.nan,
                "second fit, s": second,
                "CPU-s": cpu,
                "min bulk ESS": ess,
                "ESS/s": ess / second,
                "gradients/ESS": gradients,
                "peak GiB": statistics.median(one["memory"] for one in both),
            })  # fmt: skip
            print(rows[-1], file=sys.stderr)
    print(f"240 runs, {CHAINS} x {DRAWS} draws. {versions()}\n")
    print(_markdown(rows))


def many() -> None:
    count = 200
    data = tables(count)
    rows = []
    for name in ("bayeslaw, NUTS", "bayeslaw, importance", "PyMC + nutpie"):
        if not _installed(name):
            continue
        contender = CONTENDERS[name]()
        contender.fit(data[0], 0)
        singles = []
        for i in range(1, 4):
            start = time.perf_counter()
            contender.fit(data[i], i)
            singles.append(time.perf_counter() - start)
        start = time.perf_counter()
        if hasattr(contender, "fit_many"):
            contender.fit_many(data)
        else:
            for i, table in enumerate(data):
                contender.fit(table, i)
        rows.append(
            {"": name, "one fit, s": statistics.median(singles), f"{count} fits, s": time.perf_counter() - start}
        )
        print(rows[-1], file=sys.stderr)
    print(f"{count} tables of 240 runs. {versions()}\n")
    print(_markdown(rows))


def scaling(what: str) -> None:
    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    rows = []
    for size in (100, 1000, 10_000, 100_000) if what == "rows" else (1, 2, 4, 8, 16):
        data = tables(1, size if what == "rows" else 240)[0]
        options = {"chains": 4 if what == "rows" else size, "progress": False}
        bl.fit(Chinchilla, data, **options)
        start, used = time.perf_counter(), time.process_time()
        found = bl.fit(Chinchilla, data, seed=1, **options)
        rows.append({
            what: size,
            "second fit, s": time.perf_counter() - start,
            "CPU-s": time.process_time() - used,
            "min bulk ESS": found.summary().ess_bulk.min(),
            "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        })  # fmt: skip
        print(rows[-1], file=sys.stderr)
    print(f"{versions()}\n")
    print(_markdown(rows))


def _markdown(rows: list[dict[str, Any]]) -> str:
    def shown(value: Any) -> str:
        if not isinstance(value, float):
            return str(value)
        return "" if np.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.2g}"

    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    return "\n".join([*lines, *("| " + " | ".join(map(shown, row.values())) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", default="chinchilla", choices=["chinchilla", "many", "rows", "chains", "measure"]
    )
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.what == "measure":
        print(json.dumps(measure(given.contender)))
    elif given.what == "chinchilla":
        chinchilla()
    elif given.what == "many":
        many()
    else:
        scaling(given.what)


if __name__ == "__main__":
    main()
