"""How often to repeat data: what the runs of Muennighoff et al. say, and what the prior adds.

    python benchmarks/data_constrained.py posteriors   # as the paper fits, all parameters at once, runs of few epochs
    python benchmarks/data_constrained.py priors       # the same under other priors of repeats and excess
    python benchmarks/data_constrained.py heldout      # runs of at most 60 epochs predict those of more
    python benchmarks/data_constrained.py figure       # docs/data_constrained.png

Each prints a table in Markdown; docs/data_constrained.md has them. Intervals are of 95 %. The runs ship with the
package.
"""

import argparse
import sys
import time
from math import log

import equinox as eqx
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Chinchilla, DataConstrained
from bayeslaw.models.data_constrained import _worth

PUBLISHED = DataConstrained.published()["muennighoff2023"]
PLAN = {"flops": 1e22, "unique_tokens": 25e9}  # of the paper's example; its fit says 9.5 epochs
TAILS = [0.5, 0.025, 0.975]
MOST = 60  # epochs


def runs() -> pd.DataFrame:
    """The 182 runs of the published fit."""
    table = bl.load_data_constrained()
    return table[table.in_paper_fit].reset_index(drop=True)


def frozen(prior: DataConstrained) -> DataConstrained:
    """The base law held at the authors' values, as in the paper's procedure."""
    base = (PUBLISHED.E, PUBLISHED.a, PUBLISHED.alpha, PUBLISHED.b)
    return eqx.tree_at(lambda law: (law.E, law.a, law.alpha, law.b), prior, base)


def cases() -> dict[str, tuple[bool, pd.DataFrame]]:
    table = runs()
    return {
        "base frozen at the authors' values, 182 runs": (True, table),
        "all parameters at once, 182 runs": (False, table),
        f"all parameters at once, {(table.epochs <= MOST).sum()} runs of at most {MOST} epochs": (
            False, table[table.epochs <= MOST],
        ),
    }  # fmt: skip


def fit(prior: DataConstrained, is_frozen: bool, table: pd.DataFrame) -> bl.Posterior:
    start = time.time()
    posterior = bl.fit(frozen(prior) if is_frozen else prior, table, draws=2000, seed=1, progress=False)
    print(f"{len(table)} runs ({time.time() - start:.0f} s)", file=sys.stderr, flush=True)
    return posterior


def interval(values: np.ndarray, unit: float = 1.0, digits: int = 3) -> str:
    median, low, high = (f"{float(f'{one:.{digits}g}'):g}" for one in np.quantile(np.asarray(values) / unit, TAILS))
    return f"{median} [{low}, {high}]"


def answers(posterior: bl.Posterior) -> dict[str, str]:
    """The plan at the paper's example."""
    best = bl.allocate(posterior, **PLAN).draws
    return {
        "epochs": interval(best["epochs"]),
        "params (B)": interval(best["params"], 1e9),
        "value of data (nats per e-fold)": interval(best["data_value"]),
        "sampler ok": "yes" if posterior.ok else "no",
        "prior bounds repeats": "yes" if any("only its prior" in note.text for note in posterior.status) else "no",
    }


