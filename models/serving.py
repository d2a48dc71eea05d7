"""Serving: how many tokens per second an engine delivers, and how many accelerators of which kind a demand needs."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw import _costs as costs
from bayeslaw._decision import Decision
from bayeslaw._law import AbstractLaw
from bayeslaw._noise import AbstractNoise, LogNormal
from bayeslaw._tree import Scalar, nth
from bayeslaw.models.serving_plans import ENGINES, fleet


class Serving(AbstractLaw):
    """throughput = eta[method] peak_flops / (2 active_params) / max(1, memory_ratio, network_ratio)

    Our model on the bound of NanoFlow (Zhu et al. 2024, arXiv 2408.12757, Eq. 1 to 5). Tokens per second of one
    accelerator, prompts counted; the bound is where streaming memory, computing and the network overlap perfectly. The
    ratios are the seconds of a step that memory, and that the network, takes over those of computing (`step_ratios`).

    - `eta`: for each engine the share of the bound that it attains; at 0.5 serving costs twice what it must.
    - `engines`: their names. One without runs is what the prior says of an engine not yet measured.

    `peak_flops` is of the data sheet. The paper's shares are of a peak measured in matrix products, 260 TFLOP/s in
    place of 312, hence larger: its 0.685 is 0.571 here. One model and one kind of accelerator were measured; that eta
    is the same for others is an assumption (0.50 to 0.72 of the measured peak on five other models).
    Prior, 90 %: eta 0.15 to 0.73, of an engine that overlaps (nanoflow) 0.52 to 0.80; scatter from run to run 2 to
    11 %. HalfNormal(0.1) for it would allow none at all, which one run of each engine cannot refute, and no sampler
    likes.
    """

    response: ClassVar = "throughput"
    falls: ClassVar = ("active_params", "memory_ratio", "network_ratio")

    eta: dict[str, Scalar]
    engines: tuple[str, ...] = eqx.field(static=True)

    def mean(self, method: Array, active_params: Array, peak_flops: Array, memory_ratio: Array,
             network_ratio: Array) -> Array:  # type: ignore[override]  # fmt: skip
        eta = nth([self.eta[name] for name in self.engines], method)
        slowest = jnp.maximum(1.0, jnp.maximum(memory_ratio, network_ratio))
        return eta * costs.throughput_bound(peak_flops, active_params) / slowest

    def noise(self) -> AbstractNoise:
        return LogNormal(scale=dist.LogNormal(log(0.05), 0.5))

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {"method": self.engines, "accelerator": tuple(costs.ACCELERATORS)}

    @classmethod
    def prior(cls, engines: tuple[str, ...] = ENGINES) -> "Serving":
        known = {"nanoflow": dist.Beta(20.0, 10.0)}
        return cls(eta={name: known.get(name, dist.Beta(3.0, 4.0)) for name in engines}, engines=tuple(engines))

    def decisions(self) -> Mapping[str, Decision]:
        return {"fleet": fleet(engines=self.engines)}
