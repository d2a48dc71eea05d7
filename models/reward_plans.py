"""Plans of search with a reward model, and how sure a comparison of two counts is."""

from collections.abc import Mapping
from math import ceil, log
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import stats

from bayeslaw._costs import generation_flops, training_flops
from bayeslaw._decision import Choices, Decision
from bayeslaw._errors import InputError
from bayeslaw._tree import evaluate

LADDER = (1.0, 4.0, 16.0, 64.0, 256.0)
QUESTIONS = 500.0  # of MATH-500: the size of a new run in a decision


def search_method(methods: tuple[str, ...]) -> Decision:
    """The decision for one policy and one reward model; the first method answers once."""

    def derive(method: Any, samples: Any) -> dict[str, Any]:
        return {"trials": QUESTIONS, "odd": _odd(method, samples)}

    return Decision(
        question="Which method, and how many samples, with a reward model of this score?",
        choose={"method": Choices(methods), "samples": Choices(LADDER, ordered_ends=True)},
        given=("generations", "prm_score"),
        derive=derive,
        report=("method", "samples"),
        objective=lambda law, plan: jnp.where(
            (plan["samples"] <= plan["generations"]) & ~(plan["odd"] > 0), -evaluate(law, plan), jnp.inf
        ),
    )


def policy_and_method(
    policies: Mapping[str, tuple[float, float]],
    rewards: Mapping[str, tuple[float, float]],
    methods: tuple[str, ...],
    *,
    samples: tuple[float, ...] = LADDER,
    unread: tuple[str, ...] = ("cot", "majority"),
    questions: float | None = None,
) -> Decision:
    """The decision among policies {name: (params, training tokens)} and reward models {name: (score, params)}, for
    `Pooled(OurRewardAware, ..., by="model")`.

    A sample costs 2 params sample_tokens FLOPs, and as many of the reward model where a method reads it. The budget is
    inference_flops a question; with `questions`, total_flops of training the policy and answering so many. `samples`
    are those to choose from: the fewer were measured, the fewer there should be.
    """
    sizes, tokens = (np.array(one) for one in zip(*policies.values(), strict=True))
    scores, judges = (np.array(one) for one in zip(*rewards.values(), strict=True))
    reads = np.array([name not in unread for name in methods])

    def derive(law: Any, model: Any, prm: Any, method: Any, samples: Any, sample_tokens: Any) -> dict[str, Any]:
        known = [list(policies).index(name) if name in policies else 0 for name in law.categories()["model"]]
        policy, judge, how = (jnp.asarray(one).astype(int) for one in (model, prm, method))
        policy = jnp.asarray(known)[policy]
        size, read = jnp.asarray(sizes)[policy], jnp.asarray(reads)[how]
        spent = samples * generation_flops(size + jnp.where(read, jnp.asarray(judges)[judge], 0.0), sample_tokens)
        total = training_flops(size, jnp.asarray(tokens)[policy]) + (questions or 0.0) * spent
        found = {"prm_score": jnp.asarray(scores)[judge], "trials": QUESTIONS, "odd": _odd(method, samples)}
        return {**found, "cost_flops": spent if questions is None else total}

    budget = "inference_flops" if questions is None else "total_flops"
    return Decision(
        question="Which policy, reward model, method and number of samples, for a budget of FLOPs?",
        choose={
            "model": Choices(tuple(policies)),
            "prm": Choices(tuple(rewards)),
            "method": Choices(methods),
            "samples": Choices(samples, ordered_ends=True),
        },
        given=(budget, "sample_tokens"),
        derive=derive,
        report=("model", "prm", "method", "samples", "cost_flops"),
        objective=lambda law, plan: jnp.where(
            (plan["cost_flops"] <= plan[budget]) & ~(plan["odd"] > 0), -evaluate(law, plan), jnp.inf
        ),
    )


def _odd(method: Any, samples: Any) -> Any:
    """The first method answers once, and no other does: nothing is there to choose from."""
    return (jnp.asarray(method) == 0) != (jnp.asarray(samples) == 1)


def chance_better(successes: float, trials: float, other_successes: float, other_trials: float) -> float:
    """The chance that the first is the better one, by independent Beta(c + 1/2, n - c + 1/2) posteriors (Jeffreys).

    Not for the same questions answered by both, question by question: their differences say more.
    """
    counts = ((successes, trials), (other_successes, other_trials))
    if not all(0 <= c <= n for c, n in counts):
        raise InputError("needs successes between 0 and their trials.")
    one, other = (stats.beta(c + 0.5, n - c + 0.5) for c, n in counts)
    shares = (np.arange(20_000) + 0.5) / 20_000
    return float(other.cdf(one.ppf(shares)).mean())


def samples_for_score(mean: float, sd: float, target: float, chance: float = 0.5) -> int:
    """OptScale (arXiv 2506.22376): samples so that the best score among them reaches the target with 1 - `chance`.

    Scores of one question are Normal(mean, sd) cut to [0, 1]: the best of N is below the target with chance F^N, so
    N = ceil(ln chance / ln F(target)). Raises `InputError` for targets or chances outside (0, 1).
    """
    if not (0 < target < 1 and 0 < chance < 1 and sd > 0):
        raise InputError("needs 0 < target < 1, 0 < chance < 1 and sd > 0.")
    below = float(stats.truncnorm(-mean / sd, (1 - mean) / sd, mean, sd).logcdf(target))
    return max(1, ceil(log(chance) / below))
