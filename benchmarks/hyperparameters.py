"""What hyperparameter penalties are worth, measured on Step Law's dense runs.

    python benchmarks/hyperparameters.py heldout     # 138 untuned runs predict a larger tuned run: ours against others
    python benchmarks/hyperparameters.py cells       # which target, shape, noise and base: each of 17 cells held out
    python benchmarks/hyperparameters.py loo         # the same compared by PSIS-LOO on all usable runs
    python benchmarks/hyperparameters.py exponents   # the optimum from all usable runs
    python benchmarks/hyperparameters.py diverged    # Gaussian and robust noise when diverged runs are in the table
    python benchmarks/hyperparameters.py figure      # docs/hyperparameters.png

Each prints a table in Markdown; docs/hyperparameters.md has them. Choices are made by `cells` and `loo`, which
never see the cell of `heldout`. The runs are downloaded once (`fetch_steplaw_dense`).
"""

import argparse
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import MIST, Chinchilla
from bayeslaw.models.optima import step_law

NAMES = ("lr", "batch_tokens")
TARGETS = ("reducible", "total", "additive")
SHAPES = (bl.Asymmetric, bl.Quadratic)
SUBSET = 138  # runs, as many as MIST's campaign

Recipe = Callable[[pd.DataFrame], tuple[Any, Any]]
"""From the runs at hand to a law and a noise (None: the law's own)."""


def runs() -> pd.DataFrame:
    """All dense runs; parameters are counted without embeddings throughout."""
    found = bl.fetch_steplaw_dense().rename(columns={"nonembedding_params": "params"})
    found["ff_ratio"] = found.d_ff / found.d_model
    found["kv_size"] = found.d_model // found.n_heads
    found["aspect_ratio"] = found.d_model / found.n_layers
    return found


def usable(table: pd.DataFrame) -> pd.DataFrame:
    """The runs within 20 % of the best of their cell, 1729 of them."""
    best = table.groupby(["params", "tokens"]).loss.transform("min")
    return table[table.loss <= 1.2 * best].reset_index(drop=True)


def law(base: Any, target: str = "reducible", shape: type = bl.Asymmetric) -> bl.Penalised:
    """The default penalties of learning rate and batch, with another target or shape."""
    made = bl.Penalised(base, NAMES, target=target)
    penalties = {name: bl.Penalty(one.optimum, one.curvature, shape()) for name, one in made.penalties.items()}
    return bl.Penalised(base, penalties, target=target)


def ours(table: pd.DataFrame) -> tuple[Any, Any]:
    return bl.Penalised(bl.Discrepant(Chinchilla, table, by=("params", "tokens")), NAMES), None


