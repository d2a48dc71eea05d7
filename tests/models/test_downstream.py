"""The numbers of Gadre et al. 2024 on benchmark error from loss, in two steps, reproduced.

Each says where its expected figure comes from: *published* in the paper or its notebook, *recomputed* from the
published data, *ours* where no one has published it. Their point fits come from `gadre.py`.
"""

import jax
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from gadre import CORPORA, at, fit_error, five, runs_of, six
from scipy.stats import spearmanr

import bayeslaw as bl
from bayeslaw.models import Downstream, Overtraining

LOSS, ERROR = Overtraining.published(), Downstream.published()
SETS = {"error": "{}", "error_46": "{}, 46 tasks"}  # the names of the published fits


@pytest.fixture(scope="module")
def runs() -> dict[str, pd.DataFrame]:
    table = bl.load_overtraining()
    return {corpus: runs_of(table, corpus) for corpus in CORPORA}


def two_steps(corpus: str, error: Downstream, table: pd.DataFrame | pd.Series) -> np.ndarray:
    return error(loss=LOSS[corpus](params=table.params, tokens=table.tokens))


# --- The authors' fits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", SETS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_the_published_fits_are_the_authors_procedure(runs: dict[str, pd.DataFrame], corpus: str, column: str) -> None:
    """Recomputed: the least squared error of the error of six runs, from their measured loss."""
    chosen = six(runs[corpus])
    assert len(chosen) == 6
    found, published = Downstream.raw(**fit_error(chosen.loss, chosen[column])), ERROR[SETS[column].format(corpus)]
    for name in ("eps", "d3", "gamma"):
        assert getattr(published, name) == pytest.approx(getattr(found, name), rel=1e-5)


@pytest.mark.parametrize(
    ("corpus", "eps", "k", "gamma"),
    [("c4", 0.850, 2.08, 0.756), ("redpajama", 0.857, 2.21, 0.715), ("refinedweb", 0.865, 2.21, 0.707)],
)
def test_table_6(corpus: str, eps: float, k: float, gamma: float) -> None:
    """Published, to the digits printed; `derived` undoes the choice of a reference loss."""
    law = ERROR[corpus]
    assert float(law.eps) == pytest.approx(eps, abs=5e-4)
    assert float(law.derived()["k"]) == pytest.approx(k, abs=5e-3)
    assert float(law.gamma) == pytest.approx(gamma, abs=5e-4)
    loss = np.array([2.4, 3.0, 5.4])
    np.testing.assert_allclose(law(loss=loss), law.eps - law.derived()["k"] * np.exp(-law.gamma * loss), rtol=1e-6)


def test_the_six_runs(runs: dict[str, pd.DataFrame]) -> None:
    """Recomputed: error of RedPajama's; published: their compute, 2.7e20 FLOPs, and a saving of 20 against 6.9 B."""
    chosen = six(runs["redpajama"])
    errors = chosen.sort_values(["ratio", "params"]).error
    np.testing.assert_allclose(errors, [0.81349, 0.72505, 0.67101, 0.63655, 0.54733, 0.76710], atol=1e-5)
    flops, big = float((6.0 * chosen.params * chosen.tokens).sum()), at(runs["redpajama"], 6.9e9, 20)
    assert flops == pytest.approx(2.73e20, rel=0.01)
    assert 6.0 * big.params * big.tokens / flops == pytest.approx(20.9, rel=0.01)


@pytest.mark.parametrize(
    ("corpus", "params", "ratio", "column", "expected", "tolerance"),
    [
        ("redpajama", 1.4e9, 640, "error", 3.6365, 1e-3),
        ("redpajama", 6.9e9, 20, "error", 0.0464, 1e-3),
        ("c4", 6.9e9, 20, "error", 0.1370, 1e-3),
        ("refinedweb", 6.9e9, 20, "error", 2.9388, 1e-3),
        ("redpajama", 1.4e9, 640, "error_46", 3.436, 0.05),
        ("redpajama", 6.9e9, 20, "error_46", 2.097, 0.05),
        ("c4", 6.9e9, 20, "error_46", 0.074, 0.05),
        ("refinedweb", 6.9e9, 20, "error_46", 2.759, 0.05),
    ],
)
def test_predicted_error_of_large_runs(
    runs: dict[str, pd.DataFrame], corpus: str, params: float, ratio: float, column: str, expected: float,
    tolerance: float,
) -> None:  # fmt: skip
    """Published: relative error in percent of the two steps together."""
    run = at(runs[corpus], params, ratio)
    found = float(two_steps(corpus, ERROR[SETS[column].format(corpus)], run))
    assert 100 * abs(found / run[column] - 1) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("corpus", "expected"), [("c4", 0.42), ("redpajama", 10.64), ("refinedweb", 15.79)])
