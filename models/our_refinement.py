"""Our model of refinement: how many rounds before one starts afresh; and what a chain of proposals is worth."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Decision, Integers
from bayeslaw._errors import InputError, Status
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate, nth

KINDS = ("fresh", "solved", "refined")
MOST = 32  # attempts of a plan


class OurRefinement(AbstractLaw):
    """accuracy = the chance of a count of that kind: a fresh sample mu nu / (nu + t), a refined one sigmoid(u - v t)

    Our model of refine or restart, for "Review, Refine, Repeat" (IAD, 2025, arXiv 2504.01931), which has no law. All
    counts are of problems still unsolved after t = `iterations` failed attempts (refined: the t-th refinement), so that
    they are independent. A row is of a kind:

    - `fresh`: those that the next sample drawn afresh solves;
    - `refined`: those that the t-th refinement solves, t = 1, 2 ...;
    - `solved`: share of all problems solved by a first attempt, `iterations` refinements, then fresh samples up to
      `attempts` after the first; follows from the others. Runs of the other kinds need no column attempts.

    - `mu`, `nu`: a problem's own chance is Beta(mu nu, (1 - mu) nu), so that failures tell a hard one.
    - `u`, `v`: logit of the chance of a refinement, and how it falls from round to round; it never rises.

    A failed refinement is taken to say as much of a problem as a failed fresh sample. A verifier that errs multiplies
    both by the share that it accepts, which cancels only if it treats refinements and fresh samples alike.
    Prior, 90 %: mu 0.10 to 0.90, nu 0.5 to 7.5, first repair 0.04 to 0.56, v 0.04 to 1.2.
    """

    response: ClassVar = "accuracy"

    mu: Scalar
    nu: Scalar
    u: Scalar
    v: Scalar

    def mean(self, counted: Array, iterations: Array, attempts: Any = None) -> Array:  # type: ignore[override]
        solved = self.solved(iterations, iterations if attempts is None else attempts)
        each = [self.fresh(iterations), solved, self.refined(iterations)]
        return nth(each, counted)

    def fresh(self, failures: Any) -> Any:
        """The chance of a fresh sample after so many failures."""
        return self.mu * self.nu / (self.nu + failures)

    def refined(self, round_: Any) -> Any:
        """The chance of that refinement, when those before it failed."""
        return jax.nn.sigmoid(self.u - self.v * round_)

    def solved(self, iterations: Any, attempts: Any) -> Array:
        """The share solved with so many refinements, then fresh samples; NaN beyond 32 attempts."""
        at = np.arange(1, MOST + 1)
        failed = jnp.where(at <= iterations, jnp.log1p(-self.refined(at)), jnp.log1p(-self.fresh(at)))
        total = jnp.log1p(-self.mu) + jnp.sum(jnp.where(at <= attempts, failed, 0.0))
        return jnp.where(jnp.asarray(attempts) <= MOST, -jnp.expm1(total), jnp.nan)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"counted": KINDS}

    def optional(self) -> tuple[str, ...]:
        return ("attempts",)

    def unmeasured(self) -> tuple[str, ...]:
        return ("attempts",)

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        attempts = np.asarray(runs.get("attempts", runs["iterations"]))
        bad = (runs["counted"] == KINDS.index("solved")) & (attempts > MOST)
        if bad.any():
            row = int(bad.argmax())
            raise InputError(f"row {row} counts what {attempts[row]:g} attempts solve; this law knows up to {MOST}.")
        return []

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls) -> "OurRefinement":
        return cls(
            mu=dist.Beta(1.5, 1.5),
            nu=dist.LogNormal(log(2.0), 0.8),
            u=dist.Normal(-1.0, 1.0),
            v=dist.HalfNormal(0.6),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"refine": refine}


refine = Decision(
    question="How many refinements of the first answer before the other attempts start afresh?",
    choose={"iterations": Integers(0, MOST)},
    given=("attempts",),
    derive=lambda law, iterations, attempts: {
        "counted": float(KINDS.index("solved")),
        "accuracy_gain": law.solved(iterations, attempts) - law.solved(0, attempts),
    },
    report=("iterations", "accuracy_gain"),
    objective=lambda law, plan: jnp.where(plan["iterations"] <= plan["attempts"], -evaluate(law, plan), jnp.inf),
)
"""accuracy_gain is over fresh samples only. An optimum at 0 is on the edge of the menu: it is not to refine at all."""


def effective_samples(length: Any, correlation: Any) -> Any:
    """How many independent samples a chain of proposals (QAlign, arXiv 2504.03790) is worth to a vote:
    length (1 - correlation) / (1 + correlation), of a chain with autocorrelation correlation^lag."""
    return length * (1 - correlation) / (1 + correlation)


def accepts(reward: Any, old_reward: Any, temperature: Any, length: Any, old_length: Any) -> Any:
    """The chance to accept a proposal that redraws a suffix of an answer from the model, its start uniform over the
    old answer's tokens: min(1, exp((reward - old_reward) / temperature) old_length / length).

    The chain's target is the model's distribution times exp(reward / temperature). Without the lengths, as some codes
    have it, it is another one, which prefers lengths by accident.
    """
    return jnp.minimum(1.0, jnp.exp((reward - old_reward) / temperature) * old_length / length)
