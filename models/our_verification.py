"""Our model of verification: solve more often, or verify what was solved?"""

from collections.abc import Callable, Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, nth
from bayeslaw.models.selection import choosing, over_questions, positive_verdicts, voting
from bayeslaw.models.verification_plans import overtakes, verify

KINDS = ("solved", "chosen", "right", "wrong", "rival")
SAME = 1e6  # the concentration of answers to many questions, each chosen once: no more than binomial


class OurVerification(AbstractLaw):
    """accuracy = the chance of a count of that kind; of kind chosen, that the chosen one of `samples` answers is right

    Our model of what Singhi et al. 2025 (arXiv 2504.01005) measure: an answer's score is its number of positive
    verdicts among `verifications`, the highest score is chosen, ties at random; with 0 the majority is. All counts are
    beta-binomial: questions differ, and so do answers in how well they deceive. One law, a row being of a kind:

    - `solved`: one question, answers that are right among `trials`;
    - `right`, `wrong`: one right (wrong) answer, positive verdicts on it;
    - `rival`: one question, its most frequent wrong answer among its wrong ones (needs many, or it is too high);
    - `chosen`: many questions, those whose chosen answer is right; follows from the others. Runs of the other kinds
      need no columns samples and verifications.

    - `rate`: the mean share of each kind.
    - `alike`: its concentration. For verdicts that is how little the errors of a verifier persist: where it is small,
      more verdicts on an answer repeat the first, and what they can buy ends early.
    - `most`: the most verdicts on an answer that plans may have; the time of a plan grows with it.

    Left out: harder questions are harder to verify too; the spread of `rival` over questions in voting, which is at
    its mean. The paper's power laws of samples and verifications are `verification_plans.exponents`; their exponents
    should add up to 1 and its pairs to 0.96, 1.07 and 1.12, and no prefactor is printed: no published law.
    Prior, 90 %: rate of solved 0.10 to 0.90, right 0.50 to 0.92, wrong 0.13 to 0.60, rival 0.08 to 0.66; alike of
    solved 0.5 to 7.5, of verdicts 0.6 to 16, of rival 1.1 to 15.
    """

    response: ClassVar = "accuracy"

    rate: dict[str, Scalar]
    alike: dict[str, Scalar]
    most: int = eqx.field(static=True, default=32)

    def mean(self, counted: Array, samples: Any = None, verifications: Any = 0.0) -> Array:  # type: ignore[override]
        chosen = self.rate["solved"] if samples is None else self.chosen(samples, verifications)
        each = [chosen if name == "chosen" else self.rate[name] for name in KINDS]
        return nth(each, counted)

    def concentration(self, counted: Array, samples: Any = None, verifications: Any = 0.0) -> Array:  # type: ignore[override]
        return nth([self.alike.get(name, SAME) for name in KINDS], counted)

    def chosen(self, samples: Any, verifications: Any) -> Array:
        """Accuracy of the answer chosen among so many, by so many verdicts on each or by majority."""
        rate, alike, most = self.rate, self.alike, self.most
        verdicts = jnp.clip(verifications, 0, most)
        right, wrong = (positive_verdicts(rate[one], alike[one], verdicts, most) for one in ("right", "wrong"))
        picked, voted = choosing(samples, right, wrong), self._voting(samples)
        either = over_questions(lambda p: jnp.where(verdicts > 0, picked(p), voted(p)), rate["solved"], alike["solved"])
        return jnp.where(verdicts == verifications, either, jnp.nan)

    def voted(self, samples: Any) -> Array:
        """Accuracy of the majority of so many answers."""
        return over_questions(self._voting(samples), self.rate["solved"], self.alike["solved"])

    def _voting(self, samples: Any) -> Callable[[Any], Array]:
        return voting(self.rate["solved"], self.alike["solved"], self.rate["rival"], samples)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"counted": KINDS}

    def optional(self) -> tuple[str, ...]:
        return ("samples", "verifications")

    def unmeasured(self) -> tuple[str, ...]:
        return ("samples", "verifications")

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def check_design(self, runs: Mapping[str, Any]) -> list[Any]:
        if (runs["counted"] == KINDS.index("chosen")).any() and "samples" not in runs:
            raise InputError("rows of kind chosen need the columns samples and verifications.")
        return []

    @classmethod
    def prior(cls) -> "OurVerification":
        rates = {"solved": (1.5, 1.5), "right": (7.0, 2.5), "wrong": (3.5, 6.5), "rival": (2.0, 4.0)}
        sizes = {"solved": (2.0, 0.8), "right": (3.0, 1.0), "wrong": (3.0, 1.0), "rival": (4.0, 0.8)}
        return cls(
            rate={name: dist.Beta(*ab) for name, ab in rates.items()},
            alike={name: dist.LogNormal(log(median), sd) for name, (median, sd) in sizes.items()},
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"verify": verify, "overtakes": overtakes}
