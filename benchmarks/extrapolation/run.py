"""Forecasts of larger runs from smaller ones, on every public data set of a decade of compute or more.

    python benchmarks/extrapolation/run.py                # the tables, printed and put into docs/extrapolation.md
    python benchmarks/extrapolation/run.py chinchilla     # some of the data sets, printed

Of each data set the runs of the lower 50, 65 and 80 % of compute are fitted and those above forecast; the optimum at
three budgets in the top decade is compared with the one that the same method finds from all runs. Choices (kernel,
reach and priors of the misfit, laws of the stack) were made on the data sets in `data.DEVELOPMENT`.
Needs `pip install simple-scaling-laws`, and downloads the data once. Fixed seeds; the same tables every time.
"""

import argparse
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import AutoregressiveCompute, Chinchilla, Overtraining, RoutedMoE

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from baselines import simple_scaling_laws  # noqa: E402
from checking import KaplanHere  # noqa: E402
from data import DATA, DEVELOPMENT  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs" / "extrapolation.md"
BEGIN, END = "<!-- made by benchmarks/extrapolation/run.py -->\n", "<!-- end of what it made -->"
CUTS = (0.5, 0.65, 0.8)
SEED = 1
STACK = {"chinchilla": Chinchilla, "overtraining": Overtraining, "kaplan": KaplanHere}
WEIGHTS = {"chinchilla": 0.4, "overtraining": 0.4, "kaplan": 0.2}  # the last, without a floor, is there for its doubt
OURS, ONE, ALONE = "stack", "one law", "law alone"
BASELINES = "huber", "simple-scaling-laws", "power law"


