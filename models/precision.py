"""Precision: at how many bits to train, with how many parameters and tokens."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, power

N0, D0 = 1e8, 1e10  # the reference run: 0.1 B parameters, 10 B tokens
PARTS = ("weights", "activations", "kv")


class Precision(AbstractLaw):
    """loss = E + a (effective_params / 1e8)^-alpha + b (tokens / 1e10)^-beta

    Kumar et al. 2024 (arXiv 2411.04330). Training in few bits makes a model act like a smaller one: effective_params =
    nonembedding_params times, for weights, activations and keys and values, 1 - exp(-(bits - knee lowest) / scale).
    Loss in nats per token. Columns bits_weights, bits_activations, bits_kv; a column `bits` stands for all three.

    - `E`: irreducible loss. `a`, `b`: what a run loses to 0.1 B effective parameters and to 1e10 tokens, in nats.
    - `alpha`: how fast both shrink. `beta`: the exponent of tokens if it has its own, `prior(tied=False)`.
    - `scale`: for each part the bits that bring its factor e times closer to 1; the paper's gamma_w, gamma_a, gamma_kv.
    - `knee`: for each part where its factor is 0, as a share of `lowest`; knee lowest is gamma n of the paper.
    - `lowest`: the fewest bits any run was trained in, 4: no factor ends inside the data. Not defined below the knee.

    Compute is in FLOPs at 16 bits, 6 N D bits / 16. The best bits are the same for every budget, and it is flat there:
    give the loss of the neighbours with it. The main text leaves out n, which its appendix uses: without it the optimum
    is at 3.5 bits, not 7. Quantisation after training is `PostTraining`.
    Prior, 90 %: E 1.4 to 3.8, a 0.08 to 2.1, b 0.04 to 1.04, alpha 0.21 to 0.77, scale 0.75 to 5.4 bits, each knee 0.54
    to 3.5 bits.
    """

    falls: ClassVar = ("nonembedding_params", "tokens", "bits_weights", "bits_activations", "bits_kv")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    scale: dict[str, Scalar]
    knee: dict[str, Scalar]
    beta: Scalar | None = None
    lowest: float = eqx.field(static=True, default=4.0)

    def mean(self, nonembedding_params: Array, tokens: Array, bits_weights: Array, bits_activations: Array,
             bits_kv: Array) -> Array:  # type: ignore[override]  # fmt: skip
        effective = nonembedding_params * self.factor(bits_weights, bits_activations, bits_kv)
        beta = self.alpha if self.beta is None else self.beta
        return self.E + self.a * power(effective / N0, -self.alpha) + self.b * power(tokens / D0, -beta)

    def factor(self, *bits: Any) -> Array:
        """What a parameter counts for, at bits of weights, activations and keys and values; NaN below a knee."""
        each = [bits[i] - self.knee[part] * self.lowest for i, part in enumerate(PARTS)]
        shares = [-jnp.expm1(-beyond / self.scale[part]) for beyond, part in zip(each, PARTS, strict=True)]
        inside = jnp.min(jnp.stack(jnp.broadcast_arrays(*each)), axis=0) > 0
        return jnp.where(inside, shares[0] * shares[1] * shares[2], jnp.nan)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b")

    def derived(self) -> Mapping[str, Scalar]:
        """A and B of the paper, and the bits at which each part's factor is 0."""
        beta = self.alpha if self.beta is None else self.beta
        ends = {f"knee_bits[{part}]": self.knee[part] * self.lowest for part in PARTS}
        return {"A": self.a * N0**self.alpha, "B": self.b * D0**beta, **ends}

    @classmethod
    def prior(cls, *, tied: bool = True) -> "Precision":
        """With one exponent of size and tokens, or (`tied=False`) two."""
        exponent = dist.LogNormal(log(0.4), 0.4)
        return cls(
            E=dist.LogNormal(log(2.3), 0.3), a=dist.LogNormal(log(0.4), 1.0), alpha=exponent,
            b=dist.LogNormal(log(0.2), 1.0), beta=None if tied else exponent,
            scale={part: dist.LogNormal(log(2.0), 0.6) for part in PARTS},
            knee={part: dist.Beta(2.0, 2.0) for part in PARTS},
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "Precision"]:
        """`kumar2024`: Table 2 (appendix K); its n_i is taken to be that of activations."""
        scale, offset = (2.6745, 2.2102, 0.9578), (0.3037, 1.4072, 2.4185)
        knee = {part: g * n / 4.0 for part, g, n in zip(PARTS, scale, offset, strict=True)}
        base = {"E": 2.7648, "a": 4.299e3 * N0**-0.4965, "alpha": 0.4965, "b": 1.806e4 * D0**-0.4965}
        return {"kumar2024": cls(**base, scale=dict(zip(PARTS, scale, strict=True)), knee=knee)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_optimal": compute_optimal, "bits_of_size": bits_of_size}


def _plan(nonembedding_params: Any, bits: Any, flops: Any) -> dict[str, Any]:
    alike = {f"bits_{part}": bits for part in PARTS}
    return {"tokens": 16 * flops / (6 * nonembedding_params * bits), **alike}


compute_optimal = Decision(
    question="How many bits, parameters and tokens give the lowest loss for a training budget (FLOPs at 16 bits)?",
    choose={"bits": LogRange(1, 32), "nonembedding_params": LogRange(1e6, 1e14)},
    given=("flops",),
    derive=_plan,
    report=("bits", "nonembedding_params", "tokens"),
)
bits_of_size = Decision(
    question="How many bits give the lowest loss for a model of this size and a training budget (FLOPs at 16 bits)?",
    choose={"bits": LogRange(1, 32)},
    given=("nonembedding_params", "flops"),
    derive=_plan,
    report=("bits", "tokens"),
)
