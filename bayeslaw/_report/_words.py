"""Numbers, units and names of columns as the page writes them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._predict import EXCESS, NEW_RUN

NOTHING, _MINUS, _TIMES = "\u2013", "\u2212", "\u00d7"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = {3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E", 21: "Z", 24: "Y", 27: "R", 30: "Q"}


def number(value: Any, name: str = "") -> str:
    """`64.1B`, `1.964`, a power of ten for the very large and small, or a label as it is."""
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isnan(value):
        return NOTHING
    text = format_number(value, name.removesuffix(NEW_RUN))
    if "e" not in text and (not value or 1e-4 <= abs(value) < 1e5 or text[-1].isalpha()):
        return text.replace("-", _MINUS)
    mantissa, exponent = f"{value:.3e}".split("e")
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    said = power if float(mantissa) == 1 else f"{float(mantissa):g} {_TIMES} {power}"
    return said.replace("-", _MINUS)


def unit(name: str) -> str:
    column = COLUMNS.get(name.removesuffix(NEW_RUN).removesuffix(EXCESS))
    return column.unit if column else ""


def amount(value: Any, name: str) -> str:
    """A number with its unit: `64.1B parameters`; FLOPs also with an SI prefix, `(576 ZFLOPs)`."""
    text = number(value, name)
    if isinstance(value, str) or unit(name) in ("", "fraction"):
        return text
    said = f"{text} {unit(name)}"
    if unit(name) != "FLOPs" or not value >= 1e6:
        return said
    exponent = min(math.floor(math.log10(value) + 1e-9) // 3 * 3, 30)
    return f"{said} ({value / 10**exponent:.3g} {_PREFIXES[exponent]}FLOPs)"


def title(name: str) -> str:
    """What a column is called for people: its meaning, or its name where the notation table lacks it."""
    column = COLUMNS.get(name.removesuffix(NEW_RUN))
    text = column.meaning if column else name.removesuffix(NEW_RUN).replace("_", " ")
    return text[:1].upper() + text[1:] + (", one new run" if name.endswith(NEW_RUN) else "")


def span(low: Any, high: Any, name: str = "") -> str:
    """From where to where; one number where both ends look alike."""
    ends = number(low, name), number(high, name)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def percent(share: float) -> str:
    """A share that says nothing is certain unless it is so in all draws."""
    if 0 < share < 0.005 or 0.995 < share < 1:
        return "< 1 %" if share < 0.5 else "> 99 %"
    return f"{100 * share:.0f} %"


def mass(prob: float) -> str:
    return f"{100 * prob:.4g} %"


def quantiles(values: Any, prob: float) -> np.ndarray:
    """Of draws (chain, draw, ...) the ends and the middle of the intervals of mass `prob` and one half: (5, ...)."""
    at = [(1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2]
    with np.errstate(invalid="ignore"):
        return np.nanquantile(np.asarray(values, dtype=float), at, axis=(0, 1))


def shares(values: Any, names: Sequence[str]) -> dict[str, float]:
    """In which share of draws each name is the best, the most frequent first; those that never are left out."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    found = {name: float(np.mean(known == place)) for place, name in enumerate(names)} if known.size else {}
    return {name: share for name, share in sorted(found.items(), key=lambda one: -one[1]) if share}


def listed(found: dict[str, float], most: int = 4) -> str:
    said = [f"{name} {percent(share)}" for name, share in list(found.items())[:most]]
    return ", ".join([*said, *(["…"] if len(found) > most else [])])
