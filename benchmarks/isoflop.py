"""Minima of isoFLOP profiles: how often their intervals hold the truth, and the exponents of published sweeps.

    python benchmarks/isoflop.py coverage [--worlds 60]    # made-up sweeps, with a skew and as a parabola
    python benchmarks/isoflop.py exponents                 # Chinchilla's and Porian's runs (downloads the latter)
    python benchmarks/isoflop.py figure                    # docs/profiles.png

A made-up sweep has five budgets of 1e18 to 1e21 FLOPs, seven sizes at each, from a quarter to four times the best one;
the law is the refit of Besiroglu et al. 2024 with other exponents, ln loss scatters by a normal.
"""

import argparse

import numpy as np

import bayeslaw as bl
from bayeslaw.models import Chinchilla
from bayeslaw.models.chinchilla import compute_optimal

BUDGETS = np.geomspace(1e18, 1e21, 5)
EXPONENTS = (0.35, 0.37), (0.34, 0.28), (0.30, 0.45), (0.20, 0.50)
CHINCHILLA = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21]
PORIAN = {
    "Kaplan's setting": {"source": "summary_df", "decay": "kaplan", "param_count": "kaplan"},
    "head counted": {"source": "summary_df", "warmup": "long", "param_count": "standard"},
    "short warmup": {"source": "summary_df", "warmup": "short", "decay": "kaplan"},
    "cosine to the budget": {"source": "summary_df", "decay": "chinchilla"},
    "tuned": {"source": "summary_df", "hparams": "tuned"},
}


def coverage(worlds: int) -> None:
    base = Chinchilla.published()["besiroglu2024"]
    assert compute_optimal.closed_form is not None
    for scatter in (0.001, 0.004):
        for alpha, beta in EXPONENTS:
            law = Chinchilla(E=base.E, a=base.a, alpha=alpha, b=base.b, beta=beta)
            best = np.asarray(compute_optimal.closed_form(law, flops=BUDGETS)["params"])
            params = (best[:, None] * np.geomspace(0.25, 4, 7)).ravel()
            flops, said = np.repeat(BUDGETS, 7), []
            for skewness in (0.05, 0.0):
                inside, widths, slopes = [], [], []
                for seed in range(worlds):
                    noise = np.exp(scatter * np.random.default_rng(seed).standard_normal(params.size))
                    loss = law(params=params, tokens=flops / (6 * params)) * noise
                    found = bl.isoflop({"params": params, "flops": flops, "loss": loss}, skewness=skewness, seed=seed)
                    low, high = np.nanquantile(found.draws["params"].to_numpy(), [0.05, 0.95], axis=(0, 1))
                    inside.append((low < best) & (best < high))
                    widths.append(np.log(high / low))
                    lower, _, upper = found.exponent()
                    slopes.append(lower < beta / (alpha + beta) < upper)
                width = np.exp(np.median(widths))
                said.append(f"minima {np.mean(inside):.0%} (x {width:.2f}), exponent {np.mean(slopes):.0%}")
            print(f"alpha {alpha}, beta {beta}, scatter {scatter:.1%}: skew {said[0]}; parabola {said[1]}", flush=True)


def exponents() -> None:
    def shown(name: str, found: bl.Profiles) -> None:
        low, middle, high = found.exponent()
        print(f"{name}: {middle:.3f} ({low:.3f} to {high:.3f}), {found.table['used'].sum()} of {len(found.table)} used")

    shown("Chinchilla", bl.isoflop(bl.load_chinchilla(), budgets=CHINCHILLA))
    runs = bl.fetch_porian()
    for name, setting in PORIAN.items():
        table = runs[~runs.missing]
        for column, value in setting.items():
            table = table[table[column] == value]
        shown(f"Porian, {name}", bl.isoflop(table))


def figure() -> None:
    runs = bl.load_chinchilla()
    found = bl.isoflop(runs, budgets=CHINCHILLA)
    axes = bl.plots.plot_profiles(found, found.against(bl.fit(Chinchilla, runs, seed=1)))
    axes[0].figure.savefig("docs/profiles.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("coverage", "exponents", "figure"))
    parser.add_argument("--worlds", type=int, default=60)
    asked = parser.parse_args()
    if asked.what == "coverage":
        coverage(asked.worlds)
    else:
        {"exponents": exponents, "figure": figure}[asked.what]()
