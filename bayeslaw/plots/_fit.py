"""`plot_fit`: every run against what the posterior says of it."""

import numpy as np
from matplotlib.axes import Axes

from bayeslaw._posterior import Posterior, check_prob
from bayeslaw._predict import NEW_RUN, need_posterior, predict
from bayeslaw.plots._style import BLUE, GREY, SKY, VERMILLION, label, log_axis, new_axes, percent


def plot_fit(posterior: Posterior, *, prob: float = 0.9, ax: Axes | None = None) -> Axes:
    """Predicted against observed, a point for every run that was fitted.

    - Point: x is the posterior median of the law at the run (its misfit left out), y the observed response, both in the
      unit of the response. Points on the line are predicted exactly.
    - Vertical bar: the equal-tailed predictive interval of mass `prob` of a new run there. It covers the
      uncertainty of the law and the noise of one run.
    - Another colour and shape: runs outside their interval. The legend counts those inside. About `prob` of them
      should be; far fewer means intervals too narrow, far more too wide. These are the runs that were fitted, so
      this checks the noise model and not how the law extrapolates.

    Both axes are logarithmic when everything drawn is positive. Draws on `ax` (a new one when left out) and
    returns it. Raises `InputError` when `prob` is not between 0 and 1.
    """
    need_posterior(posterior)
    check_prob(prob)
    response, runs = posterior.response, posterior.runs
    observed = runs[response].to_numpy()
    draws = predict(posterior, runs, misfit=False).draws
    predicted = np.median(draws[response].to_numpy(), axis=(0, 1))
    lower, upper = np.quantile(draws[response + NEW_RUN].to_numpy(), [(1 - prob) / 2, (1 + prob) / 2], axis=(0, 1))
    inside = (lower <= observed) & (observed <= upper)

    ax = new_axes(ax, (5.4, 5.4))
    interval = f"{percent(prob)} interval of a new run"
    ax.vlines(predicted, lower, upper, color=SKY, alpha=0.6, linewidth=1.5, label=interval, zorder=1.8)
    text = f"inside: {inside.sum()} of {len(inside)} runs ({100 * inside.mean():.0f} %)"
    ax.plot(predicted[inside], observed[inside], "o", color=BLUE, markersize=2.5, label=text)
    text = f"outside: {(~inside).sum()} of {len(inside)} runs"
    ax.plot(predicted[~inside], observed[~inside], "D", color=VERMILLION, markersize=4, label=text)
    ends = [min(lower.min(), observed.min()), max(upper.max(), observed.max())]
    ax.plot(ends, ends, color=GREY, linewidth=0.8, label="observed = predicted", zorder=1.9)
    if ends[0] > 0 and predicted.min() > 0:
        log_axis(ax, "x", response)
        log_axis(ax, "y", response)
    ax.set_aspect("equal")
    ax.set_xlabel(label(response, "predicted (median): "))
    ax.set_ylabel(label(response, "observed: "))
    ax.legend(loc="upper left", frameon=False)
    return ax
