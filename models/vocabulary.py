"""The vocabulary law: how many entries the vocabulary of a language model should have."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, AdditiveT
from bayeslaw._tree import Scalar, power
from bayeslaw.models.vocabulary_plans import vocabulary

N0, V0, D0 = 3e8, 32768.0 * 1024.0, 1e10  # the reference run: 0.3 B, 32,768 entries at width 1024, 10 B tokens


class Vocabulary(AbstractLaw):
    """normalised_loss = -E + a (nonembedding_params / 3e8)^-alpha + c (vocab_size d_model / 3.4e7)^-gamma
    + b (tokens / 1e10)^-beta

    Tao et al. 2024 (arXiv 2407.13623), approach 3. `normalised_loss` is the loss less that of the frequencies of tokens
    alone, nats per token: negative, lower is better, comparable between vocabularies. nonembedding_params leaves out
    both ends of the model; vocab_size d_model is the output layer.

    - `E`: the best that can be gained over the frequencies of tokens, in nats.
    - `a`, `c`, `b`: what a run loses to a size of 0.3 B, to 32,768 entries at width 1024, and to 1e10 tokens, in nats.
    - `alpha`, `gamma`, `beta`: how fast those shrink. beta is alpha, as in the paper, unless `prior(tied=False)`.

    gamma carries the answer and runs up to 96,256 entries say little of it: give an interval, and what a wrong choice
    loses. Checkpoints of a run share its luck: `vocabulary_plans.by_run(Vocabulary, runs)` gives each
    run an offset of its own; without it intervals are too narrow.
    Departure from the paper: its script has vocab_size / 1000 in tokens_per_character, so its coefficients hold for too
    many tokens, while its optimum takes the right ones; fit tokens as they were.
    Prior, 90 %: E 4.7 to 6.3, a 0.03 to 0.8, c 0.004 to 0.10, b 0.10 to 2.6, alpha and beta 0.27 to 0.74, gamma 0.37 to
    0.98.
    """

    response: ClassVar = "normalised_loss"
    falls: ClassVar = ("nonembedding_params", "vocab_size", "d_model", "tokens")

    E: Scalar
    a: Scalar
    alpha: Scalar
    c: Scalar
    gamma: Scalar
    b: Scalar
    beta: Scalar | None = None

    def mean(self, nonembedding_params: Array, vocab_size: Array, d_model: Array, tokens: Array) -> Array:  # type: ignore[override]
        from_size = self.a * power(nonembedding_params / N0, -self.alpha)
        from_vocabulary = self.c * power(vocab_size * d_model / V0, -self.gamma)
        beta = self.alpha if self.beta is None else self.beta
        return -self.E + from_size + from_vocabulary + self.b * power(tokens / D0, -beta)

    def noise(self) -> AbstractNoise:
        return AdditiveT(df=AdditiveT.prior().df, scale=dist.HalfNormal(0.1))

    def floor(self) -> Scalar:
        return -self.E

    def derived(self) -> Mapping[str, Scalar]:
        """A1, A2 and B of the paper: parameters in millions, tokens in billions."""
        beta = self.alpha if self.beta is None else self.beta
        size, layer = self.a * (N0 / 1e6) ** self.alpha, self.c * (V0 / 1e6) ** self.gamma
        return {"A1": size, "A2": layer, "B": self.b * (D0 / 1e9) ** beta}

    @classmethod
    def raw(cls, E: float, A1: float, A2: float, B: float, alpha: float, gamma: float) -> "Vocabulary":
        """The law from the paper's E, A1, A2, B, alpha1 = beta and alpha2."""
        a, c = A1 * (N0 / 1e6) ** -alpha, A2 * (V0 / 1e6) ** -gamma
        return cls(E=E, a=a, alpha=alpha, c=c, gamma=gamma, b=B * (D0 / 1e9) ** -alpha)

    @classmethod
    def prior(cls, *, tied: bool = True) -> "Vocabulary":
        """With one exponent of size and tokens, or (`tied=False`) two."""
        exponent = dist.LogNormal(log(0.45), 0.3)
        return cls(
            E=dist.Normal(5.5, 0.5),
            a=dist.LogNormal(log(0.15), 1.0), alpha=exponent,
            c=dist.LogNormal(log(0.02), 1.0), gamma=dist.LogNormal(log(0.6), 0.3),
            b=dist.LogNormal(log(0.5), 1.0), beta=None if tied else exponent,
        )  # fmt: skip

    @classmethod
    def published(cls) -> Mapping[str, "Vocabulary"]:
        """`tao2024`: from the authors' code (sail-sg/scaling-with-vocab), for tokens as its script has them."""
        raw = {"E": 5.5327846803337435, "A1": 1.8313851559554126, "A2": 0.19584238398665638, "B": 2.1241123120064955}
        return {"tao2024": cls.raw(**raw, alpha=0.44660634152009615, gamma=0.6707374679896795)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"vocabulary": vocabulary}
