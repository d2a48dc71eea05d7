"""Farseer against Chinchilla and a law between the two, on the 400 distinct runs of Farseer.

    python benchmarks/farseer.py heldout    # fit the three quarters with the least compute, judge on the rest
    python benchmarks/farseer.py sizes      # fit the smaller models, judge on the larger ones
    python benchmarks/farseer.py loo        # the same three laws on all runs, by PSIS-LOO
    python benchmarks/farseer.py optimum    # tokens per parameter by compute, from all runs
    python benchmarks/farseer.py figure     # docs/farseer.png
    python benchmarks/farseer.py heldout sizes loo optimum figure    # all, each law fitted three times

Each prints a table in Markdown; docs/farseer.md has them. Priors, noise and sampler settings were those of the library
throughout, and nothing was chosen by what is held out. The runs are downloaded once (`fetch_farseer`).
"""

import argparse
from collections.abc import Mapping
from functools import cache
from math import log
from typing import Any, ClassVar

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from jaxtyping import Array

import bayeslaw as bl
from bayeslaw.models import Chinchilla, Farseer
from bayeslaw.models.farseer import compute_optimal

SIZE, DATA, RESPONSE = "nonembedding_params", "tokens", "bits_per_character"
BUDGETS = np.geomspace(1e19, 1e25, 7)
SEED = 0


class ChinchillaBits(Chinchilla):
    """Chinchilla in the columns of these runs, its prior in bits per character: about a quarter of nats per token."""

    response: ClassVar = RESPONSE

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        return super().mean(nonembedding_params, tokens)

    @classmethod
    def prior(cls) -> "ChinchillaBits":
        return cls(
            E=dist.LogNormal(log(0.4), 0.5), a=dist.LogNormal(log(0.1), 1.0), alpha=dist.LogNormal(log(0.33), 0.4),
            b=dist.LogNormal(log(0.1), 1.0), beta=dist.LogNormal(log(0.33), 0.4),
        )  # fmt: skip

    def decisions(self) -> Mapping[str, bl.Decision]:
        return {"compute_optimal": compute_optimal}


class OuterPower(bl.AbstractLaw):
    """bits_per_character = E + r (share n^-alpha + (1 - share) d^-beta)^k, n = N / 1e9, d = tokens / 2e10

    One parameter more than Chinchilla; k = 1 is Chinchilla.
    """

    response: ClassVar = RESPONSE

    E: bl.Scalar
    r: bl.Scalar
    share: bl.Scalar
    alpha: bl.Scalar
    beta: bl.Scalar
    k: bl.Scalar

    def mean(self, nonembedding_params: Array, tokens: Array) -> Array:  # type: ignore[override]
        size, data = (nonembedding_params / 1e9) ** -self.alpha, (tokens / 2e10) ** -self.beta
        return self.E + self.r * (self.share * size + (1 - self.share) * data) ** self.k

    def summands(self) -> tuple[str, ...]:
        return ("E", "r")

    @classmethod
    def prior(cls) -> "OuterPower":
        return cls(
            E=dist.LogNormal(log(0.4), 0.5), r=dist.LogNormal(log(0.2), 1.0), share=dist.Beta(2.0, 2.0),
            alpha=dist.LogNormal(log(0.33), 0.6), beta=dist.LogNormal(log(0.33), 0.6), k=dist.LogNormal(0.0, 0.5),
        )  # fmt: skip

    def decisions(self) -> Mapping[str, bl.Decision]:
        return {"compute_optimal": compute_optimal}


LAWS = {"Chinchilla": ChinchillaBits, "outer power": OuterPower, "Farseer": Farseer}


@cache
def runs() -> pd.DataFrame:
    """The 400 distinct runs."""
    found = bl.fetch_farseer()
    return found[~found.duplicate].reset_index(drop=True)


@cache
def fitted(name: str, part: str) -> tuple[bl.Posterior, pd.DataFrame]:
    """The posterior of a law from one part of the runs, and the other runs."""
    table = runs()
    flops = 6 * table[SIZE] * table[DATA]
    inside = {
        "all": flops > 0,
        "compute": flops < flops.quantile(0.75),
        "sizes": table[SIZE] < 3.8e9,
    }[part]
    posterior = bl.fit(LAWS[name], table[inside], seed=SEED, target_accept=0.95, progress=False)
    return posterior, table[~inside]