def test_one_run_carries_the_error_law(runs: dict[str, pd.DataFrame], corpus: str, expected: float) -> None:
    """Published: the same for 6.9 B without the run of 1.4 B."""
    chosen, run = five(runs[corpus]), at(runs[corpus], 6.9e9, 20)
    error = Downstream.raw(**fit_error(chosen.loss, chosen.error))
    assert 100 * abs(float(two_steps(corpus, error, run)) / run.error - 1) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("task", "expected"),
    [("arc_easy", 5.21), ("lambada_openai", 14.39), ("openbook_qa", 8.44), ("hellaswag_zeroshot", 25.73)],
)
def test_single_tasks(runs: dict[str, pd.DataFrame], task: str, expected: float) -> None:
    """Published: RedPajama, 6.9 B, relative error in percent."""
    chosen, run = six(runs["redpajama"]), at(runs["redpajama"], 6.9e9, 20)
    error = Downstream.raw(**fit_error(chosen.loss, 1 - chosen[task]))
    found = float(two_steps("redpajama", error, run))
    assert 100 * abs(found / (1 - run[task]) - 1) == pytest.approx(expected, abs=0.01)


def test_rank_of_the_large_runs(runs: dict[str, pd.DataFrame]) -> None:
    """Published: Spearman's correlation of predicted and measured error over the nine runs of 1.4 B and more."""
    big = {corpus: table[table.params > 1e9] for corpus, table in runs.items()}
    predicted = np.concatenate([two_steps(corpus, ERROR[corpus], table) for corpus, table in big.items()])
    measured = np.concatenate([table.error for table in big.values()])
    assert len(measured) == 9
    assert spearmanr(predicted, measured).statistic == pytest.approx(0.88, abs=0.01)


# --- Posteriors -------------------------------------------------------------------------------------------------------

LAW, TRUTH = LOSS["redpajama"], ERROR["redpajama"]


@pytest.fixture(scope="module")
def steps() -> tuple[bl.Posterior, bl.Posterior]:
    """From made-up runs, scatter 0.5 % and 0.8 points: the loss from sizes up to 0.4 B, the error from 1.4 B too."""
    params, ratio = (x.ravel() for x in np.meshgrid([1e7, 8e7, 1.5e8, 4e8, 1.4e9], [20, 80, 160, 640]))
    frame = bl.simulate(LAW, {"params": params, "tokens": params * ratio}, noise=bl.LogNormal(scale=0.005), seed=3)
    frame = frame.join(bl.simulate(TRUTH, frame[["loss"]], noise=bl.Normal(scale=0.008), seed=4).error)
    options = {"draws": 1000, "warmup": 500, "progress": False}
    small = frame[frame.params < 1e9]
    return advised_fit(Overtraining, small, seed=1, **options), advised_fit(Downstream, frame, seed=2, **options)


def test_known_parameters_are_recovered(steps: tuple[bl.Posterior, bl.Posterior]) -> None:
    """Of the second step, and the error of a larger run through both; 98 % intervals."""
    assert steps[0].ok, steps[0].status
    assert steps[1].ok, steps[1].status
    summary = steps[1].summary(prob=0.98)
    for name in ("eps", "d3", "gamma"):
        assert summary.lower[name] < getattr(TRUTH, name) < summary.upper[name], name
    plan = {"params": 6.9e9, "tokens": 1.38e11}
    both = bl.predict(steps[0].then(steps[1]), plan, misfit=False).draws["error"].to_numpy()
    low, high = np.quantile(both, [0.01, 0.99])
    assert low < float(TRUTH(loss=LAW(**plan))) < high
    known = bl.predict(steps[1], {"loss": float(LAW(**plan))}, misfit=False).draws["error"].to_numpy()
    assert both.std() > 1.1 * known.std()  # what is not known of the loss is not known of the error


def test_search_finds_the_loss_that_is_needed(steps: tuple[bl.Posterior, bl.Posterior]) -> None:
    targets = [0.45, 0.6, 0.75]
    search = bl.allocate(steps[1], target=targets).draws["loss"]
    closed = bl.allocate(steps[1], target=targets, method="closed_form").draws["loss"]
    np.testing.assert_allclose(search, closed, rtol=1e-6)
    assert (np.diff(closed.mean(("chain", "draw"))) > 0).all()


