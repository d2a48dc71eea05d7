"""Train-to-test by counts: how often each question is solved, and so how far further samples help."""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from typing import Any

import jax
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision
from bayeslaw._errors import Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate, exp
from bayeslaw.models.coverage import beta_coverage, single_answers
from bayeslaw.models.lifetime_plans import covered, lifetime, lifetime_samples
from bayeslaw.models.train_to_test import reducible, train_to_test


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
        return beta_coverage(*self._beta(params, tokens), samples)

    def concentration(self, params: Array, tokens: Array, samples: Array) -> Array:  # type: ignore[override]
        return self._beta(params, tokens)[1]

    def _beta(self, params: Array, tokens: Array) -> tuple[Array, Array]:
        lost = reducible(self, params, tokens) - self.a - self.b
        return jax.nn.sigmoid(self.level - lost), exp(self.alike + self.t4 * lost)

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's constants: the logit of the best chance, and ln nu there."""
        return {"t0": self.level + self.a + self.b, "t3": self.alike - self.t4 * (self.a + self.b)}

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        return single_answers(runs)

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
        return {"train_to_test": most_covered, **most_covered_for_life}


most_covered_for_life = {
    "lifetime": covered(lifetime),
    "lifetime_samples": covered(lifetime_samples),
}
most_covered = replace(train_to_test, objective=lambda law, plan: -evaluate(law, plan), closed_form=None)
