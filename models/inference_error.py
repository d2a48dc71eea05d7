"""Compute-optimal inference: which size of a family, and which way to choose among samples."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logit
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, nth, power

PYTHIA = {"410M": 4.1e8, "1.4B": 1.4e9, "2.8B": 2.8e9, "6.9B": 6.9e9, "12B": 1.2e10}
METHODS = ("majority", "weighted_majority", "best_of_n", "mcts", "rebase")
QUESTIONS = 500.0  # of the paper's benchmark, MATH500: the size of a new run in a decision


class InferenceError(AbstractLaw):
    """error = e (limit + (1 - limit) samples^-v), logit e = logit single - eta ln(params / 7e9)

    A law of ours for what Wu et al. 2024 (arXiv 2408.00724) plot: the error when the answer is chosen among `samples`
    by a `method`; all agree at one sample. A row is the share of wrong answers among `trials` questions.

    - `single`: error of one sample of a 7 B model. `eta`: how fast its odds fall with size.
    - `limit`: for each method the share of that error which is left however many samples are drawn.
    - `v`: for each method how fast samples remove the rest.
    - `methods`: the methods. Greedy decoding is not among them: it does not change with the number of samples.

    What stays is a share of the error of one sample: were it the same for all sizes, one size would be the best at
    every budget. So the best size grows at least in proportion to the budget, where the paper's line has a power of
    0.84. The mean over questions is meant; on a single one voting can make things worse
    (`bayeslaw.models.voting.two_answers`).
    Prior, 90 %: single 0.14 to 0.86, eta 0.15 to 1.1, limit 0.34 to 0.92, v 0.22 to 1.1.
    """

    response = "error"
    falls: ClassVar = ("params", "samples")

    single: Scalar
    eta: Scalar
    limit: dict[str, Scalar]
    v: dict[str, Scalar]
    methods: tuple[str, ...] = eqx.field(static=True)

    def mean(self, method: Array, params: Array, samples: Array) -> Array:  # type: ignore[override]
        limit, v = (nth([one[name] for name in self.methods], method) for one in (self.limit, self.v))
        alone = jax.nn.sigmoid(logit(self.single) - self.eta * jnp.log(params / 7e9))
        return alone * (limit + (1 - limit) * power(samples, -v))

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls, methods: tuple[str, ...] = METHODS) -> "InferenceError":
        return cls(
            single=dist.Beta(2.0, 2.0),
            eta=dist.LogNormal(log(0.4), 0.6),
            limit={name: dist.Beta(4.0, 2.0) for name in methods},
            v={name: dist.LogNormal(log(0.5), 0.5) for name in methods},
            methods=methods,
        )

    def decisions(self) -> Mapping[str, Decision]:
        return {"size_and_method": among(PYTHIA, self.methods)}


def among(sizes: Mapping[str, float], methods: tuple[str, ...], cost: Mapping[str, float] | None = None) -> Decision:
    """The decision for a family of models, `among({"7B": 7e9, "34B": 34e9}, ("majority", "rebase"))`.

    Samples are what the budget pays for at 2 params sample_tokens FLOPs each, times `cost` of the method (1 where it is
    not named), such as that of the passes of a reward model.
    """
    params, price = np.array(list(sizes.values())), np.array([dict(cost or {}).get(name, 1.0) for name in methods])

    def derive(model: Any, method: Any, inference_flops: Any, sample_tokens: Any) -> dict[str, Any]:
        size = jnp.asarray(params)[jnp.asarray(model).astype(int)]
        each = 2 * size * sample_tokens * jnp.asarray(price)[jnp.asarray(method).astype(int)]
        return {"params": size, "samples": jnp.floor(inference_flops / each), "trials": QUESTIONS}

    return Decision(
        question="Which size of the family and which strategy give the lowest error at a budget per question?",
        choose={"model": Choices(tuple(sizes)), "method": Choices(methods)},
        given=("inference_flops", "sample_tokens"),
        derive=derive,
        report=("model", "method", "params", "samples"),
    )
