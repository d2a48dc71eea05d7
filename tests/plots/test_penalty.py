"""`plot_penalty` by the numbers it draws, against the formula written out by hand."""

import warnings
from math import log
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D

import bayeslaw as bl
from bayeslaw._joint import as_joint
from bayeslaw._posterior import Posterior, flat
from bayeslaw.models import Chinchilla
from bayeslaw.plots import plot_penalty
from bayeslaw.plots._penalty import _amounts, _title, _window

matplotlib.use("Agg")
BASE = Chinchilla.published()["hoffmann2022"]
LR = {"params": -0.6, "batch_tokens": 0.4}


def law(target: Any = "reducible", value: Any = 1.3e-3, curvature: Any = 0.02, ratio: Any = 3.0, **kwargs: Any) -> Any:
    """Two penalties; the optimal learning rate follows the batch. Only the first holds what is to be fitted."""
    lr = bl.Penalty(bl.LogLinear(value, LR), curvature, bl.Asymmetric(ratio), **kwargs)
    batch = bl.Penalty(bl.LogLinear(4e5, {"tokens": 0.5}), 0.015, bl.Quadratic())
    return bl.Penalised(BASE, {"lr": lr, "batch_tokens": batch}, target=target)


def prior(target: Any = "reducible", **kwargs: Any) -> Any:
    sites = (dist.LogNormal(log(1e-3), 0.5), dist.LogNormal(log(0.03), 0.5), dist.LogNormal(log(2.0), 0.5))
    return law(target, *sites, **kwargs)


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Simulated runs, up to a factor 7 off in both hyperparameters, and a fit too short for its statuses."""
    rng = np.random.default_rng(0)
    n = 60
    runs = {"params": 10 ** rng.uniform(8, 9, n), "tokens": 10 ** rng.uniform(9.7, 11, n)}
    runs["batch_tokens"] = 4e5 * (runs["tokens"] / 2e10) ** 0.5 * np.exp(rng.uniform(-2, 2, n))
    runs["lr"] = 1.3e-3 * (runs["params"] / 1e9) ** -0.6 * (runs["batch_tokens"] / 2**19) ** 0.4
    runs["lr"] *= np.exp(rng.uniform(-2, 2, n))
    made = bl.simulate(law(), runs, noise=bl.StudentT(df=8.0, scale=0.003), seed=1)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this posterior is not a result yet")
        return bl.fit(prior(), made, noise=bl.StudentT, chains=2, draws=100, warmup=100)


def with_law(posterior: bl.Posterior, other: Any, **runs: Any) -> bl.Posterior:
    """The same draws as those of another law with these parameters, and columns of the runs replaced."""
    tree = posterior.tree.copy(deep=True)
    for group in ("constant_data", "observed_data"):
        for name in set(runs) & set(tree[group].data_vars):
            tree[group][name] = xr.DataArray(np.asarray(runs[name]), dims="run")
    return Posterior(tree, as_joint(other, bl.StudentT))


def cost(draws: dict[str, Any], x: Any) -> Any:
    """P of the learning rate, (draws, ...), where it is x times its optimum."""
    one = {name.removeprefix("penalties.lr."): values[:, None] for name, values in draws.items()}
    return one["curvature"] * np.log(x) ** 2 * np.where(x > 1, one["shape.ratio"], 1.0)


def inflated(tuned: Any, costs: Any, target: str = "reducible") -> Any:
    if target == "additive":
        return tuned + costs
    floor = BASE.E if target == "reducible" else 0.0
    return floor + (tuned - floor) * np.exp(costs)


def lr_optima(draws: dict[str, Any], runs: Any) -> Any:
    """(draws, runs)"""
    scale = (runs.params / 1e9) ** -0.6 * (runs.batch_tokens / 2**19) ** 0.4
    return draws["penalties.lr.optimum.value"][:, None] * np.asarray(scale)


def batch_optima(tokens: Any) -> Any:
    return 4e5 * np.sqrt(tokens / 2e10)


def points(one: Line2D) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(one.get_xdata(), dtype=float), np.asarray(one.get_ydata(), dtype=float)


def line(ax: Axes, start: str) -> Line2D:
    return next(one for one in ax.lines if str(one.get_label()).startswith(start))


def band(ax: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, lower and upper of the filled band, from its vertices."""
    (found,) = (one for one in ax.collections if isinstance(one, PolyCollection))
    vertices = np.asarray(found.get_paths()[0].vertices)
    x = np.unique(vertices[:, 0])
    ys = [vertices[vertices[:, 0] == one, 1] for one in x]
    return x, np.array([y.min() for y in ys]), np.array([y.max() for y in ys])


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    assert found is not None
    return [text.get_text().replace("\u00a0", " ") for text in found.get_texts()]


