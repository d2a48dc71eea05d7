"""Repeated sampling with the checkpoints of Pythia: successes and trials per problem."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from bayeslaw._errors import InputError
from bayeslaw.datasets._store import Remote, converted, fetch

_REPOSITORY = (
    "RylanSchaeffer/KoyejoLab-Large-How-Do-Language-Monkey-Power-Get-Their-Power/"
    "cd078aef2a13e4310fab204860b99c4c39c25d40/data"
)
_ORIGIN = f"{_REPOSITORY}/raw_data/large_language_monkeys"
_CURVES = {
    "gsm8k": Remote(
        "monkeys_pass_at_k/gsm8k_pass_at_k.parquet",
        _ORIGIN,
        "48a79ead300b0ac41db1b8091861ed6d4e3093d100514e6677482ca31e8f5e3d",
    ),
    "math": Remote(
        "monkeys_pass_at_k/math_pass_at_k.parquet",
        _ORIGIN,
        "2527fbab2e2467c9dc145a09235cc5b25c290b0cd35b63f1535bedb22696ee80",
    ),
    "original": Remote(
        "monkeys_pass_at_k/large_language_monkeys_original_pass_at_k.parquet",
        f"{_REPOSITORY}/processed_data",
        "2ca92cfcb9b074981b39ae3b6448bd7ae6b24e9db695e448b16eb7398dd41d15",
    ),
}
_TABLES = {
    "gsm8k": (
        "monkeys_pass_at_k/gsm8k_counts.csv",
        "fa6149e7d6f2e6c76b756c30ce66c8a665e664d6e53fa512e7387ac08c94f66b",
    ),
    "math": ("monkeys_pass_at_k/math_counts.csv", "eac42c74bb4e1faf316b18b38f314aa8beea90434aa2cefa09946f3a2545de66"),
    "original": (
        "monkeys_pass_at_k/original_llmonkeys_counts.csv",
        "917147f658b73a6157bd2abfa7420b81216348b77a1eae1f10d311db1f4bfe4c",
    ),
}
# The names of the original study's table, and those of the other two.
_NAMES = {"Model": "Model Nickname", "Problem Idx": "prompt_idx", "Scaling Parameter": "k", "Score": "pass@k"}
_FINISHED = "300B"  # tokens of a finished model of the family, which the original study's names leave out
_UNITS = {"M": 1e6, "B": 1e9}


def fetch_monkeys(benchmark: str = "gsm8k") -> pd.DataFrame:
    """Successes of repeated sampling per problem and Pythia checkpoint (Schaeffer et al. 2025, arXiv 2502.17578).

    `benchmark` is gsm8k (10,273 rows, 81 checkpoints, up to 130 problems), math (9097 rows, 72 checkpoints, up to
    128) or original: the answers of Large Language Monkeys (Brown et al. 2024, arXiv 2407.21787) to MATH, 7
    finished models, 128 problems, 10,000 answers each. Columns: model (name_size_tokens), params and tokens
    (nominal, as in the name), problem (index in the benchmark), level (math only: 1 to 5), trials (samples drawn),
    successes (right ones). Hard problems of the first two were sampled longer, so trials depend on the outcome: use
    a binomial likelihood, not the raw shares. No licence is stated: downloaded on first use, as parquet, which
    needs pyarrow. Raises `InputError` when it is neither cached nor reachable.
    """
    if benchmark not in _TABLES:
        raise InputError(f"there is no benchmark {benchmark!r}; there are {', '.join(_TABLES)}.")
    table = converted(*_TABLES[benchmark])
    raw = pd.read_csv(table) if table is not None else _counts(fetch(_CURVES[benchmark]))
    names = raw["model"].str.replace(" ", "_") + (f"_{_FINISHED}" if benchmark == "original" else "")
    size = names.str.extract(r"_([\d.]+)([MB])_([\d.]+)([MB])$")
    columns = {
        "model": names,
        "params": (size[0].astype(float) * size[1].map(_UNITS)).round(),
        "tokens": (size[2].astype(float) * size[3].map(_UNITS)).round(),
        "problem": raw["problem"],
    }
    if "level" in raw:
        columns["level"] = raw["level"].str.removeprefix("Level ").astype(int)
    columns |= {"trials": raw["n_samples"].astype(float), "successes": raw["n_correct"].astype(float)}
    return pd.DataFrame(columns)


def _counts(path: Path) -> pd.DataFrame:
    """One row per model and problem from the published curves, which have one row per k as well.

    The two counts are known by what they must satisfy, successes / trials = pass@1 in every row, not by their names.
    """
    try:
        curves = pd.read_parquet(path)
    except ImportError as error:
        raise InputError("reading parquet needs pyarrow: pip install 'bayeslaw[parquet]'.") from error
    curves = curves.rename(columns=_NAMES)
    missing = {"Model Nickname", "prompt_idx", "k", "pass@k"} - set(curves.columns)
    if missing:
        raise InputError(f"{path.name} has no column {', '.join(sorted(missing))}; it is not the table expected.")
    first = curves[curves["k"] == 1].reset_index(drop=True)
    share = np.asarray(first["pass@k"], dtype=float)
    others = first.select_dtypes("number").drop(columns=["k", "pass@k", "prompt_idx"], errors="ignore")
    numbers = {name: np.asarray(others[name], dtype=float) for name in others.columns}
    pairs = [
        (trials, successes)
        for trials, successes in permutations(numbers, 2)
        if np.all((numbers[trials] >= 1) & (numbers[trials] % 1 == 0))
        and np.all(np.abs(numbers[successes] - share * numbers[trials]) < 1e-3)
    ]
    if len(pairs) != 1:
        raise InputError(f"{path.name} has no two columns, or several, whose ratio is pass@1; it is not read.")
    trials, successes = pairs[0]
    found = {
        "model": first["Model Nickname"],
        "problem": first["prompt_idx"],
        "n_samples": first[trials],
        "n_correct": first[successes],
    }
    level = [name for name in first.columns if str(name).lower() == "level"]
    return pd.DataFrame(found | ({"level": first[level[0]]} if level else {}))
