"""Broken neural scaling laws: a response whose slope, in logarithms, changes on the way."""

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

_Z90 = 1.645  # a normal distribution has 90 % within so many sd


class Break(eqx.Module):
    """One change of slope: `step`, ln of its place less ln of the place before (of the reference, for the first);
    `c`, by how much the slope steepens there; `f`, over which stretch of ln x."""

    step: Scalar
    c: Scalar
    f: Scalar


class Broken(AbstractLaw):
    """loss = a + b (x / reference)^-c0 prod_i ((1 + (x / d_i)^(1/f_i)) / (1 + (reference / d_i)^(1/f_i)))^(-c_i f_i)

    Caballero et al. 2022 (arXiv 2210.14891): a power law above a limit whose slope changes at each break. Any scale
    (data, size, compute, steps), any positive response of which less is better: `Broken.prior(x="flops", breaks=2)`.

    - `x`, `response`: the columns. `reference`: a point of x, best in the middle of the runs, where they say most.
    - `a`: the limit, in units of the response; with c0 and all changes positive nothing goes below it.
    - `b`: what the response at the reference is above the limit; b reference^c0 in the paper, before any break.
    - `c0`: first slope; 0.05 means ten times x removes 11 % of what is above the limit. Negative: it rises at first.
    - `breaks`: in order of x. Of each `c`, the change of slope (5: far steeper beyond; negative: flatter or rising),
      `f`, its width in ln x (0.05: sharp, 1: over a factor of 3 or so), and `step`, from which its place follows:
      ln d_i = ln d_(i-1) + step_i, from the reference on. `derived` has the places d_i and slopes beyond them.

    Prior, 90 %: a 0.2 to 5.2 times `limit`, b 0.44 to 2.3 times `excess`, c0 0.01 to 0.26, c 0.4 to 10, f 0.02 to 0.5,
    the breaks spread over `between`, each within its own part of it. With `rising` c0 is -0.5 to 0.5 and c -3.3 to 3.3.
    Departure from the paper: b is at a reference run; noise is Gaussian on the log response where the paper takes
    ln(y + 1) (not Student-t, for which the runs beyond a break may be outliers). A break beyond the runs is known to
    no prior: the interval there is that of a law with this many breaks.
    """

    response: str = eqx.field(static=True)  # type: ignore[misc]
    x: str = eqx.field(static=True)
    reference: float = eqx.field(static=True)
    a: Scalar
    b: Scalar
    c0: Scalar
    breaks: tuple[Break, ...]

    def columns(self) -> tuple[str, ...]:
        return (self.x,)

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        size = jnp.log(columns[self.x] / self.reference)
        log_excess, place = jnp.log(self.b) - self.c0 * size, 0.0
        for one in self.breaks:
            place = place + one.step
            turned = jax.nn.softplus((size - place) / one.f) - jax.nn.softplus(-place / one.f)
            log_excess = log_excess - one.c * one.f * turned
        return self.a + jnp.exp(log_excess)

    def floor(self) -> Scalar:
        return self.a

    def summands(self) -> tuple[str, ...]:
        return ("a", "b")

    def noise(self) -> AbstractNoise:
        """Relative scatter of 0.06 to 1.6 % (90 %)."""
        return LogNormal(scale=dist.LogNormal(log(0.003), 1.0))

    def derived(self) -> Mapping[str, Scalar]:
        """b of the paper; place of each break and slope beyond it."""
        log_b, place, slope = jnp.log(self.b) + self.c0 * log(self.reference), 0.0, self.c0
        found = {}
        for i, one in enumerate(self.breaks, start=1):
            place, slope = place + one.step, slope + one.c
            log_b = log_b + one.c * one.f * jax.nn.softplus(-place / one.f)
            found |= {f"d_{i}": self.reference * jnp.exp(place), f"slope_{i}": slope}
        return {"paper_b": jnp.exp(log_b), **found}

    @classmethod
    def prior(
        cls,
        x: str = "tokens",
        response: str = "loss",
        breaks: int = 1,
        *,
        reference: float | None = None,
        between: tuple[float, float] | None = None,
        limit: float = 1.0,
        excess: float = 2.0,
        rising: bool = False,
    ) -> "Broken":
        """`between`: where breaks are looked for (the reference to 100 times it when left out); `limit`, `excess`: what
        a and b are about; `rising`: slopes of either sign, for curves that rise in between."""
        if reference is None:
            if x not in REFERENCE:
                raise InputError(f"no usual value of {x!r} is known: give reference=..., a point before the breaks.")
            reference = REFERENCE[x]
        low, high = (reference, 100 * reference) if between is None else between
        if breaks < 0 or not 0 < low < high or not reference > 0:
            raise InputError(f"{breaks} breaks between {low:g} and {high:g}: need positive places in order.")
        stretch = log(high / low) / max(breaks, 1)
        first = dist.Normal(log(low / reference) + stretch / 2, stretch / 2 / _Z90)
        later = dist.LogNormal(log(stretch), 0.5)
        c = dist.Normal(0.0, 2.0) if rising else dist.LogNormal(log(2.0), 1.0)
        f = dist.LogNormal(log(0.1), 1.0)
        return cls(
            x=x,
            response=response,
            reference=reference,
            a=dist.LogNormal(log(limit), 1.0),
            b=dist.LogNormal(log(excess), 0.5),
            c0=dist.Normal(0.0, 0.3) if rising else dist.LogNormal(log(0.05), 1.0),
            breaks=tuple(Break(step=later if i else first, c=c, f=f) for i in range(breaks)),
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"smallest": smallest(self.x, self.reference, None if self.breaks else _inverse)}


def _inverse(law: Any, target: Any) -> dict[str, Any]:
    """Without breaks; there is no solution (NaN) for a target at or below the limit."""
    return {law.x: law.reference * ((target - law.a) / law.b) ** (-1 / law.c0)}
