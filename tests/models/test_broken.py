"""The numbers of broken neural scaling laws, and ours, reproduced.

Each says where its expected figure comes from: *recomputed* from published data and code, or *ours*. The paper prints no
coefficients of its example, only its data and code do.
"""

import warnings
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from least_squares import least_squares
from scipy.optimize import brentq

import bayeslaw as bl
from bayeslaw.models import Broken
from bayeslaw.models.broken import Break

# Error of 4-digit addition by size of the training set, from the published script (Caballero et al., Figure 4 left),
# which fits the first 14.
EXAMPLES = [160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736, 800, 864, 928]
LOSS = [
    2.13809046, 2.11813418, 2.08955508, 2.06988398, 2.05404987, 2.03837089, 2.02814281, 2.00496872, 1.95576149,
    1.86313841, 1.70891537, 1.50637664, 1.29754721, 0.96559684, 0.75856477, 0.64768338, 0.55695445,
]  # fmt: skip
ADDITION = pd.DataFrame({"examples": EXAMPLES, "loss": LOSS}, dtype=float)
PRIOR = Broken.prior("examples", reference=320.0, between=(220.0, 1140.0), limit=0.3, excess=2.0)
# The same question with the reference near the break, where the runs say most: chains mix several times faster.
NEAR = Broken.prior("examples", reference=600.0, between=(220.0, 1140.0), limit=0.3, excess=1.6)


# What the published code fits, and what the law's own noise is on: for JAX and for NumPy.
FITS: dict[str, tuple[Callable, Callable]] = {"ln(y + 1)": (jnp.log1p, np.log1p), "ln y": (jnp.log, np.log)}


@pytest.fixture(scope="module")
def estimates() -> dict[str, Broken]:
    """Least squares on the first 14 points, on either scale."""
    return {
        name: least_squares(PRIOR, ADDITION, inside=np.arange(17) < 14, of=of, starts=12)
        for name, (of, _) in FITS.items()
    }


def raw(law: Broken) -> list[float]:
    """a, b, c0, c1, d1, f1 of the paper."""
    found = law.derived()
    return [float(one) for one in (law.a, found["paper_b"], law.c0, law.breaks[0].c, found["d_1"], law.breaks[0].f)]


# --- The formula ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [160.0, 320.0, 612.0, 5000.0])
def test_the_papers_formula(reference: float) -> None:
    """With two breaks, written out as the paper has it; whatever reference it is stored with."""
    a, c0, (c1, d1, f1), (c2, d2, f2) = 0.4, 0.055, (2.0, 500.0, 0.3), (-1.0, 1500.0, 0.2)
    breaks = (Break(step=np.log(d1 / reference), c=c1, f=f1), Break(step=np.log(d2 / d1), c=c2, f=f2))
    law = Broken(x="examples", response="loss", reference=reference, a=a, b=1.5, c0=c0, breaks=breaks)
    x = np.geomspace(100, 1e4, 50)

    def excess(x: np.ndarray) -> np.ndarray:
        return x**-c0 * (1 + (x / d1) ** (1 / f1)) ** (-c1 * f1) * (1 + (x / d2) ** (1 / f2)) ** (-c2 * f2)

    b = 1.5 / excess(np.asarray(reference))
    np.testing.assert_allclose(law(examples=x), a + b * excess(x), rtol=1e-10)
    found = {name: float(value) for name, value in law.derived().items()}
    expected = {"paper_b": b, "d_1": d1, "d_2": d2, "slope_1": 2.055, "slope_2": 1.055}
    assert found == pytest.approx(expected, rel=1e-5)
    assert float(law(examples=reference)) == pytest.approx(a + 1.5, rel=1e-12)


def test_sharp_breaks_do_not_overflow() -> None:
    """(x / d)^(1 / f) is 1e3000 here."""
    law = Broken(
        x="tokens", response="loss", reference=2e10, a=1.0, b=1.0, c0=0.1, breaks=(Break(step=0.0, c=0.5, f=0.001),)
    )
    ratio = 1e3**-0.6  # both slopes from the break on
    assert float(law(tokens=2e13)) == pytest.approx(1 + ratio, rel=1e-3)
    assert float(law(tokens=2e7)) == pytest.approx(1 + 1e3**0.1, rel=1e-3)


