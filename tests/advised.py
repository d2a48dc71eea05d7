"""Fits as the statuses advise: shorter steps and more draws. Whether a transition diverges depends on rounding too."""

import warnings
from typing import Any

import bayeslaw as bl


def advised_fit(law: Any, runs: Any, *, target_accept: float = 0.9, draws: int = 1000, **options: Any) -> bl.Posterior:
    """`bl.fit`, again with shorter steps and twice the draws while a status is serious; fails when that is no use."""
    for target in (target_accept, *(target for target in (0.95, 0.99, 0.999) if target > target_accept)):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="this posterior is not a result yet")
            fitted = bl.fit(law, runs, target_accept=target, draws=draws, **options)
        if fitted.ok:
            return fitted
        draws *= 2
    raise AssertionError(f"{options}: {fitted.status}")