@pytest.mark.parametrize("target", ["reducible", "total", "additive"])
def test_curve_and_band_are_the_cost_at_the_median_run(posterior: bl.Posterior, target: str) -> None:
    ax = plot_penalty(with_law(posterior, prior(target)), prob=0.8)
    runs = posterior.runs
    tuned = BASE(params=runs.params.median(), tokens=runs.tokens.median())
    x, median = points(line(ax, "median cost"))
    expected = 100 * (inflated(tuned, cost(flat(posterior), x), target) / tuned - 1)
    np.testing.assert_allclose(median, np.median(expected, axis=0), rtol=1e-9, atol=1e-9)
    grid, lower, upper = band(ax)
    np.testing.assert_allclose(grid, x)
    np.testing.assert_allclose((lower, upper), np.quantile(expected, [0.1, 0.9], axis=0), rtol=1e-9, atol=1e-9)


def test_runs_of_the_learning_rate(posterior: bl.Posterior) -> None:
    """No optimum reads the learning rate: without its cost is with it left out of `predict`."""
    runs = posterior.runs
    x, y = points(line(plot_penalty(posterior, "lr"), "run,"))
    tuned = (
        bl.predict(posterior, runs.drop(columns=["lr", "loss"]), misfit=False).summary().xs("loss", level="quantity")
    )
    np.testing.assert_allclose(x, runs.lr / np.median(lr_optima(flat(posterior), runs), axis=0), rtol=1e-9)
    np.testing.assert_allclose(y, 100 * (runs.loss.to_numpy() / tuned["median"].to_numpy() - 1), rtol=1e-6)
    assert len(x) == len(runs)


def test_runs_of_the_batch_keep_the_cost_of_the_learning_rate_they_had(posterior: bl.Posterior) -> None:
    """The optimal learning rate follows the batch; at the optimal batch, the one that was used would cost otherwise."""
    runs, draws = posterior.runs, flat(posterior)
    x, y = points(line(plot_penalty(posterior, "batch_tokens"), "run,"))
    np.testing.assert_allclose(x, runs.batch_tokens / batch_optima(runs.tokens), rtol=1e-9)
    tuned = BASE(params=runs.params.to_numpy(), tokens=runs.tokens.to_numpy())
    other = cost(draws, runs.lr.to_numpy() / lr_optima(draws, runs))
    expected = 100 * (runs.loss / np.median(inflated(tuned, other), axis=0) - 1)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    share = 1 - BASE.E / tuned
    own = 100 * share * np.expm1(0.015 * np.log(x) ** 2)
    assert abs(np.median(y - own)) < 0.2  # on their curves


def test_optimum_and_scale_are_those_of_the_median_run(posterior: bl.Posterior) -> None:
    ax = plot_penalty(posterior, prob=0.8)
    median = (
        posterior.runs[["params", "tokens"]].median().to_frame().T.assign(batch_tokens=lambda t: batch_optima(t.tokens))
    )
    low, middle, high = np.quantile(lr_optima(flat(posterior), median), [0.1, 0.5, 0.9])
    marks = [one for one in ax.lines if one.get_color() == "black"]
    np.testing.assert_allclose(points(marks[0])[0], [low / middle, high / middle], rtol=1e-9)
    np.testing.assert_allclose(points(marks[1]), ([1.0], [0.0]))
    assert legend(ax) == [
        "80 % interval of the cost\n(mean function)",
        "run, its size and other\ncosts taken out",
        f"median cost\nat {median.params[0] / 1e6:.0f}M parameters, {median.tokens[0] / 1e9:.3g}B tokens",
        f"optimal lr there:\n{middle:.2g} (80 %: {low:.2g} to {high:.2g})",
    ]


def test_axes(posterior: bl.Posterior) -> None:
    _, own = plt.subplots(layout="constrained")
    ax = plot_penalty(posterior, "batch_tokens", ax=own)
    assert ax is own
    assert plt.get_fignums() == [ax.figure.number]  # type: ignore[union-attr]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlabel() == "Tokens per optimiser step / its optimum"
    assert ax.get_ylabel() == "Loss above that at the optimum (%)"
    np.testing.assert_array_equal(points(ax.lines[0])[0], [1.0, 1.0])


def test_the_default_is_the_learning_rate_else_the_first(posterior: bl.Posterior) -> None:
    assert plot_penalty(posterior).get_xlabel() == "Peak learning rate / its optimum"
    other = bl.Penalised(BASE, {"batch_tokens": prior().penalties["batch_tokens"]})
    assert plot_penalty(with_law(posterior, other)).get_xlabel() == "Tokens per optimiser step / its optimum"


def test_runs_far_out_are_counted_and_do_not_squash_the_rest(posterior: bl.Posterior) -> None:
    loss = posterior.runs.loss.to_numpy().copy()
    loss[:7] *= 3
    loss[7] /= 2
    usual, ax = plot_penalty(posterior), plot_penalty(with_law(posterior, prior(), loss=loss))
    bottom, top = ax.get_ylim()
    assert top < 1.5 * usual.get_ylim()[1]
    x = posterior.runs.lr / np.median(lr_optima(flat(posterior), posterior.runs), axis=0)
    above, below = line(ax, "7 runs above (up to 2"), line(ax, "1 run below (down to -")
    np.testing.assert_allclose(points(above), (x[:7], [top] * 7))
    np.testing.assert_allclose(points(below), (x[7:8], [bottom]))
    assert len(points(line(ax, "run,"))[0]) == len(loss) - 8
    assert legend(ax)[-2:] == [above.get_label(), below.get_label()]
    assert not any("above" in text for text in legend(usual))


