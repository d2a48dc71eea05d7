"""What makes one action better than another over all draws: risk measures, and limits an action must keep.

A measure is given the losses of some actions, (draws, actions), and a weight for each draw, adding up to one, and
returns a number for each action. Less is better throughout. The names are those of BoTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._columns import format_number, parse_number
from bayeslaw._errors import InputError

_FAR_OUT = 1e6  # how far beyond a limit counts, as a multiple of the limit


@dataclass(frozen=True)
class Expectation:
    """The mean loss: what a plan costs on average. The choice that regrets least on average."""

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return weights @ losses


@dataclass(frozen=True)
class Quantile:
    """The loss that is not exceeded with probability `level` (value at risk)."""

    level: float = 0.9

    def __post_init__(self) -> None:
        check_level(self)

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return quantile(losses, weights, self.level)


@dataclass(frozen=True)
class CVaR:
    """The mean of the worst losses: with `level` 0.9, of the worst tenth of the draws (conditional value at risk)."""

    level: float = 0.9

    def __post_init__(self) -> None:
        check_level(self)

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        # Rockafellar and Uryasev 2000: exact with ties and with a draw that lies across the level.
        start = quantile(losses, weights, self.level)
        return start + weights @ np.maximum(losses - start, 0.0) / (1 - self.level)


@dataclass(frozen=True)
class WorstCase:
    """The largest loss of any draw. It goes up with the number of draws: `CVaR` says how far into the tail it looks."""

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return losses[weights > 0].max(axis=0)


@dataclass(frozen=True)
class MeanVariance:
    """The mean loss plus `aversion` times its variance; the unit of `aversion` is one over that of the loss."""

    aversion: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.aversion) and self.aversion >= 0):
            raise InputError(f"{self}: aversion to risk is a finite number, zero or more.")

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        mean = weights @ losses
        return mean + self.aversion * (weights @ (losses - mean) ** 2)


@dataclass(frozen=True)
class AtMost:
    """A limit: a column of the plan is at most `bound`, with probability `prob`; in every draw when left out.

    `column` is the response (`loss` is the mean function, `loss_new_run` a run with its noise) or any column of a plan:
    what is chosen, given, derived or added with `Decision.also`, such as `flops`, `memory_bytes` or `training_dollars`.
    """

    column: str
    bound: float
    prob: float = 1.0

    _sign = 1.0
    _words = "at most"

    def __post_init__(self) -> None:
        try:
            bound = parse_number(self.bound)
        except ValueError:
            bound = np.nan
        if not np.isfinite(bound):
            raise InputError(f"the bound of {self.column!r} is a finite number, such as 24e9; got {self.bound!r}.")
        object.__setattr__(self, "bound", bound)
        if not 0 < self.prob <= 1:
            raise InputError(
                f"prob is the probability with which {self.column} is kept {self._words} {bound:g}: above 0, and 1 for "
                f"always; got {self.prob!r}."
            )

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Is it kept, elementwise? Not by NaN."""
        return self._sign * values <= self._sign * self.bound

    def margin(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """How far beyond the bound each action is at that probability, as a share of the bound; negative inside."""
        at = quantile(self._sign * np.nan_to_num(values, nan=self._sign * np.inf), weights, self.prob)
        return np.clip((at - self._sign * self.bound) / max(abs(self.bound), 1e-300), -_FAR_OUT, _FAR_OUT)

    def attained(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The bound that each action would keep at that probability."""
        return self._sign * quantile(self._sign * values, weights, self.prob)

    def __str__(self) -> str:
        said = f"{self.column} {self._words} {format_number(self.bound, self.column)}"
        return said if self.prob == 1 else f"{said} with probability {self.prob:g}"


@dataclass(frozen=True)
class AtLeast(AtMost):
    """The same for a column that is to be at least `bound`, such as an accuracy."""

    _sign = -1.0
    _words = "at least"


@dataclass(frozen=True)
class Feasible:
    """What a decision itself asks for (a target that some draws cannot reach) need only be had with this probability.

    Without it an action must be possible in every draw. Risk and regret are then over the draws in which it is.
    """

    prob: float

    def __post_init__(self) -> None:
        if not 0 < self.prob <= 1:
            raise InputError(f"{self}: the probability of being possible is above 0, and at most 1.")

    def __str__(self) -> str:
        return f"possible with probability {self.prob:g}"


@dataclass(frozen=True)
class Miss:
    """The probability of missing a target: `Miss(AtMost("loss", 2.1))`; the `prob` of the limit is not used."""

    limit: AtMost

    def __post_init__(self) -> None:
        if not isinstance(self.limit, AtMost):
            raise InputError(
                f'Miss needs the target as a limit, Miss(AtMost("loss", 2.1)) or Miss(AtLeast("accuracy", 0.8)); got '
                f"{self.limit!r}."
            )

    def __call__(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Of the values of the limit's column, not of the losses."""
        return weights @ ~self.limit.holds(values)


Risk = Expectation | Quantile | CVaR | WorstCase | MeanVariance | Miss | Callable[..., Any]
Limits = Mapping[str, Any] | AtMost | Feasible | Sequence[AtMost | Feasible]


def measure(risk: Any) -> Any:
    """A risk measure from one, or from a function of the losses of one action, (draws,), that returns a number."""
    if isinstance(risk, Expectation | Quantile | CVaR | WorstCase | MeanVariance | Miss | OnDraws):
        return risk
    if isinstance(risk, type) or not callable(risk):
        raise InputError(
            "risk is a measure such as Expectation(), Quantile(0.9), CVaR(0.9), WorstCase(), MeanVariance(2.0), "
            f'Miss(AtMost("loss", 2.1)), or a function of the losses of all draws; got {risk!r}.'
        )
    return OnDraws(risk)


@dataclass(frozen=True)
class OnDraws:
    """A user's own function of the losses of one action, all draws alike."""

    function: Callable[[np.ndarray], Any]

    def __call__(self, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
        kept = losses[weights > 0]
        return np.array([float(self.function(kept[:, i])) for i in range(kept.shape[1])])

    def __str__(self) -> str:
        return getattr(self.function, "__name__", "your own measure")


def limits_of(subject_to: Limits | None) -> tuple[tuple[AtMost, ...], float]:
    """The limits on columns, and the probability with which an action must be possible at all."""
    if subject_to is None:
        return (), 1.0
    if isinstance(subject_to, Mapping):
        return tuple(AtMost(name, bound) for name, bound in subject_to.items()), 1.0
    found = (subject_to,) if isinstance(subject_to, AtMost | Feasible) else tuple(subject_to)
    for one in found:
        if not isinstance(one, AtMost | Feasible):
            raise InputError(
                'subject_to holds limits, {"memory_bytes": 24e9} or [AtMost("loss", 2.1, prob=0.9), AtLeast(...), '
                f"Feasible(0.95)]; got {one!r}."
            )
    prob = min([one.prob for one in found if isinstance(one, Feasible)], default=1.0)
    return tuple(one for one in found if isinstance(one, AtMost)), prob


def check_level(what: Any) -> None:
    if not 0 < what.level < 1:
        raise InputError(f"{what}: the level of risk is between 0 and 1, such as 0.9 for the worst tenth of the draws.")


def quantile(values: np.ndarray, weights: np.ndarray, level: float) -> np.ndarray:
    """The smallest value that at least `level` of the weight does not exceed, for each column of (draws, ...)."""
    count = len(values)
    if np.ptp(weights) == 0:
        place = min(max(int(np.ceil(level * count - 1e-9)) - 1, 0), count - 1)
        return np.partition(values, place, axis=0)[place]
    order = np.argsort(values, axis=0)
    below = np.cumsum(weights[order], axis=0)
    place = np.argmax(below >= level - 1e-12, axis=0)
    place = np.where(below[-1] >= level - 1e-12, place, count - 1)
    return np.take_along_axis(np.take_along_axis(values, order, axis=0), place[None], axis=0)[0]
