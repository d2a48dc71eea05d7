"""Over-trained models predicted from small runs: two chained steps, and three corpora that learn from each other.

    python benchmarks/overtraining.py twostep     # loss and benchmark error of the 1.4 B and 6.9 B models of the paper
    python benchmarks/overtraining.py pooled      # partial pooling of the corpora against separate fits and one for all
    python benchmarks/overtraining.py subsets     # the same from forty random sets of six small runs a corpus
    python benchmarks/overtraining.py figure      # docs/overtraining.png

Each prints tables in Markdown; docs/overtraining.md has the first two. The runs are those of Gadre et al. 2024
(`load_overtraining`). No run that is predicted was fitted, and the splits are by size alone.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Chinchilla, Downstream, Overtraining

CORPORA = ("c4", "redpajama", "refinedweb")
CHANCE = {"error": 0.8088, "error_46": 0.75}
COLORS = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#D55E00")
BLUE, GREY = COLORS[1], "#666666"
BIG = 1e9  # parameters; the nine larger models are held out throughout, but for the error law's run of 1.4 B
LEAST = 10  # tokens per parameter; the paper calls runs below it unreliable


def runs() -> pd.DataFrame:
    found = bl.load_overtraining()
    return found.assign(ratio=found.tokens / found.params)


def five(table: pd.DataFrame) -> pd.DataFrame:
    """The authors' runs for the loss: four sizes at 20 tokens per parameter and the smallest at 320."""
    smallest = table.params == table.params.min()
    return table[(table.params < BIG) & ((table.ratio == 20) | (smallest & (table.ratio == 320)))]


def small(table: pd.DataFrame) -> pd.DataFrame:
    """All sizes up to 0.41 B, from 10 tokens per parameter up."""
    return table[(table.params < BIG) & (table.ratio >= LEAST)]


