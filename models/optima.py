"""Published laws for the optimal learning rate and batch, as priors for the optimum of a penalty.

Each function returns `{coordinate: law}`, with distributions as leaves centred on the paper, ready for
`Penalised(base, names, optima=...)`; with `published=True` the paper's numbers, which can be called:

    step_law(published=True)["lr"](nonembedding_params=1.07e9, tokens=1e11)

`size` is the column that plays N; each paper's own count is the default, and a law in `params` needs `size="params"`,
with runs that count as the paper does. Where a paper gives no uncertainty, the widths are ours and say so: 0.3 to 0.5
in the logarithm of the value, since optima differ between optimisers, schedules and data by more than within a paper,
and a tenth of an exponent.
"""

from collections.abc import Callable, Mapping
from math import log
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._penalty import LogLinear
from bayeslaw._tree import Scalar

Optima = Mapping[str, AbstractLaw]


class Correlated(AbstractLaw):
    """value = exp(c_0 + sum_i c_i ln(column_i / reference_i))

    A power law like `LogLinear` whose coefficients have one multivariate prior.

    - `coefficients`: c, first the logarithm of the value at the reference, then the exponents.
    - `reference`: where each column is centred; its keys are the columns, in the order of the exponents.
    """

    coefficients: Any
    reference: dict[str, float]

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        # Sorted: that is the order in which a dict comes back from JAX.
        x = [jnp.log(columns[name] / self.reference[name]) for name in sorted(self.reference)]
        return jnp.exp(self.coefficients[0] + sum(self.coefficients[i + 1] * one for i, one in enumerate(x)))

    def columns(self) -> tuple[str, ...]:
        return tuple(sorted(self.reference))

    @classmethod
    def prior(cls) -> "Correlated":
        raise InputError("Correlated has no prior of its own: give it coefficients, a MultivariateNormal.")


class KaplanLr(AbstractLaw):
    """lr = level - slope ln(nonembedding_params)

    Kaplan et al. 2020 (arXiv 2001.08361), Adam, second-hand. Negative above 1.2e10 parameters, where the paper has no
    runs: held at 1e-6 there, so that a law stays defined.

    - `level`, `slope`: 0.003239 and 0.0001395.
    - `size`: the column that plays N.
    """

    level: Scalar
    slope: Scalar
    size: str = eqx.field(static=True)

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        return jnp.maximum(self.level - self.slope * jnp.log(columns[self.size]), 1e-6)

    def columns(self) -> tuple[str, ...]:
        return (self.size,)

    @classmethod
    def prior(cls) -> "KaplanLr":
        return cls(dist.Normal(0.003239, 0.0003), dist.Normal(0.0001395, 0.000014), "nonembedding_params")


def _power(
    value: float, exponents: Mapping[str, float], reference: Mapping[str, float], published: bool, sd: float = 0.3
) -> LogLinear:
    """A published power law: as numbers, or as a prior with `sd` on the log value and a tenth (at least 0.02) on
    exponents."""
    if published:
        return LogLinear(value, exponents, reference)
    prior = {name: dist.Normal(power, max(0.1 * abs(power), 0.02)) for name, power in exponents.items()}
    return LogLinear(dist.LogNormal(log(value), sd), prior, reference)