def test_a_target_no_better_than_knowing_nothing_needs_no_loss(steps: tuple[bl.Posterior, bl.Posterior]) -> None:
    for method in ("search", "closed_form"):
        found = bl.allocate(steps[1], target=0.95, method=method)
        np.testing.assert_allclose(found.draws["loss"], 12.0, rtol=1e-6)
        assert "on the edge of the search box in 100% of draws" in found.status[-1].text


def test_cheapest_model_for_an_error(steps: tuple[bl.Posterior, bl.Posterior]) -> None:
    """Through both steps: where inference costs nothing the two formulas give it, draw by draw. Draws in which the
    floor of the loss is above what the target needs are out of reach, and their share is reported."""
    both = steps[0].then(steps[1])
    assert list(both.prior.decisions()) == ["compute_optimal", "cheapest", "loss_needed"]
    target = 0.30
    found = bl.allocate(both, both.prior.decisions()["cheapest"], target=target, inference_tokens=0)
    params, at_edge = (found.draws[name].to_numpy()[..., 0] for name in ("params", "at_edge"))

    kept = both.shape[1]
    law, error = (jax.tree.map(lambda draws: draws[:, :kept], step.law) for step in steps)
    needed = 3 - np.log((error.eps - target) / error.d3) / error.gamma
    size = 1 / (1 + (law.Mstar / 20) ** (2 * law.eta))
    with np.errstate(invalid="ignore"):
        expected = 1e9 * (2 * law.r * size / (needed - law.E)) ** (1 / (2 * law.eta))
        beyond = ~((expected < 1e14) & (law.Mstar * expected < 1e18))
    assert 0.02 < beyond.mean() < 0.98
    np.testing.assert_allclose(params[~beyond], expected[~beyond], rtol=1e-3)
    assert (np.isnan(params) | at_edge)[beyond].mean() > 0.9  # a little more can be had with more or fewer tokens each
    share = 1 - np.isfinite(params).mean()  # not isnan: a half is rounded either way
    assert any(f"out of reach in {share:.1%} of draws" in status.text for status in found.status)
    assert (needed < law.E).mean() <= share


CARD_FIVE = {"c4": (0.397, 0.480, 0.549), "redpajama": (0.380, 0.462, 0.523), "refinedweb": (0.361, 0.454, 0.521)}
CARD_REST = {"c4": (0.408, 0.446, 0.478), "redpajama": (0.430, 0.459, 0.483), "refinedweb": (0.421, 0.447, 0.471)}


def chained(loss: pd.DataFrame, error: pd.DataFrame, run: pd.Series) -> np.ndarray:
    options = {"draws": 10_000, "warmup": 2000, "target_accept": 0.99, "progress": False}
    first, second = (
        advised_fit(Overtraining, loss, seed=2, **options),
        advised_fit(Downstream, error, seed=3, **options),
    )
    assert first.ok, first.status
    assert second.ok, second.status
    draws = bl.predict(first.then(second), {"params": run.params, "tokens": run.tokens}, misfit=False).draws["error"]
    return np.quantile(draws, [0.025, 0.5, 0.975])


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CORPORA)
def test_five_and_six_runs(runs: dict[str, pd.DataFrame], corpus: str) -> None:
    """Ours: the error of 6.9 B, which the authors miss by 0.05 to 2.9 %, is known to 0.07 from their runs."""
    run = at(runs[corpus], 6.9e9, 20)
    found = chained(five(runs[corpus]), six(runs[corpus]), run)
    assert found[1] == pytest.approx(CARD_FIVE[corpus][1], abs=0.005)
    np.testing.assert_allclose(found, CARD_FIVE[corpus], atol=0.006)  # the ends to Monte Carlo error
    assert found[0] < run.error < found[2]


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CORPORA)
def test_all_other_runs(runs: dict[str, pd.DataFrame], corpus: str) -> None:
    """Ours: from all runs with at least 10 tokens per parameter but 6.9 B, and 1.4 B on 640, which the paper predicts too.

    The interval of the law just misses C4.
    """
    table, run = runs[corpus], at(runs[corpus], 6.9e9, 20)
    rest = table[(table.ratio >= 10) & (table.params < 5e9) & ~((table.params > 1e9) & (table.ratio == 640))]
    assert len(rest) in (29, 30)
    found = chained(rest, rest, run)
    np.testing.assert_allclose(found, CARD_REST[corpus], atol=0.005)
    assert (found[0] < run.error < found[2]) == (corpus != "c4")
