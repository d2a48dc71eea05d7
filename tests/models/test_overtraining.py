"""The numbers of Gadre et al. 2024 on the loss of over-trained models, reproduced.

Each says where its expected figure comes from: *published* in the paper or its notebook, *recomputed* from the
published data, *ours* where no one has published it. Their point fits come from `gadre.py`.
"""

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from gadre import CORPORA, at, fit_logs, fit_loss, five, runs_of

import bayeslaw as bl
from bayeslaw.models import Chinchilla, Overtraining

PUBLISHED = Overtraining.published()


@pytest.fixture(scope="module")
def runs() -> dict[str, pd.DataFrame]:
    table = bl.load_overtraining()
    return {corpus: runs_of(table, corpus) for corpus in CORPORA}


def off(law: Overtraining, run: pd.Series) -> float:
    """Error of the predicted loss of a run, in percent."""
    return 100 * (float(law(params=run.params, tokens=run.tokens)) / run.loss - 1)


# --- The authors' fits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_published_fits_are_the_authors_procedure(runs: dict[str, pd.DataFrame], corpus: str) -> None:
    """Recomputed: the least squared error of the loss of five runs; 1e-6 is beyond what predictions below need."""
    assert len(five(runs[corpus])) == 5
    found = Overtraining.raw(**fit_loss(five(runs[corpus])))
    for name in ("E", "r", "eta", "Mstar"):
        assert getattr(PUBLISHED[corpus], name) == pytest.approx(getattr(found, name), rel=1e-6)


@pytest.mark.parametrize(
    ("corpus", "printed"),
    [("c4", (114, 190, 0.242, 1.51)), ("redpajama", (166, 367, 0.272, 1.84)), ("refinedweb", (125, 246, 0.254, 1.73))],
)
def test_table_6(corpus: str, printed: tuple[float, ...]) -> None:
    """Published under the heads a, b, eta, E: they are A, b, 2 eta and E of Eq. 4. Half a unit of the last digit;
    a whole one for RedPajama's 0.27285, printed 0.272."""
    law, raw = PUBLISHED[corpus], PUBLISHED[corpus].derived()
    found = (raw["A"], raw["b"], raw["alpha"], law.E)
    for value, text, unit in zip(found, printed, (1, 1, 0.001, 0.01), strict=True):
        assert value == pytest.approx(text, abs=unit * (1 if text == 0.272 else 0.5))


def test_raw_is_equation_4() -> None:
    """In tokens per parameter and compute, as the paper writes it, with the coefficients that `derived` reports."""
    params, ratio = np.array([1e7, 4e8, 7e9]), np.array([640.0, 5.0, 20.0])
    flops = 6 * params**2 * ratio
    for law in PUBLISHED.values():
        raw, eta = law.derived(), law.eta
        expected = law.E + (raw["a"] * ratio**eta + raw["b"] * ratio**-eta) * flops**-eta
        np.testing.assert_allclose(law(params=params, tokens=params * ratio), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("corpus", "params", "ratio", "predicted", "true", "error", "tolerance"),
    [
        ("redpajama", 1.4e9, 640, 2.5198, 2.5021, 0.7103, 1e-4),
        ("redpajama", 6.9e9, 20, 2.4427, 2.4250, 0.7320, 1e-4),
        ("c4", 6.9e9, 20, 2.2799, 2.3822, -4.295, 1e-3),
        ("refinedweb", 6.9e9, 20, 2.4150, 2.4547, -1.619, 1e-3),
    ],
)
def test_predicted_loss_of_large_runs(
    runs: dict[str, pd.DataFrame], corpus: str, params: float, ratio: float, predicted: float, true: float,
    error: float, tolerance: float,
) -> None:  # fmt: skip
    """Published. The paper's size of a model is N M with N printed to two digits; ours is that of the table."""
    run = at(runs[corpus], params, ratio)
    assert float(PUBLISHED[corpus](params=run.params, tokens=run.tokens)) == pytest.approx(predicted, abs=1e-4)
    assert run.loss == pytest.approx(true, abs=5e-5)
    assert off(PUBLISHED[corpus], run) == pytest.approx(error, abs=tolerance)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (1.06e7, (0.3, 0.0, 0.3, 1.7, 1.1, 0.0, 1.0)),
        (7.9e7, (2.2, 0.3, 0.2, 0.7, 1.4, 2.1, 2.3)),
        (1.54e8, (0.8, 0.5, 0.6, 0.0, 0.4, 0.4, 0.3)),
        (4.1e8, (0.4, 0.2, 0.1, 0.3, 0.3, 1.4, 1.1)),
    ],
)
def test_figure_5(runs: dict[str, pd.DataFrame], params: float, expected: tuple[float, ...]) -> None:
    """Published: relative error in percent on RedPajama at 10 to 640 tokens per parameter, to one decimal."""
    ratios = 10 * 2 ** np.arange(7)
    found = [abs(off(PUBLISHED["redpajama"], at(runs["redpajama"], params, ratio))) for ratio in ratios]
    assert found == pytest.approx(expected, abs=0.05)


