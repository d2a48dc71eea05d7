"""Our model of retrieval: how to split training compute between pre-training and indexing a datastore."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision, Range
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate
from bayeslaw.models.emergence import CountedScatter

N0, D0 = 7e9, 1e12  # the reference: 7 B parameters, 1 T tokens
RETRIEVER = 177e6  # parameters of the retriever (second-hand)
DATASTORE = 1.4412e12  # tokens of the whole datastore
BUILT = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)  # the shares of it that were built
SIZES = (1e9, 2.8e9, 6.9e9, 12e9)  # Pythia
ITEMS = 1000.0  # over how many answers a new run is counted in a decision


class OurRetrieval(AbstractLaw):
    """accuracy = sigmoid(theta + by_params ln(params / 7e9) + by_tokens ln(tokens / 1e12) + g ln(1 + store / onset))

    Our model, for one task and one family of models; store is datastore_tokens. Shao et al. 2024
    (arXiv 2407.12854) give a cost model, 6 params tokens + 2 (177e6) datastore_tokens FLOPs, and measurements, but fit
    no law. Several tasks: `Pooled(OurRetrieval, runs, by="task")`.

    - `theta`: logit of the accuracy of 7 B parameters after 1 T tokens, without retrieval.
    - `by_params`, `by_tokens`: logits gained by e times the parameters, and by e times the tokens.
    - `g`: logits gained by e times the datastore, once it is large.
    - `onset`: size of the datastore, in tokens, from which it pays.

    The logarithm knows no saturation and no harm by text of another domain. From a datastore that is all or nothing g
    and onset are one ridge (the later the onset, the larger g): three sizes or more tell them apart. The cost of
    reading what was retrieved, at inference, is left out.
    Prior, 90 %: theta a score of 0.10 to 0.76, by_params 0.09 to 0.95, by_tokens 0.08 to 0.79, g 0.01 to 0.26, onset
    4e8 to 3e11 tokens; a run's own scatter, on top of counting, 0.02 to 0.18 logits (halfway up).
    """

    response: ClassVar = "accuracy"

    theta: Scalar
    by_params: Scalar
    by_tokens: Scalar
    g: Scalar
    onset: Scalar

    def mean(self, params: Array, tokens: Array, datastore_tokens: Array) -> Array:  # type: ignore[override]
        trained = self.by_params * jnp.log(params / N0) + self.by_tokens * jnp.log(tokens / D0)
        return jax.nn.sigmoid(self.theta + trained + self.g * jnp.log1p(datastore_tokens / self.onset))

    def noise(self) -> AbstractNoise:
        return CountedScatter(nu=dist.LogNormal(log(1500.0), 1.5))

    @classmethod
    def prior(cls) -> "OurRetrieval":
        return cls(
            theta=dist.Normal(-0.5, 1.0),
            by_params=dist.LogNormal(log(0.3), 0.7),
            by_tokens=dist.LogNormal(log(0.25), 0.7),
            g=dist.LogNormal(log(0.05), 1.0),
            onset=dist.LogNormal(log(1e10), 2.0),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"datastore": datastore, "built": built, "size": size}


def _most(flops: Any) -> Any:
    """The largest datastore there is, or that the budget indexes."""
    return jnp.minimum(DATASTORE, flops / (2 * RETRIEVER))


def _rest(params: Any, datastore_tokens: Any, flops: Any) -> dict[str, Any]:
    left = flops - 2 * RETRIEVER * datastore_tokens
    return {
        "datastore_tokens": datastore_tokens,
        "tokens": left / (6 * params),
        "indexing_share": 1 - left / flops,
        "trials": ITEMS,
    }


def _closed_form(law: OurRetrieval, flops: Any, params: Any) -> dict[str, Any]:
    """Equal gains by a FLOP of either kind: the size of the model only says how many tokens that buys."""
    best = law.g / (law.by_tokens + law.g) * (flops + 2 * RETRIEVER * law.onset) / (2 * RETRIEVER) - law.onset
    return {"datastore_share": best / _most(flops)}


datastore = Decision(
    question="How much of a training budget should index a datastore, for a model of this size?",
    choose={"datastore_share": Range(0.0, 1.0)},
    given=("flops", "params"),
    derive=lambda datastore_share, flops, params: _rest(params, datastore_share * _most(flops), flops),
    report=("datastore_tokens", "tokens", "indexing_share", "datastore_share"),
    objective=lambda law, plan: -evaluate(law, plan),
    closed_form=_closed_form,
)
built = Decision(
    question="Which of the datastores that were built is best for a model of this size at a training budget?",
    choose={"datastore_share": Choices(BUILT, ordered_ends=True)},
    given=("flops", "params"),
    derive=lambda datastore_share, flops, params: _rest(params, datastore_share * DATASTORE, flops),
    report=("datastore_tokens", "tokens", "indexing_share", "datastore_share"),
    objective=lambda law, plan: -evaluate(law, plan),
)
size = Decision(
    question="Which size of the family, and how much of a training budget to index a datastore?",
    choose={"params": Choices(SIZES, ordered_ends=True), "datastore_share": Range(0.0, 1.0)},
    given=("flops",),
    derive=lambda params, datastore_share, flops: _rest(params, datastore_share * _most(flops), flops),
    report=("params", "datastore_tokens", "tokens", "indexing_share"),
    objective=lambda law, plan: -evaluate(law, plan),
)
