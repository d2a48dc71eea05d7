"""Our model of chains of thought: which model, how many samples and how long a chain, at a cost that counts memory."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, nth
from bayeslaw.models.our_kinetics_plans import QWEN3, chains

COUNTED = ("right", "ended", "solved")
P0 = 8e9  # reference size
_ALIKE = 1e5  # concentration of what is the same from row to row


class OurKinetics(AbstractLaw):
    """accuracy = share of problems that one chain of at most `cap_tokens` solves, or one of what lead to it

    Our model, beside the cost model of Kinetics (Sadhukhan et al. 2025, arXiv 2506.05333), which fits no accuracy. A
    chain of problem i ends before L tokens with probability NormalCDF((ln L - m_i) / within), m_i ~ Normal(ln length,
    between); ended, it is right with p ~ Beta(mu nu, (1 - mu) nu), a draw for each problem and model. Rows, `counted`:

    - right: of the chains that ended, those that are right. One problem and model; the mean is mu.
    - ended: of the chains of one problem still running at `after_tokens`, those that end by `cap_tokens`. Rows of
      successive caps are independent, so that chains cut short count for what they say.
    - solved: of the chains of any problem, those that end by `cap_tokens` and are right.

    Several samples: `coverage` of the plans, E[1 - (1 - p NormalCDF)^samples], which the decisions maximise.

    - `level`: logit of mu at 8 B parameters. `by_params`: logits gained by e times as many.
    - `own`: what each model is above that line, in logits. `models`: their names.
    - `nu`: how alike problems are; below 1 most are always or never solved.
    - `length`: median chain of a typical problem, tokens. `between`, `within`: sd of its logarithm from problem to
      problem, and from chain to chain of one problem.
    - `place`: m_i of each problem in units of `between`. `problems`: their names.

    Length does not depend on the model, nor on how hard a problem is; the verifier knows the answer. Prior, 90 %: mu at
    8 B 0.08 to 0.92, by_params 0.04 to 1.2, own -0.8 to 0.8, nu 0.27 to 3.7, length 2,500 to 25,000, between 0.22 to
    1.1, within 0.18 to 0.91.
    """

    response: ClassVar = "accuracy"

    level: Scalar
    by_params: Scalar
    own: dict[str, Scalar]
    nu: Scalar
    length: Scalar
    between: Scalar
    within: Scalar
    place: Any
    models: tuple[str, ...] = eqx.field(static=True)
    problems: tuple[str, ...] = eqx.field(static=True)

    def mean(self, counted: Array, model: Array, params: Array, problem: Array, after_tokens: Array,
             cap_tokens: Array) -> Array:  # type: ignore[override]  # fmt: skip
        mu = self.chance(model, params)
        places = jnp.append(jnp.asarray(self.place), 0.0)  # a problem not seen is typical
        cap = jnp.maximum(cap_tokens, 1.0)  # rows of what ended hold anything there
        middle = jnp.log(self.length) + self.between * places[jnp.asarray(problem).astype(int)]
        started = (middle - jnp.log(jnp.maximum(after_tokens, 1.0))) / self.within
        running = jnp.where(after_tokens > 0, log_ndtr(started), 0.0)
        ended = -jnp.expm1(jnp.minimum(log_ndtr((middle - jnp.log(cap)) / self.within) - running, 0.0))
        spread = jnp.sqrt(self.between**2 + self.within**2)
        solved = mu * ndtr((jnp.log(cap) - jnp.log(self.length)) / spread)
        return nth([mu, ended, solved], counted)

    def chance(self, model: Any, params: Any) -> Array:
        """mu, that a chain that ended is right, averaged over problems."""
        own = nth([self.own[name] for name in self.models], model)
        return jax.nn.sigmoid(self.level + self.by_params * jnp.log(params / P0) + own)

    def concentration(self, **columns: Array) -> Array:
        return jnp.where(columns["counted"] == 0, self.nu, _ALIKE)

    def noise(self) -> AbstractNoise:
        return BetaBinomial.prior()

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"counted": COUNTED, "model": self.models, "problem": (*self.problems, "new")}

    def deviations(self) -> Mapping[str, str]:
        return {"place": "between"}

    def centred(self) -> Sequence[tuple[str, str, np.ndarray]]:
        return [("place", "between", np.ones(len(self.problems)))]

    @classmethod
    def prior(cls, problems: int | Sequence[str] = 30, models: Sequence[str] = tuple(QWEN3)) -> "OurKinetics":
        names = tuple(str(i + 1) for i in range(problems)) if isinstance(problems, int) else tuple(problems)
        return cls(
            level=dist.Normal(0.0, 1.5),
            by_params=dist.HalfNormal(0.6),
            own={name: dist.Normal(0.0, 0.5) for name in models},
            nu=dist.LogNormal(0.0, 0.8),
            length=dist.LogNormal(log(8000.0), 0.7),
            between=dist.LogNormal(log(0.5), 0.5),
            within=dist.LogNormal(log(0.4), 0.5),
            place=dist.Normal(jnp.zeros(len(names)), 1.0).to_event(1),
            models=tuple(models),
            problems=names,
        )

    def decisions(self) -> Mapping[str, Decision]:
        known = {name: QWEN3[name] for name in self.models if name in QWEN3}
        return {"dense": chains(known), "sparse": chains(known, sparse=True)} if known else {}
