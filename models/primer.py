"""Compute savings by architecture: which one is better, by what factor, and whether the switch pays."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, nth, power

C4 = ("vanilla", "gelu", "transformer++", "evolved", "primer", "primer-ez")  # 110 M parameters, Table 5


class Primer(AbstractLaw):
    """loss = l0 (relative_compute gain)^-k

    So et al. 2021 (arXiv 2109.08668): architectures at their best sizes lose with one power of compute, so that a
    better one needs a fixed share of the compute of the baseline at any loss. Loss in nats per token (the paper prints
    perplexity); relative_compute is training compute over that of a reference run, in FLOPs or in hours of one
    accelerator.

    - `l0`: loss of the baseline at the reference run.
    - `k`: slope; at 0.02 ten times the compute lowers the loss by 4.5 %. The smaller it is, the more fragile the gains:
      0.001 in ln loss is 5 % of a gain.
    - `gain`: for each architecture the factor by which it saves compute (b in the paper), that of the baseline being 1.
    - `architectures`: their names, the baseline first.

    No a, k or b is printed, hence no published law. At one size, as in its Table 5, the factor grows with
    compute: it is not the b of the law, which is about the best size for each compute. There is no irreducible loss;
    with one the lines would not be parallel.
    Prior, 90 %: l0 1.8 to 4.9, k 0.009 to 0.095, gain 0.53 to 2.7 (so it may be a loss); scatter 0.02 to 0.5 %.
    """

    falls: ClassVar = ("relative_compute",)

    l0: Scalar
    k: Scalar
    gain: dict[str, Scalar]
    architectures: tuple[str, ...] = eqx.field(static=True)

    def mean(self, architecture: Array, relative_compute: Array) -> Array:  # type: ignore[override]
        return self.l0 * power(relative_compute * self.gain_of(architecture), -self.k)

    def gain_of(self, architecture: Any) -> Array:
        """The factor of the architecture at that position."""
        return nth([1.0, *(self.gain[name] for name in self.architectures[1:])], architecture)

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.001), 1.0))

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"architecture": self.architectures}

    @classmethod
    def prior(cls, architectures: tuple[str, ...] = C4) -> "Primer":
        return cls(
            l0=dist.LogNormal(log(3.0), 0.3),
            k=dist.LogNormal(log(0.03), 0.7),
            gain={name: dist.LogNormal(log(1.2), 0.5) for name in architectures[1:]},
            architectures=tuple(architectures),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"best": _best(self.architectures), "switch": _switch(self.architectures)}


def _best(architectures: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which architecture has the lowest loss at the same training compute?",
        choose={"architecture": Choices(architectures)},
        given=("relative_compute",),
        derive=lambda law, architecture: {"compute_gain": law.gain_of(architecture)},
        report=("architecture", "compute_gain"),
    )


def _switch(architectures: tuple[str, ...]) -> Decision:
    def derive(law: Any, architecture: Any, target: Any, search_compute: Any) -> dict[str, Any]:
        baseline = power(law.l0 / target, 1 / law.k)
        compute = baseline / law.gain_of(architecture)
        searched = jnp.where(jnp.asarray(architecture) > 0, search_compute, 0.0)
        return {"relative_compute": compute, "saved_compute": baseline - compute - searched}

    return Decision(
        question="Which architecture reaches a loss at the lowest compute, if a new one costs search_compute to find?",
        choose={"architecture": Choices(architectures)},
        given=("target", "search_compute"),
        derive=derive,
        report=("architecture", "relative_compute", "saved_compute"),
        objective=lambda law, plan: -plan["saved_compute"],
    )