def test_breaks_are_ordered_and_expected_in_their_part() -> None:
    """90 % of first breaks in their part of the range; no later break before an earlier one."""
    prior = Broken.prior("examples", breaks=3, reference=10.0, between=(10.0, 1e4))
    first, *later = (one.step for one in prior.breaks)
    low, high = (first.loc + z * first.scale for z in (-1.645, 1.645))
    assert [10 * np.exp(low), 10 * np.exp(high)] == pytest.approx([10, 100], rel=1e-3)
    assert all(float(np.asarray(one.icdf(1e-6))) > 0 for one in later)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "examples"}, "no usual value of 'examples' is known"),
        ({"between": (5.0, 1.0)}, "need positive places in order"),
        ({"breaks": -1}, "need positive places in order"),
    ],
)
def test_what_a_prior_refuses(change: dict, message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        Broken.prior(**change)


# --- The example of the paper -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rmse", "predictions", "coefficients"),
    [
        ("ln(y + 1)", 0.000402, [0.7602, 0.6375, 0.5626], [0.41388, 2.27727, 0.05508, 5.6629, 612.584, 0.05919]),
        ("ln y", 0.000598, [0.7606, 0.6384, 0.5640], [0.41719, 2.27369, 0.05515, 5.69423, 612.803, 0.05926]),
    ],
)
def test_least_squares_on_14_points(
    name: str, rmse: float, predictions: list[float], coefficients: list[float], estimates: dict[str, Broken]
) -> None:
    """Recomputed: the fit, and its predictions of the last three points. The coefficients are ours, best of 60 starts."""
    law, scale = estimates[name], FITS[name][1]
    off = scale(law(examples=ADDITION.examples)) - scale(ADDITION.loss.to_numpy())
    assert np.sqrt(np.mean(off[:14] ** 2)) == pytest.approx(rmse, abs=1e-6)
    assert list(law(examples=[800, 864, 928])) == pytest.approx(predictions, abs=1e-4)
    assert raw(law) == pytest.approx(coefficients, rel=1e-3)


def test_errors_beyond_14_points(estimates: dict[str, Broken]) -> None:
    """Recomputed: RMSLE of the last three points, the fit on ln(y + 1) judged on either scale. Ours: b at 320."""
    law = estimates["ln(y + 1)"]
    for expected, (_, scale) in zip((0.00418, 0.0109), FITS.values(), strict=True):
        off = scale(law(examples=ADDITION.examples)) - scale(ADDITION.loss.to_numpy())
        assert np.sqrt(np.mean(off[14:] ** 2)) == pytest.approx(expected, abs=1e-4)
    assert float(law.b) == pytest.approx(1.657, rel=1e-3)


@pytest.fixture(scope="module")
def addition() -> bl.Posterior:
    """All 17 points."""
    return advised_fit(NEAR, ADDITION, seed=1)


def test_all_17_points(addition: bl.Posterior) -> None:
    """Ours, to 5 %: with 95 % interval. The last points do not follow one break exactly: five times the scatter of 14."""
    assert addition.ok
    summary = addition.summary(prob=0.95)
    row = summary.loc["breaks.0.c"]
    assert [row.lower, row["mean"], row.upper] == pytest.approx([4.73, 5.26, 5.83], rel=0.05)
    assert summary["mean"]["noise.scale"] == pytest.approx(0.0055, rel=0.05)


def test_recovery() -> None:
    """Parameters of a simulated curve of the same design: 99 % intervals."""
    truth = Broken(
        x="examples",
        response="loss",
        reference=600.0,
        a=0.4,
        b=1.35,
        c0=0.055,
        breaks=(Break(step=0.02, c=5.5, f=0.06),),
    )
    runs = bl.simulate(truth, ADDITION[["examples"]], noise=bl.LogNormal(scale=0.002), seed=3)
    posterior = advised_fit(NEAR, runs, seed=1)
    assert posterior.ok
    summary = posterior.summary(prob=0.99)
    for name, value in {"a": 0.4, "b": 1.35, "c0": 0.055, "breaks.0.step": 0.02, "breaks.0.c": 5.5, "breaks.0.f": 0.06,
                        "noise.scale": 0.002}.items():  # fmt: skip
        assert summary.lower[name] < value < summary.upper[name], name
    assert summary.sd["breaks.0.step"] < 0.01


# --- The decision -----------------------------------------------------------------------------------------------------


def test_smallest_x_for_a_target(addition: bl.Posterior) -> None:
    """Each draw's law is at the target there, and above it just before; draws whose limit is above it have none."""
    target = float(np.quantile(addition.draws["a"], 0.3)) + 0.002
    found = bl.allocate(addition, target=[1.0, target])
    assert any("is out of reach in" in status.text for status in found.status)
    x = found.draws["examples"].to_numpy()
    assert np.isnan(x[..., 1]).mean() == pytest.approx(np.mean(addition.draws["a"] >= target), abs=0.01)
    assert not np.isnan(x[..., 0]).any()
    draws = addition.draws
    for chain, draw in ((0, 0), (1, 500), (3, 999)):
        one = {name: float(values[chain, draw]) for name, values in draws.items()}
        turn = Break(step=one["breaks.0.step"], c=one["breaks.0.c"], f=one["breaks.0.f"])
        law = Broken(
            x="examples", response="loss", reference=600.0, a=one["a"], b=one["b"], c0=one["c0"], breaks=(turn,)
        )
        exact = brentq(lambda z, law=law: float(law(examples=z)) - 1.0, 160, 2000, xtol=1e-6)
        assert x[chain, draw, 0] == pytest.approx(exact, rel=1e-5)