def test_compute_of_the_five_runs(runs: dict[str, pd.DataFrame]) -> None:
    """Published as 2.4e19 and a saving of 300; recomputed: 2.41e19 and 330."""
    small, big = five(runs["redpajama"]), at(runs["redpajama"], 1.4e9, 640)
    flops = float((6.0 * small.params * small.tokens).sum())
    assert flops == pytest.approx(2.41e19, rel=0.01)
    assert 6 * big.params * big.tokens / flops == pytest.approx(330, rel=0.01)


def test_optimal_tokens_per_parameter() -> None:
    """Recomputed from the coefficients. Published are others, which the printed (A, b, 2 eta) give when taken for (a, b,
    eta)."""
    printed = {
        "c4": (114, 190, 0.242, 2.87),
        "redpajama": (166, 367, 0.272, 4.30),
        "refinedweb": (125, 246, 0.254, 3.79),
    }
    for corpus, optimum in zip(CORPORA, (3.36, 7.42, 5.85), strict=True):
        law, raw = PUBLISHED[corpus], PUBLISHED[corpus].derived()
        assert law.Mstar == pytest.approx(optimum, rel=0.01)
        assert (raw["b"] / raw["a"]) ** (1 / raw["alpha"]) == pytest.approx(law.Mstar, rel=1e-9)
        A, b, alpha, wrong = printed[corpus]
        assert (b / A) ** (1 / (2 * alpha)) == pytest.approx(wrong, abs=0.005)


def test_table_6_read_as_headed(runs: dict[str, pd.DataFrame]) -> None:
    """Recomputed: the printed row of RedPajama taken for (a, b, eta, E) predicts 1.841 for a run that reached 2.502;
    its 166 and 0.272 taken for A and 2 eta, 2.536."""
    run = at(runs["redpajama"], 1.4e9, 640)
    headed = Overtraining.raw(a=166, b=367, eta=0.272, E=1.84)
    meant = Overtraining.raw(a=166 * 6**0.136, b=367, eta=0.136, E=1.84)
    found = [float(law(params=run.params, tokens=run.tokens)) for law in (headed, meant)]
    assert found == pytest.approx([1.841, 2.536], abs=5e-4)


@pytest.mark.parametrize(
    ("corpus", "alpha", "E", "optimum", "rms", "untied"),
    [
        ("c4", 0.2434, 1.515, 16.6, 0.0268, 24.3),
        ("redpajama", 0.2434, 1.642, 17.6, 0.0265, 8.1),
        ("refinedweb", 0.2455, 1.698, 17.9, 0.0236, 10.4),
    ],
)
def test_all_runs_with_one_exponent_and_with_two(
    runs: dict[str, pd.DataFrame], corpus: str, alpha: float, E: float, optimum: float, rms: float, untied: float
) -> None:
    """Recomputed: least squares on ln loss. Two exponents: tokens per parameter at 1e21 FLOPs."""
    found, error = fit_logs(runs[corpus], tied=True)
    law = Overtraining.raw(E=found["E"], a=found["A"] * 6 ** (found["alpha"] / 2),
                           b=found["B"] * 6 ** (found["alpha"] / 2), eta=found["alpha"] / 2)  # fmt: skip
    assert (found["alpha"], law.E, law.Mstar, error) == pytest.approx((alpha, E, optimum, rms), rel=0.01)
    free = Chinchilla.raw(**fit_logs(runs[corpus], tied=False)[0])
    closed_form = free.decisions()["compute_optimal"].closed_form
    assert closed_form is not None
    assert 1e21 / 6 / float(closed_form(free, flops=1e21)["params"]) ** 2 == pytest.approx(untied, rel=0.01)


