"""Our model of a pipeline of stages: which model and how many samples in each, under one budget."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, ClassVar

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
from bayeslaw.models.our_pipeline_plans import LLAMA3, pipeline

M0, U0 = 3e9, 0.6  # the reference: a model of 3 B parameters, and a previous stage that is right this often


class OurPipeline(AbstractLaw):
    """accuracy = sigmoid(base + (by_samples + shift v) s - bend s^2 + by_upstream v)

    Our model of one stage, a term for each finding of AgentTTS (Wang et al. 2025, arXiv 2508.00890), which has a cost
    law and searches plans: models differ by stage, accuracy rises with the samples that are fused and then falls, and
    better input needs fewer. s = ln samples; v = upstream - 0.6, of how often the stage before is right (0 in the
    first, where nothing is before); base = level + by_params ln(params / 3e9) + own, of the stage `subtask`.

    - `level`: for each stage the logit of one sample of a 3 B model. `by_params`: logits gained by e times as many.
    - `own`: what each model adds in each stage; nothing where there is only one.
    - `by_samples`: for each stage the logits gained by the first e-fold of samples; `bend`: how soon that ends.
    - `shift`: for stages after the first, what right input adds to `by_samples`; negative: it needs fewer samples.
    - `by_upstream`: for the same, logits gained between input that is always wrong and always right.
    - `stages`, `models`: their names, stages in order.

    Most samples that help: exp((by_samples + shift v) / (2 bend)) (`best_samples`). Questions count as independent from
    row to row; the same ones asked again make intervals wider than they need be. Prior, 90 %: level -2.5 to 2.5,
    by_params -0.1 to 0.9, own -0.8 to 0.8, by_samples 0.01 to 1.0, bend 0.02 to 0.3, shift -1.0 to 0.4, by_upstream 0.1
    to 3.9.
    """

    response: ClassVar = "accuracy"

    level: dict[str, Scalar]
    by_params: Scalar
    own: dict[str, dict[str, Scalar]]
    by_samples: dict[str, Scalar]
    bend: dict[str, Scalar]
    shift: dict[str, Scalar]
    by_upstream: dict[str, Scalar]
    stages: tuple[str, ...] = eqx.field(static=True)
    models: tuple[str, ...] = eqx.field(static=True)

    def mean(self, subtask: Array, model: Array, params: Array, samples: Array, upstream: Array) -> Array:  # type: ignore[override]
        each = [self.own.get(stage, {}) for stage in self.stages]
        own = nth([nth([one.get(name, 0.0) for name in self.models], model) for one in each], subtask)
        base = self._at("level", subtask) + own
        gain, bend, better = self._samples(subtask, upstream)
        s = jnp.log(samples)
        base = base + self.by_params * jnp.log(params / M0) + self._at("by_upstream", subtask) * better
        return jax.nn.sigmoid(base + gain * s - bend * s**2)

    def _samples(self, subtask: Any, upstream: Any) -> tuple[Array, Array, Array]:
        better = jnp.asarray(upstream) - U0
        gain = self._at("by_samples", subtask) + self._at("shift", subtask) * better
        return gain, self._at("bend", subtask), better

    def best_samples(self, subtask: Any, upstream: Any = U0) -> Array:
        """From how many samples on more of them harm, given how often the stage before is right; not rounded."""
        gain, bend, _ = self._samples(subtask, upstream)
        return jnp.exp(jnp.maximum(gain / (2 * bend), 0.0))

    def _at(self, name: str, subtask: Any) -> Array:
        return nth([getattr(self, name).get(stage, 0.0) for stage in self.stages], subtask)

    def noise(self) -> AbstractNoise:
        return Binomial.prior()

    def derived(self) -> Mapping[str, Scalar]:
        """Most samples that help in each stage, input being right in 0.6 of questions."""
        return {f"best_samples[{stage}]": self.best_samples(i) for i, stage in enumerate(self.stages)}

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        each = {f"model_{i + 1}": self.models for i in range(len(self.stages))}
        return {"subtask": self.stages, "model": self.models, **each}

    @classmethod
    def prior(cls, stages: Sequence[str] = ("retrieval", "qa"), models: Sequence[str] = tuple(LLAMA3)) -> "OurPipeline":
        several = {name: dist.Normal(0.0, 0.5) for name in models} if len(models) > 1 else {}
        return cls(
            level={stage: dist.Normal(0.0, 1.5) for stage in stages},
            by_params=dist.Normal(0.4, 0.3),
            own={stage: dict(several) for stage in stages},
            by_samples={stage: dist.Normal(0.5, 0.3) for stage in stages},
            bend={stage: dist.LogNormal(log(0.08), 0.8) for stage in stages},
            shift={stage: dist.Normal(-0.3, 0.4) for stage in stages[1:]},
            by_upstream={stage: dist.HalfNormal(2.0) for stage in stages[1:]},
            stages=tuple(stages),
            models=tuple(models),
        )

    def decisions(self) -> Mapping[str, Decision]:
        known = {name: LLAMA3[name] for name in self.models if name in LLAMA3}
        return {"pipeline": pipeline(known)} if known and len(self.stages) == 2 else {}