def test_words() -> None:
    assert [_title(name, True) for name in ("lr", "aspect_ratio", "beta2")] == [
        "Peak learning rate / its optimum",
        "aspect_ratio / its optimum",
        "beta2 / its optimum",
    ]
    assert _title("warmup_tokens", False) == "Tokens of learning-rate warm-up - its optimum (tokens)"
    scale = {"params": 4.294e8, "tokens": 2e10, "batch_tokens": 5e5, "d_model": 768.0, "bits": 4.0, "beta2": 0.95}
    words = ["429M parameters", "20B tokens", "batch_tokens 500K", "d_model 768", "4 bits", "beta2 0.95"]
    assert [text.replace("\u00a0", " ") for text in _amounts(scale)] == words


@pytest.mark.parametrize("diverged", [0, 1, 20])
def test_window_holds_most_runs_and_the_curve(diverged: int) -> None:
    rng = np.random.default_rng(0)
    curve = rng.exponential(2.0, 100)
    y = curve + rng.normal(0, 0.3, 100)
    y[100 - diverged :] = 250.0
    low, high = _window(y, curve)
    assert low < y.min()
    assert np.quantile(curve, 0.97) < high < 25
    assert (y <= high).sum() == 100 - diverged
    assert _window(np.zeros(5), np.zeros(5)) == (-1.0, 1.0)


def test_curve_goes_on_to_the_optimum_where_no_run_is(posterior: bl.Posterior) -> None:
    ax = plot_penalty(with_law(posterior, prior(), lr=posterior.runs.lr / 100))
    x, y = points(line(ax, "median cost"))
    assert x[-1] == pytest.approx(1.5)
    dots, _ = points(line(ax, "run,"))
    assert dots.max() < 0.5
    np.testing.assert_array_equal(np.isnan(y), (x > dots.max()) | (x < dots.min()))
    dashed = line(ax, "beyond the runs")
    assert dashed.is_dashed()
    assert legend(ax)[3] == "beyond the runs"
    assert points(dashed)[0][-1] == pytest.approx(1.5)
    assert np.isfinite(points(dashed)[1]).all()


def test_distance_in_the_unit_of_the_column(posterior: bl.Posterior) -> None:
    ax = plot_penalty(with_law(posterior, prior(log=False)))
    runs, draws = posterior.runs, flat(posterior)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("linear", "Peak learning rate - its optimum")
    np.testing.assert_allclose(points(line(ax, "run,"))[0], runs.lr - np.median(lr_optima(draws, runs), axis=0))
    np.testing.assert_array_equal(points(ax.lines[0])[0], [0.0, 0.0])
    x, median = points(line(ax, "median cost"))
    tuned = BASE(params=runs.params.median(), tokens=runs.tokens.median())
    expected = 100 * (inflated(tuned, cost(draws, np.exp(x))) / tuned - 1)
    np.testing.assert_allclose(median, np.median(expected, axis=0), rtol=1e-9, atol=1e-9)


def test_a_law_around_the_penalised_one(posterior: bl.Posterior) -> None:
    wrapped = bl.Discrepant(prior(), posterior.runs, ("params",), spread=0.0)
    tree = posterior.tree.copy(deep=True)
    draws = tree["posterior"].to_dataset()
    names = {str(name): f"base.{name}" for name in draws.data_vars if str(name).startswith("penalties")}
    draws = draws.rename(names).assign(offsets=(("chain", "draw", "cell"), np.zeros((2, 100, len(posterior.runs) + 1))))
    tree["posterior"] = xr.DataTree(draws)
    ax, same = plot_penalty(Posterior(tree, as_joint(wrapped, bl.StudentT)), "lr"), plot_penalty(posterior, "lr")
    for start in ("run,", "median cost"):
        np.testing.assert_allclose(points(line(ax, start)), points(line(same, start)), rtol=1e-9)


def test_refuses(posterior: bl.Posterior) -> None:
    with pytest.raises(
        bl.InputError, match=r"no penalty on 'learning_rate'; it has batch_tokens, lr\. Did you mean 'lr'\?"
    ):
        plot_penalty(posterior, "learning_rate")
    with pytest.raises(bl.InputError, match=r"no penalty on 'params'; it has batch_tokens, lr\."):
        plot_penalty(posterior, "params")
    with pytest.raises(bl.InputError, match="prob is the credible mass"):
        plot_penalty(posterior, prob=90.0)
    with pytest.raises(bl.InputError, match="expected a Posterior"):
        plot_penalty(prior())
    with pytest.raises(bl.InputError, match=r"Chinchilla has no hyperparameters .* Penalised\(Chinchilla, \("):
        plot_penalty(with_law(posterior, Chinchilla))
    below = bl.Penalised(Chinchilla(E=-9.0, a=BASE.a, alpha=BASE.alpha, b=BASE.b, beta=BASE.beta), prior().penalties)
    with pytest.raises(bl.InputError, match="the mean loss of 60 of 60 runs is not positive"):
        plot_penalty(with_law(posterior, below))
