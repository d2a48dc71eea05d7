"""What a recipe is worth in compute: how often the interval of the multiplier holds the truth, on made-up recipes.

    python benchmarks/arms.py [--worlds 36]    # the table of docs/arms.md
    python benchmarks/arms.py figure           # docs/arms.png

A world is a Chinchilla law drawn around the refit of Besiroglu et al. 2024 and a recipe B that saves compute: in the
first kind by one factor at every budget (ln of it drawn from Normal(0.2, 0.2)), in the second kind by other terms and
exponents, each moved by 5 % (sd), so that what it saves depends on the budget. Both arms are run at 4 budgets of 1e18
to 3e19 FLOPs, 6 sizes each; ln loss scatters by 0.5 %, independently, or with half of the variance in common to the two
runs of a configuration (`paired`). Asked is the multiplier at 3e19 FLOPs, the end of the runs, and at 1e22.

`simple-scaling-laws` (PyPI, 0.2.0 when this was written; `pip install simple-scaling-laws`, left out where missing) has
no multiplier: it is that of its draws, paired as its `compare` pairs them, each arm at its best on a grid of sizes.
Columns: share of worlds whose multiplier lies inside the 90 % interval; median ratio of its ends; median error of the
median; recipes promoted because the median is above 1.1, as a bare point would have it, and how many of them are not
worth that; the same for P(above 1.1) > 0.9; fits that are not results; seconds a comparison.
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Chinchilla

_NAMES = {"model_size__params": "params", "dataset_size__tokens": "tokens", "test_loss__loss": "loss"}
BUDGETS = np.array([3e19, 1e22])
PILOTS = np.array([(c, n) for c in np.geomspace(1e18, 3e19, 4) for n in np.sqrt(c / 120) * np.geomspace(1 / 6, 6, 6)])
SCATTER = 0.005
KINDS = "one factor", "by budget", "one factor, paired"
_SIZES = np.geomspace(1e6, 1e13, 201)
BAR, SURE = 1.1, 0.9
Found = tuple[np.ndarray, bool]  # draws of the multiplier, (draws, budgets), and whether they are a result


def best(law: Chinchilla, flops: np.ndarray) -> np.ndarray:
    """The least loss at budgets, by Hoffmann et al. 2022, Eq. 4."""
    from bayeslaw.models.chinchilla import compute_optimal

    assert compute_optimal.closed_form is not None
    params = np.asarray(compute_optimal.closed_form(law, flops=flops)["params"])
    return law(params=params, tokens=flops / (6 * params))


def multiplier(reference: Chinchilla, arm: Chinchilla, flops: np.ndarray) -> np.ndarray:
    """The truth, by a fine table of the reference's frontier."""
    logs = np.linspace(np.log(flops.min()) - 12, np.log(flops.max()) + 12, 20_001)
    frontier = best(reference, np.exp(logs))
    return np.exp(np.interp(-best(arm, flops), -frontier, logs)) / flops


def made(kind: str, count: int) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
    """Worlds: the true multipliers and the runs of both arms."""
    centre = Chinchilla.published()["besiroglu2024"]
    for seed in range(count):
        rng = np.random.default_rng([KINDS.index(kind), seed])
        names = ("E", "a", "alpha", "b", "beta")
        own = {name: getattr(centre, name) * np.exp(rng.normal(0, 0.1)) for name in names}
        reference = Chinchilla(**own)
        if kind == "by budget":
            moved = {name: own[name] * np.exp(rng.normal(0, 0.05)) for name in names[1:]}
            arm = Chinchilla(E=own["E"], **moved)
        else:
            size = np.exp(rng.normal(0.2, 0.2) / 2)  # of params and of tokens
            arm = Chinchilla(**{**own, "a": own["a"] * size ** -own["alpha"], "b": own["b"] * size ** -own["beta"]})
        params, tokens = PILOTS[:, 1], PILOTS[:, 0] / (6 * PILOTS[:, 1])
        common = rng.normal(0, 1, len(params))
        half = np.sqrt(0.5) if kind.endswith("paired") else 0.0
        tables = []
        for name, law in (("A", reference), ("B", arm)):
            noise = half * common + np.sqrt(1 - half**2) * rng.normal(0, 1, len(params))
            loss = law(params=params, tokens=tokens) * np.exp(SCATTER * noise)
            tables.append(pd.DataFrame({"arm": name, "params": params, "tokens": tokens, "loss": loss}))
        yield multiplier(reference, arm, BUDGETS), pd.concat(tables, ignore_index=True)


def pooled(runs: pd.DataFrame, seed: int, **options: Any) -> Found:
    """One fit of both arms, with more draws where the first did not do: to leave out what is hard would flatter."""
    for again in ({}, {"draws": 4000, "target_accept": 0.99}):
        arms = bl.compare_arms(
            Chinchilla, runs, flops=BUDGETS, seed=seed, noise=bl.LogNormal, progress=False, **options, **again
        )
        if not any(one.serious for one in arms.status):
            break
    return _of(arms)