class Fits:
    """The posteriors of one data set, each made once however many methods use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[Any, bl.Posterior] = {}

    def __call__(self, law: type, runs: pd.DataFrame) -> bl.Posterior:
        key = law, len(runs)  # cuts are nested
        with self._lock:
            if key not in self._found:
                self._found[key] = bl.fit(law, runs, method="importance", chains=2, seed=SEED, progress=False)
        return self._found[key]


def methods_of(runs: pd.DataFrame) -> dict[str, Callable[..., Any]]:
    """What is compared on one data set. `stack` is how the documentation says to ask about a much larger run."""
    fits = Fits()
    laws = {"routed": RoutedMoE} if "experts" in runs else STACK
    first = next(iter(laws.values()))

    def stacked(runs: pd.DataFrame) -> bl.Stack:
        weights = WEIGHTS if laws is STACK else dict.fromkeys(laws, 1.0)
        return bl.stack({name: bl.misfit(fits(law, runs)) for name, law in laws.items()}, weights=weights)

    found: dict[str, Callable[..., Any]] = {
        OURS: stacked,
        ONE: lambda runs: bl.misfit(fits(first, runs)),
        ALONE: lambda runs: bl.Forecaster.of(fits(first, runs), misfit=False),
        "huber": lambda runs, seed: bl.huber(first, runs, seed=seed),
        "power law": lambda runs: bl.Forecaster.of(fits(AutoregressiveCompute, runs), misfit=False),
    }
    if first is Chinchilla:
        found["simple-scaling-laws"] = simple_scaling_laws
    return found


def backtest(name: str) -> pd.DataFrame:
    """A row per method and cut."""
    runs = DATA[name]()
    asked = None if "experts" not in runs else False
    tested = bl.backtest(methods_of(runs), runs, split={"flops": CUTS}, decision=asked, seed=SEED, progress=True)
    for status in tested.status:
        print(name, status)
    frame = tested.summary(by="split").reset_index()
    cuts = dict(zip(frame["split"].unique(), CUTS, strict=True))
    return frame.assign(data=name, cut=frame["split"].map(cuts))


def pooled(frame: pd.DataFrame, what: str) -> pd.Series:
    """The mean over held-out runs, by method."""
    weighted = frame[what] * frame["forecasts"]
    return weighted.groupby(frame["forecaster"]).sum() / frame.groupby("forecaster")["forecasts"].sum()


def percent(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def report(frame: pd.DataFrame) -> str:
    """The tables, in Markdown."""
    order = [one for one in (OURS, ONE, ALONE, *BASELINES) if one in set(frame["forecaster"])]
    halves = {
        "Untouched data sets": frame[~frame["data"].isin(DEVELOPMENT)],
        "Development data sets": frame[frame["data"].isin(DEVELOPMENT)],
    }
    text = []
    for title, half in halves.items():
        if half.empty:
            continue
        names = list(half["data"].unique())
        by = half.groupby(["data", "forecaster"])
        cover, crps, width = (by[name].mean().unstack() for name in ("inside_90", "crps", "width_90"))
        shown = [one for one in order if one in cover]
        text.append(
            f"**{title}: share of held-out runs inside the 90 % interval (its width, in percent of the loss)**\n"
        )
        rows = [[n, *(_pair(percent(cover.loc[n, m]), width.loc[n, m]) for m in shown)] for n in names]
        mean = [_pair(percent(cover[m].mean()), width[m].mean()) for m in shown]
        all_runs = [percent(pooled(half, "inside_90")[m]) for m in shown]
        rows += [["mean over data sets", *mean], ["of all held-out runs", *all_runs]]
        text.append(table(["data", *shown], rows))
        text.append(f"**{title}: CRPS of ln loss, in percent; the lowest is bold**\n")
        rows = [[n, *(_bold(crps.loc[n], m) for m in shown)] for n in names]
        text.append(table(["data", *shown], rows))
        lower = half[half["cut"] == CUTS[0]].set_index(["data", "forecaster"])
        if lower["decision_inside"].notna().any():
            text.append(
                f"**{title}: from the lower half of compute, share of three budgets whose optimum (of the same method, "
                "from all runs) lies inside the 90 % interval (width / error of the median, in decades)**\n"
            )
            able = [m for m in shown if lower.xs(m, level="forecaster")["decision_inside"].notna().any()]
            rows = [[n, *(_decided(lower, n, m) for m in able)] for n in names if _asked(lower, n)]
            hits = [f"{_covered(lower, m)}" for m in able]
            text.append(table(["data", *able], [*rows, ["data sets with all three", *hits]]))
    return "\n".join(text)


def _pair(share: str, width: float) -> str:
    return f"{share} ({100 * width:.2g})" if share else ""


def _bold(row: pd.Series, method: str) -> str:
    value = row[method]
    shown = "" if np.isnan(value) else f"{100 * value:.2f}" if value < 1 else "> 100"
    return f"**{shown}**" if value == row.min() else shown


def _asked(lower: pd.DataFrame, name: str) -> bool:
    return bool(lower.loc[name]["decision_inside"].notna().any())


def _decided(lower: pd.DataFrame, name: str, method: str) -> str:
    row = lower.loc[(name, method)]
    return f"{percent(row['decision_inside'])} ({row['decision_width']:.2f} / {row['decision_miss']:.2f})"


def _covered(lower: pd.DataFrame, method: str) -> str:
    inside = lower.xs(method, level="forecaster")["decision_inside"].dropna()
    return f"{int((inside == 1).sum())} of {len(inside)}"


def put(text: str) -> None:
    """The tables into the documentation."""
    before, rest = DOCS.read_text().split(BEGIN)
    DOCS.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="DATA", help=f"some of {', '.join(DATA)}")
    parser.add_argument("--keep", type=Path, help="a CSV file to which the scores of each cut are written too")
    parser.add_argument("--kept", type=Path, help="make the tables from such a file")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(DATA)):
        parser.error(f"there is no data set {unknown[0]!r}; there are {', '.join(DATA)}.")
    warnings.filterwarnings("ignore", "this posterior is not a result yet")  # a status of the back-test
    if options.kept:
        put(report(pd.read_csv(options.kept)))
        return
    start, found = time.monotonic(), []
    for name in options.names or DATA:
        jax.clear_caches()  # or the compiled programs of all data sets use up the memory maps a process may have
        found.append(backtest(name))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        print(found[-1].groupby("forecaster")[["inside_90", "width_90", "crps"]].mean().to_string(), flush=True)
    frame = pd.concat(found, ignore_index=True)
    text = report(frame)
    print(text)
    if options.keep:
        frame.to_csv(options.keep, index=False)
    if not options.names:
        put(text)


if __name__ == "__main__":
    main()
