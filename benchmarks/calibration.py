"""Is it right about its own uncertainty? Simulation-based calibration of every law, wrapper and noise.

    python benchmarks/calibration.py                        # all, 200 worlds each: four hours on two cores
    python benchmarks/calibration.py Chinchilla Pooled      # some of them
    python benchmarks/calibration.py --worlds 20            # a look
    python benchmarks/calibration.py --write                # and puts the table into docs/calibration.md

What is found is kept in a folder (`--folder`, calibration/ when left out); a second call goes on from there. Parameters
are drawn from the prior of each law, runs from them at a design of 48 runs (more where a law has many labels), and the
truth is ranked among the draws of the posterior. The test is of all quantities of all laws together: the chance that
anything is marked wrong where all is right is 1 %. It ends with 1 where something is.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw import models as m
from bayeslaw._joint import as_joint
from bayeslaw._sbc import holm

PAGE = Path(__file__).parents[1] / "docs" / "calibration.md"
BEGIN, END = "<!-- calibration: made by benchmarks/calibration.py -->\n", "<!-- end of calibration -->"
HEAD = (
    "| law | noise | decision | worlds | quantities | least p, of all | 90 % intervals hold | refused | not ok |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)
ALARM = 0.01
RUNS = 48

# Where a column of a design lies: spread evenly in its logarithm where it is positive. A list: one of these.
RANGES: dict[str, Any] = {
    "params": (3e7, 3e10), "nonembedding_params": (3e7, 3e10), "active_params": (3e7, 3e9),
    "average_params": (3e7, 3e9), "total_params": (3e9, 3e10), "tokens": (1e9, 1e12), "unique_tokens": (1e8, 1e11),
    "flops": (1e18, 1e22), "steps": (1e3, 1e5), "batch_tokens": (1e5, 1e7), "lr": (2e-4, 2e-2),
    "aspect_ratio": (20, 200), "ff_ratio": (2, 6), "kv_size": [64.0, 128.0], "loss": (2.2, 4.5),
    "capability": (0.05, 0.6), "trials": [500.0], "ensemble_size": [1.0, 2, 3, 5, 8],
    "samples": [1.0, 4, 16, 64, 256], "size_ratio": [1.0, 3, 10], "chain_ratio": [0.1, 0.5, 1, 2, 8, 64],
    "prm_score": (20, 80), "after_tokens": (500, 2e4), "cap_tokens": [32000.0], "inference_flops": (1e12, 1e16),
    "activation_ratio": (0.01, 0.5), "granularity": [1.0, 2, 4, 8, 16], "experts": [1.0, 2, 4, 8, 16, 32],
    "sparsity": (0.1, 0.95), "visual_tokens": [1.0, 4, 16, 36, 144, 576], "teacher_steps": (1e4, 1e5),
    "student_steps": (3e4, 3e5), "datastore_tokens": (1e8, 1e12), "relative_compute": (0.3, 4),
    "bits": [2.0, 3, 4, 6, 8], "qat_fraction": (0.02, 0.9), "tokens_per_byte": (30, 3e4), "vocab_size": (4e3, 2e5),
    "d_model": (512, 4096), "bits_weights": [4.0, 6, 8, 16], "bits_activations": [4.0, 6, 8, 16],
    "bits_kv": [4.0, 6, 8, 16], "bits_post": [3.0, 4, 5, 6], "bit_operations": (1e10, 1e13), "upstream": (0.3, 1.0),
    "width": [1.0, 2, 4, 8], "iterations": [1.0, 2, 3, 5], "peak_flops": [1e14, 3e14, 1e15],
    "memory_ratio": (0.1, 2), "network_ratio": (0.05, 1), "documents": [1.0, 10, 50, 200], "shots": [1.0, 4, 16],
    "document_value": (0.2, 2), "shot_value": (0.1, 1), "attempts": [4.0, 8], "generated_tokens": (200, 2e4),
    "verifications": [1.0, 2, 4, 8, 16],
}  # fmt: skip
ONE_ANSWER = lambda runs: runs.assign(samples=1.0)  # rows are problems, whose single answers are counted
SPECIAL: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "Coverage": ONE_ANSWER, "CoverageBySize": ONE_ANSWER, "TrainToTestCoverage": ONE_ANSWER,
    "OurVerification": lambda runs: runs[runs.counted != "chosen"].drop(columns=["samples", "verifications"]),
}  # fmt: skip
MANY = {"OurKinetics": 96, "OurGraph": 96, "OurPipeline": 96, "InferenceError": 96, "QAT": 96, "MIST": 96}

# What is given to the first decision of a law.
GIVEN: dict[str, Any] = {
    "flops": 1e22, "unique_tokens": 2e10, "sparsity": 0.5, "trials": 2000.0, "total_params": 8e9, "train_flops": 1e21,
    "inference_flops": 1e14, "sample_tokens": 300.0, "generations": 64.0, "prm_score": 60.0, "window_tokens": 1000.0,
    "least_saving": 0.1, "experts": 8.0, "params": 3e9, "d_model": 2048.0, "n_layers": 24.0, "params_limit": 1e12,
    "query_tokens": 50.0, "steps": 2e5, "tokens": 7e10, "active_params": 1e9, "nonembedding_params": 2e9,
    "sample_budget": 64.0, "verdict_cost": 1.0, "context_limit": 1e5, "document_tokens": 500.0, "shot_tokens": 1000.0,
    "document_value": 0.5, "shot_value": 0.2, "answer_value": 10.0, "attempts": 6.0, "draft_cost": 0.05,
    "check_cost": 0.0, "step_overhead": 0.0, "relative_compute": 2.0, "bits": 4.0, "bits_post": 4.0,
    "bit_operations": 2e11,
    "requests_per_second": 60.0, "prompt_tokens": 1e3, "generated_tokens": 300.0, "budget_units": 80.0,
}  # fmt: skip
NO_DECISION = {"Downstream"}  # its first question reads the columns of the law before it


class Case(NamedTuple):
    """What is calibrated: a law with its prior, a noise (its own when left out), whose design."""

    law: Any
    noise: Any = None
    design: Callable[[], pd.DataFrame] | None = None


def design(law: Any, noise: Any = None, seed: int = 0) -> pd.DataFrame:
    """Runs one might make for a law, without their response."""
    rng, name = np.random.default_rng(seed), type(law).__name__
    count, labels = MANY.get(name, RUNS), law.categories()
    columns = {}
    for one in as_joint(law, noise).columns():
        if one in labels:
            columns[one] = np.resize(np.array(labels[one], dtype=object), count)[rng.permutation(count)]
            continue
        where = RANGES[one]
        if isinstance(where, list):
            columns[one] = np.resize(where, count)[rng.permutation(count)]
        else:
            even = (rng.permutation(count) + rng.uniform(size=count)) / count
            columns[one] = np.exp(np.log(where[0]) + np.log(where[1] / where[0]) * even)
    return SPECIAL.get(name, lambda runs: runs)(pd.DataFrame(columns))


def cases() -> dict[str, Case]:
    """Every law; every wrapper and noise, on Chinchilla's."""
    found = {law.__name__: Case(law.prior()) for law in m.LAWS}
    found["OurKinetics"] = Case(m.OurKinetics.prior(problems=6))  # each problem has a parameter
    plain = design(m.Chinchilla.prior())
    corpora = plain.assign(corpus=np.resize(["a", "b", "c", "d"], RUNS))
    sweep = plain.assign(
        lr=design(m.MIST.prior())["lr"][:RUNS], batch_tokens=design(m.MIST.prior())["batch_tokens"][:RUNS]
    )
    found["Penalised"] = Case(bl.Penalised(m.Chinchilla.prior(), ("lr", "batch_tokens")), None, lambda: sweep)
    found["Pooled"] = Case(bl.Pooled(m.Chinchilla.prior(), corpora, by="corpus"), None, lambda: corpora)
    cells = pd.concat([plain[:12]] * 4, ignore_index=True)
    found["Discrepant"] = Case(bl.Discrepant(m.Chinchilla.prior(), cells, by=("params", "tokens")), None, lambda: cells)
    for noise in (bl.LogNormal, bl.Normal, bl.AdditiveT, bl.MeanLogNormal, bl.OneSided, bl.UntunedT):
        found[f"Chinchilla, {noise.__name__}"] = Case(m.Chinchilla.prior(), noise, lambda: plain)
    return found


