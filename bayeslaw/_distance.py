"""How far scenarios lie from the runs a posterior was fitted to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._columns import COLUMNS, format_number
from bayeslaw._errors import Status
from bayeslaw._misfit import Misfit, why_not
from bayeslaw._posterior import Posterior

_FAR = 0.5  # decades beyond the runs that deserve a sentence
_CORNER = 1.5  # times the Mahalanobis distance of the farthest run
_LEAST = np.log(1.01)  # sd of the logarithm of a column that did not vary


def distance(posterior: Posterior, numbers: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """See `Prediction.distance`."""
    rows = len(next(iter(numbers.values()), []))
    found, logs, seen = {}, [], []
    for name, runs in _scales(posterior, numbers).items():
        with np.errstate(divide="ignore", invalid="ignore"):  # zero is a corner of its own, not so many decades away
            x = np.where(numbers[name] > 0, np.log(numbers[name]), np.nan)
        low, high = np.log(runs.min()), np.log(runs.max())
        found[name] = (np.maximum(x - high, 0) + np.minimum(x - low, 0)) / np.log(10)
        logs.append(x)
        seen.append(np.log(runs))
    frame = pd.DataFrame(found, index=pd.RangeIndex(rows, name="scenario"))
    return frame.assign(mahalanobis=_mahalanobis(np.array(seen), np.array(logs)) if logs else np.zeros(rows))


def far(posterior: Posterior, numbers: Mapping[str, np.ndarray]) -> list[Status]:
    """A sentence for each column that goes well outside the range of the runs, or for corners inside all ranges."""
    found = []
    scales = _scales(posterior, numbers)
    for name, runs in scales.items():
        values = numbers[name][numbers[name] > 0]
        if not values.size:
            continue
        above = np.log10(np.max(values) / runs.max())
        below = np.log10(runs.min() / np.min(values))
        for decades, end, word in ((above, runs.max(), "above"), (below, runs.min(), "below")):
            if decades > _FAR:
                last = format_number(float(end), name)
                text = f"{name} goes {decades:.1f} decades {word} the runs (which end at {last})"
                found.append(Status(f"{text}: {_resting(posterior)}."))
    if found or not scales or len({numbers[name].shape for name in scales}) > 1:
        return found
    seen = np.array([np.log(runs) for runs in scales.values()])
    with np.errstate(divide="ignore"):
        at = np.array([np.log(np.ravel(numbers[name])) for name in scales])
    inside = ((seen.min(axis=1) <= at.T) & (seen.max(axis=1) >= at.T)).all(axis=1)
    most, edge = max(_mahalanobis(seen, at[:, inside]), default=0.0), _mahalanobis(seen, seen).max()
    if most > _CORNER * edge:
        text = f"scenarios lie up to {most:.1f} standard deviations from the middle of the runs, the farthest run "
        text += f"{edge:.1f}: {', '.join(scales)} are each in range but in combinations that no run came near"
        found.append(Status(f"{text}; {_resting(posterior)}."))
    return found


def _resting(posterior: Posterior) -> str:
    if isinstance(posterior.prior, Misfit):
        return "there the interval rests on how far the law was off at the runs"
    text = "the interval assumes that the law still holds there"
    return text if why_not(posterior) else f"{text}, which misfit(posterior) does not"


def _scales(posterior: Posterior, numbers: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The columns of the runs that have a logarithm, of those that the law reads."""
    wanted = posterior.prior.columns()
    return {
        name: runs
        for name, runs in posterior.seen().items()
        if name in numbers and name in wanted and name in COLUMNS and COLUMNS[name].low >= 0 and runs.min() > 0
    }


def _mahalanobis(seen: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Of points (columns, points) from runs (columns, runs)."""
    middle = seen.mean(axis=1, keepdims=True)
    spread = np.atleast_2d(np.cov(seen)) if seen.shape[1] > 1 else np.zeros((len(seen),) * 2)
    away = logs - middle
    return np.sqrt(np.einsum("ip,ip->p", away, np.linalg.solve(spread + _LEAST**2 * np.eye(len(seen)), away)))
