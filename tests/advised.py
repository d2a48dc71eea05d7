"""Fits as the statuses advise: shorter steps and more draws. Whether a transition diverges depends on rounding too."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import bayeslaw as bl


def advised(fit: Callable[..., bl.Posterior], attempts: Iterable[dict[str, Any]]) -> bl.Posterior:
    """The first that is a result, of `fit` with the options of each attempt; fails when none is."""
    for options in attempts:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="this posterior is not a result yet")
            fitted = fit(**options)
        if fitted.ok:
            return fitted
    raise AssertionError(f"{options}: {fitted.status}")


def advised_fit(law: Any, runs: Any, *, target_accept: float = 0.9, draws: int = 1000, **options: Any) -> bl.Posterior:
    """`bl.fit`, again with shorter steps and twice the draws while a status is serious; fails when that is no use."""
    targets = (target_accept, *(target for target in (0.95, 0.99, 0.999) if target > target_accept))
    attempts = ({"target_accept": target, "draws": draws * 2**i} for i, target in enumerate(targets))
    return advised(lambda **more: bl.fit(law, runs, **options, **more), attempts)
