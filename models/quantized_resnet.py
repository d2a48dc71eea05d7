"""Quantised networks: a larger one in fewer bits, or a smaller one in more, at the same cost of inference."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, Normal
from bayeslaw._tree import Scalar, evaluate, nth, power

FORMATS = ("bf16", "w8a8", "w4a4")
BITS = (16.0, 8.0, 4.0)
MULTIPLICATIONS, WEIGHTS = 4_089_184_256.0, 25_502_912.0  # of ResNet-50 on an image of 224 x 224
C0 = MULTIPLICATIONS * 16**2  # its cost in bf16, the reference


class QuantizedResNet(AbstractLaw):
    """accuracy = top[format] - k[format] (bit_operations / 1.05e12)^-p[format]

    Our model of what Abdolrashidi et al. 2021 (arXiv 2105.03536) plot: they compare curves and fit no law. Theirs is
    the cost, bit_operations: for each convolution and dense layer, multiplications times the bits of both factors. One
    ResNet-50 in bf16 is 1.05e12; in 8 bits it costs a quarter, in 4 a sixteenth. `accuracy`: top-1 on ImageNet.

    - `top`: accuracy of endlessly large networks in bf16, and for each narrower format what it loses to the next wider
      one: never less than nothing, so fewer bits never raise the ceiling.
    - `k`: for each format how far below its ceiling it is at the cost of one ResNet-50 in bf16.
    - `p`: for each format how fast that shrinks with cost.

    Formats are independent in the prior instead of pooled: three of them would say little of their own spread. Three
    published points cannot fix nine parameters; what is said of ceilings there is the prior.
    Prior, 90 %: top in bf16 0.75 to 0.85, each step down 0.001 to 0.020, k 0.009 to 0.095, p 0.18 to 0.68; noise of one
    network, ours, 0.0003 to 0.006.
    """

    response = "accuracy"

    top: dict[str, Scalar]
    k: dict[str, Scalar]
    p: dict[str, Scalar]

    def mean(self, format: Array, bit_operations: Array) -> Array:  # type: ignore[override]
        ceiling, below = self.top["bf16"], []
        for name in FORMATS:
            ceiling = ceiling if name == "bf16" else ceiling - self.top[name]
            below.append(ceiling)
        k, p = (nth([one[name] for name in FORMATS], format) for one in (self.k, self.p))
        return nth(below, format) - k * power(bit_operations / C0, -p)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"format": FORMATS}

    def noise(self) -> AbstractNoise:
        return Normal(scale=dist.HalfNormal(0.003))

    @classmethod
    def prior(cls) -> "QuantizedResNet":
        return cls(
            top={"bf16": dist.Normal(0.80, 0.03), "w8a8": dist.HalfNormal(0.01), "w4a4": dist.HalfNormal(0.01)},
            k={name: dist.LogNormal(log(0.03), 0.7) for name in FORMATS},
            p={name: dist.LogNormal(log(0.35), 0.4) for name in FORMATS},
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"format_at_cost": format_at_cost, "format_in_memory": format_in_memory}


def cost(multiplications: Any, bits_weights: Any, bits_activations: Any) -> Any:
    """Bit operations of layers; a network whose first and last layers have more bits is the sum of its parts."""
    return multiplications * bits_weights * bits_activations


def _bits(format: Any) -> Any:
    return jnp.asarray(BITS)[jnp.asarray(format).astype(int)]


def _in_memory(format: Any, memory_bits: Any) -> dict[str, Any]:
    """Weights and multiplications grow together, as they do with the width of a network."""
    multiplications = MULTIPLICATIONS * memory_bits / (_bits(format) * WEIGHTS)
    return {"multiplications": multiplications, "bit_operations": cost(multiplications, _bits(format), _bits(format))}


def _lost(law: Any, plan: Mapping[str, Any]) -> Any:
    return -evaluate(law, plan)


format_at_cost = Decision(
    question="In which number format is a network the most accurate at this cost of inference?",
    choose={"format": Choices(FORMATS)},
    given=("bit_operations",),
    derive=lambda format, bit_operations: {"multiplications": bit_operations / _bits(format) ** 2},
    report=("format", "multiplications"),
    objective=_lost,
)
"""The share of draws in which a format is the best at a cost is its chance of being on the Pareto front there."""
format_in_memory = Decision(
    question="In which number format is a network the most accurate in so many bits of memory?",
    choose={"format": Choices(FORMATS)},
    given=("memory_bits",),
    derive=_in_memory,
    report=("format", "multiplications", "bit_operations"),
    objective=_lost,
)
