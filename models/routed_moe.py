"""Routed language models: what experts add to a model of so many parameters per token, and where they stop helping."""

from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate, power

N0 = 1e8  # the reference size


def expanded(experts: Any, start: Any, most: Any) -> Any:
    """E_hat, the number of experts that counts: 1 + start of a dense model, levelling off at `most`."""
    return 1 / (1 / (experts - 1 + 1 / (1 / (1 + start) - 1 / most)) + 1 / most)


class RoutedMoE(AbstractLaw):
    """loss = L0 10^(-alpha n - beta e + c n e), n = log10(params / 1e8), e = log10(E_hat / E_hat(1))

    Clark et al. 2022 (arXiv 2202.01169): the bilinear law with saturation. params are those one token sees; E_hat is
    `expanded(experts)`, so e is 0 for a dense model. Loss in nats per token after 130 B tokens: the law says nothing of
    tokens, and cannot divide compute between them and size. Routers differ, dense models do not:

        Pooled(RoutedMoE, runs, by="router", share=("L0", "alpha"))    # a dense run belongs to any of the routers

    - `L0`, `alpha`: loss of a dense model of 1e8 parameters, and how fast it falls with their number.
    - `beta`: what experts gain there; at 0.035 ten times more cut the loss by 8 %.
    - `c`: how the gain shrinks with size: it is gone at 1e8 10^(beta / c) parameters (`cutoff`), and never if c <= 0.
    - `start`: E_hat of a dense model is 1 + start. `most`: where E_hat ends.

    Departure from the paper: centred at 1e8 parameters and at the dense model, the paper at one parameter, E_hat = 1,
    nine decades below its runs. Prior, 90 %: L0 1.9 to 3.8, alpha 0.049 to 0.13, beta 0.015 to 0.08, c -0.006 to 0.026,
    start 0.47 to 4.7, most 130 to 940.
    """

    L0: Scalar
    alpha: Scalar
    beta: Scalar
    c: Scalar
    start: Scalar
    most: Scalar

    def mean(self, params: Array, experts: Array) -> Array:  # type: ignore[override]
        n, e = jnp.log10(params / N0), jnp.log10(expanded(experts, self.start, self.most) / (1 + self.start))
        return self.L0 * power(10.0, -self.alpha * n - self.beta * e + self.c * n * e)

    def derived(self) -> Mapping[str, Scalar]:
        """a, b and d of the paper, and log10 of the size above which experts do not help (infinite for c <= 0)."""
        log_start, b = jnp.log10(1 + self.start), -self.beta - self.c * 8
        a = -self.alpha - self.c * log_start
        d = jnp.log10(self.L0) - 8 * a + self.beta * log_start
        return {"raw_a": a, "raw_b": b, "raw_d": d, "log10_cutoff": _log10_cutoff(self)}

    @classmethod
    def raw(cls, a: float, b: float, c: float, d: float, E_start: float, E_max: float) -> "RoutedMoE":
        """The law from the coefficients of Table 3."""
        x, beta = log(E_start, 10), -b - 8 * c
        return cls(L0=10 ** (d + 8 * a - beta * x), alpha=-a - c * x, beta=beta, c=c, start=E_start - 1, most=E_max)

    @classmethod
    def prior(cls) -> "RoutedMoE":
        return cls(
            L0=dist.LogNormal(log(2.7), 0.2),
            alpha=dist.LogNormal(log(0.08), 0.3),
            beta=dist.LogNormal(log(0.035), 0.5),
            c=dist.Normal(0.01, 0.01),
            start=dist.LogNormal(log(1.5), 0.7),
            most=dist.LogNormal(log(350.0), 0.6),
        )

    @classmethod
    def published(cls) -> Mapping[str, "RoutedMoE"]:
        """Table 3 (second-hand), one per router; its three digits are too few for the cutoff."""
        return {
            "S-Base": cls.raw(a=-0.082, b=-0.108, c=0.009, d=1.104, E_start=1.847, E_max=314.478),
            "RL-R": cls.raw(a=-0.083, b=-0.126, c=0.012, d=1.111, E_start=1.880, E_max=469.982),
            "Hash": cls.raw(a=-0.087, b=-0.136, c=0.012, d=1.157, E_start=4.175, E_max=477.741),
        }

    def decisions(self) -> Mapping[str, Decision]:
        return {"experts": experts_that_fit, "cutoff": cutoff}


def _log10_cutoff(law: Any) -> Any:
    return jnp.where(law.c > 0, 8 + law.beta / jnp.where(law.c > 0, law.c, 1.0), jnp.inf)


def _plan(law: Any, experts: Any, params: Any, d_model: Any, n_layers: Any) -> dict[str, Any]:
    """Every other layer is routed, experts have 8 width^2 parameters; dense_params is of a dense model of that loss."""
    total = params + 8 * d_model**2 * (experts - 1) * n_layers / 2
    loss = evaluate(law, law.complete({"params": params, "experts": experts}))
    return {"total_params": total, "dense_params": N0 * power(loss / law.L0, -1 / law.alpha)}


experts_that_fit = Decision(
    question="How many experts, if all parameters together must not exceed a limit?",
    choose={"experts": Choices(tuple(2.0**i for i in range(10)))},
    given=("params", "d_model", "n_layers", "params_limit"),
    derive=_plan,
    report=("experts", "total_params", "dense_params"),
    objective=lambda law, plan: jnp.where(plan["total_params"] <= plan["params_limit"], evaluate(law, plan), jnp.inf),
)
cutoff = Decision(
    question="From which size on do so many experts no longer help?",
    choose={"params": LogRange(1e8, 1e20)},  # on the edge where experts always help
    given=("experts",),
    derive=lambda params: {},
    report=("params",),
    objective=lambda law, plan: jnp.abs(law.beta - law.c * jnp.log10(plan["params"] / N0)),
    closed_form=lambda law, experts: {"params": power(10.0, jnp.minimum(_log10_cutoff(law), 300.0))},
)
