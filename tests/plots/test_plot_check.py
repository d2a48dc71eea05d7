"""`plot_check`, by the numbers it draws."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import bayeslaw as bl
from bayeslaw.plots import plot_check

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def check(posterior: bl.Posterior) -> bl.Check:
    return bl.check(posterior)


def line(ax: Axes, text: str) -> Line2D:
    return next(one for one in ax.lines if str(one.get_label()).startswith(text))


def test_panels_hold_what_was_found(check: bl.Check) -> None:
    axes = plot_check(check)
    assert axes.shape == (4,)  # density, LOO-PIT, params, tokens
    density, pit, params, tokens = axes
    # The density of ln loss holds the runs: it integrates to one over them, but for what a kernel leaves outside.
    for text, mass in (("runs", 1.0), ("made up", 1.0)):
        x, y = (np.asarray(part, dtype=float) for part in line(density, text).get_data())
        assert np.trapezoid(np.nan_to_num(y), np.log(x)) == pytest.approx(mass, abs=0.05)
    # LOO-PIT against its own distribution function, at its median.
    x, y = (np.asarray(part, dtype=float) for part in line(pit, "runs").get_data())
    assert line(pit, "runs").get_label() == f"runs (p = {check.table['p']['LOO-PIT']:.2g})"
    values = check.residuals["loo_pit"].to_numpy()
    middle = len(x) // 2
    assert y[middle] == pytest.approx((values <= x[middle]).mean() - x[middle])
    for ax, name in ((params, "params"), (tokens, "tokens")):
        near, far = ax.lines[1], line(ax, "beyond 3")
        beyond = check.residuals["residual"].abs() > 3
        assert str(far.get_label()) == f"beyond 3: {beyond.sum()} runs"
        np.testing.assert_array_equal(np.asarray(near.get_xdata()), check.residuals[name][~beyond])
        np.testing.assert_array_equal(np.asarray(far.get_ydata()), check.residuals["residual"][beyond])
        medians = np.asarray(ax.containers[0].lines[0].get_ydata(), dtype=float)
        first = np.array_split(np.argsort(check.residuals[name].to_numpy(), kind="stable"), 8)[0]
        assert medians[0] == pytest.approx(check.residuals["residual"].iloc[first].median())
        assert ax.get_xscale() == "log"


def test_axes_of_ones_own(check: bl.Check) -> None:
    _, mine = plt.subplots(2, 2)
    assert list(plot_check(check, axes=mine.ravel())) == list(mine.ravel())
    with pytest.raises(bl.InputError, match="plot_check draws 4 panels here, and 2 axes were given"):
        plot_check(check, axes=mine.ravel()[:2])