def asked(case: Case) -> dict[str, Any]:
    """What is given to the first decision, by name; nothing where it is not ranked."""
    law = case.law
    name, decisions = type(law).__name__, law.decisions()
    if not decisions or name in NO_DECISION:
        return {}
    targets = {
        "loss": 2.6,
        "accuracy": 0.5,
        "error": 0.6,
        "capability": 0.5,
        "nonembedding_params": 1e9,
        "params": 1e10,
    }
    labels, first = law.categories(), next(iter(decisions))
    own = {"target": targets.get(as_joint(law, case.noise).response, 0.5), "corpus": "a"}
    given = {
        one: labels[one][0] if one in labels else own[one] if one in own else GIVEN[one]
        for one in decisions[first].given
    }
    return {"decision": first, **given}


def calibrate(name: str, case: Case, worlds: int, folder: Path) -> tuple[bl.Calibration, float]:
    table = case.design() if case.design is not None else design(case.law, case.noise)
    begun, drawn = time.perf_counter(), worlds
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = bl.sbc(case.law, table, noise=case.noise, worlds=drawn, folder=folder, **asked(case))
        # Refused for its runs alone, a world says nothing of the ranks: as many more are drawn.
        lacking = worlds - len(found.pit)
        if not lacking or drawn >= 2 * worlds:
            return found, time.perf_counter() - begun
        drawn += lacking