def fit(recipe: Recipe, table: pd.DataFrame, seed: int, columns: Iterable[str] = ()) -> bl.Posterior:
    """A fit that follows the advice of its own statuses, up to three times."""
    made, noise = recipe(table)
    for target_accept, draws in ((0.9, 1000), (0.97, 1500), (0.99, 3000)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            posterior = bl.fit(
                made, table, noise=noise, chains=2, draws=draws, target_accept=target_accept, seed=seed, progress=False
            )
        if posterior.ok:
            break
    return posterior


def score(posterior: bl.Posterior, cell: pd.DataFrame) -> dict[str, float]:
    """How well the tuned loss of a held-out cell, the least of its runs, and its best hyperparameters are predicted."""
    best = cell.loss.min()
    at = {name: float(cell[name].iloc[0]) for name in ("params", "tokens")}
    draws = bl.predict(posterior, at, misfit=False).draws
    mean, new = draws["loss"].to_numpy().ravel(), draws["loss_new_run"].to_numpy().ravel()
    interval, wide = np.quantile(mean, [0.025, 0.975]), np.quantile(new, [0.025, 0.975])
    found = {
        "error_percent": 100 * (np.median(mean) / best - 1),
        "sd_percent": 100 * mean.std() / best,
        "covered": float(interval[0] <= best <= interval[1]),
        "covered_new_run": float(wide[0] <= best <= wide[1]),
        "width_new_run": wide[1] - wide[0],
        "ok": float(posterior.ok),
    }
    if posterior.prior.hyperparameters():
        lr, batch = recommended(posterior, at)
        distance = np.log(cell.lr / lr) ** 2 + np.log(cell.batch_tokens / batch) ** 2
        found |= {"lr": lr, "batch_tokens": batch, "regret": cell.loss[distance.idxmin()] - best}
    return found


def recommended(posterior: bl.Posterior, at: dict[str, float]) -> tuple[float, float]:
    """Posterior medians of the optimal learning rate and batch; the usual batch where a law has no optimum of it."""
    tuned = posterior.prior.decisions()["tuned"]
    given = dict(at)
    if "batch_tokens" in tuned.given:
        given["batch_tokens"] = float(posterior.runs.batch_tokens.median())
    draws = bl.allocate(posterior, tuned, **given).draws
    batch = given.get("batch_tokens") or float(np.median(draws["batch_tokens"]))
    return float(np.median(draws["lr"])), batch


def table(rows: list[dict[str, Any]], by: str) -> str:
    """Means by `by`, with the mean absolute error, as Markdown."""
    frame = pd.DataFrame(rows)
    frame.insert(1, "abs_error_percent", frame.error_percent.abs())
    return markdown(frame.groupby(by, sort=False).mean(numeric_only=True))


def markdown(frame: pd.DataFrame) -> str:
    """A table, its index first."""
    cells = [[str(frame.index.name or ""), *map(str, frame.columns)], ["---"] * (1 + len(frame.columns))]
    cells += [
        [str(name), *(f"{value:.4g}" for value in row)] for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def heldout(seeds: int) -> None:
    """Random subsets of untuned runs; the cell of 1.07 B parameters and 100 B tokens is in none of them."""
    pool = usable(runs())
    cell = bl.load_steplaw_heldout().rename(columns={"nonembedding_params": "params"})
    optimum = step_law("params", published=True)
    recipes: dict[str, Recipe] = {
        "ours": ours,
        "ours without Discrepant": lambda _: (bl.Penalised(Chinchilla, NAMES), None),
        "Step Law's optimum, fixed": lambda t: (
            bl.Penalised(bl.Discrepant(Chinchilla, t, by=("params", "tokens")), NAMES, optima=optimum), None,
        ),
        "MIST": lambda _: (MIST.prior(), None),
        "no penalty": lambda _: (Chinchilla.prior(), None),
    }  # fmt: skip
    found = []
    for name, recipe in recipes.items():
        for seed in range(seeds):
            start = time.time()
            chosen = pool.iloc[np.random.default_rng(seed).choice(len(pool), SUBSET, replace=False)]
            row = {"model": name, "seed": seed, **score(fit(recipe, chosen, seed), cell)}
            found.append(row)
            report(row, start)
    print(table(found, "model"))


def cells(seeds: int) -> None:
    """Each cell held out in turn, from random subsets of the other 16."""
    pool = usable(runs())

    def on(base: str, target: str, shape: type, noise: Any) -> Recipe:
        def recipe(t: pd.DataFrame) -> tuple[Any, Any]:
            bases = {"plain": Chinchilla, "discrepant": bl.Discrepant(Chinchilla, t, by=("params", "tokens"))}
            return law(bases[base], target, shape), noise

        return recipe

    noises = (bl.StudentT, bl.UntunedT)
    kinds = [("plain", *rest) for rest in itertools.product(TARGETS, SHAPES, noises)]
    kinds += [("discrepant", target, bl.Asymmetric, bl.UntunedT) for target in ("reducible", "total")]
    recipes = {
        f"{base}, {t}, {shape.__name__}, {noise.__name__}": on(base, t, shape, noise) for base, t, shape, noise in kinds
    }
    found = []
    for name, recipe in recipes.items():
        for seed in range(seeds):
            start = time.time()
            for _, cell in pool.groupby(["params", "tokens"]):
                rest = pool.drop(cell.index)
                chosen = rest.iloc[np.random.default_rng(seed).choice(len(rest), SUBSET, replace=False)]
                found.append({"model": name, **score(fit(recipe, chosen, seed), cell)})
            report({"model": name, "seed": seed}, start)
    print(table(found, "model"))


def loo(seeds: int) -> None:
    """Expected log predictive density of a left-out run, on all usable runs."""
    pool = usable(runs())
    rows = []
    for target, shape in itertools.product(TARGETS, SHAPES):
        start = time.time()
        posterior = fit(lambda _: (law(Chinchilla, target, shape), None), pool, 0)  # noqa: B023 (called at once)
        elpd = az.loo(posterior.with_groups("log_likelihood").tree)
        row = {"model": f"{target}, {shape.__name__}", "elpd": float(elpd.elpd), "se": float(elpd.se),
               "p": float(elpd.p), "worst_k": float(np.max(elpd.pareto_k)), "ok": posterior.ok}  # fmt: skip
        rows.append(row)
        report(row, start)
    print(markdown(pd.DataFrame(rows).set_index("model").astype(float)))


def exponents(seeds: int) -> None:
    """The optimum from all usable runs, with 90 % intervals."""
    posterior = fit(ours, usable(runs()), 0)
    summary = posterior.summary()
    print(markdown(summary[summary.index.str.startswith("penalties.")][["lower", "median", "upper"]]))


def diverged(seeds: int) -> None:
    """Subsets of all runs, diverged ones included, under Gaussian and robust noise."""
    pool = runs()
    cell = bl.load_steplaw_heldout().rename(columns={"nonembedding_params": "params"})
    found = []
    for noise in (bl.LogNormal, bl.StudentT, bl.UntunedT):
        for seed in range(seeds):
            start = time.time()
            chosen = pool.iloc[np.random.default_rng(seed).choice(len(pool), SUBSET, replace=False)]
            posterior = fit(lambda t: (ours(t)[0], noise), chosen, seed)  # noqa: B023 (called at once)
            row = {
                "noise": noise.__name__,
                "seed": seed,
                "diverged": int(chosen.diverged.sum()),
                **score(posterior, cell),
            }
            found.append(row)
            report(row, start)
    print(table(found, "noise"))


def figure(seeds: int) -> None:
    """Left: what the learning rate costs in 138 untuned runs. Right: the recommendation on the held-out cell."""
    pool = usable(runs())
    chosen = pool.iloc[np.random.default_rng(0).choice(len(pool), SUBSET, replace=False)]
    posterior = fit(ours, chosen, 0)
    cell = bl.load_steplaw_heldout()
    at = {"params": float(cell.nonembedding_params[0]), "tokens": float(cell.tokens[0])}
    draws = bl.allocate(posterior, posterior.prior.decisions()["tuned"], **at).draws
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.6), layout="constrained")
    bl.plots.plot_penalty(posterior, "lr", ax=left)
    left.legend(loc="upper left", bbox_to_anchor=(0.06, 1), frameon=False, fontsize="small")
    left.set_title("138 untuned runs of 0.2 to 1.1 B parameters", loc="left")
    dots = right.scatter(
        cell.lr, cell.batch_tokens, c=100 * (cell.loss / cell.loss.min() - 1), cmap="viridis_r", vmax=4, s=70, zorder=1
    )
    right.plot(draws["lr"].to_numpy().ravel()[::8], draws["batch_tokens"].to_numpy().ravel()[::8], ".", color="#d55e00",
               markersize=2, alpha=0.5, label="optimum, posterior draws", zorder=2)  # fmt: skip
    best = cell.loc[cell.loss.idxmin()]
    right.plot(best.lr, best.batch_tokens, "*", color="white", markeredgecolor="black", markersize=15,
               label=f"best of the 117 held-out runs ({best.loss})", zorder=3)  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="peak learning rate", ylabel="batch (tokens)")
    right.set_xticks([1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3], ["0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.005"])
    right.minorticks_off()
    low, median, high = np.quantile(draws["loss"], [0.05, 0.5, 0.95])
    right.set_title(f"held out, 1.07 B on 100 B tokens: tuned loss {median:.3f} ({low:.3f}-{high:.3f})", loc="left")
    right.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2, fontsize="small", frameon=False, markerscale=1.2)
    fig.colorbar(dots, ax=right, label="loss above the best run (%)", extend="max")
    fig.savefig("docs/hyperparameters.png", dpi=150)


def report(row: dict[str, Any], start: float) -> None:
    text = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else str(value) for name, value in row.items())
    print(f"{text} ({time.time() - start:.0f} s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parts = {
        one.__name__: (one, count)
        for one, count in ((heldout, 20), (cells, 1), (loo, 1), (exponents, 1), (diverged, 5), (figure, 1))
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seeds", type=int, help="random subsets (20 for heldout)")
    wanted = parser.parse_args()
    part, count = parts[wanted.part]
    part(wanted.seeds or count)
