"""How long a fit takes, side by side: this library, NumPyro, PyMC, PyMC + nutpie, BlackJAX, scipy with a bootstrap.

    python benchmarks/speed.py                  # all contenders on the four posteriors of problems.py
    python benchmarks/speed.py penalised        # on one of them: chinchilla, penalised, pooled, farseer
    python benchmarks/speed.py many             # 200 fits of tables of one size, ours against nutpie's compiled model
    python benchmarks/speed.py rows             # seconds, effective draws and memory from 1e2 to 1e5 runs
    python benchmarks/speed.py chains           # and with the number of chains
    python benchmarks/speed.py gpu              # importance sampling, NUTS and allocations on the CPU and on a GPU

Needs pymc, nutpie, numba and blackjax beside the library; contenders that are not installed are left out. Each prints a
table in Markdown; docs/speed.md has them. A figure is the median of three further fits in a process, or of three
processes (one for contenders whose first fit nobody asks about); only ratios of one run mean anything, for machines
differ and a busy one slows all.
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
import warnings
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
from contenders import CHAINS, CONTENDERS, DRAWS
from problems import PROBLEMS

FITS = 3
CHIEF = ("bayeslaw, NUTS", "bayeslaw, importance", "PyMC + nutpie")  # those measured with a warm cache too


def tables(count: int, rows: int | None = None, problem: str = "chinchilla") -> list[pd.DataFrame]:
    """Made-up tables from one truth."""
    chosen = PROBLEMS[problem]
    return [chosen.table(seed, rows or chosen.runs) for seed in range(count)]


def measure(problem: str, name: str) -> dict[str, Any]:
    """One process: the first fit with its imports, and further fits of other data of the same shape."""
    runs = [pd.read_csv(path) for path in json.loads(os.environ["BENCHMARK_TABLES"])]
    start = time.perf_counter()
    contender = CONTENDERS[name](problem)
    contender.fit(runs[0], 0)
    first = time.perf_counter() - start
    seconds, cpu, found, worth = [], [], [], []
    for seed, table in enumerate(runs[1:], 1):
        start, used = time.perf_counter(), time.process_time()
        found.append(contender.fit(table, seed))
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
        worth.append(getattr(contender, "worth", None))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # before ArviZ is loaded
    both = [_diagnosed(draws) for draws, _ in found]
    ess = [one if one is not None else least for one, (least, _) in zip(worth, both, strict=True)]
    gradients = [count / one for (_, count), one in zip(found, ess, strict=True)]
    r_hat = [np.nan if one is not None else most for one, (_, most) in zip(worth, both, strict=True)]
    return {
        "first": first, "second": seconds, "cpu": cpu, "ess": ess, "gradients": gradients, "r_hat": r_hat,
        "memory": memory,
    }  # fmt: skip


def _diagnosed(draws: dict[str, np.ndarray]) -> tuple[float, float]:
    """The least bulk ESS and the largest R-hat."""
    from arviz_stats.base.array import array_stats

    axes: Any = {"chain_axis": 0, "draw_axis": 1}
    ess = min(float(np.min(array_stats.ess(array, method="bulk", **axes))) for array in draws.values())
    return ess, max(float(np.max(array_stats.rhat(array, **axes))) for array in draws.values())


def in_process(problem: str, name: str, files: list[str], cache: str) -> dict[str, Any]:
    """`measure` in a process of its own, with compiled programs of all libraries kept in a folder of its own."""
    environment = {
        **os.environ, "BENCHMARK_TABLES": json.dumps(files), "BAYESLAW_COMPILATION_CACHE": cache,
        "PYTENSOR_FLAGS": f"base_compiledir={cache}/pytensor", "NUMBA_CACHE_DIR": f"{cache}/numba",
    }  # fmt: skip
    command = [sys.executable, __file__, "measure", "--problem", problem, "--contender", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{problem}, {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _able(name: str, problem: str) -> bool:
    """Whether a contender is installed and has an answer to the problem."""
    try:
        CONTENDERS[name](problem)
    except (ImportError, NotImplementedError):
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


def single(problem: str) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, table in enumerate(tables(FITS + 1, problem=problem)):
            files.append(f"{folder}/{i}.csv")
            table.to_csv(files[-1], index=False)
        for name in [name for name in CONTENDERS if _able(name, problem)]:
            times = FITS if name in CHIEF and problem == "chinchilla" else 1
            cold = [in_process(problem, name, files, tempfile.mkdtemp(dir=folder)) for _ in range(times)]
            warm = []
            if name in CHIEF:
                kept = tempfile.mkdtemp(dir=folder)
                warm = [in_process(problem, name, files, kept) for _ in range(times + 1)][1:]
            both = cold + warm
            second, cpu, ess, gradients, r_hat = (
                statistics.median(value for one in both for value in one[what])
                for what in ("second", "cpu", "ess", "gradients", "r_hat")
            )
            rows.append({
                "": name,
                "first fit, s": statistics.median(one["first"] for one in cold),
                "warm cache, s": statistics.median(one["first"] for one in warm) if warm else np.nan,
                "second fit, s": second,
                "CPU-s": cpu,
                "min bulk ESS": ess,
                "ESS/s": ess / second,
                "gradients/ESS": gradients,
                "max R-hat": f"{r_hat:.3f}" if np.isfinite(r_hat) else "",
                "peak GiB": statistics.median(one["memory"] for one in both),
            })  # fmt: skip
            print(rows[-1], file=sys.stderr, flush=True)
    print(f"{problem}: {PROBLEMS[problem].runs} runs, {CHAINS} x {DRAWS} draws. {versions()}\n")
    print(f"{_markdown(rows)}\n", flush=True)


def many() -> None:
    count = 200
    data = tables(count)
    rows = []
    for name in ("bayeslaw, NUTS", "bayeslaw, importance", "PyMC + nutpie"):
        if not _able(name, "chinchilla"):
            continue
        contender = CONTENDERS[name]("chinchilla")
        ours = hasattr(contender, "fit_many")
        contender.fit(data[0], 0)
        singles: dict[bool, list[float]] = {True: [], False: []}
        for i in range(6):
            start = time.perf_counter()
            contender.fit(data[1 + i], i, **({"workers": 1} if ours and i % 2 else {}))
            singles[i % 2 == 1].append(time.perf_counter() - start)
        alone, in_one = (statistics.median(singles[one]) for one in (False, True))
        start = time.perf_counter()
        if ours:
            contender.fit_many(data)
        else:
            for i, table in enumerate(data):
                contender.fit(table, i)
        total = time.perf_counter() - start
        rows.append({
            "": name,
            "one fit, s": alone,
            "in one thread, s": in_one if ours else np.nan,
            f"{count} fits, s": total,
            "times one in one thread / cores": total / count / in_one * (os.cpu_count() or 1) if ours else np.nan,
        })  # fmt: skip
        print(rows[-1], file=sys.stderr)
    print(f"{count} tables of 240 runs. {versions()}\n")
    print(_markdown(rows))


def scaling(what: str) -> None:
    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    rows = []
    for size in (100, 1000, 10_000, 100_000) if what == "rows" else (1, 2, 4, 8, 16):
        data = tables(1, size if what == "rows" else None)[0]
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


def gpu() -> None:
    """Seconds of second calls. A chain is a sequence of small steps: a GPU helps where each has many runs."""
    import jax

    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    sizes = (240, 100_000)
    data = {size: tables(8, size) for size in sizes}
    rows = []
    for kind in ("cpu", "gpu"):
        device = jax.devices(kind)[0]
        jax.config.update("jax_default_device", device)
        row: dict[str, Any] = {"": device.device_kind}
        for size in sizes:
            weighted = {"method": "importance", "progress": False}
            short = {"chains": 1, "draws": 100, "warmup": 100, "progress": False}
            row[f"importance, {size} runs"] = _second(Chinchilla, data[size][:3], weighted)
            row[f"NUTS, 1 x (100 + 100), {size} runs"] = _second(Chinchilla, data[size][:3], short)
            start = time.perf_counter()
            bl.fit_many(Chinchilla, data[size], method="importance", progress=False)
            row[f"fit_many, 8 x {size} runs"] = time.perf_counter() - start
        posterior = bl.fit(Chinchilla, data[240][0], method="importance", progress=False)
        budgets = np.geomspace(1e20, 1e26, 50)
        bl.allocate(posterior, flops=budgets)
        start = time.perf_counter()
        bl.allocate(posterior, flops=budgets * 1.1)
        rows.append(row | {"allocate, 4000 draws x 50 budgets": time.perf_counter() - start})
    print(f"{versions()}\n")
    print(_markdown(rows))


def _second(law: Any, data: list[pd.DataFrame], options: dict[str, Any]) -> float:
    import bayeslaw as bl

    seconds = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this posterior is not a result yet")  # too short, on purpose
        for seed, table in enumerate(data):
            start = time.perf_counter()
            bl.fit(law, table, seed=seed, **options)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def _markdown(rows: list[dict[str, Any]]) -> str:
    def shown(value: Any) -> str:
        if not isinstance(value, float):
            return str(value)
        return "" if np.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.2g}"

    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    return "\n".join([*lines, *("| " + " | ".join(map(shown, row.values())) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = ["all", *PROBLEMS, "many", "rows", "chains", "gpu", "measure"]
    parser.add_argument("what", nargs="?", default="all", choices=what)
    parser.add_argument("--problem", help=argparse.SUPPRESS)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.what == "measure":
        print(json.dumps(measure(given.problem, given.contender)))
    elif given.what in ("all", *PROBLEMS):
        for problem in PROBLEMS if given.what == "all" else [given.what]:
            single(problem)
    elif given.what == "many":
        many()
    elif given.what == "gpu":
        gpu()
    else:
        scaling(given.what)


if __name__ == "__main__":
    main()
