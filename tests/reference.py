"""Reference posteriors: three laws on shipped runs, sampled at length, as summary statistics with their Monte Carlo errors.

    python tests/reference.py        # makes golden/reference.json again, in minutes

tests/test_reference.py holds every way of fitting against them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_stats  # noqa: F401  # gives data sets `azstats`
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw import datasets
from bayeslaw.models import Chinchilla, DataConstrained, RoutedMoE

FILE = Path(__file__).parent / "golden" / "reference.json"
LAWS = {
    "Chinchilla": (Chinchilla, datasets.load_chinchilla),
    "DataConstrained": (DataConstrained, datasets.load_data_constrained),
    "RoutedMoE": (RoutedMoE, datasets.load_routed_lms),
}
STATISTICS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "mean": (np.mean, {"method": "mean"}),
    "sd": (np.std, {"method": "sd"}),
    "q5": (lambda values: np.quantile(values, 0.05), {"method": "quantile", "prob": 0.05}),
    "median": (np.median, {"method": "median"}),
    "q95": (lambda values: np.quantile(values, 0.95), {"method": "quantile", "prob": 0.95}),
}


def statistics(posterior: bl.Posterior) -> pd.DataFrame:
    """A row per parameter and statistic: its `value` and `error`, the Monte Carlo standard error."""
    draws = posterior.tree["posterior"].to_dataset()
    weighted = posterior.tree.attrs.get("method") == "importance"
    found = {}
    for what, (value, options) in STATISTICS.items():
        errors = _bootstrap(draws, value) if weighted else draws.azstats.mcse(**options)
        for name, values in draws.items():
            found[str(name), what] = {"value": float(value(values)), "error": float(errors[name])}
    return pd.DataFrame(found).T.rename_axis(["parameter", "statistic"])


def _bootstrap(draws: Any, value: Callable[[Any], Any], times: int = 200) -> dict[str, float]:
    """The same of draws by importance, of which one of large weight is there many times: all of it comes or goes."""
    rng, table = np.random.default_rng(0), np.stack([one.to_numpy().ravel() for one in draws.values()])
    distinct, which = np.unique(table[0], return_inverse=True)
    counts = rng.multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)), times)[:, which]
    found = [[float(value(np.repeat(row, one))) for row in table] for one in counts]
    return dict(zip(map(str, draws), np.std(found, axis=0), strict=True))


def main() -> None:
    stored = {}
    for name, (law, runs) in LAWS.items():
        posterior = bl.fit(law, runs(), draws=5000, warmup=2000, target_accept=0.99, seed=2026)
        r_hat = float(posterior.summary()["r_hat"].max())
        divergences = int(posterior.tree["sample_stats"]["diverging"].sum())
        print(f"{name}: 20,000 draws, R-hat {r_hat:.4f}, {divergences} divergences", flush=True)
        if r_hat >= 1.005 or divergences:
            raise SystemExit(f"{name}: no reference.")
        table = statistics(posterior)
        rows = {f"{one} {what}": [row["value"], row["error"]] for (one, what), row in table.iterrows()}
        stored[name] = {"draws": 20_000, "r_hat": r_hat, "statistics": rows}
    FILE.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