def test_closed_form_without_breaks() -> None:
    """A shifted power law is inverted by formula; search and formula agree, also on which draws have no solution."""
    plain = Broken.prior("examples", breaks=0, reference=320.0, limit=0.3, excess=2.0)
    truth = Broken(x="examples", response="loss", reference=320.0, a=0.4, b=1.65, c0=0.3, breaks=())
    runs = bl.simulate(truth, {"examples": np.geomspace(100, 1e5, 17)}, noise=bl.LogNormal(scale=0.01), seed=1)
    posterior = advised_fit(plain, runs, seed=1)
    assert posterior.ok
    targets = [1.0, float(np.median(posterior.draws["a"]))]
    search = bl.allocate(posterior, target=targets).draws["examples"]
    formula = bl.allocate(posterior, target=targets, method="closed_form").draws["examples"]
    np.testing.assert_allclose(search[..., 0], formula[..., 0], rtol=1e-5)
    exact = truth.decisions()["smallest"].closed_form(truth, target=1.0)["examples"]
    assert exact == pytest.approx(320 * (0.6 / 1.65) ** (-1 / 0.3), rel=1e-12)
    # Targets a hair above the limit need more than the box holds.
    assert float(np.isnan(search[..., 1]).mean()) >= 0.5


# --- What a fit says beyond the runs ----------------------------------------------------------------------------------


def beyond(posterior: bl.Posterior) -> pd.DataFrame:
    summary = bl.predict(posterior, {"examples": [800.0, 928.0]}, misfit=False).summary(prob=0.95)
    return summary.xs("loss", level="quantity")[["lower", "median", "upper"]]


