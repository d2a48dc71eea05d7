"""Our model of experts and recall: the more total parameters, the better."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar
from bayeslaw.models.our_reasoning_sparsity import experts, share


class OurRecallSparsity(AbstractLaw):
    """accuracy = chance + (1 - chance) sigmoid(c0 + c1 ln(active_params / 1e9) + c2 ln(total_params / 1e10))

    Our model, of a recall task, beside `OurReasoningSparsity` (Nakamura et al. 2025, arXiv 2508.18672): total
    parameters never hurt it, so that the answer is as many experts as memory holds.

    - `c0`: logit of the accuracy of 1 B active of 10 B parameters.
    - `c1`, `c2`: logits gained by e times the active, and by e times the total parameters.
    - `chance`: accuracy of a guess, fixed.

    Prior, 90 %: c0 -3.5 to 1.5, c1 0.16 to 1.6, c2 0.08 to 0.79.
    """

    response: ClassVar = "accuracy"

    c0: Scalar
    c1: Scalar
    c2: Scalar
    chance: Scalar = 0.0

    def mean(self, active_params: Array, total_params: Array) -> Array:  # type: ignore[override]
        gained = self.c1 * jnp.log(active_params / 1e9) + self.c2 * jnp.log(total_params / 1e10)
        return share(self.chance, self.c0 + gained)

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls) -> "OurRecallSparsity":
        both = {"c0": dist.Normal(-1.0, 1.5), "c1": dist.LogNormal(log(0.5), 0.7)}
        return cls(**both, c2=dist.LogNormal(log(0.25), 0.7))

    def decisions(self) -> Mapping[str, Decision]:
        return {"experts": experts}
