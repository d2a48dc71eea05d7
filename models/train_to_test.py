"""Train-to-test: model size, training tokens and samples per question, chosen together."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._target import bisect
from bayeslaw._tree import Scalar, evaluate, power
from bayeslaw.models.lifetime_plans import lifetime, lifetime_samples

N0, D0 = 1e9, 1e10  # the reference: 1 B parameters, 10 B tokens; one sample


class TrainToTest(AbstractLaw):
    """coverage_loss = E + a (params / 1e9)^-alpha + b (tokens / 1e10)^-beta + g samples^-gamma

    Roberts et al. 2026 (arXiv 2604.01411), approach 1, second-hand. coverage_loss is minus the natural log of the
    chance that one of the samples is right (pass@k), averaged over questions; `TrainToTestCoverage` is approach 2.

    - `E`: what is left with any size, data and number of samples, in nats; with one sample the constant is E + g.
    - `a`, `alpha`: what a 1 B model loses to its size, in nats, and how fast that shrinks.
    - `b`, `beta`: the same for 10 B tokens of training.
    - `g`, `gamma`: the same for answering only once. g = 0 is the Chinchilla law.

    Prior, 90 %: E 0.1 to 2.6, a and b 0.1 to 2.6, g 0.19 to 5.2, alpha and beta 0.18 to 0.91, gamma 0.16 to 0.58; ours
    but for g and gamma. No coefficients are published. It needs a verifier that knows a right answer.
    """

    response = "coverage_loss"
    falls: ClassVar = ("params", "tokens", "samples")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar
    g: Scalar
    gamma: Scalar

    def mean(self, params: Array, tokens: Array, samples: Array) -> Array:  # type: ignore[override]
        return self.E + reducible(self, params, tokens) + self.g * power(samples, -self.gamma)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b", "g")

    @classmethod
    def prior(cls) -> "TrainToTest":
        return cls(
            E=dist.LogNormal(log(0.5), 1.0),
            a=dist.LogNormal(log(0.5), 1.0),
            alpha=dist.LogNormal(log(0.4), 0.5),
            b=dist.LogNormal(log(0.5), 1.0),
            beta=dist.LogNormal(log(0.4), 0.5),
            g=dist.LogNormal(log(1.0), 1.0),
            gamma=dist.LogNormal(log(0.3), 0.4),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"train_to_test": train_to_test, "lifetime": lifetime, "lifetime_samples": lifetime_samples}


def reducible(law: Any, params: Any, tokens: Any) -> Any:
    """What is lost to size and data."""
    return law.a * power(params / N0, -law.alpha) + law.b * power(tokens / D0, -law.beta)


def _single(law: Any, train_flops: Any) -> Any:
    """The size that answers best with one sample: Chinchilla's optimum, which knows nothing of inference."""
    balance = (law.alpha * law.a / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    return N0 * balance * (train_flops / (6 * N0 * D0)) ** (law.beta / (law.alpha + law.beta))


def _root(law: TrainToTest, train_flops: Any, inference_flops: Any, sample_tokens: Any) -> dict[str, Any]:
    """Where a further parameter gains by size what it costs in tokens and samples, or where one sample is left."""
    most = inference_flops / (2 * sample_tokens)  # the size that can answer once

    def gains(x: Any) -> Any:
        size = law.alpha * law.a * (jnp.exp(x) / N0) ** -law.alpha
        data = law.beta * law.b * (train_flops / (6 * jnp.exp(x) * D0)) ** -law.beta
        return size > data + law.gamma * law.g * (most / jnp.exp(x)) ** -law.gamma

    return {"params": jnp.minimum(jnp.exp(bisect(gains, 0.0, log(1e16))), most * (1 - 1e-12))}


def _plan(law: Any, params: Any, train_flops: Any, inference_flops: Any, sample_tokens: Any) -> dict[str, Any]:
    def at(params: Any) -> dict[str, Any]:
        samples = inference_flops / (2 * sample_tokens * params)
        return {"params": params, "tokens": train_flops / (6 * params), "samples": samples}

    plan, usual = at(params), at(_single(law, train_flops))
    usual["samples"] = jnp.maximum(usual["samples"], 1.0)  # it answers once, even beyond the budget
    gain = jnp.abs(evaluate(law, usual) - evaluate(law, plan))
    return {**plan, "single_sample_params": usual["params"], "regret": gain}


train_to_test = Decision(
    question="With a budget for training and one for answering a question, how large a model and how many samples?",
    choose={"params": LogRange(1e6, 1e14)},
    given=("train_flops", "inference_flops", "sample_tokens"),
    derive=_plan,
    report=("params", "tokens", "tokens_per_param", "samples", "single_sample_params", "regret"),
    closed_form=_root,
)