def step_law(size: str = "nonembedding_params", *, published: bool = False) -> Optima:
    """Step Law: lr* = 1.79 N^-0.713 D^0.307, batch* = 0.58 D^0.571 tokens, N without embeddings, tuned together.

    Li et al. 2025 (arXiv 2503.04715). The prior is the paper's own uncertainty: mean and covariance of its 1,000
    bootstrap fits, recomputed at N = 4e8 and D = 2e10, where value and exponents are nearly uncorrelated. lr* and
    batch* are two sites, so the correlations between the two fits (at most 0.27) are left out. Published numbers: the
    rounded form.
    """
    if published:
        lr = LogLinear(1.79, {size: -0.713, "tokens": 0.307}, {size: 1.0, "tokens": 1.0})
        return {"lr": lr, "batch_tokens": LogLinear(0.58, {"tokens": 0.571}, {"tokens": 1.0})}
    if size > "tokens":
        raise InputError(f"step_law orders its coefficients by column name, and {size!r} comes after 'tokens'.")
    lr = _multivariate([-6.2412, -0.7129, 0.3075], [0.0221, 0.0299, 0.0191], [-0.055, 0.244, -0.305])
    batch = _multivariate([12.9987, 0.5709], [0.0236, 0.0187], [0.261])
    return {
        "lr": Correlated(lr, {size: 4e8, "tokens": 2e10}),
        "batch_tokens": Correlated(batch, {"tokens": 2e10}),
    }


def _multivariate(mean: list[float], sd: list[float], correlations: list[float]) -> dist.Distribution:
    """A multivariate normal from correlations in the order 12, 13, 23."""
    matrix = np.eye(len(mean))
    matrix[np.triu_indices(len(mean), 1)] = correlations
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    return dist.MultivariateNormal(np.array(mean), covariance_matrix=matrix * np.outer(sd, sd))


def deepseek(*, published: bool = False) -> Optima:
    """DeepSeek: lr* = 0.3118 C^-0.1250, batch* = 0.2920 C^0.3271 tokens; C = FLOPs without embeddings, along optimal
    sizes.

    Bi et al. 2024 (arXiv 2401.02954), second-hand. No uncertainty published: widths chosen by us.
    """
    at = {"flops": 1e20}
    return {
        "lr": _power(0.3118 * 1e20**-0.1250, {"flops": -0.1250}, at, published),
        "batch_tokens": _power(0.2920 * 1e20**0.3271, {"flops": 0.3271}, at, published),
    }


def minicpm(*, published: bool = False) -> Optima:
    """MiniCPM: batch* = 1.21e9 / L^6.24 tokens, L the loss (on C4); lr* about 0.01 in its muP-style scaling.

    Hu et al. 2024 (arXiv 2404.06395). L is the response of the base law at the run, its tuned loss. No uncertainty
    published: widths chosen by us, 0.5 for the learning rate, which only holds in that parametrisation.
    """
    return {
        "lr": LogLinear(0.01 if published else dist.LogNormal(log(0.01), 0.5), {}),
        "batch_tokens": _power(1.21e9 * 3.0**-6.24, {"loss": -6.24}, {"loss": 3.0}, published),
    }


def kaplan(size: str = "nonembedding_params", *, published: bool = False) -> Optima:
    """Kaplan: critical batch = 2e8 / L^4.76 tokens, L the loss; lr* = 0.003239 - 0.0001395 ln N, N without embeddings.

    Kaplan et al. 2020 (arXiv 2001.08361), second-hand. The 2e18 of a later table in the paper is a misprint: it gives
    1e16 tokens at a loss of 3, 2e8 gives 1.07e6. No uncertainty published: widths chosen by us, a tenth of each number.
    """
    prior = KaplanLr.prior()
    lr = KaplanLr(0.003239, 0.0001395, size) if published else KaplanLr(prior.level, prior.slope, size)
    return {"lr": lr, "batch_tokens": _power(2e8 * 3.0**-4.76, {"loss": -4.76}, {"loss": 3.0}, published)}


def porian(size: str = "params", *, published: bool = False) -> Optima:
    """Porian: lr* = 3.7 N^-0.36, batch* = 0.7576 N^0.703 tokens, N with the head; found along D = 20 N only.

    Porian et al. 2024 (arXiv 2406.19146), exact form second-hand. No uncertainty published (R^2 only): widths chosen by
    us. Off the line D = 20 N it says nothing of data.
    """
    at = {size: 1e8}
    return {
        "lr": _power(3.7 * 1e8**-0.36, {size: -0.36}, at, published),
        "batch_tokens": _power(0.7576 * 1e8**0.703, {size: 0.703}, at, published),
    }


