"""M4: a learning curve from random guessing down to a limit, a power law only in its last part."""

from collections.abc import Mapping
from math import log
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._columns import REFERENCE
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._target import smallest
from bayeslaw._tree import Scalar

_STEPS = 16  # of Newton's method: exact to rounding for alpha from 1e-4 to 1e4


class M4(AbstractLaw):
    """loss = the root of (loss - e_inf) / (e_0 - loss)^alpha = beta x^-c

    Alabdulmohsin, Neyshabur and Zhai 2022 (arXiv 2209.06640), their estimator M4: with little data a model guesses,
    with much its loss is a power law above a limit, and in between the curve bends. M2, the shifted power law, is the
    limit of small alpha. Any scale (data, compute, steps): `M4.prior(x="flops", response="error", guess=0.999)`.

    - `x`, `response`: the columns. `reference`: a point of x, best in the middle of the runs, where they say most.
    - `e_0`: the response of random guessing, a number: 1 - 1 / classes, or ln of the vocabulary. A distribution where
      it is not known makes a fit slow.
    - `level`: the response at the reference, as a share of e_0.
    - `limit`: the share of that response which no amount of x removes; e_inf = limit level e_0.
    - `c`: slope of the power law in the end; 0.3 means ten times x halves what is above the limit.
    - `alpha`: how long guessing goes on: 0 for a power law all the way, 1 for a logistic curve in ln x.

    Prior, 90 %: level 0.14 to 0.86, limit 0.05 to 0.95, c 0.13 to 0.94, alpha 0.16 to 1.6. Departure from the paper:
    its e_inf and beta (`derived`) follow from the response at the reference, which runs determine; noise is
    Gaussian on the log response, where its code takes least squares on the logarithm of both sides of the equation,
    in which errors close to the limit count for more.
    """

    response: str = eqx.field(static=True)  # type: ignore[misc]
    x: str = eqx.field(static=True)
    reference: float = eqx.field(static=True)
    e_0: Scalar
    level: Scalar
    limit: Scalar
    c: Scalar
    alpha: Scalar

    def columns(self) -> tuple[str, ...]:
        return (self.x,)

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        height = self._height() - self.c * jnp.log(columns[self.x] / self.reference)
        return self.floor() + (self.e_0 - self.floor()) * jax.nn.sigmoid(_root(height, self.alpha))

    def floor(self) -> Scalar:
        return self.e_0 * self.level * self.limit

    def factors(self) -> Mapping[str, Scalar]:
        """c times this is the slope of ln response against ln x at the reference, which runs around it determine."""
        left, above = 1 - self.level, 1 - self.limit
        return {"c": left * above / (left + self.alpha * self.level * above)}

    def _height(self) -> Array:
        """ln of beta x^-c at the reference, for a response scaled to be 0 in the end and 1 when guessing."""
        whole = 1 - self.level * self.limit
        return jnp.log(self.level * (1 - self.limit) / whole) - self.alpha * jnp.log((1 - self.level) / whole)

    def noise(self) -> AbstractNoise:
        """Relative scatter of 0.06 to 1.6 % (90 %)."""
        return LogNormal(scale=dist.LogNormal(log(0.003), 1.0))

    def derived(self) -> Mapping[str, Scalar]:
        """e_inf and beta of the paper, whose x is not scaled."""
        size = jnp.log(self.e_0 - self.floor())
        log_beta = self._height() + self.c * log(self.reference) + (1 - self.alpha) * size
        return {"e_inf": self.floor(), "beta": jnp.exp(log_beta)}

    @classmethod
    def prior(
        cls, x: str = "tokens", response: str = "loss", *, reference: float | None = None, guess: Any = 10.4
    ) -> "M4":
        """`guess`: e_0; that of a language model with 32,000 tokens, in nats, when left out."""
        if reference is None:
            if x not in REFERENCE:
                raise InputError(f"no usual value of {x!r} is known: give reference=..., a point amid the runs.")
            reference = REFERENCE[x]
        return cls(
            x=x, response=response, reference=reference, e_0=guess, level=dist.Beta(2.0, 2.0),
            limit=dist.Uniform(0.0, 1.0), c=dist.LogNormal(log(0.35), 0.6), alpha=dist.LogNormal(log(0.5), 0.7),
        )  # fmt: skip

    def decisions(self) -> Mapping[str, Decision]:
        return {"smallest": smallest(self.x, self.reference, _inverse)}


def _inverse(law: Any, target: Any) -> dict[str, Any]:
    """There is no solution (NaN) for a target at or below the limit, nor for one that guessing reaches."""
    share = (target - law.floor()) / (law.e_0 - law.floor())
    height = jnp.log(share) - law.alpha * jnp.log1p(-share)
    return {law.x: law.reference * jnp.exp((law._height() - height) / law.c)}


@jax.custom_jvp
def _root(height: Array, alpha: Array) -> Array:
    """t with t + (alpha - 1) softplus(t) = height: the logit of the share of the response that is left. The left side
    bends one way only, on that side of its asymptotes from which Newton's method never overshoots."""

    def step(_: int, t: Array) -> Array:
        off = t + (alpha - 1) * jax.nn.softplus(t) - height
        return t - off / (1 + (alpha - 1) * jax.nn.sigmoid(t))

    return jax.lax.fori_loop(0, _STEPS, step, jnp.where(height < 0, height, height / alpha))


@_root.defjvp
def _implicit(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    root, alpha = _root(*primals), primals[1]
    rise = tangents[0] - jax.nn.softplus(root) * tangents[1]
    return root, rise / (1 + (alpha - 1) * jax.nn.sigmoid(root))