# --- Posteriors -------------------------------------------------------------------------------------------------------


def plan(runs: pd.DataFrame) -> dict[str, float]:
    run = at(runs, 6.9e9, 20)
    return {"params": run.params, "tokens": run.tokens}


def quantiles(values: object) -> np.ndarray:
    return np.quantile(np.asarray(values), [0.025, 0.5, 0.975])


@pytest.fixture(scope="module")
def redpajama(runs: dict[str, pd.DataFrame]) -> bl.Posterior:
    """The 31 runs with at least 10 tokens per parameter."""
    table = runs["redpajama"]
    return advised_fit(Overtraining, table[table.ratio >= 10], seed=1, progress=False)


def test_runs_on_trend_put_the_optimum_near_seven(redpajama: bl.Posterior) -> None:
    """Ours: RedPajama without the runs at 5 tokens per parameter."""
    assert redpajama.ok, redpajama.status
    assert len(redpajama.runs) == 31
    # 5 %, four Monte Carlo errors of an outer quantile at an effective size of 2,000
    np.testing.assert_allclose(quantiles(redpajama.draws["Mstar"]), [4.6, 6.6, 9.1], rtol=0.05)
    assert np.median(redpajama.draws["noise.scale"]) == pytest.approx(0.009, rel=0.05)


def test_search_finds_the_closed_form(redpajama: bl.Posterior) -> None:
    budgets = np.geomspace(1e18, 1e26, 5)
    search = bl.allocate(redpajama, flops=budgets)
    closed = bl.allocate(redpajama, flops=budgets, method="closed_form")
    np.testing.assert_allclose(search.draws["params"], closed.draws["params"], rtol=1e-4)
    ratio = search.draws["tokens_per_param"].transpose("scenario", "chain", "draw").to_numpy()
    np.testing.assert_allclose(ratio, np.broadcast_to(redpajama.draws["Mstar"], ratio.shape), rtol=1e-3)
    assert not search.draws["at_edge"].any()


@pytest.fixture(scope="module")
def simulated() -> bl.Posterior:
    """A made-up design of 24 runs up to 0.4 B, scatter 0.5 %."""
    params, ratio = (x.ravel() for x in np.meshgrid([1e7, 8e7, 1.5e8, 4e8], [5, 20, 80, 160, 320, 640]))
    table = {"params": params, "tokens": params * ratio}
    frame = bl.simulate(PUBLISHED["redpajama"], table, noise=bl.LogNormal(scale=0.005), seed=3)
    return advised_fit(Overtraining, frame, draws=500, warmup=500, seed=1, progress=False)


def test_known_parameters_are_recovered(simulated: bl.Posterior) -> None:
    """And the loss of a run 17 times as large; 98 % intervals."""
    assert simulated.ok, simulated.status
    truth, summary = PUBLISHED["redpajama"], simulated.summary(prob=0.98)
    for name in ("E", "r", "eta", "Mstar"):
        assert summary.lower[name] < getattr(truth, name) < summary.upper[name], name
    found = bl.predict(simulated, {"params": 6.9e9, "tokens": 1.38e11}, misfit=False).draws["loss"].to_numpy()
    low, high = np.quantile(found, [0.01, 0.99])
    assert low < float(truth(params=6.9e9, tokens=1.38e11)) < high
    assert high - low < 0.15  # and says something