def score(name: str, part: str) -> dict[str, float]:
    """How the runs that were not fitted are predicted. Errors are of the posterior median of the mean function."""
    posterior, rest = fitted(name, part)
    draws = bl.predict(posterior, rest, misfit=False).draws
    truth = rest[RESPONSE].to_numpy()
    error = np.median(draws[RESPONSE], axis=(0, 1)) / truth - 1
    found = {
        "runs": len(rest),
        "mean error %": 100 * np.abs(error).mean(),
        "largest error %": 100 * np.abs(error).max(),
        "bias %": 100 * error.mean(),
        "RMS of ln": np.sqrt(np.mean(np.log1p(error) ** 2)),
    }
    for what, variable in (("new run", f"{RESPONSE}_new_run"), ("mean", RESPONSE)):
        for prob in (0.5, 0.9, 0.95):
            low, high = np.quantile(draws[variable], [(1 - prob) / 2, (1 + prob) / 2], axis=(0, 1))
            found[f"{what} {prob:.0%}"] = np.mean((low <= truth) & (truth <= high))
    width = np.ptp(np.quantile(draws[f"{RESPONSE}_new_run"], [0.05, 0.95], axis=(0, 1)), axis=0) / truth
    return found | {"width of 90 % %": 100 * width.mean(), "ok": float(posterior.ok)}


def heldout() -> None:
    print(markdown(pd.DataFrame({name: score(name, "compute") for name in LAWS}).T))


def sizes() -> None:
    print(markdown(pd.DataFrame({name: score(name, "sizes") for name in LAWS}).T))


def loo() -> None:
    rows = {}
    for name in LAWS:
        posterior, _ = fitted(name, "all")
        elpd = az.loo(posterior.with_groups("log_likelihood").tree)
        scale = posterior.summary().loc["noise.scale", "median"]
        rows[name] = {"elpd": elpd.elpd, "se": elpd.se, "p": elpd.p, "largest k": np.max(elpd.pareto_k),
                      "noise %": 100 * scale, "ok": float(posterior.ok)}  # fmt: skip
    print(markdown(pd.DataFrame(rows).T.astype(float)))


def optima() -> pd.DataFrame:
    """Tokens per parameter by law and budget."""
    tables = {}
    for name in LAWS:
        posterior, _ = fitted(name, "all")
        summary = bl.allocate(posterior, compute_optimal, flops=BUDGETS).summary()
        tables[name] = summary.xs("tokens_per_param", level="quantity")
    return pd.concat(tables, names=["law"])


def optimum() -> None:
    found = optima()
    for name in LAWS:
        print(f"{name}\n\n{markdown(found.loc[name][['lower', 'median', 'upper', 'at_edge']])}\n")


def figure() -> None:
    """Left: residuals of the held-out runs. Right: the optimum by compute."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.6), layout="constrained")
    colours = dict(zip(LAWS, ("#0072b2", "#e69f00", "#009e73"), strict=True))
    for name, colour in colours.items():
        posterior, rest = fitted(name, "compute")
        draws = bl.predict(posterior, rest, misfit=False).draws
        off = 100 * (np.median(draws[RESPONSE], axis=(0, 1)) / rest[RESPONSE].to_numpy() - 1)
        left.plot(6 * rest[SIZE] * rest[DATA], off, ".", color=colour, label=name)
    left.axhline(0, color="black", linewidth=0.8)
    left.set(xscale="log", xlabel="compute, 6 N D (FLOPs)", ylabel="predicted less measured (%)")
    left.set_title("100 runs with the most compute, held out", loc="left")
    left.legend(frameon=False)
    found = optima()
    for name, colour in colours.items():
        one = found.loc[name]
        right.plot(one.index, one["median"], color=colour, label=name)
        right.fill_between(one.index, one["lower"], one["upper"], color=colour, alpha=0.25, linewidth=0)
    right.axvspan(BUDGETS[0], float((6 * runs()[SIZE] * runs()[DATA]).max()), color="0.92", zorder=0)
    right.set(xscale="log", yscale="log", xlabel="compute, 6 N D (FLOPs)", ylabel="best tokens per parameter, 90 %")
    right.set_title("All 400 runs (compute in grey); beyond is extrapolation", loc="left")
    right.set_yticks([10, 20, 50, 100, 200, 500], ["10", "20", "50", "100", "200", "500"])
    right.minorticks_off()
    right.margins(x=0)
    right.legend(frameon=False, loc="upper left")
    fig.savefig("docs/farseer.png", dpi=150)


def markdown(frame: pd.DataFrame) -> str:
    """A table, its index first."""
    cells = [[str(frame.index.name or ""), *map(str, frame.columns)], ["---"] * (1 + len(frame.columns))]
    cells += [
        [f"{name:.3g}" if isinstance(name, float) else str(name), *(f"{value:.4g}" for value in row)]
        for name, row in zip(frame.index, frame.to_numpy(dtype=float), strict=True)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


if __name__ == "__main__":
    parts: dict[str, Any] = {one.__name__: one for one in (heldout, sizes, loo, optimum, figure)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts, nargs="+")
    for wanted in parser.parse_args().part:
        parts[wanted]()
