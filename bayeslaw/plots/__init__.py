"""Pictures: one function a file, each draws on `ax` (a new one when left out) and returns it."""

from bayeslaw.plots._allocation import plot_allocation
from bayeslaw.plots._arms import plot_arms
from bayeslaw.plots._backtest import plot_backtest
from bayeslaw.plots._calibration import plot_calibration
from bayeslaw.plots._check import plot_check
from bayeslaw.plots._choice import plot_choice
from bayeslaw.plots._comparison import plot_comparison
from bayeslaw.plots._fit import plot_fit
from bayeslaw.plots._isoflop import plot_isoflop
from bayeslaw.plots._next_runs import plot_next_runs
from bayeslaw.plots._optimum import plot_optimum
from bayeslaw.plots._pareto import plot_pareto
from bayeslaw.plots._penalty import plot_penalty
from bayeslaw.plots._prediction import plot_prediction
from bayeslaw.plots._profiles import plot_profiles

__all__ = [
    "plot_allocation",
    "plot_arms",
    "plot_backtest",
    "plot_calibration",
    "plot_check",
    "plot_choice",
    "plot_comparison",
    "plot_fit",
    "plot_isoflop",
    "plot_next_runs",
    "plot_optimum",
    "plot_pareto",
    "plot_penalty",
    "plot_prediction",
    "plot_profiles",
]
