"""Four laws on the 240 Chinchilla runs: what checks say of them, which predicts best, and what a stack of them answers.

    python benchmarks/checking.py check      # tests and sensitivities of each law
    python benchmarks/checking.py compare    # one run at a time, and one model size at a time
    python benchmarks/checking.py stack      # the question of 5.76e23 FLOPs, by each law and by stacks of them
    python benchmarks/checking.py trimmed    # the same without the nine runs of fewest tokens
    python benchmarks/checking.py alarms     # how often a right law fails a check, how often a bent one passes
    python benchmarks/checking.py figures    # docs/checking.png, docs/stack.png

Each prints a table in Markdown; docs/checking.md has them. The runs are Epoch's reconstruction
without its five outliers (`fetch_chinchilla_epoch`, downloaded once).
"""

import argparse
import functools
import sys
import time
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Chinchilla, Farseer, Kaplan, Overtraining
from bayeslaw.models.chinchilla import compute_optimal

BUDGETS = [1e21, 5.76e23]
SIZE = "one model size"


class KaplanHere(Kaplan):
    """Kaplan's law of these columns: size with embeddings, data seen once."""

    falls: ClassVar = ("params", "tokens")

    def mean(self, params: Any, tokens: Any) -> Any:
        return super().mean(params, tokens)

    def decisions(self) -> dict[str, bl.Decision]:
        return {"compute_optimal": compute_optimal.within(params=bl.LogRange(1e6, 1e16))}


class FarseerHere(Farseer):
    """Farseer of these columns and of nats per token: a 1 B model with endless data 1.2 to 3.3 (90 %), more by 0.16 to
    1.6 after 20 B tokens; the shapes of its three parts as in the paper's law."""

    response: ClassVar = "loss"
    falls: ClassVar = ("tokens",)

    def mean(self, params: Any, tokens: Any) -> Any:
        return super().mean(params, tokens)

    @classmethod
    def prior(cls) -> "FarseerHere":
        values = {name: getattr(Farseer.prior(), name) for name in ("s_g", "gamma", "a", "s_a", "alpha", "s_r", "beta")}
        return cls(g=dist.LogNormal(log(2.0), 0.3), r=dist.LogNormal(log(0.5), 0.7), **values)

    def decisions(self) -> dict[str, bl.Decision]:
        return {"compute_optimal": _from_ratio}


_from_ratio = bl.Decision(
    question=compute_optimal.question,
    choose={"tokens_per_param": bl.LogRange(0.3, 1e5)},
    given=("flops",),
    derive=lambda tokens_per_param, flops: {
        "params": jnp.sqrt(flops / (6 * tokens_per_param)),
        "tokens": jnp.sqrt(flops * tokens_per_param / 6),
    },
    report=("params", "tokens", "tokens_per_param"),
)

LAWS = {"Chinchilla": Chinchilla, "Overtraining": Overtraining, "Kaplan": KaplanHere, "Farseer": FarseerHere}


@functools.cache
def runs() -> pd.DataFrame:
    every = bl.fetch_chinchilla_epoch()
    return every[~every.outlier].reset_index(drop=True)


@functools.cache
def posteriors() -> dict[str, bl.Posterior]:
    start = time.time()
    found = {
        name: bl.fit(law, runs(), noise=bl.StudentT, draws=2000, seed=1, progress=False) for name, law in LAWS.items()
    }
    print(f"fits: {time.time() - start:.0f} s; ok: {[one.ok for one in found.values()]}", file=sys.stderr, flush=True)
    return found