def test_cheapest_model_for_a_loss(simulated: bl.Posterior) -> None:
    """Without inference it has the optimal tokens per parameter; with it, it is smaller, as a fine grid finds it too."""
    cheapest = simulated.prior.decisions()["cheapest"]
    draws = bl.allocate(simulated, cheapest, target=2.6, inference_tokens=[0, 1e12]).draws
    np.testing.assert_allclose(draws["tokens_per_param"][..., 0], simulated.draws["Mstar"], rtol=1e-3)
    assert (draws["params"][..., 1] < draws["params"][..., 0]).all()
    law = simulated.law
    E, r, eta, optimum = (one[0, 0] for one in (law.E, law.r, law.eta, law.Mstar))
    N = np.geomspace(1e7, 1e11, 400_000)
    size = 1 / (1 + (optimum / 20) ** (2 * eta))
    left = (2.6 - E) / r - size * (N / 1e9) ** (-2 * eta)
    with np.errstate(invalid="ignore"):
        D = 2e10 * (left / (1 - size)) ** (-1 / (2 * eta))
    cost = np.where(left > 0, 6 * N * D + 2 * N * 1e12, np.inf)
    assert float(draws["total_flops"][0, 0, 1]) == pytest.approx(cost.min(), rel=1e-6)
    assert float(draws["params"][0, 0, 1]) == pytest.approx(N[cost.argmin()], rel=1e-3)  # flat at its least


def long_fit(table: pd.DataFrame, seed: int = 2) -> bl.Posterior:
    """40,000 draws: with five runs the scatter is one degree of freedom, and chains mix slowly."""
    return advised_fit(Overtraining, table, seed=seed, draws=10_000, warmup=2000, target_accept=0.99, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corpus", "optimum", "loss"),
    [
        ("c4", (1.6, 3.8, 12.3), (2.160, 2.298, 2.480)),
        ("redpajama", (3.05, 7.5, 19.3), (2.245, 2.424, 2.592)),
        ("refinedweb", (2.9, 5.95, 13.8), (2.269, 2.410, 2.549)),
    ],
)
def test_five_runs(
    runs: dict[str, pd.DataFrame], corpus: str, optimum: tuple[float, ...], loss: tuple[float, ...]
) -> None:
    """Ours: medians as first measured (3.8, 7.5, 5.9 and 2.295, 2.422, 2.410). The outer quantiles then were of too few
    draws (upper ends 11.0, 17.7, 13.3 and 2.465, 2.586, 2.532): these are the mean of 40,000 draws and of an
    independent ensemble sampler, which agree within the tolerances.
    """
    posterior = long_fit(five(runs[corpus]))
    assert posterior.ok, posterior.status
    found = quantiles(posterior.draws["Mstar"])
    assert found == pytest.approx(optimum, rel=0.08)  # the upper one: 4 % from run to run
    assert found[1] == pytest.approx(optimum[1], rel=0.05)
    predicted = quantiles(bl.predict(posterior, plan(runs[corpus]), misfit=False).draws["loss"])
    assert predicted == pytest.approx(loss, abs=0.01)
    assert predicted[1] == pytest.approx(loss[1], abs=0.005)
    truth = at(runs[corpus], 6.9e9, 20).loss
    assert predicted[0] < truth < predicted[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (10, {"c4": (4.2, 7.0, 11.0, 0.014), "redpajama": (4.6, 6.6, 9.1, 0.009), "refinedweb": (4.5, 7.0, 10.6, 0.012)}),
        (5, {"c4": (7.9, 16.9, 36.8, 0.029), "redpajama": (8.2, 17.9, 39.3, 0.028), "refinedweb": (8.7, 17.9, 36.8, 0.025)}),
    ],
)  # fmt: skip
def test_what_runs_off_trend_do(runs: dict[str, pd.DataFrame], least: int, expected: dict) -> None:
    """Ours: with the four runs a corpus at 5 tokens per parameter the optimum is 17 instead of 7."""
    for corpus, (*optimum, scale) in expected.items():
        posterior = long_fit(runs[corpus][runs[corpus].ratio >= least])
        assert posterior.ok, posterior.status
        np.testing.assert_allclose(quantiles(posterior.draws["Mstar"]), optimum, rtol=0.05, err_msg=corpus)
        assert np.median(posterior.draws["noise.scale"]) == pytest.approx(scale, rel=0.05)
