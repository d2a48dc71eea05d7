"""What deciding over all draws is worth: made-up worlds whose truth is known, and the time it takes.

    python benchmarks/decisions.py worlds [--worlds 200]    # realised regret: choose, CVaR, and the plug-in
    python benchmarks/decisions.py sure [--worlds 200]      # how often a plan that is 90 % sure is enough
    python benchmarks/decisions.py figures                  # docs/decisions.png
    python benchmarks/decisions.py speed                    # 4000 draws x 100 scenarios

A world is a Chinchilla law and a noise drawn from their prior, 24 pilot runs of it (four budgets of 1e18 to 3e19 FLOPs,
six sizes each), and the question which size to train for 1e24 FLOPs. Each action is judged by the true law.
"""

import argparse
import time
import warnings
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Chinchilla
from bayeslaw.models.chinchilla import compute_optimal

BUDGET = 1e24
LEVEL = 0.9
PILOTS = np.array([(c, n) for c in np.geomspace(1e18, 3e19, 4) for n in np.sqrt(c / 120) * np.geomspace(1 / 6, 6, 6)])
RISKS = {"choose, expectation": bl.Expectation(), f"choose, CVaR {LEVEL:g}": bl.CVaR(LEVEL)}


def made(count: int) -> Iterator[tuple[Chinchilla, pd.DataFrame]]:
    """Worlds: the true law and its pilot runs."""
    design = {"params": PILOTS[:, 1], "tokens": PILOTS[:, 0] / (6 * PILOTS[:, 1])}
    for seed in range(count):
        runs = bl.simulate(Chinchilla, design, seed=seed)
        truth = {name: value for name, value in runs.attrs["truth"].items() if not name.startswith("noise.")}
        yield Chinchilla(**truth), runs


def judged(law: Chinchilla, params: float) -> tuple[float, float]:
    """The true loss of training that size, and what it loses against the best one."""
    assert compute_optimal.closed_form is not None
    best = float(compute_optimal.closed_form(law, flops=BUDGET)["params"])
    loss, least = (float(law(params=n, tokens=BUDGET / (6 * n))) for n in (params, np.clip(best, 1e6, 1e14)))
    return loss, loss - least


