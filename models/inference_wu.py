"""Compute-optimal inference: which size and which strategy at a budget per question, and what voting can reach."""

from collections.abc import Mapping
from math import log
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import gammaln, logit
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision, LogRange
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, evaluate, float64

PYTHIA = {"410M": 4.1e8, "1.4B": 1.4e9, "2.8B": 2.8e9, "6.9B": 6.9e9, "12B": 1.2e10}
METHODS = ("majority", "weighted_majority", "best_of_n", "mcts", "rebase")
QUESTIONS = 500.0  # of the paper's benchmark, MATH500: the size of a new run in a decision


class InferenceSize(AbstractLaw):
    """params = 1e9 10^((log10(inference_flops) - level) / slope)

    Wu et al. 2024 (arXiv 2408.00724): the size with the lowest error at a budget of FLOPs per question, a line through
    the envelope of a family of models. Not to be extrapolated: at larger budgets every size saturates.

    - `level`: log10 of the FLOPs per question at which 1 B parameters are best; 9 slope + intercept of the paper.
    - `slope`: how fast the budget grows with the size; the best size grows as the budget to the power 1 / slope.

    Prior, 90 %: level 11.6 to 13.9, slope 0.87 to 1.53. Noise, ours: a family has few sizes, a factor of two apart, so
    points scatter by 6 to 63 %.
    """

    response = "params"

    level: Scalar
    slope: Scalar

    def mean(self, inference_flops: Array) -> Array:  # type: ignore[override]
        return 1e9 * 10 ** ((jnp.log10(inference_flops) - self.level) / self.slope)

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.2), 0.7))

    def derived(self) -> Mapping[str, Scalar]:
        return {"intercept": self.level - 9 * self.slope, "optimal_params_exponent": 1 / self.slope}

    @classmethod
    def prior(cls) -> "InferenceSize":
        return cls(level=dist.Normal(12.74, 0.7), slope=dist.Normal(1.2, 0.2))

    @classmethod
    def published(cls) -> Mapping[str, "InferenceSize"]:
        """`wu2024`: slope 1.19 and intercept 2.03, without uncertainty."""
        return {"wu2024": cls(level=2.03 + 9 * 1.19, slope=1.19)}

    def decisions(self) -> Mapping[str, Decision]:
        return {"budget": budget}


budget = Decision(
    question="At which inference budget per question does a model of this size (target) become the best one?",
    choose={"inference_flops": LogRange(1e6, 1e22)},
    given=("target",),
    derive=lambda inference_flops: {"inference_flops": inference_flops},
    report=("inference_flops",),
    objective=lambda law, plan: jnp.abs(jnp.log(evaluate(law, plan)) - jnp.log(plan["target"])),
    closed_form=lambda law, target: {"inference_flops": 10 ** (law.level + law.slope * (jnp.log10(target) - 9))},
)


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
    0.84. The mean over questions is meant; on a single one voting can make things worse (`two_answers`).
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
        place = jnp.asarray(method).astype(int)
        limit, v = (jnp.stack([jnp.asarray(one[name]) for name in self.methods])[place] for one in (self.limit, self.v))
        alone = jax.nn.sigmoid(logit(self.single) - self.eta * jnp.log(params / 7e9))
        return alone * (limit + (1 - limit) * samples**-v)

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


def two_answers(right: float, wrong: float, samples: int) -> float:
    """The chance that a majority vote is right when a sample is so with chance `right`, is the most frequent wrong
    answer with chance `wrong`, and else differs from all others; ties are split. Too high where two wrong ones compete.
    """
    x, y = np.meshgrid(np.arange(samples + 1), np.arange(samples + 1), indexing="ij")
    inside = x + y <= samples
    factorial = np.cumsum(np.log(np.maximum(np.arange(samples + 1), 1)))  # their logarithms
    logs = np.full(x.shape, factorial[samples])
    for counted, chance in ((x, right), (y, wrong), (np.where(inside, samples - x - y, 0), 1 - right - wrong)):
        logs += counted * np.log(max(chance, 1e-300)) - factorial[counted]
    chance = np.where(inside, np.exp(logs), 0.0)
    return float(chance[x > y].sum() + chance[(x == y) & (x > 0)].sum() / 2)


def hoeffding(answers: int, margin: float, samples: Any) -> Any:
    """The paper's bound on the chance that a vote among so many answers misses a top one ahead by `margin`."""
    return answers * np.exp(-np.asarray(samples) * margin**2 / 2)


@float64
def voting_accuracy(votes: Any, right: Any, samples: int | None = None, draws: int = 400, seed: int = 0) -> np.ndarray:
    """Draws of the accuracy of a majority vote of `samples`, or of its limit, on the questions of a table of votes.

    `votes` (questions, answers) are counts of each answer, `right` the place of the right one. A model of ours: a
    question's answers have Dirichlet chances, the same for all but for their names, whose concentration is
    LogNormal(log 3, 1) and learned from the table. Ties are split.
    """
    votes, rng = np.asarray(votes, dtype=float), np.random.default_rng(seed)
    grid = np.geomspace(0.05, 200.0, 200)
    each = (grid / votes.shape[1])[:, None, None]
    logs = -(np.log(grid / 3.0) ** 2) / 2 + np.asarray(gammaln(each + votes) - gammaln(each)).sum((1, 2))
    logs += np.asarray(gammaln(grid)[:, None] - gammaln(grid[:, None] + votes.sum(1))).sum(1)
    weights = np.exp(logs - logs.max())
    found = []
    for concentration in rng.choice(grid, draws, p=weights / weights.sum()):
        chances = rng.standard_gamma(concentration / votes.shape[1] + votes)
        chances /= chances.sum(1, keepdims=True)
        counted = chances if samples is None else rng.multinomial(samples, chances)
        top = counted == counted.max(1, keepdims=True)
        found.append((top[np.arange(len(votes)), np.asarray(right)] / top.sum(1)).mean())
    return np.array(found)
