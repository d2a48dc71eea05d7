"""Our model of a graph of calls: how wide, how deep, and with which model, under a budget."""

from collections.abc import Mapping, Sequence
from math import log
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._counts import Binomial
from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, nth
from bayeslaw.models.our_graph_plans import LLAMA3, graph

M0 = 3e9  # reference size


class OurGraph(AbstractLaw):
    """accuracy = sigmoid(base + by_width x - bend_width x^2 + by_depth y - bend_depth y^2 - h x y)

    Our model of what Agent-REINFORCE (Wang, Chen et al. 2025, arXiv 2511.00086, second-hand) finds by searching graphs
    of calls to language models: tasks prefer certain models, accuracy rises with width and with depth to an optimum and
    then falls, and the two compete. x = ln width, of calls side by side, fused by one more; y = ln iterations, of calls
    one after the other; base = level + by_params ln(params / 3e9) + own. Tasks share what width and depth are worth; to
    let them differ, `Pooled(OurGraph.prior(), runs, by="task", share=...)` of what is not to.

    - `level`: for each task the logit of one call of a 3 B model. `by_params`: logits gained by e times as many.
    - `own`: what each model adds for each task. `models`, `tasks`: their names.
    - `by_width`, `by_depth`: logits gained by the first e-fold of either; `bend_width`, `bend_depth`: how soon it ends.
    - `h`: how far width and depth stand in for each other.

    Without h the best width is exp(by_width / (2 bend_width)), whatever the model (`derived`: `best_width`,
    `best_depth`, of the other at 1). Prior, 90 %: level -2.5 to 2.5, by_params -0.1 to 0.9, own -0.8 to 0.8, by_width
    and by_depth -0.1 to 0.9, both bends 0.02 to 0.3, h 0.01 to 0.2. That leaves the best width open, 1 to 1e5.
    """

    response: ClassVar = "accuracy"

    level: dict[str, Scalar]
    by_params: Scalar
    own: dict[str, dict[str, Scalar]]
    by_width: Scalar
    bend_width: Scalar
    by_depth: Scalar
    bend_depth: Scalar
    h: Scalar
    tasks: tuple[str, ...] = eqx.field(static=True)
    models: tuple[str, ...] = eqx.field(static=True)

    def mean(self, task: Array, model: Array, params: Array, width: Array, iterations: Array) -> Array:  # type: ignore[override]
        level = nth([self.level[name] for name in self.tasks], task)
        own = nth([nth([self.own[name][one] for one in self.models], model) for name in self.tasks], task)
        base = level + own + self.by_params * jnp.log(params / M0)
        wide, deep = jnp.log(width), jnp.log(iterations)
        gain = self.by_width * wide - self.bend_width * wide**2 + self.by_depth * deep - self.bend_depth * deep**2
        return jax.nn.sigmoid(base + gain - self.h * wide * deep)

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    def derived(self) -> Mapping[str, Scalar]:
        """The width, and the depth, from which more of it harms, the other being 1; not below 1."""
        return {
            "best_width": jnp.exp(jnp.maximum(self.by_width / (2 * self.bend_width), 0.0)),
            "best_depth": jnp.exp(jnp.maximum(self.by_depth / (2 * self.bend_depth), 0.0)),
        }

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"task": self.tasks, "model": self.models}

    @classmethod
    def prior(
        cls, tasks: Sequence[str] = ("math", "mmlu", "humaneval"), models: Sequence[str] = tuple(LLAMA3)
    ) -> "OurGraph":
        gain, bend = dist.Normal(0.4, 0.3), dist.LogNormal(log(0.08), 0.8)
        return cls(
            level={task: dist.Normal(0.0, 1.5) for task in tasks},
            by_params=dist.Normal(0.4, 0.3),
            own={task: {name: dist.Normal(0.0, 0.5) for name in models} for task in tasks},
            by_width=gain,
            bend_width=bend,
            by_depth=gain,
            bend_depth=bend,
            h=dist.HalfNormal(0.1),
            tasks=tuple(tasks),
            models=tuple(models),
        )

    def decisions(self) -> Mapping[str, Decision]:
        known = {name: LLAMA3[name] for name in self.models if name in LLAMA3}
        return {"graph": graph(known)} if known else {}
