"""FLOPs as hours, days and dollars on named accelerators: columns that a decision can be given with `also`.

As part of `bl.costs`. Each returns a function of columns by name; what a plan does not hold is given with the question,
and may be a distribution: `choose(..., training_utilisation=dist.Beta(40, 60), hourly_price=2.5)`.
"""

from collections.abc import Callable
from typing import Any

from bayeslaw._accelerators import ACCELERATORS, Accelerator
from bayeslaw._columns import nearest
from bayeslaw._errors import InputError


def hours_on(accelerator: str | Accelerator) -> Callable[..., Any]:
    """Hours of one accelerator, or of all together, that training takes: of `flops` and `training_utilisation`, the
    share of the peak (16 bits, dense) that is attained."""
    peak = _sheet(accelerator).flops

    def hours(flops: Any, training_utilisation: Any) -> Any:
        return flops / (peak * training_utilisation * 3600)

    return hours


def days_on(accelerator: str | Accelerator) -> Callable[..., Any]:
    """Days of training on so many `accelerators`, of `flops` and `training_utilisation`."""
    hours = hours_on(accelerator)

    def days(flops: Any, training_utilisation: Any, accelerators: Any) -> Any:
        return hours(flops, training_utilisation) / (24 * accelerators)

    return days


def dollars_on(accelerator: str | Accelerator) -> Callable[..., Any]:
    """Dollars of training, of `flops`, `training_utilisation` and `hourly_price`, dollars for an hour of one
    accelerator."""
    hours = hours_on(accelerator)

    def dollars(flops: Any, training_utilisation: Any, hourly_price: Any) -> Any:
        return hours(flops, training_utilisation) * hourly_price

    return dollars


def weight_bytes(params: Any, bits: Any = 16) -> Any:
    """Bytes of weights at so many bits each."""
    return params * bits / 8


def serving_bytes(params: Any, context_tokens: Any, kv_bytes: Any, bits: Any = 16) -> Any:
    """Bytes of weights and of the cache of keys and values of so many tokens, at `kv_bytes` each."""
    return weight_bytes(params, bits) + context_tokens * kv_bytes


def _sheet(accelerator: str | Accelerator) -> Accelerator:
    if isinstance(accelerator, Accelerator):
        return accelerator
    if accelerator not in ACCELERATORS:
        guess = nearest(str(accelerator), ACCELERATORS)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise InputError(f"{accelerator!r} is not one of {', '.join(ACCELERATORS)}; or pass an Accelerator.{hint}")
    return ACCELERATORS[accelerator]
