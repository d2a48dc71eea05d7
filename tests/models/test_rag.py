"""The law of retrieval in long contexts (Yue et al. 2024, arXiv 2410.04343), at its printed coefficients.

Each expected figure says where it comes from: *published*, or *ours* (from published coefficients).
"""

from typing import Literal

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw._tree import leaves
from bayeslaw.models.rag import DOCUMENTS, ITERATIONS, RAG, SHOTS

TABLE_8 = RAG.published()["table_8"]
PLAIN = {"document_value": 0.0, "shot_value": 0.0}
LENGTHS = {"document_tokens": 1024.0, "shot_tokens": 512.0}


@pytest.fixture(scope="module")
def certain() -> bl.Posterior:
    runs = {"documents": [1.0, 1000.0], "shots": [1.0, 256.0], "iterations": [1.0, 5.0]}
    return pinned(TABLE_8, RAG.prior(), runs | {name: [0.0, 0.1] for name in PLAIN})


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ((0, 0, 1), -2.1227),
        ((1, 0, 1), -1.4851),
        ((0, 1, 1), -2.0498),
        ((50, 0, 1), 0.2155),
        ((100, 8, 1), 0.8927),
        ((50, 4, 5), 0.8882),
        ((1000, 256, 1), 1.0869),
        ((1000, 256, 5), 1.1001),
    ],
)
def test_predictions_of_table_8(plan: tuple[int, int, int], expected: float) -> None:
    """Ours, with natural logarithms: the base is not printed."""
    documents, shots, iterations = plan
    found = TABLE_8(documents=documents, shots=shots, iterations=iterations, **PLAIN)
    assert found == pytest.approx(expected, abs=5e-4)


def test_sigma() -> None:
    """Published: from -2.18 to 1.12, and 0.1198 at zero."""
    level = RAG(a_doc=0.0, a_shot=0.0, a_iter=0.0, b_doc=0.0, b_shot=0.0, c=0.0)
    at = {"documents": 1, "shots": 1, "iterations": 1, **PLAIN}
    assert level(**at) == pytest.approx(0.1198, abs=5e-5)
    ends = [RAG(a_doc=0.0, a_shot=0.0, a_iter=0.0, b_doc=0.0, b_shot=0.0, c=c)(**at) for c in (-50.0, 50.0)]
    assert ends == pytest.approx([-2.18, 1.12])


def test_published_gain() -> None:
    """Published (58.9 %): the best with iterations at 5 M tokens over the best plain retrieval, on 2WikiMultiHopQA."""
    assert pytest.approx(0.589, abs=1e-3) == 76.9 / 48.4 - 1


def test_leave_one_domain_out() -> None:
    """Published: at 1 M tokens, with the domain left out, 96.6 % of the best. Recomputed from the accuracies printed it
    is 98.5 %, or 98.3 % as the mean of four ratios; the paper may count other metrics too."""
    predicted, best = np.array([68.0, 55.3, 29.3, 74.9]), np.array([68.8, 55.3, 30.5, 76.4])
    assert predicted.mean() / best.mean() == pytest.approx(0.985, abs=1e-3)
    assert (predicted / best).mean() == pytest.approx(0.983, abs=1e-3)


@pytest.mark.parametrize(
    ("baseline", "predicted", "best", "share"),
    [
        ((37.4, 47.6, 40.4), (37.4, 48.2, 41.0), (39.2, 49.8, 42.7), 0.961),  # 16k to 32k
        ((39.0, 49.5, 42.2), (41.2, 52.0, 45.4), (46.9, 59.0, 55.1), 0.861),  # 32k to 128k
        ((39.3, 49.3, 42.8), (48.0, 60.9, 56.9), (50.5, 62.1, 57.7), 0.972),  # 128k to 1M
        ((44.5, 55.4, 49.8), (47.9, 59.8, 55.2), (51.7, 62.6, 58.1), 0.944),  # 1M to 5M
    ],
)
def test_published_extrapolations(
    baseline: tuple[float, ...], predicted: tuple[float, ...], best: tuple[float, ...], share: float
) -> None:
    """Published EM, F1 and accuracy; recomputed: the share of the best that a prediction from shorter contexts reaches.
    From 32k to 128k a seventh is lost: that is where iterations begin to pay, which the law does not see."""
    assert all(b <= p < o for b, p, o in zip(baseline, predicted, best, strict=True))
    assert np.mean(np.divide(predicted, best)) == pytest.approx(share, abs=1e-3)


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_best_configurations(certain: bl.Posterior) -> None:
    """Ours: iterations only where documents and shots are at their limits."""
    limits = [16e3, 32e3, 128e3, 1e6, 5e6]
    found = bl.allocate(certain, context_limit=limits, **LENGTHS, **PLAIN)
    best = found.draws.isel(chain=0, draw=0)
    plans = list(zip(*(best[name].to_numpy() for name in ("documents", "shots", "iterations")), strict=True))
    assert plans == [(10, 8, 1), (20, 16, 1), (100, 32, 1), (500, 256, 1), (1000, 256, 4)]
    assert (best["input_tokens"].to_numpy() <= limits).all()
    assert found.edge_share.to_numpy().tolist() == [0, 0, 0, 1, 1]


