"""The posteriors that `speed.py` times: priors and a formula that every library can be given, and made-up runs.

A formula is written once, against the functions `exp`, `log`, `where` and `ones_like` of whatever array library is
passed in (numpy, jax.numpy, pytensor.tensor). Noise is Student-t on the log response; `scale`, `tails` are its priors.
"""

from collections.abc import Callable, Mapping
from math import log
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

LOGNORMAL, NORMAL, GAMMA = "lognormal", "normal", "gamma"
Prior = tuple[Any, ...]  # (kind, first argument, second argument) or, for a vector, with its length
NOISE: Mapping[str, Prior] = {"scale": (LOGNORMAL, log(0.01), 1.0), "tails": (GAMMA, 2.0, 0.1)}
CHINCHILLA: Mapping[str, Prior] = {
    "E": (LOGNORMAL, log(1.7), 0.3),
    "a": (LOGNORMAL, log(0.35), 1.0),
    "alpha": (LOGNORMAL, log(0.33), 0.4),
    "b": (LOGNORMAL, log(0.4), 1.0),
    "beta": (LOGNORMAL, log(0.33), 0.4),
}
TRUTH = {"E": 1.82, "a": 0.36, "alpha": 0.348, "b": 0.685, "beta": 0.366}


class Problem(NamedTuple):
    priors: Mapping[str, Prior]  # without the noise's
    columns: tuple[str, ...]
    response: str
    mean: Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Any]  # (array library, parameters, columns)
    law: Callable[[pd.DataFrame], Any]  # ours
    table: Callable[[int, int], pd.DataFrame]  # (seed, runs)
    runs: int

    def arrays(self, table: pd.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The columns, and the log response."""
        found = {name: table[name].to_numpy(int if name == "corpus" else float) for name in self.columns}
        return found, np.log(table[self.response].to_numpy())


def _noisy(mean: Any, seed: int) -> Any:
    return mean * np.exp(0.005 * np.random.default_rng(seed).standard_t(5, len(mean)))


def _sizes(seed: int, rows: int) -> pd.DataFrame:
    """Sizes and data with the spread of Chinchilla's runs."""
    import bayeslaw as bl

    known = bl.load_chinchilla()[["params", "tokens"]]
    return known.sample(rows, replace=True, random_state=seed).reset_index(drop=True)


def _chinchilla(m: Any, p: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
    size, data = m.log(x["params"] / 1e9), m.log(x["tokens"] / 2e10)
    return p["E"] + p["a"] * m.exp(-p["alpha"] * size) + p["b"] * m.exp(-p["beta"] * data)


def _chinchilla_table(seed: int, rows: int) -> pd.DataFrame:
    table = _sizes(seed, rows)
    return table.assign(loss=_noisy(_chinchilla(np, TRUTH, table), seed))


def _chinchilla_law(_: Any) -> Any:
    from bayeslaw.models import Chinchilla

    return Chinchilla


def _penalised(m: Any, p: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
    """Chinchilla with the reducible loss inflated by learning rate and batch; each has an optimum that moves."""
    size, data, batch = m.log(x["params"] / 1e9), m.log(x["tokens"] / 2e10), m.log(x["batch_tokens"] / 2**19)
    best_lr = m.log(p["lr"]) + p["lr_params"] * size + p["lr_tokens"] * data + p["lr_batch"] * batch
    best_batch = m.log(p["batch"] / 2**19) + p["batch_params"] * size + p["batch_tokens"] * data
    cost = p["lr_curvature"] * (m.log(x["lr"]) - best_lr) ** 2 + p["batch_curvature"] * (batch - best_batch) ** 2
    return p["E"] + (_chinchilla(m, p, x) - p["E"]) * m.exp(cost)


_PENALTIES: Mapping[str, Prior] = {
    "lr": (LOGNORMAL, log(2e-3), 1.0),
    "lr_params": (NORMAL, 0.0, 0.5),
    "lr_tokens": (NORMAL, 0.0, 0.5),
    "lr_batch": (NORMAL, 0.5, 0.25),
    "lr_curvature": (LOGNORMAL, log(0.03), 1.0),
    "batch": (LOGNORMAL, log(2**19), 1.0),
    "batch_params": (NORMAL, 0.0, 0.3),
    "batch_tokens": (NORMAL, 0.5, 0.3),
    "batch_curvature": (LOGNORMAL, log(0.03), 1.0),
}


def _penalised_table(seed: int, rows: int) -> pd.DataFrame:
    """Three sizes, five amounts of data, learning rates and batches in a box: a sweep as Step Law's."""
    rng = np.random.default_rng(1000 + seed)
    table = pd.DataFrame({
        "params": rng.choice([6e7, 2.1e8, 4.3e8], rows),
        "tokens": rng.choice([2e9, 4e9, 8e9, 2e10, 5e10], rows),
        "lr": 2e-3 * 2.0 ** rng.uniform(-3, 3, rows),
        "batch_tokens": 2.0 ** rng.uniform(16, 21, rows),
    })  # fmt: skip
    truth = TRUTH | {"lr": 2e-3, "lr_params": -0.6, "lr_tokens": 0.2, "lr_batch": 0.3, "lr_curvature": 0.04}
    truth |= {"batch": 4e5, "batch_params": 0.0, "batch_tokens": 0.5, "batch_curvature": 0.03}
    return table.assign(loss=_noisy(_penalised(np, truth, table), seed))


def _penalised_law(_: Any) -> Any:
    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    made = bl.Penalised(Chinchilla, ("lr", "batch_tokens"))
    quadratic = {name: bl.Penalty(one.optimum, one.curvature, bl.Quadratic()) for name, one in made.penalties.items()}
    return bl.Penalised(Chinchilla, quadratic)


def _pooled(m: Any, p: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
    """Chinchilla whose terms' sum and ratios, and whose exponents, differ between corpora."""
    by = {name: p[f"spread_{name}"] * p[f"offset_{name}"][x["corpus"]] for name in CHINCHILLA}
    total = p["E"] + p["a"] + p["b"]
    first, second = p["a"] / p["E"] * m.exp(by["a"]), p["b"] / p["E"] * m.exp(by["b"])
    E = total * m.exp(by["E"]) / (1 + first + second)
    moved = {"E": E, "a": E * first, "b": E * second}
    return _chinchilla(m, moved | {name: p[name] * m.exp(by[name]) for name in ("alpha", "beta")}, x)


_SPREAD = {"E": 0.06, "a": 0.2, "alpha": 0.08, "b": 0.2, "beta": 0.08}


def _pooled_table(seed: int, rows: int) -> pd.DataFrame:
    table = _sizes(2000 + seed, rows)
    corpus = np.arange(rows) % 3
    offsets = {name: np.random.default_rng(i).standard_normal(3) for i, name in enumerate(CHINCHILLA)}
    truth = TRUTH | {f"spread_{name}": 0.5 * one for name, one in _SPREAD.items()}
    truth |= {f"offset_{name}": one for name, one in offsets.items()}
    mean = _pooled(np, truth, {"params": table.params, "tokens": table.tokens, "corpus": corpus})
    return table.assign(corpus=corpus, loss=_noisy(mean, seed))


def _pooled_law(table: pd.DataFrame) -> Any:
    import bayeslaw as bl
    from bayeslaw.models import Chinchilla

    return bl.Pooled(Chinchilla, table, by="corpus")


def _farseer(m: Any, p: Mapping[str, Any], x: Mapping[str, Any]) -> Any:
    size = m.log(x["nonembedding_params"] / 1e9)

    def stretch(rate: Any) -> Any:  # (n^rate - 1) / rate
        safe = m.where(m.abs(rate) < 1e-8, 1e-8 * m.ones_like(rate), rate)
        return (m.exp(safe * size) - 1) / safe

    exponent = p["A"] * m.exp(p["s_a"] * stretch(p["alpha"]))
    log_data = m.log(p["r"]) + p["A"] * log(2e10) + (p["s_r"] + p["A"] * p["s_a"] * log(2e10)) * stretch(p["beta"])
    return p["g"] * m.exp(-p["s_g"] * stretch(p["gamma"])) + m.exp(log_data - exponent * m.log(x["tokens"]))


def _farseer_table(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(3000 + seed)
    sizes = np.geomspace(2e8, 6.4e9, 21)
    table = pd.DataFrame({"nonembedding_params": rng.choice(sizes, rows), "tokens": 2e9 * 2 ** rng.uniform(0, 6, rows)})
    truth = {"g": 0.45, "s_g": 0.1, "gamma": -0.05, "A": 0.3, "s_a": -0.08, "alpha": 0.02, "r": 0.1, "s_r": 0.05}
    mean = _farseer(np, truth | {"beta": np.float64(0.05)}, table)
    return table.assign(bits_per_character=_noisy(mean, seed))


def _farseer_law(_: Any) -> Any:
    from bayeslaw.models import Farseer

    return Farseer


_FARSEER: Mapping[str, Prior] = {
    "g": (LOGNORMAL, log(0.45), 0.5),
    "s_g": (LOGNORMAL, log(0.1), 0.7),
    "gamma": (NORMAL, 0.0, 0.15),
    "A": (LOGNORMAL, log(0.3), 0.5),
    "s_a": (NORMAL, -0.1, 0.2),
    "alpha": (NORMAL, 0.0, 0.15),
    "r": (LOGNORMAL, log(0.1), 1.0),
    "s_r": (NORMAL, 0.0, 0.3),
    "beta": (NORMAL, 0.0, 0.15),
}
_DEVIATIONS: Mapping[str, Prior] = {
    **{f"spread_{name}": (LOGNORMAL, log(one), 0.6) for name, one in _SPREAD.items()},
    **{f"offset_{name}": (NORMAL, 0.0, 1.0, 3) for name in _SPREAD},
}
_SIZE = ("params", "tokens")
PROBLEMS = {
    "chinchilla": Problem(CHINCHILLA, _SIZE, "loss", _chinchilla, _chinchilla_law, _chinchilla_table, 240),
    "penalised": Problem(
        {**CHINCHILLA, **_PENALTIES}, (*_SIZE, "lr", "batch_tokens"), "loss", _penalised, _penalised_law,
        _penalised_table, 138,
    ),
    "pooled": Problem(
        {**CHINCHILLA, **_DEVIATIONS}, (*_SIZE, "corpus"), "loss", _pooled, _pooled_law, _pooled_table, 92,
    ),
    "farseer": Problem(
        _FARSEER, ("nonembedding_params", "tokens"), "bits_per_character", _farseer, _farseer_law, _farseer_table, 404,
    ),
}  # fmt: skip