def bjorck(size: str = "params", *, published: bool = False) -> Optima:
    """Bjorck: lr* = K N^-0.23 D^-0.32 at a batch of half a million tokens.

    Bjorck et al. 2024 (arXiv 2409.19913), joint fit above 760 M parameters, second-hand. Two sources disagree on K, so
    it is free: the prior is LogNormal(log 1.55e-3, 1) at N = D = 1e9, its width chosen by us; exponents from 0.32 to
    0.70 by size were seen for data, hence its width of 0.1. Raises `InputError` for published numbers, as there is no
    K.
    """
    if published:
        raise InputError("no prefactor of this law is confirmed, so it has no published numbers; take its prior.")
    exponents = {size: dist.Normal(-0.23, 0.05), "tokens": dist.Normal(-0.32, 0.1)}
    return {"lr": LogLinear(dist.LogNormal(log(1.55e-3), 1.0), exponents, {size: 1e9, "tokens": 1e9})}


def power_lines(*, published: bool = False) -> Optima:
    """Power Lines: timescale* = 1.084 (D / N)^-0.527, batch* = 0.0306 D^0.383 sequences of 2048 tokens.

    Bergsma et al. 2025 (arXiv 2505.13738), AdamW; timescale = batch / (lr weight_decay D), so runs need a weight decay.
    Prefactors second-hand; R^2 0.975 for the timescale. No uncertainty published: widths chosen by us.
    """
    ratio, tokens = {"tokens_per_param": 20.0}, {"tokens": 2e10}
    return {
        "timescale": _power(1.084 * 20.0**-0.527, {"tokens_per_param": -0.527}, ratio, published),
        "batch_tokens": _power(0.0306 * 2048 * 2e10**0.383, {"tokens": 0.383}, tokens, published),
    }


def scion(*, published: bool = False) -> Optima:
    """Scion: lr* ~ batch^0.62 D^-0.56, batch* ~ D^0.45, for the Scion optimiser.

    arXiv 2510.03871, second-hand, no prefactors: their priors are the package's defaults, LogNormal(log 2e-3, 1) and
    LogNormal(log 2^19, 1). Widths chosen by us. Raises `InputError` for published numbers.
    """
    if published:
        raise InputError("no prefactors of this law are published, so it has no published numbers; take its prior.")
    lr = {"batch_tokens": dist.Normal(0.62, 0.06), "tokens": dist.Normal(-0.56, 0.06)}
    return {
        "lr": LogLinear(dist.LogNormal(log(2e-3), 1.0), lr),
        "batch_tokens": LogLinear(dist.LogNormal(19 * log(2.0), 1.0), {"tokens": dist.Normal(0.45, 0.05)}),
    }


def mist(size: str = "params", *, published: bool = False) -> Optima:
    """MIST: lr* = a batch^b N^c with a ~ LogNormal(log(1.6e-4 / 32), 0.5), b ~ Normal(0.5, 0.05), c ~ Normal(0, 0.1).

    Wadell et al. 2025 (arXiv 2510.18900), the priors of the authors' code, at batch = N = 1 (their batch counts
    molecules). No fitted values were found. Raises `InputError` for published numbers.
    """
    if published:
        raise InputError("no fitted values of this law were found; take its prior.")
    exponents = {"batch_tokens": dist.Normal(0.5, 0.05), size: dist.Normal(0.0, 0.1)}
    value = dist.LogNormal(log(1.6e-4 / 32), 0.5)
    return {"lr": LogLinear(value, exponents, {"batch_tokens": 1.0, size: 1.0})}


PRESETS: Mapping[str, Callable[..., Optima]] = {
    "step_law": step_law,
    "deepseek": deepseek,
    "minicpm": minicpm,
    "kaplan": kaplan,
    "porian": porian,
    "bjorck": bjorck,
    "power_lines": power_lines,
    "scion": scion,
    "mist": mist,
}
"""Every preset by name."""
