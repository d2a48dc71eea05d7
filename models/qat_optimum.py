"""The best share of quantisation-aware training, from the tokens per byte of weights alone."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange, Range
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate


class ShareNoise(AbstractNoise):
    """y ~ Normal(mean, scale) between 0 and 1, for shares that are measured with some error.

    - `scale`: prior LogNormal(log 0.114, 0.3), 0.07 to 0.19 (90 %): the law's published mean absolute error is 0.091,
      which a Gaussian has at a scale of 0.114.
    """

    scale: Scalar

    def observe(self, mean: Any) -> dist.Distribution:  # type: ignore[override]
        return dist.TruncatedNormal(mean, self.scale, low=0.0, high=1.0)

    @classmethod
    def prior(cls) -> "ShareNoise":
        return cls(scale=dist.LogNormal(log(0.114), 0.3))


class QATOptimum(AbstractLaw):
    """qat_fraction = exp(-a / ln(tokens_per_byte))

    Dremov et al. 2025 (arXiv 2509.22935): the share of the tokens that quantisation-aware training should have, from
    tokens per byte of weights, 8 tokens / (params bits): more with more tokens, less with more weights or bits.

    - `a`: how slowly the share grows; at 6.7 it is 0.10 at 20 tokens per byte, 0.38 at 1000, 0.56 at 100,000.

    For optima that were measured, or to plan without runs: `a` is published, and so is the mean error of the share,
    0.091, of which the noise is made; the paper gives no uncertainty of `a`. Logarithms are natural. At one token
    per byte and below the law is not defined; it is 0 here. Prior, 90 %: a 4.1 to 11.
    """

    response = "qat_fraction"

    a: Scalar

    def mean(self, tokens_per_byte: Array) -> Array:  # type: ignore[override]
        enough = tokens_per_byte > 1
        return jnp.where(enough, jnp.exp(-self.a / jnp.log(jnp.where(enough, tokens_per_byte, 2.0))), 0.0)

    def noise(self) -> AbstractNoise:
        return ShareNoise.prior()

    @classmethod
    def prior(cls) -> "QATOptimum":
        return cls(a=dist.LogNormal(log(6.7), 0.3))

    @classmethod
    def published(cls) -> Mapping[str, "QATOptimum"]:
        """`dremov2025`: second-hand, as reviews and readers of the paper quote it."""
        return {"dremov2025": cls(a=6.7297)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"fraction": fraction, "after_checkpoint": after_checkpoint}


def _share(law: Any, tokens_per_byte: Any) -> Any:
    return evaluate(law, law.complete({"tokens_per_byte": tokens_per_byte}))


def _off(law: Any, plan: Mapping[str, Any]) -> Any:
    return jnp.abs(_share(law, plan["tokens_per_byte"]) - plan["qat_fraction"])


fraction = Decision(
    question="Which share of the tokens should be trained quantisation-aware?",
    choose={"qat_fraction": Range(0.0, 1.0)},
    given=("params", "tokens", "bits"),
    derive=lambda qat_fraction, params, tokens, bits: {
        "tokens_per_byte": 8 * tokens / (params * bits),
        "qat_tokens": qat_fraction * tokens,
    },
    report=("qat_fraction", "qat_tokens"),
    objective=_off,
    closed_form=lambda law, params, tokens, bits: {"qat_fraction": _share(law, 8 * tokens / (params * bits))},
)


def _after(qat_tokens: Any, fp_tokens: Any, params: Any, bits: Any) -> dict[str, Any]:
    tokens = fp_tokens + qat_tokens
    return {"tokens": tokens, "qat_fraction": qat_tokens / tokens, "tokens_per_byte": 8 * tokens / (params * bits)}


after_checkpoint = Decision(
    question="How many tokens of quantisation-aware training suit a checkpoint of so many in full precision?",
    choose={"qat_tokens": LogRange(1e6, 1e15)},
    given=("params", "fp_tokens", "bits"),
    derive=_after,
    report=("qat_tokens", "qat_fraction", "tokens"),
    objective=_off,
)