def markdown(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def posteriors() -> None:
    rows = []
    for name, (is_frozen, table) in cases().items():
        posterior = fit(DataConstrained.prior(), is_frozen, table)
        draws = posterior.draws
        rows.append({
            "fit": name,
            **{one: interval(draws[one]) if one in draws else "held" for one in ("E", "alpha", "repeats", "excess")},
            "scatter": interval(draws["noise.scale"], digits=2),
            **answers(posterior),
        })  # fmt: skip
    print(markdown(rows))


def priors() -> None:
    others = {
        "median 15, sd 1 (default)": {},
        "repeats: median 30": {"repeats": dist.LogNormal(log(30.0), 1.0)},
        "repeats: sd 2": {"repeats": dist.LogNormal(log(15.0), 2.0)},
        "excess: sd 2": {"excess": dist.LogNormal(log(5.0), 2.0)},
    }
    rows = []
    for name, (is_frozen, table) in cases().items():
        for other, change in others.items():
            prior = DataConstrained.prior()
            for leaf, one in change.items():
                prior = eqx.tree_at(lambda law: getattr(law, leaf), prior, one)  # noqa: B023 (called at once)
            posterior = fit(prior, is_frozen, table)
            decay = {one: interval(posterior.draws[one]) for one in ("repeats", "excess")}
            rows.append({"fit": name, "prior": other, **decay, **answers(posterior)})
    print(markdown(rows))


def heldout() -> None:
    """Error and coverage of the runs of more epochs than any in the fit, by law."""
    table = runs()
    seen, rest = table[table.epochs <= MOST], table[table.epochs > MOST]
    laws = {
        "DataConstrained": DataConstrained.prior(),
        "DataConstrained, two exponents": DataConstrained.prior(tied=False),
        "Chinchilla on the tokens seen": Chinchilla.prior(),
        "published": None,
    }
    rows = []
    for low, high in ((MOST, 200), (200, 10_000)):
        part = rest[(rest.epochs > low) & (rest.epochs <= high)]
        for name, prior in laws.items():
            row = {"law": name, "runs": f"{len(part)} of {low} to {part.epochs.max():.0f} epochs"}
            if prior is None:
                off = np.log(PUBLISHED(**{one: part[one] for one in PUBLISHED.columns()})) - np.log(part.loss)
            else:
                posterior = bl.fit(prior, seen, seed=1, progress=False)
                draws = bl.predict(posterior, part[list(posterior.prior.columns())], misfit=False).draws
                low_end, high_end = draws["loss_new_run"].quantile([0.025, 0.975], ("chain", "draw")).to_numpy()
                inside = (low_end <= part.loss) & (part.loss <= high_end)
                off = np.log(draws["loss"].median(("chain", "draw")).to_numpy()) - np.log(part.loss)
                row["95 % of a new run holds it"] = f"{inside.sum()} of {len(part)}"
            row |= {"mean error": f"{100 * off.mean():+.1f} %", "mean abs. error": f"{100 * off.abs().mean():.1f} %"}
            rows.append({"95 % of a new run holds it": "", **row})
    names = ("law", "runs", "mean error", "mean abs. error", "95 % of a new run holds it")
    print(markdown([{name: row[name] for name in names} for row in rows]))


def figure() -> None:
    """Left: what repeated tokens are worth. Right: how often to repeat 25 B unique tokens at 1e22 FLOPs."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.6), layout="constrained")
    epochs = np.geomspace(1, 300, 200)
    short = ("base frozen at the authors' values", "all at once", f"all at once, at most {MOST} epochs")
    for (is_frozen, table), name, colour in zip(
        cases().values(), short, ("#0072b2", "#d55e00", "#009e73"), strict=True
    ):
        posterior = fit(DataConstrained.prior(), is_frozen, table)
        worth = np.asarray(_worth(epochs, 1.0, posterior.draws["repeats"].reshape(-1, 1)))
        low, median, high = np.quantile(worth, [0.025, 0.5, 0.975], axis=0)
        left.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
        left.plot(epochs, median, color=colour, label=name)
        best = bl.allocate(posterior, **PLAN).draws["epochs"].to_numpy().ravel()
        right.hist(best, bins=np.linspace(5, 30, 101), density=True, histtype="step", linewidth=1.5, color=colour,
                   label=f"{name}: {interval(best)}")  # fmt: skip
    left.plot(epochs, np.asarray(_worth(epochs, 1.0, PUBLISHED.repeats)), "k--", label="published")
    left.plot(epochs, epochs, color="0.7", linewidth=1, label="as good as new")
    left.set(xscale="log", yscale="log", xlabel="epochs", ylabel="worth, in sets of unique tokens", ylim=(1, 200))
    left.set_title("what repetition is worth (95 %)", loc="left")
    right.axvline(9.488, color="k", linestyle="--", label="published: 9.5")
    right.set(xlabel="best number of epochs", ylabel="posterior density")
    right.set_title("25 B unique tokens, 1e22 FLOPs", loc="left")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")
    fig.savefig("docs/data_constrained.png", dpi=150)


if __name__ == "__main__":
    parts = {one.__name__: one for one in (posteriors, priors, heldout, figure)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parts[parser.parse_args().part]()
