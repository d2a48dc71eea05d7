"""Observational scaling: what public models of many families say of a larger one, and which of them to evaluate."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import xarray as xr
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, AdditiveT
from bayeslaw._tree import Scalar, evaluate

F0 = 8.4e22  # the reference run: the compute of Llama-2 7B, up to which the paper trains
BENCHMARKS = ("mmlu", "arc_c", "hellaswag", "winograd", "truthfulqa", "gsm8k", "xwinograd", "humaneval")


class Observational(AbstractLaw):
    """capability = level + slope log10(flops / 8.4e22)

    Ruan, Maddison and Hashimoto 2024 (arXiv 2405.10938), Eq. 4, for one model family. Capability is a principal
    component of benchmark scores (`principal_capability`); families turn compute into it at their own rate:
    `Pooled(Observational, models, by="family", spread={"level": HalfNormal(0.5), "slope": HalfNormal(0.2)})`.

    - `level`: capability of a model trained with 8.4e22 FLOPs (7 B parameters, 2 T tokens).
    - `slope`: capability gained by ten times the compute.

    Departure from the paper: families share what they have in common, and one component stands for its three; the
    logarithm is to base 10, which only rescales the slope. Compute says nothing of the quality of data or of continued
    training: a family's own level absorbs them. Scores near chance or near 1 bend the line.
    Prior, 90 %: level -1.6 to 1.6, slope -0.2 to 0.8; of the unscaled scores of 108 models the capability has sd 0.40.
    Noise: additive Student-t, scale below 0.4.
    """

    response: ClassVar = "capability"

    level: Scalar
    slope: Scalar

    def mean(self, flops: Array) -> Array:  # type: ignore[override]
        return self.level + self.slope * jnp.log10(flops / F0)

    def noise(self) -> AbstractNoise:
        return AdditiveT(df=AdditiveT.prior().df, scale=dist.HalfNormal(0.2))

    @classmethod
    def prior(cls) -> "Observational":
        return cls(level=dist.Normal(0.0, 1.0), slope=dist.Normal(0.3, 0.3))

    def decisions(self) -> Mapping[str, Decision]:
        return {"compute_to_reach": compute_to_reach}


def reaches(column: str) -> Any:
    """The column, to be small, where the law's response is at least the target; rounding is not held against it."""
    return lambda law, plan: jnp.where(evaluate(law, plan) >= plan["target"] - 1e-9, plan[column], jnp.inf)


def _compute(law: Observational, target: Any) -> dict[str, Any]:
    power = (target - law.level) / jnp.where(law.slope > 0, law.slope, jnp.nan)
    return {"flops": jnp.where(law.slope > 0, F0 * 10**power, 0.0)}  # a falling family is at its best at the least


compute_to_reach = Decision(
    question="What is the least training compute at which a family reaches this capability?",
    choose={"flops": LogRange(1e17, 1e32)},
    given=("target",),
    derive=lambda flops: {},
    report=("flops",),
    objective=reaches("flops"),
    closed_form=_compute,
)


def principal_capability(
    table: pd.DataFrame, train: Any, *, benchmarks: Sequence[str] = BENCHMARKS, components: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Capabilities, (rows, components), NaN where a score is missing; and their loadings, (components, benchmarks).

    Principal components of the scores, centred and unscaled, each with the sign that makes better scores count for
    more. Centre and directions are those of the complete rows of `train`, a flag per row: no test model has a say.
    """
    scores = table[list(benchmarks)].to_numpy(dtype=float)
    known = scores[np.asarray(train, dtype=bool) & np.isfinite(scores).all(axis=1)]
    if len(known) <= components:
        raise InputError(f"{len(known)} training rows have all of {', '.join(benchmarks)}: too few for {components}.")
    loadings = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][:components]
    loadings = loadings * np.sign(loadings.sum(axis=1, keepdims=True))
    return (scores - known.mean(axis=0)) @ loadings.T, loadings


def equivalent_flops(posterior: Any, flops: Any, *, family: str, reference: str) -> xr.DataArray:
    """The compute at which the family `reference` is as capable as `family` at `flops`, draw by draw.

    `posterior` is of `Pooled(Observational, ..., by="family")`. NaN in draws in which the reference does not rise.
    """
    found = posterior.derived
    for name in (family, reference):
        if f"slope[{name}]" not in found:
            raise InputError(f"{name!r} is not a family of this posterior; it has {', '.join(posterior.prior.groups)}.")
    capability = found[f"level[{family}]"] + found[f"slope[{family}]"] * np.log10(flops / F0)
    slope = found[f"slope[{reference}]"]
    return F0 * 10 ** ((capability - found[f"level[{reference}]"]) / slope.where(slope > 0))
