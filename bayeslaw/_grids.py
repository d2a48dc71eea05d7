"""Endless grids: numbers that can be built."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._columns import parse_number
from bayeslaw._errors import InputError

_EACH_SIDE = 16  # values below and above the one that is to be replaced
_SLACK = 1e-9  # by rounding


@dataclass(frozen=True)
class Multiples:
    """All multiples of a number: `Multiples(128)` for widths and vocabularies, `Multiples(1)` for whole numbers."""

    of: float

    def __post_init__(self) -> None:
        _check_step(self, "of", self.of, 0.0)

    def near(self, value: float, low: float, high: float) -> np.ndarray:
        """The nearest of them to a value, between `low` and `high`."""
        middle = int(np.floor(value / self.of))
        first = max(middle - _EACH_SIDE + 1, int(np.ceil(low / self.of - _SLACK)))
        last = min(middle + _EACH_SIDE, int(np.floor(high / self.of + _SLACK)))
        return np.arange(first, last + 1) * float(self.of)


@dataclass(frozen=True)
class Powers:
    """All powers of a number: `Powers(2)` for batches; `Powers(2**0.5)` has one between each two of these."""

    base: float = 2.0

    def __post_init__(self) -> None:
        _check_step(self, "base", self.base, 1.0)

    def near(self, value: float, low: float, high: float) -> np.ndarray:
        """The nearest of them to a value, between `low` and `high`."""
        if value <= 0 or high <= 0:
            return np.array([])
        log = np.log(self.base)
        middle = int(np.floor(np.log(value) / log + _SLACK))
        first, last = middle - _EACH_SIDE + 1, middle + _EACH_SIDE
        if low > 0:
            first = max(first, int(np.ceil(np.log(low) / log - _SLACK)))
        last = min(last, int(np.floor(np.log(high) / log + _SLACK)))
        return float(self.base) ** np.arange(first, last + 1)


Grid = Multiples | Powers


def _check_step(what: Any, name: str, value: Any, above: float) -> None:
    try:
        number = parse_number(value)
    except ValueError:
        number = np.nan
    if not (np.isfinite(number) and number > above):
        raise InputError(f"{type(what).__name__} needs a number above {above:g}, such as 128 or 2; got {value!r}.")
    object.__setattr__(what, name, number)