def table(frame: pd.DataFrame) -> str:
    """A frame as Markdown."""
    head = [frame.index.name or "", *map(str, frame.columns)]
    lines = [
        head,
        ["---"] * len(head),
        *([str(name), *map(str, row)] for name, row in zip(frame.index, frame.to_numpy(), strict=True)),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_size(frame: pd.DataFrame) -> np.ndarray:
    """Sizes to a quarter of a decade."""
    return (4 * np.log10(frame["params"])).round() / 4


@functools.cache
def checks() -> dict[str, bl.Check]:
    return {name: bl.check(one, flops=BUDGETS) for name, one in posteriors().items()}


def check() -> None:
    frame = pd.DataFrame({name: one.table["p_adjusted"] for name, one in checks().items()})
    inside = pd.DataFrame({name: one.table["value"] for name, one in checks().items()})
    for row in ("inside 50%", "inside 90%"):
        frame.loc[f"{row} (share)"] = inside.loc[row]
    print(table(frame.map("{:.2g}".format)), "\n")
    rows = {}
    for name, one in checks().items():
        moved = one.sensitivity.loc["flops = 5.76e+23"].loc["params"].T
        rows[name] = moved.loc[["psense", "median", "median_weaker", "median_stronger"], "prior"]
    print(table(pd.DataFrame(rows).T.map("{:.3g}".format)), "\n")
    for name, one in checks().items():
        print(f"{name}:", *(f"- {status.text}" for status in one.status), sep="\n")


@functools.cache
def comparisons() -> dict[str, bl.Comparison]:
    found = {"one run": bl.compare(posteriors())}
    start = time.time()
    found[SIZE] = bl.compare(posteriors(), by=by_size)
    print(f"{found[SIZE].table['refits'].sum():.0f} fits: {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    return found


def compare() -> None:
    for what, one in comparisons().items():
        print(f"{what} left out: {one.left_out}\n")
        print(table(one.table.map("{:.4g}".format)), "\n")
        print(*(f"- {status.text}" for status in one.status), sep="\n")
        by_bma = bl.compare(posteriors(), method="pseudo-bma+").table["weight"] if what == "one run" else None
        if by_bma is not None:
            print("\npseudo-BMA+:", by_bma.map("{:.3f}".format).to_dict(), "\n")


@functools.cache
def stacks() -> dict[str, bl.Stack]:
    weights = {what: one.table["weight"].to_dict() for what, one in comparisons().items()}
    found = {f"stack, {what} left out": bl.stack(posteriors(), weights=one) for what, one in weights.items()}
    return {**found, "stack, equal weights": bl.stack(posteriors(), method="equal")}


def stack() -> None:
    rows = []
    for name, one in {**posteriors(), **stacks()}.items():
        plan = bl.allocate(one, flops=BUDGETS)
        frame = plan.summary()
        for budget in BUDGETS:
            row = {"law": name, "flops": f"{budget:g}"}
            for quantity, unit in (("params", 1e9), ("tokens_per_param", 1.0), ("loss", 1.0)):
                lower, median, upper = (
                    frame.loc[(budget, quantity), ["lower", "median", "upper"]].to_numpy(float) / unit
                )
                row[quantity] = f"{median:.4g} [{lower:.4g}, {upper:.4g}]"
            if isinstance(one, bl.Stack):
                row["between laws"] = f"{one.disagreement(plan)['between'].loc[(budget, 'params')]:.0%}"
            rows.append(row)
        if isinstance(one, bl.Stack):
            weights = ", ".join(f"{law} {weight:.2f}" for law, weight in one.weights.items())
            print(f"{name} ({weights}):", *(f"- {s.text}" for s in plan.status if "the laws" in s.text), sep="\n")
    print()
    print(table(pd.DataFrame(rows).fillna("").set_index("law")))


def trimmed() -> None:
    kept = runs()[runs()["tokens"] > 2e9].reset_index(drop=True)
    laws = {name: law for name, law in LAWS.items() if name != "Kaplan"}
    fits = bl.fit_many(laws, kept, noise=bl.StudentT, draws=2000, seed=1, progress=False)
    found = bl.compare(fits)
    better = (found.pointwise["elpd", "Farseer"] > found.pointwise["elpd", "Chinchilla"]).mean()
    print(f"{len(kept)} runs of more than 2e9 tokens; Farseer predicts {better:.0%} of them better than Chinchilla\n")
    rows = {}
    for name, one in fits.items():
        adjusted = bl.check(one).table["p_adjusted"]
        lower, median, upper = bl.allocate(one, flops=5.76e23).summary().loc[(5.76e23, "params")].to_numpy()[:3] / 1e9
        row = found.table.loc[name]
        rows[name] = {
            "elpd": f"{row['elpd']:.1f}", "difference (se)": f"{row['difference']:.1f} ({row['difference_se']:.1f})",
            "failed tests": ", ".join(f"{test} ({p:.1g})" for test, p in adjusted.items() if p < 0.05),
            "params": f"{median:.3g} [{lower:.3g}, {upper:.3g}]",
        }  # fmt: skip
    print(table(pd.DataFrame(rows).T.rename_axis("law")))


class Bent(Chinchilla):
    """Chinchilla with less for size and data together, by 3 % of the reducible loss per e-fold of each."""

    def mean(self, params: Any, tokens: Any) -> Any:
        bend = 0.03 * jnp.log(params / 1e9) * jnp.log(tokens / 2e10)
        return self.E + (super().mean(params, tokens) - self.E) * jnp.exp(bend)


def alarms(worlds: int = 40) -> None:
    truth = Chinchilla.published()["besiroglu2024"]
    bent = Bent(**{name: getattr(truth, name) for name in ("E", "a", "alpha", "b", "beta")})
    rows = []
    for name, law in (("right", truth), ("bent", bent)):
        at = [bl.make_chinchilla(100, seed=seed) for seed in range(worlds)]
        made = [bl.simulate(law, one, noise=bl.StudentT(df=5.0, scale=0.004), seed=i) for i, one in enumerate(at)]
        fits = bl.fit_many(Chinchilla, made, method="importance", draws=500, progress=False)
        found = [bl.check(one) for one in fits]
        failed = [one.table.index[one.table["p_adjusted"] < 0.05] for one in found]
        inside = np.mean([one.table["value"][["inside 50%", "inside 90%"]] for one in found], axis=0)
        rows.append({
            "world": name, "worlds": worlds, "any test fails": np.mean([len(one) > 0 for one in failed]),
            "params by tokens fails": np.mean(["params by tokens" in one for one in failed]),
            "inside 50 %": inside[0], "inside 90 %": inside[1],
        })  # fmt: skip
    print(table(pd.DataFrame(rows).round(3).set_index("world")))


def figures() -> None:
    axes = bl.plots.plot_check(checks()["Chinchilla"])
    axes[0].figure.savefig("docs/checking.png", dpi=110)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    bins = np.linspace(np.log10(2e10), np.log10(6e11), 70)
    colours = dict(zip(LAWS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))
    equal = stacks()["stack, equal weights"]
    draws = bl.allocate(equal, flops=5.76e23).draws
    params = np.log10(draws["params"].to_numpy()).ravel()
    laws = draws["law"].to_numpy().ravel()
    parts = [params[laws == name] for name in LAWS]
    left.hist(parts, bins=list(bins), stacked=True, color=list(colours.values()), label=list(LAWS))
    for end in np.quantile(params, [0.05, 0.95]):
        left.axvline(end, color="black", linewidth=1, linestyle="--")
    left.set_xlabel("parameters for 5.76e23 FLOPs (equal weights; dashed: 90 % interval)")
    left.set_xticks(np.log10([3e10, 1e11, 3e11]), ["30B", "100B", "300B"])
    left.set_ylabel("draws")
    left.legend(frameon=False)
    shown = {**posteriors(), **stacks()}
    for i, (name, one) in enumerate(shown.items()):
        lower, median, upper = np.quantile(bl.allocate(one, flops=5.76e23).draws["params"], [0.05, 0.5, 0.95])
        colour = colours.get(name, "black")
        right.plot([lower, upper], [-i, -i], color=colour, linewidth=3)
        right.plot(median, -i, "o", color=colour, markerfacecolor="white", markersize=6)
    right.set_yticks(-np.arange(len(shown)), list(shown))
    right.set_xscale("log")
    right.set_xticks([2e10, 5e10, 1e11, 2e11, 5e11], ["20B", "50B", "100B", "200B", "500B"], minor=False)
    right.minorticks_off()
    right.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    right.set_xlabel("parameters for 5.76e23 FLOPs: median and 90 % interval")
    figure.savefig("docs/stack.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {
        "check": check,
        "compare": compare,
        "stack": stack,
        "trimmed": trimmed,
        "alarms": alarms,
        "figures": figures,
    }
    parser.add_argument("what", choices=commands, nargs="+")
    for what in parser.parse_args().what:
        commands[what]()
