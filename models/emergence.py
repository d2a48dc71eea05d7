"""Emergence: a task's accuracy from capability, and which models to evaluate on a new task."""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import BetaBinomial
from bayeslaw._decision import Decision, Range
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar
from bayeslaw.models.observational import compute_to_reach, reaches


class CountedScatter(AbstractNoise):
    """y = c / trials, c ~ BetaBinomial(mean nu, (1 - mean) nu): a model's own accuracy scatters around the law's.

    Little near 0 and 1 and most halfway, which an additive noise would miss. Prior of `nu`: LogNormal(log 20, 1), an sd
    of 0.05 to 0.23 halfway up (90 %).
    """

    nu: Scalar

    def observe(self, mean: Any, trials: Any) -> dist.Distribution:  # type: ignore[override]
        return BetaBinomial().observe(mean, self.nu, trials)

    @classmethod
    def prior(cls) -> "CountedScatter":
        return cls(nu=dist.LogNormal(log(20.0), 1.0))


class Emergence(AbstractLaw):
    """accuracy = chance + (ceiling - chance) sigmoid(alpha + beta capability)

    Ruan, Maddison and Hashimoto 2024 (arXiv 2405.10938), Eq. 3 and 6: a task that seems to emerge with compute rises
    smoothly with capability. `capability.then(task)` predicts it for a family at a larger compute.

    - `chance`: accuracy of a model that knows nothing, fixed: 0 for answers written out, 1 / choices otherwise.
    - `ceiling`: accuracy of the most capable model; below 1 where the task's own answers are wrong or vague.
    - `alpha`: logit of the way from chance to the ceiling at capability 0, that of the average model.
    - `beta`: gain of that logit per unit of capability; positive, more capable is never worse.

    Departure from the paper: answers are counted, and models of one capability scatter (`CountedScatter`), in place of
    least squares; `chance` is in the law in place of a normalised metric.
    Prior, 90 %: alpha -6.9 to 2.9; beta 1.6 to 16, so that a task rises from a tenth to nine tenths of its way within
    0.3 to 2.7 of capability (of unscaled scores: sd 0.2 to 0.4); ceiling 0.81 to 0.99.
    """

    response: ClassVar = "accuracy"

    alpha: Scalar
    beta: Scalar
    ceiling: Scalar
    chance: Scalar = 0.0

    def mean(self, capability: Array) -> Array:  # type: ignore[override]
        return self.chance + (self.ceiling - self.chance) * jax.nn.sigmoid(self.alpha + self.beta * capability)

    def noise(self) -> AbstractNoise:
        return CountedScatter.prior()

    def floor(self) -> Scalar:
        return self.chance

    @classmethod
    def prior(cls) -> "Emergence":
        return cls(
            alpha=dist.Normal(-2.0, 3.0),
            beta=dist.LogNormal(log(5.0), 0.7),
            ceiling=dist.Uniform(0.8, 1.0),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"capability_to_reach": capability_to_reach}


def _capability(law: Emergence, target: Any, trials: Any) -> dict[str, Any]:
    share = jnp.clip((target - law.chance) / (law.ceiling - law.chance), 0.0, 1.0)
    return {"capability": (jax.scipy.special.logit(share) - law.alpha) / law.beta}


compute_for_accuracy = replace(
    compute_to_reach,
    question="What is the least training compute at which a family reaches this accuracy?",
    given=("target", "trials"),
    closed_form=None,
)
"""For `capability.then(task)`; `trials` only says over how many answers a new run is counted."""

capability_to_reach = Decision(
    question="What is the least capability with which a model reaches this accuracy?",
    choose={"capability": Range(-10.0, 10.0)},
    given=("target", "trials"),
    derive=lambda capability: {},
    report=("capability",),
    objective=reaches("capability"),
    closed_form=_capability,
)


def choose_models(values: np.ndarray, target: np.ndarray, n: int) -> tuple[list[int], float]:
    """Which n models to evaluate so that the target is known best, and the share of its variance that is then left.

    `values`, (draws, models): what each would score, its scatter included; `target`, (draws,): what is to be predicted,
    in the same draws, before any of it is measured (for a new task, those of `Pooled(Emergence, ..., by="task")`).
    Assumes that the target is predicted linearly from the measured scores, which is exact where all are jointly normal,
    and that each evaluation costs the same. Greedy, then exchanges of one model until none is better.
    """
    draws, models = values.shape
    if not 0 < n <= min(models, draws - 2):
        raise InputError(f"n must lie between 1 and {min(models, draws - 2)}, got {n}.")
    covariance = np.cov(np.column_stack([values, target]), rowvar=False)

    def left(chosen: list[int]) -> float:
        own, with_target = covariance[np.ix_(chosen, chosen)], covariance[chosen, -1]
        return 1 - float(with_target @ np.linalg.lstsq(own, with_target)[0]) / covariance[-1, -1]

    chosen: list[int] = []
    for _ in range(n):
        chosen = min(([*chosen, m] for m in range(models) if m not in chosen), key=left)
    while True:
        swaps = [[*chosen[:i], m, *chosen[i + 1 :]] for i in range(n) for m in range(models) if m not in chosen]
        best = min(swaps, key=left, default=chosen)
        if left(best) >= left(chosen) - 1e-12:
            return sorted(chosen), left(chosen)
        chosen = best
