"""What public models say of larger ones, measured: models trained with more than 8.4e22 FLOPs are held out.

    python benchmarks/observational.py capability    # capability of the held-out models: pooled and others
    python benchmarks/observational.py tasks         # accuracy on tasks that the small models hardly solve
    python benchmarks/observational.py choose        # which models to evaluate on a new task

Each prints a table in Markdown; docs/observational.md has them. The principal component, the families and the links
are estimated on the models up to 8.4e22 FLOPs alone. The models ship with the package.
"""

import argparse
import warnings
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Emergence, Observational
from bayeslaw.models.emergence import choose_models
from bayeslaw.models.observational import BENCHMARKS, F0, principal_capability

SPREAD = {"level": dist.HalfNormal(0.5), "slope": dist.HalfNormal(0.2)}
TRIALS = 2000  # answers per model of these tasks: all printed accuracies are multiples of 1 / 2000
TASKS = ("word_unscrambling", "arithmetic_3ds", "arithmetic_3da", "arithmetic_2dm", "arithmetic_2da")


def models() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out models, with the capability of the training models' principal component."""
    table = bl.load_observational()
    table = table[table[list(BENCHMARKS)].notna().all(axis=1) & table.flops.notna() & ~table.doubtful]
    train = (table.flops <= F0).to_numpy()
    table = table.assign(capability=principal_capability(table, train)[0][:, 0], trials=TRIALS)
    known = set(table.family[train])
    test = table[~train].assign(new=lambda t: [one not in known for one in t.family])
    return table[train], test.assign(group=lambda t: t.family.where(~t.new, "new"))


def fit(law: Any, table: pd.DataFrame, seed: int = 1, least: int = 1000) -> bl.Posterior:
    """A fit that follows the advice of its own statuses, of `least` draws a chain or more."""
    for target_accept, draws in ((0.9, max(1000, least)), (0.97, max(4000, least)), (0.97, 16_000)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            posterior = bl.fit(law, table, draws=draws, target_accept=target_accept, seed=seed, progress=False)
        if posterior.ok:
            break
    return posterior


def families(train: pd.DataFrame) -> bl.Posterior:
    return fit(bl.Pooled(Observational, train, by="family", spread=SPREAD), train)


def scores(posterior: bl.Posterior, at: pd.DataFrame, truth: pd.Series) -> dict[str, Any]:
    """Error of the medians, and how often and how wide the 90 % intervals of a new run hold the truth."""
    new = bl.predict(posterior, at, misfit=False).draws[f"{posterior.response}_new_run"]
    low, median, high = np.quantile(new, [0.05, 0.5, 0.95], axis=(0, 1))
    return {
        "models": len(truth),
        "mean abs. error": np.abs(median - truth).mean(),
        "mean error": (median - truth).mean(),
        "90 % of new run holds it": ((low <= truth) & (truth <= high)).mean(),
        "width": (high - low).mean(),
        "ok": posterior.ok,
    }


def capability() -> None:
    train, test = models()
    pooled, one = families(train), fit(Observational, train)
    rows = {}
    for name, part in (("known family", test[~test.new]), ("new family", test[test.new]), ("all", test)):
        at = part[["flops"]].assign(family=part.group)
        rows[f"pooled, {name}"] = scores(pooled, at, part.capability)
        rows[f"one line, {name}"] = scores(one, at[["flops"]], part.capability)
    own = {name: np.polyfit(np.log10(t.flops), t.capability, 1) for name, t in train.groupby("family") if len(t) > 1}
    part = test[test.family.isin(list(own))]
    lines = pd.Series([np.polyval(own[f], np.log10(c)) for f, c in zip(part.family, part.flops, strict=True)])
    off = lines.to_numpy() - part.capability
    rows["least squares in each family"] = {
        "models": len(part), "mean abs. error": off.abs().mean(), "mean error": off.mean()
    }  # fmt: skip
    rows["pooled, the same models"] = scores(pooled, part[["flops", "family"]], part.capability)
    show(rows)


def tasks() -> None:
    train, test = models()
    pooled = families(train)
    rows = {}
    for task in TASKS:
        known = train[train[task].notna()].assign(accuracy=lambda t, task=task: t[task])
        link = fit(Emergence, known, least=pooled.shape[1])  # as many: draws are paired
        part = test[test[task].notna()]
        both = pooled.then(link)
        at = part[["flops", "trials"]].assign(family=part.group)
        rows[f"{task}, from compute"] = scores(both, at, part[task])
        rows[f"{task}, from measured capability"] = scores(link, part[["capability", "trials"]], part[task])
        best = part.flops.idxmax()
        print(f"{task}: {known.accuracy.max():.3f} at best in training, {part[task].max():.3f} held out;", end=" ")
        found = bl.predict(both, at.loc[[best]], misfit=False).summary().xs("accuracy", level="quantity").iloc[0]
        print(
            f"{test.model[best]}: {part[task][best]:.3f}, predicted {found['median']:.3f} "
            f"[{found.lower:.3f}, {found.upper:.3f}]"
        )
    show(rows)


def new_task(train: pd.DataFrame) -> bl.Posterior:
    """What other tasks say of a new one: their links, pooled."""
    long = train.melt(["model", "capability", "trials"], list(TASKS), "task", "accuracy").dropna(subset="accuracy")
    return fit(bl.Pooled(Emergence, long, by="task"), long)


def choose() -> None:
    train, test = models()
    law = new_task(train)
    target = float(test.capability.max())
    at = {"capability": [*train.capability, target], "trials": TRIALS, "task": "new"}
    draws = bl.predict(law, at, misfit=False).draws
    values = draws["accuracy_new_run"].to_numpy().reshape(-1, len(train) + 1)[:, :-1]
    goal = draws["accuracy"].to_numpy().reshape(-1, len(train) + 1)[:, -1]
    rows = {}
    for n in (1, 2, 4, 8):
        chosen, left = choose_models(values, goal, n)
        rng = np.random.default_rng(0)
        random = [choose_from(values, goal, rng.choice(len(train), n, replace=False)) for _ in range(200)]
        names = ", ".join(train.model.iloc[chosen].str.split("/").str[-1])
        rows[f"{n}: {names}"] = {"variance left": left, "random choice, median": float(np.median(random))}
    print("ok" if law.ok else "not ok")
    show(rows)


def choose_from(values: np.ndarray, target: np.ndarray, chosen: np.ndarray) -> float:
    return choose_models(values[:, chosen], target, len(chosen))[1]


def show(rows: dict[str, dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"| | {' | '.join(columns)} |\n|{' --- |' * (1 + len(columns))}")
    for name, row in rows.items():
        cells = [f"{row[c]:.3g}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {one.__name__: one for one in (capability, tasks, choose)}
    parser.add_argument("command", choices=commands)
    commands[parser.parse_args().command]()