@pytest.mark.slow
def test_what_fourteen_points_say_beyond() -> None:
    """Ours: 95 % intervals, as another program's fit gave them; the true response at 928 is 0.557."""
    posterior = advised_fit(PRIOR, ADDITION[:14], seed=1, draws=4000, target_accept=0.98)
    found, table = beyond(posterior), posterior.summary(prob=0.95)
    assert list(found.loc[928.0]) == pytest.approx([0.489, 0.557, 0.610], abs=0.01)
    assert list(found.loc[800.0]) == pytest.approx([0.739, 0.758, 0.774], abs=0.01)
    assert list(table.loc["d_1", ["lower", "median", "upper"]]) == pytest.approx([602, 612, 621], abs=2)
    assert list(table.loc["a", ["lower", "median", "upper"]]) == pytest.approx([0.21, 0.40, 0.52], abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(("points", "lower", "upper"), [(13, 0.40, 0.70), (12, 0.37, 0.80), (11, 0.33, 0.94)])
def test_what_fewer_points_say_is_barely_a_result(points: int, lower: float, upper: float) -> None:
    """Ours: the 95 % interval widens with each point less; the truth is 0.557.

    The break can hardly be told from others. At a target of 0.98, 26 to 300 of 16,000 transitions diverge, at this
    one 0 to 3, at 0.999 again 0 to 41 because trajectories are cut off, and a posterior with any is not a result. The
    intervals are tested because neither target nor seed moved their ends by more than 0.045 (four fits of each, six of
    11 points). Another program, which had not converged (R-hat 1.03 and worse), gave 0.40 to 0.72, 0.37 to 0.82 and
    0.27 to 1.07.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this posterior is not a result yet")
        posterior = bl.fit(PRIOR, ADDITION[:points], target_accept=0.995, seed=1, draws=4000)
    assert posterior.summary().r_hat.max() < 1.01
    assert float(posterior.tree.sample_stats.diverging.mean()) < 0.002
    found = beyond(posterior).loc[928.0]
    assert found.lower == pytest.approx(lower, abs=0.02)
    assert found.upper == pytest.approx(upper, abs=0.05)


@pytest.mark.slow
def test_double_descent(fetched: Callable[..., pd.DataFrame]) -> None:
    """Ours: test error of a ResNet18 by width falls, rises to width 9 and falls again; a law
    with breaks at widths 3.8 and 9.3 is within 2 % of all 64 points, where a shifted power law is off by more than 10 %."""
    curves = fetched("double_descent")
    curve = curves[curves.task == "cifar10-resnet18k-50k-adam"]
    runs = pd.DataFrame({"width": curve.x.to_numpy(), "error": curve.y.to_numpy()})
    rising = Broken.prior("width", "error", 2, reference=20.0, between=(2.0, 30.0), limit=0.2, excess=0.15, rising=True)
    # Modes that are e^50 times less likely hold chains that begin there: say in which direction the curve turns.
    prior = eqx.tree_at(
        lambda law: (law.c0, law.breaks[0].c, law.breaks[1].c),
        rising,
        (dist.LogNormal(np.log(0.5), 0.7), dist.Normal(-1.0, 0.7), dist.Normal(1.0, 0.7)),
    )
    posterior = advised_fit(prior, runs, seed=1, target_accept=0.97)
    assert posterior.ok
    summary = posterior.summary()
    assert list(summary.loc[["d_1", "d_2"], "median"]) == pytest.approx([3.8, 9.3], rel=0.02)
    assert summary.upper["slope_1"] < 0 < summary.lower["slope_2"]  # error rises between the breaks, then falls
    fitted = (
        bl.predict(posterior, {"width": runs.width}, misfit=False)
        .summary()
        .xs("error", level="quantity")["median"]
        .to_numpy()
    )
    assert np.abs(np.log(fitted / runs.error.to_numpy())).max() < 0.02
    plain = Broken.prior("width", "error", 0, reference=20.0, limit=0.2, excess=0.15)
    law = least_squares(plain, runs)
    assert np.abs(np.log(law(width=runs.width) / runs.error.to_numpy())).max() > 0.1


def rmsle(law: bl.AbstractLaw, points: pd.DataFrame) -> float:
    off = np.log(law(seen_examples=points.seen_examples)) - np.log(points.loss.to_numpy())
    return float(np.sqrt(np.mean(off**2)))


@pytest.mark.slow
def test_shifted_power_law_on_the_benchmark(fetched: Callable[..., pd.DataFrame]) -> None:
    """Recomputed: RMSLE of a law without breaks on the test parts of the 92 curves, mean by domain, to 5 %.

    Least squares on ln y. Each curve is padded to one length with points of no weight, so that one program fits all.
    """
    points = fetched("learning_curves")
    points = points[~points.duplicate]
    plain = Broken.prior("seen_examples", breaks=0, reference=1e9, limit=0.3, excess=0.5)
    found: dict[str, list[float]] = {}
    for (domain, _, _), curve in points.groupby(["domain", "task", "model"]):
        train = curve[curve.train].reset_index(drop=True)
        padded = train.reindex(range(80)).ffill()
        law = least_squares(plain, padded, inside=np.arange(80) < len(train), starts=4)
        found.setdefault(str(domain), []).append(rmsle(law, curve[~curve.train]))
    assert {name: len(values) for name, values in found.items()} == {"BB": 10, "IC": 72, "LM": 5, "NMT": 5}
    means = {name: float(np.mean(values)) for name, values in found.items()}
    assert means == pytest.approx({"IC": 0.0725, "NMT": 0.048, "LM": 0.0011, "BB": 0.010}, rel=0.05)


@pytest.mark.slow
def test_a_learning_curve_extrapolated(fetched: Callable[..., pd.DataFrame]) -> None:
    """Ours: ImageNet from 10 images a class, ViT/B/16, fitted on its first 67 points and judged on 289 further on.

    One break in place of none divides the error of the extrapolation by more than two.
    """
    points = fetched("learning_curves")
    curve = points[(points.task == "inet_10") & (points.model == "ViT/B/16")]
    train, rest = curve[curve.train], curve[~curve.train]
    low, high = train.seen_examples.min(), train.seen_examples.max()
    middle = float(np.sqrt(low * high))
    found = {}
    for breaks in (0, 1):
        prior = Broken.prior(
            "seen_examples", "loss", breaks, reference=middle, between=(low, high), limit=0.2, excess=0.5
        )
        posterior = advised_fit(prior, train, seed=1, target_accept=0.99, draws=2500)
        assert posterior.ok
        median = bl.predict(posterior, rest, misfit=False).summary().xs("loss", level="quantity")["median"].to_numpy()
        found[breaks] = float(np.sqrt(np.mean(np.log(median / rest.loss.to_numpy()) ** 2)))
    assert found[1] < 0.5 * found[0]
    # The median of a skewed posterior, which few of the 10,000 draws determine: 0.039 to 0.046 in runs on two machines.
    assert found[0] == pytest.approx(0.043, rel=0.2)