def with_bridge(chosen: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The same and the run of 1.4 B at 20 tokens per parameter, which the authors add for the error."""
    return pd.concat([chosen, table[(table.params > BIG) & (table.params < 2e9) & (table.ratio == 20)]])


def fit(law: Any, table: pd.DataFrame, seed: int = 0, least: int = 1000, **options: Any) -> bl.Posterior:
    """A fit that follows the advice of its own statuses, once or twice, of `least` draws a chain or more."""
    for target_accept, draws in ((0.95, least), (0.99, max(2000, least)), (0.995, 6000)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            posterior = bl.fit(
                law, table, draws=draws, target_accept=target_accept, seed=seed, progress=False, **options
            )
        if posterior.ok:
            break
    return posterior


def health(posterior: bl.Posterior) -> str:
    stats, summary = posterior.tree["sample_stats"], posterior.summary()
    text = f"{posterior.shape[1]} draws, {int(stats['diverging'].sum())} diverged, R-hat {summary.r_hat.max():.3f}"
    return f"{text}, least ESS {summary.ess_bulk.min():.0f}, {float(stats['n_steps'].mean()):.0f} steps a draw"


def markdown(frame: pd.DataFrame) -> str:
    cells = [list(map(str, frame.columns)), ["---"] * len(frame.columns)]
    cells += [[value if isinstance(value, str) else f"{value:.4g}" for value in row] for row in frame.to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def report(text: str, start: float) -> None:
    print(f"{text} ({time.time() - start:.0f} s)", file=sys.stderr, flush=True)


# --- Two steps --------------------------------------------------------------------------------------------------------


def interval(values: Any, prob: float = 0.95) -> np.ndarray:
    return np.quantile(np.asarray(values).ravel(), [(1 - prob) / 2, 0.5, (1 + prob) / 2])


def planned(table: pd.DataFrame) -> pd.DataFrame:
    """What is predicted: 1.4 B on the most tokens it was trained for, and 6.9 B."""
    big = table[table.params > BIG]
    return pd.concat([big[(big.params < 2e9) & (big.ratio > 20)], big[big.params > 2e9]])


def twostep(seed: int) -> None:
    """Loss, then error, of planned models: the authors' point against the chained posterior from two sets of runs."""
    everything, rows, hits = runs(), [], []
    for corpus in CORPORA:
        table = everything[everything.corpus == corpus]
        plans = planned(table)
        for design, chosen in (("authors'", five(table)), ("all small", small(table))):
            start = time.time()
            loss = fit(Overtraining, chosen, seed)
            tasks = {"loss": (loss, Overtraining.published()[corpus](params=plans.params, tokens=plans.tokens))}
            for column, chance in CHANCE.items():
                bridge = with_bridge(chosen, table).drop(columns={"error", "error_46"} - {column})
                measured = bridge.rename(columns={column: "error"})
                # As many draws as of the loss: they are paired.
                error = fit(Downstream.prior(chance), measured, seed + 1, least=loss.shape[1])
                name = corpus if column == "error" else f"{corpus}, 46 tasks"
                tasks[column] = (loss.then(error), Downstream.published()[name](loss=tasks["loss"][1]))
            for column, (posterior, point) in tasks.items():
                draws = bl.predict(posterior, plans[["params", "tokens"]], seed=seed, misfit=False).draws
                for i, (_, plan) in enumerate(plans.iterrows()):
                    mean, new = (
                        interval(draws[posterior.response + kind].isel(scenario=i)) for kind in ("", "_new_run")
                    )
                    truth = plan[column]
                    hits.append({"runs": design, "predicted": column, "authors": abs(point[i] / truth - 1),
                                 "ours": abs(mean[1] / truth - 1), "mean": mean[0] < truth < mean[2],
                                 "new run": new[0] < truth < new[2], "width": new[2] - new[0]})  # fmt: skip
                    rows.append({
                        "corpus": corpus, "model": f"{plan.params / 1e9:.1f} B on {plan.tokens / 1e9:.0f} B tokens",
                        "predicted": column, "runs": f"{design}, {len(chosen) + (column != 'loss')}",
                        "truth": f"{truth:.4f}",
                        "authors' point": f"{point[i]:.4f} ({100 * (point[i] / truth - 1):+.2f} %)",
                        "ours": f"{mean[1]:.4f} ({100 * (mean[1] / truth - 1):+.2f} %)",
                        "95 % of the law": f"{mean[0]:.3f} to {mean[2]:.3f}",
                        "95 % of a run": f"{new[0]:.3f} to {new[2]:.3f}",
                        "ok": "yes" if posterior.ok else "no",
                    })  # fmt: skip
            report(f"{corpus}, {design}", start)
    print(markdown(pd.DataFrame(rows)), end="\n\n")
    found = pd.DataFrame(hits).groupby(["predicted", "runs"], sort=False)
    summary = found[["authors", "ours"]].mean().mul(100).round(2).join(found[["mean", "new run"]].sum())
    summary["width"] = found.width.mean()
    print(markdown(summary.reset_index()))


# --- Three corpora ----------------------------------------------------------------------------------------------------

LAWS = {"Overtraining": Overtraining, "Chinchilla": Chinchilla}
PROBS = (0.5, 0.9, 0.95)


def splits(everything: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, dict[str, pd.DataFrame]]]:
    """Training runs, and held-out runs under the name of the split: by size alone."""
    few = pd.concat([five(table) for _, table in everything.groupby("corpus", sort=False)])
    big, rest = everything[everything.params > BIG], small(everything)
    yield rest, {"27 or 28 runs a corpus; the nine large runs": big}
    yield (
        few,
        {"5 runs a corpus; the nine large runs": big, "5 runs a corpus; the other small runs": rest.drop(few.index)},
    )
    for corpus in CORPORA:
        mine, others = (
            few[few.corpus == corpus],
            everything[(everything.corpus != corpus) & (everything.ratio >= LEAST)],
        )
        held = big[big.corpus == corpus]
        yield pd.concat([mine, others]), {"5 runs of one corpus, all of the other two; its three large runs": held}


def separately(law: Any, train: pd.DataFrame, wanted: list[str], seed: int) -> dict[str, bl.Posterior]:
    tables = {corpus: train[train.corpus == corpus].drop(columns="corpus") for corpus in wanted}
    return {corpus: fit(law, table, seed, noise=bl.LogNormal) for corpus, table in tables.items()}