def fitted(runs: pd.DataFrame, seed: int) -> bl.Posterior:
    """With longer chains and smaller steps where the first did not do: worlds left out for being hard would flatter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        first = bl.fit(Chinchilla, runs, seed=seed, progress=False, target_accept=0.97)
        if first.ok:
            return first
        return bl.fit(
            Chinchilla, runs, seed=seed + 10_000, progress=False, target_accept=0.995, draws=4000, warmup=2000
        )


def worlds(count: int) -> None:
    rows, left_out = [], 0
    for i, (law, runs) in enumerate(made(count)):
        posterior = fitted(runs, i)
        if not posterior.ok:
            left_out += 1
            continue
        for name, risk in RISKS.items():
            choice = bl.choose(posterior, risk=risk, flops=BUDGET)
            table = choice.summary()
            options = {name: 0} | ({"plug-in": 1} if isinstance(risk, bl.Expectation) else {})
            for label, row in options.items():
                loss, regret = judged(law, float(table["params"].iloc[row]))
                drawn = choice.draws["loss"].to_numpy()[..., 0, row].ravel()
                tail = np.sort(drawn)[-len(drawn) // 10 :].mean()
                rows.append((i, label, loss, regret, float(table["regret"].iloc[row]), drawn.mean(), tail))
    frame = pd.DataFrame(rows, columns=["world", "action", "loss", "regret", "predicted", "mean_loss", "tail_loss"])
    report(frame, left_out)


def report(frame: pd.DataFrame, left_out: int) -> None:
    wide = frame.pivot(index="world", columns="action")
    reference = wide["mean_loss"]["choose, expectation"]
    rows = {}
    for action in wide["regret"].columns:
        regret, predicted = wide["regret"][action], wide["predicted"][action]
        surprise = np.sort(wide["loss"][action] - reference)[-len(wide) // 10 :]
        rows[action] = {
            "mean regret": regret.mean(), "se": regret.std(ddof=1) / np.sqrt(len(wide)),
            "worst tenth of regrets": np.sort(regret)[-len(wide) // 10 :].mean(),
            "predicted": predicted.mean(), "predicted / realised": predicted.mean() / regret.mean(),
            "worst tenth above the expected loss": surprise.mean(), "predicted tail": wide["tail_loss"][action].mean(),
        }  # fmt: skip
    print(pd.DataFrame(rows).T.to_string(float_format="{:.4g}".format))
    gap = wide["regret"]["plug-in"] - wide["regret"]["choose, expectation"]
    print(f"plug-in less choose: {gap.mean():.3g} (se {gap.std(ddof=1) / np.sqrt(len(gap)):.2g}); {len(wide)} worlds, "
          f"{left_out} left out for their sampler")  # fmt: skip


def sure(count: int) -> None:
    """The least compute that is 90 % sure to reach the loss that 1e22 FLOPs may well give, and what a point says."""
    spend = compute_optimal.within(flops=bl.LogRange(1e18, 1e28)).minimising("flops")
    kept, spent, out = [], [], 0
    for i, (law, runs) in enumerate(made(count)):
        posterior = fitted(runs, i)
        target = float(bl.choose(posterior, flops=1e22).summary()["median"].iloc[0])
        try:
            choice = bl.choose(posterior, spend, subject_to=bl.AtMost("loss", target, prob=0.9))
        except bl.InputError:
            out += 1
            continue
        table = choice.summary().iloc[:2]
        true = [float(law(params=n, tokens=c / (6 * n))) for n, c in zip(table["params"], table["flops"], strict=True)]
        kept.append(np.array(true) <= target)
        spent.append(np.log10(table["flops"].to_numpy()))
    share = np.mean(kept, axis=0)
    error = np.sqrt(share * (1 - share) / len(kept))
    for name, s, e, c in zip(("choose, 90 % sure", "plug-in"), share, error, np.median(spent, axis=0), strict=True):
        print(f"{name}: kept in {s:.3f} (se {e:.3f}) of {len(kept)} worlds, at a median of 10^{c:.2f} FLOPs")
    print(f"{out} worlds in which no budget up to 1e28 is 90 % sure")


def figures() -> None:
    posterior = bl.fit(Chinchilla, bl.load_chinchilla(), seed=1, progress=False)
    _, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    bl.plots.plot_choice(bl.choose(posterior, flops=5.76e23), ax=axes[0])
    free = compute_optimal.within(flops=bl.LogRange(1e20, 1e26))
    bl.plots.plot_pareto(bl.pareto(posterior, free, against="flops"), ax=axes[1])
    plt.savefig("docs/decisions.png", dpi=110)


def speed() -> None:
    posterior = bl.fit(Chinchilla, bl.load_chinchilla(), seed=1, progress=False)
    two = bl.Decision(
        question="Which size, on which share of the budget?",
        choose={"params": bl.LogRange(1e6, 1e14), "share": bl.Range(0.1, 1.0)},
        given=("flops",),
        derive=lambda params, share, flops: {"tokens": share * flops / (6 * params)},
        report=("params", "tokens"),
    )
    flops = np.geomspace(1e20, 1e25, 100)
    for name, decision in {"one variable": compute_optimal, "two variables": two}.items():
        for label, risk in RISKS.items():
            for turn in ("first", "again"):
                start, busy = time.perf_counter(), time.process_time()
                bl.choose(posterior, decision, risk=risk, flops=flops)
                print(f"{name}, {label}, {turn}: {time.perf_counter() - start:.1f} s, "
                      f"{time.process_time() - busy:.1f} s of processors")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["worlds", "sure", "figures", "speed"])
    parser.add_argument("--worlds", type=int, default=200)
    given = parser.parse_args()
    if given.what in ("worlds", "sure"):
        {"worlds": worlds, "sure": sure}[given.what](given.worlds)
    else:
        {"figures": figures, "speed": speed}[given.what]()