def test_no_configuration_within_the_limit_but_none(certain: bl.Posterior) -> None:
    found = bl.allocate(certain, context_limit=100.0, **LENGTHS, **PLAIN).draws
    assert (found["documents"] == 0).all()
    assert (found["shots"] == 0).all()
    assert (found["iterations"] == 5).all()  # which cost nothing here


@pytest.mark.parametrize("method", ["search", "closed_form"])
def test_share_of_documents(certain: bl.Posterior, method: Literal["search", "closed_form"]) -> None:
    """Ours: 0.325 to 0.101, 76 % of the tokens, whatever the limit is; an informative first document lowers it."""
    decision = TABLE_8.decisions()["at_iterations"]
    given = {"iterations": 1.0, "context_limit": [1e5, 1e5], **LENGTHS, "shot_value": 0.0}
    found = bl.allocate(certain, decision, method=method, document_value=[0.0, 1.5], **given)
    share = found.draws["document_share"].median(("chain", "draw")).to_numpy()
    assert share == pytest.approx([0.325 / 0.426, 0.2245 / 0.3255], abs=1e-3)
    assert share[0] == pytest.approx(0.76, abs=5e-3)


def test_iterations_do_not_pay_before_the_limits() -> None:
    """Ours: an iteration divides the tokens of the others, and 0.177 < 0.325 + 0.101."""
    assert TABLE_8.a_iter < TABLE_8.a_doc + TABLE_8.a_shot
    one, two = (TABLE_8(documents=64 / n, shots=32 / n, iterations=n, **PLAIN) for n in (1, 2))
    assert two < one


# --- Posteriors -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    """Of a simulated design: Table 8 as the truth, configurations below 1 M tokens on four data sets, sd 0.29."""
    grid = np.stack([one.ravel() for one in np.meshgrid(DOCUMENTS, SHOTS, ITERATIONS)], axis=1)
    grid = grid[grid[:, 2] * (grid[:, 0] * 1024 + grid[:, 1] * 512) <= 1e6]
    values = {"one": (0.2, -0.5, 0.1), "two": (1.5, 0.4, -0.2), "three": (-0.6, 1.0, 0.3), "four": (0.8, -0.9, -0.2)}
    rng, tables = np.random.default_rng(0), []
    for name, (document, shot, level) in values.items():
        law = RAG(**{**dict(leaves(TABLE_8)), "c": TABLE_8.c + level})
        rows = grid[rng.choice(len(grid), 120, replace=False)]
        columns = dict(zip(("documents", "shots", "iterations"), rows.T, strict=True))
        design = {**columns, "document_value": document, "shot_value": shot}
        tables.append(bl.simulate(law, design, noise=bl.Normal(scale=0.29), seed=len(tables)).assign(corpus=name))
    runs = pd.concat(tables, ignore_index=True)
    law = bl.Pooled(RAG, runs, by="corpus", share=RAG.COMMON, spread={"c": dist.HalfNormal(0.3)})
    return advised_fit(law, runs, seed=1, progress=False)


def test_recovery(posterior: bl.Posterior) -> None:
    """Ours: a to a tenth."""
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name, value in leaves(TABLE_8):
        if name != "c":
            row = found.loc[f"base.{name}"]
            assert row["lower"] < value < row["upper"], name
    assert found.loc["base.a_doc", "sd"] < 0.04
    assert found.loc["base.a_iter", "sd"] < 0.1
    for name, level in {"one": 0.1, "two": -0.2, "three": 0.3, "four": -0.2}.items():
        row = found.loc[f"c[{name}]"]
        assert row["lower"] < TABLE_8.c + level < row["upper"], name


def test_best_configurations_of_a_posterior(posterior: bl.Posterior) -> None:
    """Ours: one configuration in nearly all draws, that of the truth, for the menus are coarse."""
    given = {"context_limit": 128e3, **LENGTHS, "document_value": 0.5, "shot_value": 0.0, "corpus": "one"}
    table = bl.alternatives(posterior, **given).summary()
    assert len(table) == len(DOCUMENTS) * len(SHOTS) * len(ITERATIONS)
    assert table["p_best"].sum() == pytest.approx(1)
    assert table["p_best"].groupby("documents").sum().loc[[50.0, 100.0]].sum() > 0.9
    assert table["p_best"].idxmax()[-3:] == (100.0, 32.0, 1.0)
    assert table["regret"].nsmallest(2).iloc[1] < 0.1  # the next best loses less than a tenth of an sd of the score