def pooling(law: Any, train: pd.DataFrame, wanted: list[str], seed: int) -> dict[str, bl.Posterior]:
    return dict.fromkeys(wanted, fit(bl.Pooled(law, train, by="corpus"), train, seed, noise=bl.LogNormal))


def together(law: Any, train: pd.DataFrame, wanted: list[str], seed: int) -> dict[str, bl.Posterior]:
    return dict.fromkeys(wanted, fit(law, train.drop(columns="corpus"), seed, noise=bl.LogNormal))


MODES = {"separate": separately, "pooled": pooling, "one for all": together}


def scored(posterior: bl.Posterior, held: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a held-out run, in percent of its loss."""
    names = [name for name in ("params", "tokens", "corpus") if name in posterior.joint.columns()]
    draws = bl.predict(posterior, held[names], misfit=False).draws
    found = []
    for i, truth in enumerate(held.loss):
        row: dict[str, Any] = {"ok": posterior.ok}
        for of, column in (("law", "loss"), ("run", "loss_new_run")):
            values = 100 * (draws[column].isel(scenario=i).to_numpy().ravel() / truth - 1)
            if of == "law":
                row["error"] = np.median(values)
            for prob in PROBS:
                low, _, high = interval(values, prob)
                row[f"{of} {prob:.0%}"] = low < 0 < high
                row[f"width {of} {prob:.0%}"] = high - low
                if of == "run" and prob == 0.9:  # Gneiting and Raftery 2007: width, and 2 / (1 - prob) a unit of miss
                    row["interval score"] = high - low + 20 * (max(low, 0) + max(-high, 0))
        found.append(row)
    return found


def pooled(seed: int) -> None:
    """Each law, each split: error, width and coverage of the intervals of the held-out runs."""
    rows = []
    for train, held in splits(runs()):
        wanted = list(next(iter(held.values())).corpus.unique())
        for name, law in LAWS.items():
            for mode, how in MODES.items():
                start = time.time()
                posteriors = how(law, train, wanted, seed)
                for split, table in held.items():
                    for corpus, part in table.groupby("corpus", sort=False):
                        found = scored(posteriors[str(corpus)], part)
                        rows += [{"split": split, "law": name, "corpora": mode, **one} for one in found]
                marks = {id(one): health(one) for one in posteriors.values()}
                report(f"{len(train)} runs, {name}, {mode}: {'; '.join(marks.values())}", start)
    frame = pd.DataFrame(rows)
    for split, part in frame.groupby("split", sort=False):
        print(f"**{split}**\n\n{markdown(summarised(part))}\n", flush=True)


def subsets(seed: int) -> None:
    """Six random small runs a corpus, forty times: the nine large runs, by the over-training law."""
    everything, rows = runs(), []
    held, chosen = everything[everything.params > BIG], small(everything)
    for draw in range(40):
        train = chosen.groupby("corpus", sort=False).sample(6, random_state=seed + draw)
        for mode in ("separate", "pooled"):
            start = time.time()
            posteriors = MODES[mode](Overtraining, train, list(CORPORA), seed)
            for corpus, part in held.groupby("corpus", sort=False):
                found = scored(posteriors[str(corpus)], part)
                rows += [{"law": "Overtraining", "corpora": mode, **one} for one in found]
            marks = {id(one): health(one) for one in posteriors.values()}
            report(f"draw {draw}, {mode}: {'; '.join(marks.values())}", start)
    print(markdown(summarised(pd.DataFrame(rows))))


def summarised(frame: pd.DataFrame) -> pd.DataFrame:
    groups = frame.assign(abs_error=frame.error.abs()).groupby(["law", "corpora"], sort=False)
    found = []
    for (law, mode), part in groups:
        row: dict[str, Any] = {
            "law": law, "corpora": mode, "held out": str(len(part)), "abs. error": part.abs_error.mean(),
            "error": f"{part.error.mean():+.2f}", "width, law": part["width law 90%"].mean(),
            "width, run": part["width run 90%"].mean(), "interval score": part["interval score"].mean(),
        }  # fmt: skip
        for of in ("law", "run"):
            row[f"{of} 50/90/95 %"] = " / ".join(str(int(part[f"{of} {prob:.0%}"].sum())) for prob in PROBS)
        row["ok"] = f"{part.ok.mean():.0%}"
        found.append(row)
    return pd.DataFrame(found)


# --- The figure -------------------------------------------------------------------------------------------------------


def figure(seed: int) -> None:
    """Left: small runs of one corpus predict its large ones. Right: the nine large runs, from five runs a corpus."""
    everything = runs()
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.5, 5.2), layout="constrained")
    table = everything[(everything.corpus == "redpajama") & (everything.ratio >= LEAST)]
    posterior = fit(Overtraining, small(table), seed)
    ratio = np.geomspace(10, 640, 25)
    for color, (params, part) in zip(COLORS, table.groupby("params"), strict=True):
        draws = bl.predict(posterior, {"params": params, "tokens": params * ratio}, misfit=False).draws["loss"]
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=(0, 1))
        left.fill_between(ratio, low, high, color=color, alpha=0.25, linewidth=0)
        left.plot(ratio, middle, color=color, linewidth=1, label=f"{params / 1e9:.2g} B" + "*" * (params > BIG))
        marker, size = ("*", 13) if params > BIG else ("o", 5)
        left.plot(part.ratio, part.loss, marker, color=color, markersize=size, markeredgecolor="white")
    left.set(xscale="log", xlabel="tokens per parameter", ylabel="loss (nats per token)", yscale="log")
    left.set_xticks([10, 20, 40, 80, 160, 320, 640], ["10", "20", "40", "80", "160", "320", "640"])
    left.set_yticks([2.5, 3, 3.5, 4, 4.5, 5], ["2.5", "3", "3.5", "4", "4.5", "5"])
    left.minorticks_off()
    left.legend(title="* held out", ncols=2, frameon=False)
    left.set_title("RedPajama: sizes up to 0.41 B fitted, 90 % of the law", loc="left")

    train = pd.concat([five(part) for _, part in everything.groupby("corpus", sort=False)])
    held = everything[everything.params > BIG].sort_values(["corpus", "params", "tokens"], ascending=False)
    for shift, color, mode in ((0.16, GREY, "separate"), (-0.16, BLUE, "pooled")):
        posteriors = MODES[mode](Overtraining, train, list(CORPORA), seed)
        for place, (_, run) in enumerate(held.iterrows()):
            names = [name for name in ("params", "tokens", "corpus") if name in posteriors[run.corpus].joint.columns()]
            draws = bl.predict(posteriors[run.corpus], {name: run[name] for name in names}, misfit=False).draws[
                "loss_new_run"
            ]
            for prob, width in ((0.95, 1.2), (0.5, 4.0)):
                low, middle, high = 100 * (interval(draws, prob) / run.loss - 1)
                right.plot([low, high], [place + shift] * 2, color=color, linewidth=width, solid_capstyle="butt",
                           label=f"{mode}" if place == 0 and prob == 0.5 else None)  # fmt: skip
            right.plot(middle, place + shift, "o", color="white", markeredgecolor=color, markersize=5)
    right.axvline(0, color="black", linewidth=1)
    right.set_yticks(range(len(held)), [f"{run.corpus}, {run.params / 1e9:.1f} B on {run.tokens / 1e9:.0f} B"
                                        for _, run in held.iterrows()])  # fmt: skip
    right.set(xlabel="predicted loss of a run, above the measured (%); 50 and 95 %")
    right.legend(frameon=False, loc="lower right")
    right.set_title("Held-out large runs from five small ones a corpus", loc="left")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    fig.savefig("docs/overtraining.png", dpi=150)


if __name__ == "__main__":
    parts: Mapping[str, Any] = {one.__name__: one for one in (twostep, pooled, subsets, figure)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    parts[wanted.part](wanted.seed)
