"""The curve of coverage against samples, as papers publish it: a power law of minus its logarithm."""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, power
from bayeslaw.models.coverage_plans import samples_to_reach


class CoverageCurve(AbstractLaw):
    """accuracy = exp(-a samples^-b)

    Brown et al. 2024 (arXiv 2407.21787), which writes exp(a k^b) with a, b < 0, and Schaeffer et al. 2025 (arXiv
    2502.17578), -ln pass@k = a k^-b: the share of problems that one of `samples` answers gets right. It describes a
    curve that others publish. With counts per problem fit `Coverage`: points of one curve share their answers, and no
    noise of independent points gives an honest interval.

    - `a`: minus the log of the share that a single answer gets right.
    - `b`: how fast that shrinks; 0.3 halves it with ten times the samples.

    Prior, 90 %: a 1.1 to 11, b 0.11 to 0.81.
    """

    response = "accuracy"

    a: Scalar
    b: Scalar

    def mean(self, samples: Array) -> Array:  # type: ignore[override]
        return jnp.exp(-self.a * power(samples, -self.b))

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        text = "points of one curve share their answers, so this interval is too narrow; with counts per problem fit "
        return [Status(text + "Coverage.")]

    @classmethod
    def prior(cls) -> "CoverageCurve":
        return cls(a=dist.LogNormal(log(3.5), 0.7), b=dist.LogNormal(log(0.3), 0.6))

    @classmethod
    def published(cls) -> Mapping[str, "CoverageCurve"]:
        """Brown, Fig. 5; Schaeffer, Tables 1 (MATH) and 2 (best-of-N jailbreaking). Least squares of curves.

        The a of `jailbreak gpt-4o-mini` is as printed, close to that of GPT-4o; the published data give 3.368.
        """
        return {name: cls(a=a, b=b) for name, (a, b) in _PUBLISHED.items()}

    def decisions(self) -> Mapping[str, Decision]:
        return {"samples": _samples}


def fitted_curve(samples: Any, accuracy: Any) -> CoverageCurve:
    """Least squares of ln(-ln accuracy) on ln samples, as in Schaeffer's Table 1. The result depends on which samples.

    Raises `InputError` where accuracy is not between 0 and 1.
    """
    k, share = np.asarray(samples, dtype=float), np.asarray(accuracy, dtype=float)
    if not ((share > 0) & (share < 1)).all():
        raise InputError("the curve needs coverages above 0 and below 1: leave out the samples that solve none or all.")
    slope, level = np.polyfit(np.log(k), np.log(-np.log(share)), 1)
    return CoverageCurve(a=float(np.exp(level)), b=-float(slope))


_samples = replace(
    samples_to_reach, closed_form=lambda law, target: {"samples": power(-jnp.log(target) / law.a, -1 / law.b)}
)
_PUBLISHED = {
    "brown math llama-3-8b-instruct": (1.33, 0.43),
    "brown math llama-3-70b-instruct": (0.75, 0.46),
    "brown codecontests llama-3-8b-instruct": (3.88, 0.11),
    "brown codecontests llama-3-70b-instruct": (2.52, 0.11),
    "brown math pythia-70m": (7.59, 0.18),
    "brown math pythia-12b": (3.92, 0.35),
    "brown math gemma-2b": (2.45, 0.38),
    "brown minif2f llama-3-8b-instruct": (1.33, 0.08),
    "schaeffer pythia-70m": (8.026, 0.194),
    "schaeffer pythia-160m": (6.591, 0.280),
    "schaeffer pythia-410m": (5.524, 0.286),
    "schaeffer pythia-1b": (5.452, 0.315),
    "schaeffer pythia-2.8b": (4.104, 0.336),
    "schaeffer pythia-6.9b": (4.255, 0.348),
    "schaeffer pythia-12b": (4.113, 0.370),
    "jailbreak claude-3.5-opus": (2.630, 0.448),
    "jailbreak claude-3.5-sonnet": (3.436, 0.312),
    "jailbreak gpt-4o": (3.639, 0.395),
    "jailbreak gpt-4o-mini": (3.637, 0.492),
    "jailbreak gemini-1.5-flash": (6.158, 0.303),
    "jailbreak gemini-1.5-pro": (6.296, 0.256),
}
