"""Quantisation-aware training: which share of the tokens, at how many bits."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._target import bisect
from bayeslaw._tree import Scalar, power
from bayeslaw.models.qat_plans import bit_width, fraction, match_bits, match_tokens

N0, D0, S0 = 5e8, 1e11, 1e3  # the reference: 0.5 B parameters, 100 B tokens, 1000 tokens per byte, 1 bit


class QAT(AbstractLaw):
    """loss = E + b (tokens / 1e11)^-gamma + z n^-eta + theta 2^(-kappa (bits - 1)) + pure + interaction

    Dremov et al. 2025 (arXiv 2509.22935). Training in full precision, then quantisation-aware (QAT) for `qat_fraction`
    of the tokens; n = params / 5e8 and, with the tokens per byte of weights S = 8 tokens / (params bits),
    pure = phi 2^(-chi (bits - 1)) n^-psi (qat_fraction S / 1e3)^-omega,
    interaction = lam 2^(-mu (bits - 1)) n^-nu ((1 - qat_fraction) S / 1e3)^-xi (qat_fraction S / 1e3)^-rho.
    `qat_fraction` 0 is a run that is never quantised: the first three terms. Nats per token; below 1 only.

    - `E`: irreducible loss. `b`, `z`: lost to 1e11 tokens and to 0.5 B parameters. `gamma`, `eta`: how fast they do.
    - `theta`: what 1 bit costs however long QAT lasts. `kappa`: each further bit divides it by 2^kappa.
    - `phi`: lost at 1 bit to a QAT phase of only 1000 tokens per byte. `chi`, `psi`, `omega`: how fast that shrinks
      with bits, with size beyond S, and with QAT tokens.
    - `lam`, `mu`, `nu`, `xi`, `rho`: the same of what both phases must be long for; xi of full precision, rho of QAT.

    The paper's coefficients are not published, so there are none here; its first three terms are a reconstruction. xi
    is positive: else every term falls with the share, and the best is 1. With it the loss is convex in the share. QAT
    from scratch and quantisation after training are outside the law. Full-precision
    runs are needed among the others, for the first three terms.
    Prior, 90 %: E 1.2 to 3.3, z 0.1 to 2.6, b 0.04 to 1.04, theta 0.04 to 1.04, phi and lam 0.01 to 0.6, gamma and eta
    0.17 to 0.64, a bit divides by 1.4 to 4.8, omega, xi and rho 0.15 to 1.07, psi and nu -0.33 to 0.33.
    """

    falls: ClassVar = ("tokens",)

    E: Scalar
    b: Scalar
    gamma: Scalar
    z: Scalar
    eta: Scalar
    theta: Scalar
    kappa: Scalar
    phi: Scalar
    chi: Scalar
    psi: Scalar
    omega: Scalar
    lam: Scalar
    mu: Scalar
    nu: Scalar
    xi: Scalar
    rho: Scalar

    def mean(self, params: Array, tokens: Array, bits: Array, qat_fraction: Array) -> Array:  # type: ignore[override]
        full = self.E + self.b * power(tokens / D0, -self.gamma) + self.z * power(params / N0, -self.eta)
        share = jnp.where(qat_fraction > 0, qat_fraction, 0.5)
        penalty = self.theta * 2 ** (-self.kappa * (bits - 1)) + sum(self._penalties(params, tokens, bits, share))
        return full + jnp.where(qat_fraction > 0, penalty, 0.0)

    def _penalties(self, params: Any, tokens: Any, bits: Any, share: Any) -> tuple[Any, Any]:
        n, s, extra = params / N0, 8 * tokens / (params * bits * S0), bits - 1
        pure = self.phi * 2 ** (-self.chi * extra) * power(n, -self.psi) * power(share * s, -self.omega)
        both = self.lam * 2 ** (-self.mu * extra) * power(n, -self.nu)
        return pure, both * power((1 - share) * s, -self.xi) * power(share * s, -self.rho)

    def best_fraction(self, params: Any, tokens: Any, bits: Any) -> Array:
        """Where the odds of the share are (omega pure + rho interaction) / (xi interaction)."""

        def below(x: Any) -> Array:
            pure, both = self._penalties(params, tokens, bits, jax.nn.sigmoid(x))
            return jnp.exp(x) * self.xi * both < self.omega * pure + self.rho * both

        end = 14 * jnp.ones_like(params * tokens * bits)
        return jax.nn.sigmoid(bisect(below, -end, end))

    def wasted_tokens(self, params: Any, tokens: Any, bits: Any, qat_fraction: Any) -> Array:
        """The share of the tokens that would have been saved at the same loss by the best share of QAT."""
        loss, start = self.mean(params, tokens, bits, qat_fraction), jnp.log(tokens)

        def above(x: Any) -> Array:
            fewer = jnp.exp(x)
            return self.mean(params, fewer, bits, self.best_fraction(params, fewer, bits)) > loss

        return 1 - jnp.exp(bisect(above, start - 20, start) - start)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "z", "b")

    @classmethod
    def prior(cls) -> "QAT":
        base, exponent = {"E": dist.LogNormal(log(2.0), 0.3)}, dist.LogNormal(log(0.33), 0.4)
        base |= {"z": dist.LogNormal(log(0.5), 1.0), "b": dist.LogNormal(log(0.2), 1.0)}
        base |= {"theta": dist.LogNormal(log(0.2), 1.0)}
        base |= {name: dist.LogNormal(log(0.08), 1.2) for name in ("phi", "lam")}
        base |= {name: dist.LogNormal(log(1.0), 0.5) for name in ("kappa", "chi", "mu")}
        base |= {name: dist.LogNormal(log(0.4), 0.6) for name in ("omega", "xi", "rho")}
        return cls(**base, gamma=exponent, eta=exponent, psi=dist.Normal(0.0, 0.2), nu=dist.Normal(0.0, 0.2))

    def decisions(self) -> Mapping[str, Decision]:
        return {"fraction": fraction, "bit_width": bit_width, "match_bits": match_bits, "match_tokens": match_tokens}
