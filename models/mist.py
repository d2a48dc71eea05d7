"""MIST: a scaling law whose runs need not have tuned hyperparameters."""

from collections.abc import Mapping
from math import log
from typing import Any, Literal

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, MeanLogNormal
from bayeslaw._penalised import Penalised
from bayeslaw._penalty import LogLinear, Penalty, Quadratic, Target
from bayeslaw._tree import Scalar, power
from bayeslaw.models.optima import mist as optimal_lr


class RawChinchilla(AbstractLaw):
    """loss = E + A / params^alpha + B / tokens^beta

    The Chinchilla law in the coefficients of the papers (arXiv 2203.15556), with MIST's priors. Sample `Chinchilla`
    instead unless these priors are the point: A and alpha (B and beta) are correlated beyond 0.99.

    - `E`: irreducible loss, LogNormal(log 0.01, 2): of molecules, not of text.
    - `A`, `B`: LogNormal(log 500, 2).
    - `alpha`, `beta`: Uniform(0, 2).
    """

    E: Scalar
    A: Scalar
    alpha: Scalar
    B: Scalar
    beta: Scalar

    def mean(self, params: Array, tokens: Array) -> Array:  # type: ignore[override]
        return self.E + self.A * power(params, -self.alpha) + self.B * power(tokens, -self.beta)

    def floor(self) -> Scalar:
        return self.E

    @classmethod
    def prior(cls) -> "RawChinchilla":
        return cls(
            E=dist.LogNormal(log(0.01), 2.0),
            A=dist.LogNormal(log(500.0), 2.0),
            alpha=dist.Uniform(0.0, 2.0),
            B=dist.LogNormal(log(500.0), 2.0),
            beta=dist.Uniform(0.0, 2.0),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal}


class MIST(Penalised):
    """loss = (E + A / params^alpha + B / tokens^beta) exp(sum_i c_i (ln x_i - ln x_i*)^2)

    Wadell et al. 2025, MIST (arXiv 2510.18900): the baseline as the authors' code has it. x are lr, ff_ratio
    (d_ff / d_model), kv_size (d_model / n_heads) and aspect_ratio (d_model / n_layers); lr* = a batch^b params^c, the
    other optima are constants. One lognormal noise with the law as its mean. Their tokens and batch count molecules.

    - `base`: the loss of tuned runs, `RawChinchilla`.
    - `penalties`: optimum and curvature of each x; c ~ Exponential(1), ff_ratio* ~ LogNormal(log 4, 0.5), kv_size* and
      aspect_ratio* ~ LogNormal(log 64, 0.1), lr* as `bayeslaw.models.optima.mist`.
    - `cross`: none. `target`: the total loss.

    For language models use `Penalised(Chinchilla, ("lr", "batch_tokens"))`: E and the curvatures above are of another
    field (language models have curvatures near 0.01, where Exponential(1) has 1 % of its mass), the batch has no
    penalty here, and Gaussian noise does not survive diverged runs.
    """

    @classmethod
    def prior(  # type: ignore[override]
        cls,
        *,
        target: Target = "total",
        shapes: Literal["log", "harmonic"] = "log",
        width: bool = False,
    ) -> "MIST":
        """The baseline, or the variants of the authors' code: `target="additive"` (base + P); `shapes="harmonic"`
        (penalties (x - x*)^2 on the three ratios, c ~ Exponential(1000) below 0.01); `width` (lr* from batch and
        d_model)."""
        penalties = {"lr": Penalty(optimal_lr()["lr"], dist.Exponential(1.0), Quadratic())}
        if width:
            value = dist.LogNormal(log(1.64e-4 * 768**0.5 / 1024**0.5), 0.8)
            exponents = {"batch_tokens": dist.Normal(0.5, 0.05), "d_model": dist.Normal(-0.5, 0.2)}
            optimum = LogLinear(value, exponents, {"batch_tokens": 1.0, "d_model": 1.0})
            penalties["lr"] = Penalty(optimum, dist.Exponential(1.0), Quadratic())
        cost: Any = dist.Exponential(1.0)
        if shapes == "harmonic":
            cost = dist.TruncatedGamma(1.0, 1000.0, low=0.0, high=0.01)  # an exponential, cut
        for name, centre, spread in (("ff_ratio", 4.0, 0.5), ("kv_size", 64.0, 0.1), ("aspect_ratio", 64.0, 0.1)):
            penalties[name] = Penalty(dist.LogNormal(log(centre), spread), cost, Quadratic(), log=shapes == "log")
        return cls(RawChinchilla, penalties, target=target)  # type: ignore[call-arg]

    def noise(self) -> AbstractNoise:
        """The final sweep's prior, Gamma(2, 10); the authors' default elsewhere is Exponential(10)."""
        return MeanLogNormal(scale=dist.Gamma(2.0, 10.0))


def _closed_form(law: RawChinchilla, flops: Any) -> dict[str, Any]:
    balance = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return {"params": balance * (flops / 6) ** (law.beta / (law.alpha + law.beta))}


compute_optimal = Decision(
    question="Which model size, and how much data, give the lowest tuned loss for a training budget?",
    choose={"params": LogRange(1e3, 1e14)},
    given=("flops",),
    derive=lambda params, flops: {"tokens": flops / (6 * jnp.asarray(params))},
    report=("params", "tokens", "tokens_per_param"),
    closed_form=_closed_form,
)