def shared_floor(runs: pd.DataFrame, seed: int) -> Found:
    return pooled(runs, seed, share=("E",))


def separate(runs: pd.DataFrame, seed: int) -> Found:
    """A fit for each arm."""
    tables = {str(name): table for name, table in runs.groupby("arm")}
    return _of(
        bl.compare_arms(bl.fit_many(Chinchilla, tables, seed=seed, noise=bl.LogNormal, progress=False), flops=BUDGETS)
    )


def _of(arms: bl.Arms) -> Found:
    draws = arms.draws["multiplier"].sel(arm="B").to_numpy().reshape(-1, len(BUDGETS))
    return draws, not any(one.serious for one in arms.status)


def rival(runs: pd.DataFrame, seed: int) -> Found:
    """The multiplier of the draws of simple-scaling-laws, paired by their places as its own comparison does."""
    import polars as pl
    from simple_scaling_laws import fit

    budgets = np.exp(np.linspace(np.log(BUDGETS.min()) - 7, np.log(BUDGETS.max()) + 7, 121))
    frontier = {}
    for name, table in runs.groupby("arm"):
        frame = {f"{theirs}": table[ours].to_numpy() for theirs, ours in _NAMES.items()}
        frame["training_run_id"] = [f"{name}{i}" for i in range(len(table))]
        model = fit(pl.DataFrame(frame), n_draws=1000, seed=seed)
        frontier[name] = _frontier(model, np.concatenate([budgets, BUDGETS]))
    logs, found = np.log(budgets), []
    for mine, theirs in zip(frontier["B"][:, -2:], frontier["A"][:, :-2], strict=True):
        found.append(np.interp(-mine, -theirs, logs, left=-np.inf, right=np.inf))
    return np.exp(np.array(found)) / BUDGETS, True


def _frontier(model: Any, budgets: np.ndarray) -> np.ndarray:
    """The least loss at budgets in each draw of a model, (draws, budgets)."""
    import polars as pl

    size, data, loss = _NAMES
    found = []
    for flops in budgets:
        points = model.prepare_points(pl.DataFrame({size: _SIZES, data: flops / (6 * _SIZES)}))
        mean = model.target_draws(loss, model.fitting_predictors(points), kind="mean", rng=np.random.default_rng(0))
        found.append(mean.min(axis=1))
    return np.stack(found, axis=1)


METHODS = {"pooled": pooled, "shared floor": shared_floor, "separate": separate, "simple-scaling-laws": rival}


def table(kind: str, count: int) -> pd.DataFrame:
    """A row per method and budget."""
    methods = {name: one for name, one in METHODS.items() if one is not rival or find_spec("simple_scaling_laws")}
    rows: list[dict[str, Any]] = []
    for seed, (truth, runs) in enumerate(made(kind, count)):
        for name, method in methods.items():
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                draws, ok = method(runs, seed)
            seconds = time.perf_counter() - start
            values = np.log(np.clip(draws, 1e-6, 1e6))
            low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
            for i, flops in enumerate(BUDGETS):
                true, surely = np.log(truth[i]), (draws[:, i] > BAR).mean() > SURE
                rows.append(
                    {
                        "kind": kind, "method": name, "flops": f"{flops:g}", "seconds": seconds, "ok": ok,
                        "inside": low[i] <= true <= high[i], "width": high[i] - low[i], "error": abs(middle[i] - true),
                        "point": middle[i] > np.log(BAR), "sure": surely, "true": true > np.log(BAR),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    def one(group: pd.DataFrame) -> pd.Series:
        wrong = {name: int((group[name] & ~group["true"]).sum()) for name in ("point", "sure")}
        return pd.Series(
            {
                "inside 90 %": f"{group['inside'].mean():.0%}",
                "width": f"x {np.exp(group['width'].median()):.2f}",
                "error": f"{np.expm1(group['error'].median()):.0%}",
                f"point > {BAR:g} (wrong)": f"{int(group['point'].sum())} ({wrong['point']})",
                f"P > {SURE:g} (wrong)": f"{int(group['sure'].sum())} ({wrong['sure']})",
                "not ok": int((~group["ok"]).sum()),
                "seconds": f"{group['seconds'].median():.1f}",
            }
        )

    return rows.groupby(["kind", "flops", "method"], sort=False).apply(one)


def figure() -> None:
    """Gadre's corpora against C4."""
    runs = bl.load_overtraining()
    runs = runs[runs.tokens / runs.params > 8]
    arms = bl.compare_arms(Chinchilla, runs, by="corpus", flops=np.geomspace(1e18, 1e23, 11), seed=1)
    bl.plots.plot_arms(arms, above=0.5).figure.savefig("docs/arms.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("table", "figure"), default="table")
    parser.add_argument("--worlds", type=int, default=36)
    parser.add_argument("--kind", choices=KINDS)
    asked = parser.parse_args()
    if asked.what == "figure":
        figure()
    else:
        for each in [asked.kind] if asked.kind else KINDS:
            print(shown(table(each, asked.worlds)).to_string(), flush=True)
