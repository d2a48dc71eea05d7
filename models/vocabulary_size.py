"""The best vocabulary as a power of the size of the model."""

from collections.abc import Mapping
from math import exp, log
from typing import Any, ClassVar

import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, power
from bayeslaw.models.vocabulary_plans import vocabulary_of_size

N0 = 3e8  # the reference: 0.3 B parameters without both ends of the model
LOG_K1, LOG_K2, LOG_K3, A2 = -2.4846510161625193, -1.589031299255507, 1.85958504, 0.4163622634135234


class VocabularySize(AbstractLaw):
    """vocab_params = level (nonembedding_params / 3e8)^gamma

    Tao et al. 2024 (arXiv 2407.13623), approaches 1 and 2: parameters of the output layer, vocab_size d_model, of the
    best vocabulary of a model that is trained compute-optimally. For optima that were found already: the best runs at
    some budgets (approach 1, `vocabulary_plans.frontier`) or the vocabularies with which a text takes the least compute
    (approach 2, `vocabulary_plans.cheapest_vocabulary`). `Vocabulary` is the law of the loss itself, approach 3.

    - `level`: the best output layer for 0.3 B parameters.
    - `gamma`: how fast it grows; below 1 the vocabulary takes a smaller share of larger models.

    The paper gives neither approach an interval. Optima among vocabularies a factor of 1.2 to 1.6 apart scatter by tens
    of percent, hence the noise, LogNormal(log 0.3, 0.7).
    Prior, 90 %: level 4 M to 104 M, gamma 0.47 to 1.13.
    """

    response: ClassVar = "vocab_params"

    level: Scalar
    gamma: Scalar

    def mean(self, nonembedding_params: Array) -> Array:  # type: ignore[override]
        return self.level * power(nonembedding_params / N0, self.gamma)

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.3), 0.7))

    @classmethod
    def prior(cls) -> "VocabularySize":
        return cls(level=dist.LogNormal(log(2e7), 1.0), gamma=dist.Normal(0.8, 0.2))

    @classmethod
    def published(cls) -> Mapping[str, "VocabularySize"]:
        """From the authors' code (sail-sg/scaling-with-vocab). `approach1`: its powers of compute, k2 C^0.416 at the
        compute of that size; `approach2`: from 3,145,728 parameters at 33 M, 6144 entries at width 512."""
        share = 3145728 * (N0 / 33e6) ** 0.8353974035228025
        return {
            "approach1": cls(level=exp(LOG_K2) * optimal_flops(N0) ** A2, gamma=2 * A2),
            "approach2": cls(level=share, gamma=0.8353974035228025),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"vocabulary": vocabulary_of_size}


def optimal_flops(nonembedding_params: Any) -> Any:
    """The compute with which this size is optimal, by approach 1: sizes grow as 0.083 flops^0.5."""
    return (nonembedding_params / exp(LOG_K1)) ** 2


def optimal_characters(flops: Any) -> Any:
    """The text that this compute is best spent on, by approach 1: 6.42 flops^0.5 characters."""
    return exp(LOG_K3) * flops**0.5
