"""Which pilot runs to make next, on the grid of Farseer.

    python benchmarks/next_runs.py [SEEDS]     # 20 when left out; prints a table in Markdown (docs/decisions.md has it)
    python benchmarks/next_runs.py figure      # docs/next_runs.png: what the first seed buys

In each of the seeds 30 of the cheapest 30 % of 400 runs are known, and as many FLOPs as they took may be spent on
others of the 400, in one batch. The law is fitted to both, a size chosen for 1e23 FLOPs, and its regret taken under the
posterior of all 400 runs. Ways to spend them:

- `next_runs`: by expected reduction of the regret, as the library does it.
- `next_runs, asked again`: the same; after these runs the law is fitted, and what is left may be spent in the same way.
- `random`: any that can still be paid. `largest`: the one with most FLOPs that can still be paid.
- `D-optimal`: the one whose outcome is least certain given those before it, which adds most to the determinant of the
  information; `D-optimal per FLOP`: the same by that information over its cost.
- `cheapest`: the most runs. `none`: keep the FLOPs.

The runs are downloaded once (`fetch_farseer`). Fixed seeds.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Farseer

SIZE, TOKENS, RESPONSE = "nonembedding_params", "tokens", "bits_per_character"
BUDGET, CHEAP, KNOWN = 1e23, 0.3, 30


def load() -> pd.DataFrame:
    runs = bl.fetch_farseer().query("not duplicate").reset_index(drop=True)
    return runs.assign(flops=6 * runs[SIZE] * runs[TOKENS]).filter([SIZE, TOKENS, RESPONSE, "flops"])


def fit(runs: pd.DataFrame) -> bl.Posterior:
    return bl.fit(Farseer, runs, draws=4000, seed=1, progress=False)


def in_order(rest: pd.DataFrame, order: np.ndarray, budget: float) -> pd.Index:
    """The runs of an order that can still be paid when their turn comes."""
    picks, left = [], budget
    for row in order:
        if rest.flops.iloc[row] <= left:
            picks.append(row)
            left -= rest.flops.iloc[row]
    return rest.index[picks]


def by_information(rest: pd.DataFrame, posterior: bl.Posterior, budget: float, *, per_flop: bool) -> pd.Index:
    """Greedy D-optimal design for the law as it is around the posterior: outcomes jointly normal, with the covariance
    that draws of the mean function have, and the noise of a run."""
    draws = bl.predict(posterior, rest, misfit=False).draws
    covariance = np.cov(np.log(draws[RESPONSE].to_numpy().reshape(-1, len(rest))).T)
    noise = float(np.median(posterior.draws["noise.scale"])) ** 2
    picks, left, costs = [], budget, rest.flops.to_numpy()
    while True:
        gain = np.log1p(np.maximum(np.diag(covariance), 0) / noise) / (costs if per_flop else 1.0)
        gain[picks] = -np.inf
        gain[costs > left] = -np.inf
        best = int(gain.argmax())
        if not np.isfinite(gain[best]):
            return rest.index[picks]
        picks.append(best)
        left -= costs[best]
        column = covariance[:, best]
        covariance = covariance - np.outer(column, column) / (column[best] + noise)


def bought(rest: pd.DataFrame, posterior: bl.Posterior, budget: float, seed: int) -> pd.Index:
    found = bl.next_runs(posterior, rest.drop(columns=RESPONSE), flops=BUDGET, budget=budget, seed=seed)
    return found.runs.index


def asked_again(runs: pd.DataFrame, known: pd.DataFrame, posterior: bl.Posterior, budget: float, seed: int) -> pd.Index:
    first = bought(runs.drop(known.index), posterior, budget, seed)
    seen = known.index.append(first)
    rest, left = runs.drop(seen), budget - runs.flops[first].sum()
    if not len(first) or rest.flops.min() > left:
        return first
    return first.append(bought(rest, fit(runs.loc[seen]), left, seed + 100))


def ways(
    runs: pd.DataFrame, known: pd.DataFrame, posterior: bl.Posterior, seed: int
) -> dict[str, Callable[[], pd.Index]]:
    rest, budget = runs.drop(known.index), known.flops.sum()
    rng, costs = np.random.default_rng(seed), rest.flops.to_numpy()
    return {
        "next_runs": lambda: bought(rest, posterior, budget, seed),
        "next_runs, asked again": lambda: asked_again(runs, known, posterior, budget, seed),
        "random": lambda: in_order(rest, rng.permutation(len(rest)), budget),
        "largest": lambda: in_order(rest, np.argsort(-costs), budget),
        "cheapest": lambda: in_order(rest, np.argsort(costs), budget),
        "D-optimal": lambda: by_information(rest, posterior, budget, per_flop=False),
        "D-optimal per FLOP": lambda: by_information(rest, posterior, budget, per_flop=True),
        "none": lambda: rest.index[:0],
    }


def judge(full: bl.Posterior) -> Callable[[bl.Posterior], float]:
    """The regret of what a posterior chooses, under the posterior of all runs, in bits per character."""
    least = bl.allocate(full, flops=BUDGET).draws[RESPONSE].mean().item()

    def regret(posterior: bl.Posterior) -> float:
        ratio = bl.choose(posterior, flops=BUDGET).action.iloc[0, 0]
        plan = {SIZE: [np.sqrt(BUDGET / 6 / ratio)], TOKENS: [np.sqrt(BUDGET / 6 * ratio)]}
        return bl.predict(full, plan, misfit=False).draws[RESPONSE].mean().item() - least

    return regret


def known_in(seed: int, runs: pd.DataFrame) -> pd.DataFrame:
    return runs.loc[runs.flops < runs.flops.quantile(CHEAP)].sample(KNOWN, random_state=seed)


def figure() -> None:
    runs = load()
    known = known_in(0, runs)
    rest = runs.drop(known.index).drop(columns=RESPONSE)
    found = bl.next_runs(fit(known), rest, flops=BUDGET, budget=known.flops.sum())
    ax = bl.plots.plot_next_runs(found)
    ax.plot(known[SIZE], known[TOKENS], "x", color="black", markersize=4, label="known")
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    plt.savefig(Path(__file__).parents[1] / "docs" / "next_runs.png", dpi=110)


def main() -> None:
    if sys.argv[1:] == ["figure"]:
        figure()
        return
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    warnings.filterwarnings("ignore", "this posterior is not a result yet")
    runs = load()
    regret, rows = judge(fit(runs)), []
    for seed in range(seeds):
        known = known_in(seed, runs)
        posterior = fit(known)
        for name, pick in ways(runs, known, posterior, seed).items():
            picks = pick()
            after = fit(runs.loc[known.index.append(picks)]) if len(picks) else posterior
            spent = runs.flops[picks].sum() / known.flops.sum()
            rows.append((seed, name, regret(after), len(picks), spent, after.ok))
            print(*rows[-1], flush=True)
    frame = pd.DataFrame(rows, columns=["seed", "way", "regret", "runs", "spent", "ok"])
    table = frame.pivot(index="seed", columns="way", values="regret")
    first = table["next_runs"].to_numpy()
    print("\n| way | mean regret | se | median | highest | less than next_runs | runs | share spent | fits ok |")
    print("| --- " * 9 + "|")
    for name, part in frame.groupby("way", sort=False):
        r = part["regret"]
        less = int(np.sum(table[name].to_numpy() < first - 1e-6))
        print(
            f"| {name} | {r.mean():.5f} | {r.sem():.5f} | {r.median():.5f} | {r.max():.5f} | {less} of {seeds} "
            f"| {part['runs'].mean():.1f} | {part['spent'].mean():.0%} | {part['ok'].mean():.0%} |"
        )


if __name__ == "__main__":
    main()
