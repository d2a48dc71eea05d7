"""Kaplan's law of size, steps and batch: how to spend a compute budget when data are no concern."""

from collections.abc import Callable, Mapping
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar

N0, S0, L0 = 1e9, 1e4, 3.0  # the reference run: 1 B parameters, 1e4 steps; the loss at which `batch` is critical


class KaplanSteps(AbstractLaw):
    """loss = n (nonembedding_params / 1e9)^-alpha + s (S_min / 1e4)^-beta,
    S_min = steps / (1 + B_crit / batch_tokens), B_crit = batch (loss / 3)^(-1 / gamma)

    Kaplan et al. 2020 (arXiv 2001.08361), Eq. 1.6, 5.3, 5.4; nats per token, size without embeddings. The critical
    batch is that of the loss a run ends with, so the loss is on both sides: it is solved for, and has one solution.

    - `n`, `alpha`: what steps without end leave a 1 B model with, in nats, and how fast that falls with size (alpha_N).
    - `s`, `beta`: what 1e4 steps at a large batch lack, in nats, and how fast that falls with steps (alpha_S).
    - `batch`: the critical batch at a loss of 3 nats, in tokens. Smaller ones save compute, larger ones save steps; at
      it a run takes twice the least of both. B_star = batch 3^(1/gamma) in the paper.
    - `gamma`: how fast the critical batch grows as the loss falls (alpha_B); 0.21: it doubles with 14 % less loss.

    flops is what is spent, 6 N B S; the paper's C_min is half of it at the critical batch. No irreducible loss.
    Departure from the paper: reference runs instead of N_c, S_c and B_star. Prior, 90 %: n 1.5 to 3.9, alpha 0.035 to
    0.18, s 0.06 to 1.6, beta 0.46 to 1.2, batch 8e4 to 1.2e7 tokens, gamma 0.13 to 0.34.
    """

    falls: ClassVar = ("nonembedding_params", "steps", "batch_tokens")

    n: Scalar
    alpha: Scalar
    s: Scalar
    beta: Scalar
    batch: Scalar
    gamma: Scalar

    def mean(self, nonembedding_params: Array, steps: Array, batch_tokens: Array) -> Array:  # type: ignore[override]
        u = _log_power(self.n, nonembedding_params / N0, self.alpha)
        v = _log_power(self.s, steps / S0, self.beta)
        excess = lambda at: jax.nn.softplus(self._critical(at) - jnp.log(batch_tokens))  # ln(steps / S_min)
        return jnp.exp(_balance(lambda at: jnp.logaddexp(u, v + self.beta * excess(at)), jnp.logaddexp(u, v)))

    def _critical(self, log_loss: Array) -> Array:
        """The logarithm of the critical batch."""
        return _log_power(self.batch, jnp.exp(log_loss) / L0, 1 / self.gamma)

    def derived(self) -> Mapping[str, Scalar]:
        """The paper's B_star; how loss (falling), size, batch and steps go with flops at the optimum."""
        loss = 1 / (1 / self.beta + 1 / self.gamma + 1 / self.alpha)
        powers = {"params": self.alpha, "batch": self.gamma, "steps": self.beta}
        found = {f"optimal_{name}_exponent": loss / power for name, power in powers.items()}
        return {"B_star": self.batch * L0 ** (1 / self.gamma), "optimal_loss_exponent": loss, **found}

    @classmethod
    def raw(cls, N_c: float, alpha: float, S_c: float, beta: float, B: float, gamma: float) -> "KaplanSteps":
        """The law from the coefficients that the paper prints; B is its B_star."""
        n, s = (N_c / N0) ** alpha, (S_c / S0) ** beta
        return cls(n=n, alpha=alpha, s=s, beta=beta, batch=B * L0 ** (-1 / gamma), gamma=gamma)

    @classmethod
    def prior(cls) -> "KaplanSteps":
        n, alpha = dist.LogNormal(log(2.4), 0.3), dist.LogNormal(log(0.08), 0.5)
        s, beta = dist.LogNormal(log(0.3), 1.0), dist.LogNormal(log(0.75), 0.3)
        return cls(n, alpha, s, beta, batch=dist.LogNormal(log(1e6), 1.5), gamma=dist.LogNormal(log(0.21), 0.3))

    @classmethod
    def published(cls) -> Mapping[str, "KaplanSteps"]:
        """Table 3, with the critical batch of the text (Table 5 prints B_star 2.1e8)."""
        return {"kaplan2020": cls.raw(N_c=6.5e13, alpha=0.077, S_c=2.1e3, beta=0.76, B=2e8, gamma=0.21)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"critical_batch": critical_batch}


def _log_power(size: Scalar, x: Array, exponent: Scalar) -> Array:
    return jnp.log(size) - exponent * jnp.log(x)


def _balance(right: Callable[[Array], Array], start: Array) -> Array:
    """The x with x = right(x), for a convex function that falls, from a start at or below that x: Newton's steps come
    from below. Of the last alone, at the solution, the gradient is exact."""
    step = lambda _, x: x + (right(x) - x) / (1 - jax.grad(right)(x))
    return step(0, jax.lax.stop_gradient(jax.lax.fori_loop(0, 20, step, start)))


def _closed_form(law: KaplanSteps, flops: Any) -> dict[str, Any]:
    """The loss is 1 + f times u, with f = alpha / beta and u what steps without end would leave of it."""
    f, power = law.alpha / law.beta, law.derived()["optimal_loss_exponent"]
    batch = law.batch * ((1 + f) / L0) ** (-1 / law.gamma)  # critical where u is one
    unit = 6 * N0 * law.n ** (1 / law.alpha) * S0 * (law.s / f) ** (1 / law.beta) * batch  # the least flops there
    return {"nonembedding_params": N0 * (law.n * (flops / 2 / unit) ** power) ** (1 / law.alpha)}


def _at_critical_batch(law: KaplanSteps, nonembedding_params: Any, flops: Any) -> dict[str, Any]:
    """S_min is half of the steps; how many these are hangs on the batch, and that on the loss."""
    tokens = flops / (6 * jnp.asarray(nonembedding_params))
    u = _log_power(law.n, nonembedding_params / N0, law.alpha)
    v = lambda at: _log_power(law.s, tokens / (2 * S0 * jnp.exp(law._critical(at))), law.beta)
    batch = jnp.exp(law._critical(_balance(lambda at: jnp.logaddexp(u, v(at)), u)))
    return {"batch_tokens": batch, "steps": tokens / batch, "tokens": tokens}


critical_batch = Decision(
    question="Which size, batch and number of steps give the lowest loss for a budget, at the critical batch?",
    choose={"nonembedding_params": LogRange(1e3, 1e16)},
    given=("flops",),
    derive=_at_critical_batch,
    report=("nonembedding_params", "batch_tokens", "steps", "tokens"),
    closed_form=_closed_form,
)
