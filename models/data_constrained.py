"""The data-constrained law: how often to repeat a limited amount of text, and with how large a model."""

from collections.abc import Mapping
from math import exp, log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, LogRange
from bayeslaw._errors import Status
from bayeslaw._law import AbstractLaw
from bayeslaw._tree import Scalar, evaluate, power
from bayeslaw.models.chinchilla import D0, N0


class DataConstrained(AbstractLaw):
    """loss = E + a (worth(params) / 1e9)^-alpha + b (worth(tokens) / 2e10)^-alpha

    Muennighoff et al. 2023 (arXiv 2305.16264). Loss in nats per token; tokens are those seen, of
    unique_tokens distinct ones. worth(tokens) = U + U repeats (1 - exp(-(tokens / U - 1) / repeats)), where U is
    unique_tokens or, if fewer, tokens; worth(params) is the same with `excess` around the size that is best for one
    epoch of U (or params, if fewer).

    - `E`: irreducible loss, the entropy of the text.
    - `a`, `b`: what a model of 1 B parameters loses to its size, and a run of 2e10 unique tokens to its data, in nats.
    - `alpha`: how fast both shrink; 0.35 means ten times more removes 55 % of a term.
    - `beta`: an exponent of the data of its own, `prior(tied=False)`; left out it is alpha, as in the paper's fit.
    - `repeats` (R_D* in the paper): repetition without end is worth this many further sets of unique tokens. Not a
      number of epochs to aim at: a further pass is worth half a new set after 0.69 of it.
    - `excess` (R_N*): parameters beyond the size for one epoch, however many, are worth this many times that size.

    Prior, 90 %: E 1.1 to 2.9, a 0.07 to 1.8, b 0.08 to 2.1, alpha 0.18 to 0.68, repeats 3 to 78, excess 1 to 26.
    The law levels off, while runs of hundreds of epochs overfit: keep the noise robust, as StudentT is.
    Departure from the paper: all parameters are fitted at once. It took E, a, b and alpha from runs of another
    pipeline, whose law is 7 % too low on the repeated runs, and repeats and excess make up for it.
    """

    falls: ClassVar = ("params", "tokens", "unique_tokens")

    E: Scalar
    a: Scalar
    alpha: Scalar
    b: Scalar
    repeats: Scalar
    excess: Scalar
    beta: Scalar | None = None

    def mean(self, params: Array, tokens: Array, unique_tokens: Array) -> Array:  # type: ignore[override]
        unique = jnp.minimum(tokens, unique_tokens)
        size = _worth(params, jnp.minimum(params, self.balanced_params(unique)), self.excess)
        data = _worth(tokens, unique, self.repeats)
        return self.E + self.a * power(size / N0, -self.alpha) + self.b * power(data / D0, -self._beta)

    @property
    def _beta(self) -> Any:
        return self.alpha if self.beta is None else self.beta

    def balanced_params(self, tokens: Any) -> Any:
        """The size for which one epoch of so many tokens is compute-optimal."""
        balance = (self.alpha * self.a / (self._beta * self.b)) ** (1 / self.alpha)
        return N0 * balance * (tokens / D0) ** (self._beta / self.alpha)

    def floor(self) -> Scalar:
        return self.E

    def summands(self) -> tuple[str, ...]:
        return ("E", "a", "b")

    def derived(self) -> Mapping[str, Scalar]:
        """A and B of the paper, tokens per parameter of a balanced model for 2e10 unique tokens (for any number, if
        the exponents are tied), and the repetitions after which one more is worth half a new set."""
        return {
            "A": self.a * N0**self.alpha,
            "B": self.b * D0**self._beta,
            "one_epoch_tokens_per_param": D0 / self.balanced_params(D0),
            "half_worth_repeats": log(2.0) * self.repeats,
        }

    @classmethod
    def raw(
        cls, E: float, A: float, alpha: float, B: float, repeats: float, excess: float, beta: float | None = None
    ) -> "DataConstrained":
        """The law from the paper's coefficients E, A, alpha, B, R_D*, R_N* (and beta)."""
        b = B * D0 ** -(alpha if beta is None else beta)
        return cls(E=E, a=A * N0**-alpha, alpha=alpha, b=b, repeats=repeats, excess=excess, beta=beta)

    @classmethod
    def prior(cls, *, tied: bool = True) -> "DataConstrained":
        """With one exponent of size and data, or (`tied=False`) two."""
        exponent = dist.LogNormal(log(0.35), 0.4)
        return cls(
            E=dist.LogNormal(log(1.8), 0.3),
            a=dist.LogNormal(log(0.35), 1.0),
            alpha=exponent,
            b=dist.LogNormal(log(0.4), 1.0),
            repeats=dist.LogNormal(log(15.0), 1.0),
            excess=dist.LogNormal(log(5.0), 1.0),
            beta=None if tied else exponent,
        )

    @classmethod
    def published(cls) -> Mapping[str, "DataConstrained"]:
        """`muennighoff2023`: from the authors' notebook parametric_fit.ipynb (huggingface/datablations)."""
        base = {"E": exp(0.6254804), "A": exp(6.255414), "alpha": 0.3526596, "B": exp(7.3049974)}
        return {"muennighoff2023": cls.raw(**base, repeats=15.387756, excess=5.309743)}

    def check_fit(self, runs: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> list[Status]:
        """Runs bound `repeats` from above only where some repeat their data more often than that."""
        most = float(np.max(runs["tokens"] / runs["unique_tokens"])) - 1
        upper = float(np.quantile(draws.get("repeats", 0.0), 0.95))
        if upper <= most:
            return []
        return [
            Status(
                f"the runs repeat their data at most {most:.0f} times and repeats may be {upper:.0f} (95 % quantile): "
                "only its prior keeps it from being larger. Add runs of more epochs, or fit under another prior of "
                "repeats as well and state both answers."
            )
        ]

    def decisions(self) -> Mapping[str, Decision]:
        return {"repeat": repeat}


def _worth(total: Any, unique: Any, limit: Any) -> Any:
    """What `total`, of which `unique` count in full, is worth: at most unique (1 + limit)."""
    return unique - unique * limit * jnp.expm1(-(total / unique - 1) / limit)


def _plan(law: Any, epochs: Any, flops: Any, unique_tokens: Any) -> dict[str, Any]:
    tokens = epochs * unique_tokens
    plan = {"params": flops / (6 * tokens), "tokens": tokens}

    def loss(log_unique: Any) -> Any:
        return evaluate(law, law.complete({**plan, "unique_tokens": jnp.exp(log_unique)}))

    at = jnp.log(jnp.asarray(unique_tokens, dtype=float))
    return {**plan, "data_value": -jax.jvp(loss, (at,), (jnp.ones_like(at),))[1]}


repeat = Decision(
    question="How often to repeat so many unique tokens, and with how large a model, for a training budget?",
    choose={"epochs": LogRange(1e-9, 1e6)},
    given=("flops", "unique_tokens"),
    derive=_plan,
    report=("epochs", "params", "tokens", "tokens_per_param", "data_value"),
)
