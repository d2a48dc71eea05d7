"""Our model of decoding procedures compared by counts: which one is worth what it costs?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Choices, Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, evaluate, nth

GSM8K = {"quiet_star": 12.73, "rebase": 2.35}  # TFLOPs per problem, Mistral-7B (arXiv 2412.16260)


class OurMethods(AbstractLaw):
    """accuracy = share of the method

    Our model for papers that print one accuracy and one cost per decoding procedure and no law, such as Quiet-STaR and
    REBASE (arXiv 2412.16260). A row is a method, the problems that it solves among `trials`; a cost is known.

    - `share`: of problems that each method solves.
    - `methods`, `costs`: their names, and what a problem costs by each, in any one unit: TFLOPs, seconds, dollars.

    Ratios of a cost to an accuracy flatter what is cheap and bad. What a right answer is worth decides (`worth`): from
    (cost - cost') / (share - share') on, the dearer and better one. Where methods answered the same problems, the
    counts are not independent, and differences are better known than this says.
    Prior: every share is as likely as any other.
    """

    response: ClassVar = "accuracy"

    share: dict[str, Scalar]
    methods: tuple[str, ...] = eqx.field(static=True)
    costs: tuple[float, ...] = eqx.field(static=True)

    def mean(self, method: Array) -> Array:  # type: ignore[override]
        return nth([self.share[one] for one in self.methods], method)

    def cost(self, method: Any) -> Array:
        """What a problem costs by the method at that position."""
        return nth(self.costs, method)

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.methods}

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    @classmethod
    def prior(cls, costs: Mapping[str, float] = GSM8K) -> "OurMethods":
        share = {name: dist.Beta(1.0, 1.0) for name in costs}
        return cls(share=share, methods=tuple(costs), costs=tuple(float(one) for one in costs.values()))

    def decisions(self) -> Mapping[str, Decision]:
        return {"worth": _worth(self.methods), "per_cost": _per_cost(self.methods), "best": _best(self.methods)}


def _costs(law: Any, method: Any) -> dict[str, Any]:
    cost = law.cost(method)
    return {"problem_cost": cost, "answer_cost": cost / evaluate(law, {"method": method})}


def _worth(methods: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which method, if a right answer is worth so much?",
        choose={"method": Choices(methods)},
        given=("answer_value",),
        derive=_costs,
        report=("method", "problem_cost", "answer_cost"),
        objective=lambda law, plan: plan["problem_cost"] - plan["answer_value"] * evaluate(law, plan),
    )


def _per_cost(methods: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which method gives the cheapest right answers, if there are problems enough?",
        choose={"method": Choices(methods)},
        given=(),
        derive=_costs,
        report=("method", "problem_cost", "answer_cost"),
        objective=lambda law, plan: jnp.log(plan["answer_cost"]),
    )


def _best(methods: tuple[str, ...]) -> Decision:
    return Decision(
        question="Which method solves most, whatever it costs?",
        choose={"method": Choices(methods)},
        given=(),
        derive=_costs,
        report=("method", "problem_cost", "answer_cost"),
        objective=lambda law, plan: -evaluate(law, plan),
    )
