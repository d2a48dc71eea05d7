"""Train-to-test: model size, training tokens and samples per question, chosen together."""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import betaln
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision, LogRange
from bayeslaw._errors import Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate

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
        return self.E + _reducible(self, params, tokens) + self.g * samples**-self.gamma

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
        return {"train_to_test": train_to_test}


class TrainToTestCoverage(AbstractLaw):
    """accuracy = 1 - B(x, y + samples) / B(x, y), x = mu nu, y = (1 - mu) nu, of a question's chance p ~ Beta(x, y)

    Roberts et al. 2026 (arXiv 2604.01411), approach 2, second-hand; fitted, as only we do, to answers counted per
    question. logit mu = level - L, ln nu = alike + t4 L, where L is what is lost beside the reference run (1 B
    parameters, 10 B tokens): a ((params / 1e9)^-alpha - 1) + b ((tokens / 1e10)^-beta - 1). accuracy is the share of
    questions that one of `samples` answers gets right (pass@k). A row is one question and one checkpoint, its answers
    counted in `trials`, with samples = 1.

    - `level`: logit of the chance that a single answer of the reference run is right.
    - `a`, `alpha`: what the reference run loses to its size, in logits, and how fast that shrinks.
    - `b`, `beta`: the same for its training tokens.
    - `alike`, `t4`: ln nu of the reference run, how alike questions are, and how it rises with L. A small nu: a few
      are always answered and most never. x is the exponent with which failures fall in the number of samples.

    Departure from the paper: no constant in the loss, and centred; its t0 and t3 are derived. Prior, 90 %: chance 0.002
    to 0.18, a and b 0.1 to 2.6, alpha and beta 0.19 to 1.3, nu 2.8 to 390, t4 -0.3 to 1.3. Checkpoints of one run, and
    one question under several checkpoints, count as independent: intervals are too narrow.
    """

    response = "accuracy"

    level: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    beta: Scalar
    alike: Scalar
    t4: Scalar

    def mean(self, params: Array, tokens: Array, samples: Array) -> Array:  # type: ignore[override]
        mu, nu = self._beta(params, tokens)
        x, y = mu * nu, (1 - mu) * nu
        coverage = -jnp.expm1(betaln(x, y + samples) - betaln(x, y))
        return jnp.where(samples == 1, mu, coverage)  # the same, without rounding

    def concentration(self, params: Array, tokens: Array, samples: Array) -> Array:  # type: ignore[override]
        return self._beta(params, tokens)[1]

    def _beta(self, params: Array, tokens: Array) -> tuple[Array, Array]:
        lost = _reducible(self, params, tokens) - self.a - self.b
        return jax.nn.sigmoid(self.level - lost), jnp.exp(self.alike + self.t4 * lost)

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's constants: the logit of the best chance, and ln nu there."""
        return {"t0": self.level + self.a + self.b, "t3": self.alike - self.t4 * (self.a + self.b)}

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        if (runs["samples"] == 1).all():
            return []
        text = "rows with samples above 1: count single answers (samples = 1), or fit pass@k with noise=bl.Binomial."
        return [Status(text, serious=True)]

    @classmethod
    def prior(cls) -> "TrainToTestCoverage":
        return cls(
            level=dist.Normal(-4.0, 1.5),
            a=dist.LogNormal(log(0.5), 1.0),
            alpha=dist.LogNormal(log(0.5), 0.6),
            b=dist.LogNormal(log(0.5), 1.0),
            beta=dist.LogNormal(log(0.5), 0.6),
            alike=dist.Normal(3.5, 1.5),
            t4=dist.Normal(0.5, 0.5),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"train_to_test": most_covered}


def _reducible(law: Any, params: Any, tokens: Any) -> Any:
    return law.a * (params / N0) ** -law.alpha + law.b * (tokens / D0) ** -law.beta


def _single(law: Any, train_flops: Any) -> Any:
    """The size that answers best with one sample: Chinchilla's optimum, which knows nothing of inference."""
    balance = (law.alpha * law.a / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    return N0 * balance * (train_flops / (6 * N0 * D0)) ** (law.beta / (law.alpha + law.beta))


def _root(law: TrainToTest, train_flops: Any, inference_flops: Any, sample_tokens: Any) -> dict[str, Any]:
    """Where a further parameter gains by size what it costs in tokens and samples, or where one sample is left."""
    most = inference_flops / (2 * sample_tokens)  # the size that can answer once

    def halve(_: int, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        middle = (ends[0] + ends[1]) / 2
        size = law.alpha * law.a * (jnp.exp(middle) / N0) ** -law.alpha
        data = law.beta * law.b * (train_flops / (6 * jnp.exp(middle) * D0)) ** -law.beta
        gains = size > data + law.gamma * law.g * (most / jnp.exp(middle)) ** -law.gamma
        return jnp.where(gains, middle, ends[0]), jnp.where(gains, ends[1], middle)

    ends = jax.lax.fori_loop(0, 60, halve, (jnp.asarray(0.0), jnp.asarray(log(1e16))))
    return {"params": jnp.minimum(jnp.exp(ends[0]), most * (1 - 1e-12))}


def _plan(law: Any, params: Any, train_flops: Any, inference_flops: Any, sample_tokens: Any) -> dict[str, Any]:
    def at(params: Any) -> dict[str, Any]:
        samples = inference_flops / (2 * sample_tokens * params)
        return {"params": params, "tokens": train_flops / (6 * params), "samples": samples}

    plan, usual = at(params), at(_single(law, train_flops))
    usual["samples"] = jnp.maximum(usual["samples"], 1.0)  # it answers once, even beyond the budget
    gain = jnp.abs(evaluate(law, usual) - evaluate(law, plan))
    return {**plan, "trials": 1.0, "single_sample_params": usual["params"], "regret": gain}


train_to_test = Decision(
    question="With a budget for training and one for answering a question, how large a model and how many samples?",
    choose={"params": LogRange(1e6, 1e14)},
    given=("train_flops", "inference_flops", "sample_tokens"),
    derive=_plan,
    report=("params", "tokens", "tokens_per_param", "samples", "single_sample_params", "regret"),
    closed_form=_root,
)

most_covered = replace(train_to_test, objective=lambda law, plan: -evaluate(law, plan), closed_form=None)