def row(name: str, case: Case, found: bl.Calibration, p_all: pd.Series) -> str:
    table, least = found.summary(), p_all.min()
    refused, poor = failures(found)
    held = table["held_90"]
    cells = (
        f"`{name.split(',')[0]}`", f"`{type(as_joint(case.law, case.noise).noise).__name__}`",
        asked(case).get("decision", "-"), str(len(found.pit)), str(len(table)),
        f"{least:.2g}" + (" **wrong**" if least < ALARM else ""), f"{held.min():.0%} to {held.max():.0%}",
        str(len(refused) or "-"), str(poor or "-"),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def failures(found: bl.Calibration) -> tuple[pd.Series, int]:
    """Why worlds were refused, and how many posteriors are no results."""
    refused = found.worlds["refused"][found.worlds["refused"] != ""]
    return refused, int((~found.worlds["ok"]).sum()) - len(refused)


def said(name: str, found: bl.Calibration, seconds: float) -> str:
    refused, poor = failures(found)
    table = found.summary()
    worst = table.index[table["p"].argmin()] if len(table) else ""
    least = f"; least p {table['p'][worst]:.2g} ({worst})" if worst else ""
    text = f"{name}: {len(found.pit)} worlds, {seconds:.0f} s, {poor} not ok, {len(refused)} refused{least}"
    return "\n".join([text, *(f"    refused {count}: {why}" for why, count in refused.value_counts()[:2].items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = cases()
    parser.add_argument("names", nargs="*", metavar="NAME", help="laws, wrappers and noises; default: all")
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("calibration"))
    parser.add_argument("--write", action="store_true", help="put the table into docs/calibration.md")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no {min(unknown)!r}; there are {'; '.join(known)}.")
    done: dict[str, tuple[bl.Calibration, float]] = {}
    for name in options.names or known:
        try:
            done[name] = calibrate(name, known[name], options.worlds, options.folder)
        except bl.InputError as error:
            print(f"{name}: {error}", flush=True)
            continue
        print(said(name, *done[name]), flush=True)
        jax.clear_caches()  # the programs of all laws are more than a process may map
    p = pd.concat({name: found.summary()["p"] for name, (found, _) in done.items()})
    p_all = pd.Series(holm(p.to_numpy()), p.index)
    table = HEAD + "".join(row(name, known[name], done[name][0], p_all[name]) for name in done)
    print(table)
    if options.write:
        before, after = PAGE.read_text().split(BEGIN)[0], PAGE.read_text().split(END)[1]
        PAGE.write_text(before + BEGIN + table + END + after)
    if wrong := p_all.index[p_all < ALARM].tolist():
        sys.exit(f"not uniform: {'; '.join(' '.join(one) for one in wrong)}.")


if __name__ == "__main__":
    main()
