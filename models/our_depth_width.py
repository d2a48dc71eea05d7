"""Our model of depth and width: at so many parameters, how deep and how wide a model is best at a task."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, Integers, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, Normal
from bayeslaw._tree import Scalar, evaluate

N0 = 1e7  # the reference: 10 M parameters
KAPPA = 12.0  # parameters of a standard block over the square of its width, embeddings left out


class OurDepthWidth(AbstractLaw):
    """score = s0 + s1 ln(N / 1e7) - c [ln aspect_ratio - ln r0 - rho ln(N / 1e7)]^2, N = nonembedding_params

    Our model, experimental: Schapiro et al. 2025 (arXiv 2509.21043) measure combinatorial creativity by depth and width
    and give no formula. A score is any number of which more is better; aspect_ratio is width over depth, and
    N = 12 n_layers d_model^2 ties the two at a fixed N.

    - `s0`: score of the best shape of 10 M parameters. `s1`: what e times the parameters add.
    - `c`: what a shape e times too wide or too deep costs.
    - `log_r0`: logarithm of the best aspect ratio at 10 M parameters.
    - `rho`: exponent of its growth with size; 0 is the same shape at every size.
    - `spread`: standard deviation of the scores, in which the priors are measured, that of the noise too.

    Two second-hand statements on the best (8 layers at 100 M parameters; 200 to 300 at any size) contradict
    each other under N = 12 n_layers d_model^2, so that neither is a prior here. The parabola is a local description.
    Prior, 90 %, for scores of mean m and spread sd: aspect ratio 29 to 780 at 10 M, changing by less than 2.2 times per
    decade; c up to one sd, s0 m +- 3.3 sd, s1 +- 1.6 sd, scatter up to one sd.
    """

    response: ClassVar = "score"

    s0: Scalar
    s1: Scalar
    c: Scalar
    log_r0: Scalar
    rho: Scalar
    spread: float = eqx.field(static=True, default=1.0)

    def mean(self, nonembedding_params: Array, aspect_ratio: Array) -> Array:  # type: ignore[override]
        size = jnp.log(nonembedding_params / N0)
        return self.s0 + self.s1 * size - self.c * (jnp.log(aspect_ratio) - self.log_r0 - self.rho * size) ** 2

    def best_ratio(self, nonembedding_params: Any) -> Any:
        """The best aspect ratio at a size."""
        return jnp.exp(self.log_r0 + self.rho * jnp.log(nonembedding_params / N0))

    def noise(self) -> AbstractNoise:
        return Normal(scale=dist.HalfNormal(0.5 * self.spread))

    def derived(self) -> Mapping[str, Scalar]:
        return {"r0": jnp.exp(self.log_r0)}

    @classmethod
    def prior(cls, mean: float = 0.0, spread: float = 1.0) -> "OurDepthWidth":
        """For scores of that mean and standard deviation."""
        return cls(
            s0=dist.Normal(mean, 2 * spread),
            s1=dist.Normal(0.0, spread),
            c=dist.HalfNormal(0.5 * spread),
            log_r0=dist.Normal(log(150.0), 1.0),
            rho=dist.Normal(0.0, 0.2),
            spread=spread,
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"ratio": ratio, "depth": depth, "shape": shape}


def _shape(nonembedding_params: Any, n_layers: Any, d_model: Any) -> dict[str, Any]:
    off = jnp.log(KAPPA * n_layers * d_model**2 / nonembedding_params)
    return {"d_model": d_model, "aspect_ratio": d_model / n_layers, "size_error": off}


def _exact(nonembedding_params: Any, n_layers: Any) -> dict[str, Any]:
    return _shape(nonembedding_params, n_layers, jnp.sqrt(nonembedding_params / (KAPPA * n_layers)))


def _whole_heads(nonembedding_params: Any, n_layers: Any, kv_size: Any) -> dict[str, Any]:
    heads = jnp.maximum(jnp.round(jnp.sqrt(nonembedding_params / (KAPPA * n_layers)) / kv_size), 1.0)
    return _shape(nonembedding_params, n_layers, heads * kv_size)


ratio = Decision(
    question="Which aspect ratio, width over depth, is best at so many parameters?",
    choose={"aspect_ratio": LogRange(1.0, 1e4)},
    given=("nonembedding_params",),
    derive=lambda nonembedding_params, aspect_ratio: {
        "n_layers": jnp.maximum((nonembedding_params / (KAPPA * aspect_ratio**2)) ** (1 / 3), 1.0)
    },
    report=("aspect_ratio", "n_layers"),
    objective=lambda law, plan: -evaluate(law, plan),
    closed_form=lambda law, nonembedding_params: {"aspect_ratio": law.best_ratio(nonembedding_params)},
)
depth = Decision(
    question="How many layers, of the width that so many parameters then leave?",
    choose={"n_layers": Integers(1, 64)},
    given=("nonembedding_params",),
    derive=_exact,
    report=("n_layers", "d_model", "aspect_ratio"),
    objective=lambda law, plan: -evaluate(law, plan),
)
shape = Decision(
    question="How many layers, of a width in whole heads, within 5 % of so many parameters?",
    choose={"n_layers": Integers(1, 64)},
    given=("nonembedding_params", "kv_size"),
    derive=_whole_heads,
    report=("n_layers", "d_model", "aspect_ratio"),
    objective=lambda law, plan: jnp.where(jnp.abs(plan["size_error"]) < 0.05, -evaluate(law, plan), jnp.inf),
)
