"""The plot of what pilot runs are worth, by what it draws."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.plots import plot_next_runs


@pytest.fixture(scope="module")
def found() -> bl.NextRuns:
    """Made by hand: five candidates, two of them to buy, one of these twice."""
    candidates = pd.DataFrame({"params": [1e8, 1e9, 1e9, 1e10, 2e9], "tokens": [4e9, 2e10, 2e10, 1e11, 1e10]})
    candidates = candidates.assign(cost=6 * candidates.params * candidates.tokens, gain=[0.0, 0.01, 0.01, 0.04, -0.001])
    candidates = candidates.assign(error=0.001, gain_per_cost=candidates.gain / candidates.cost)
    batch = candidates[["params", "tokens", "cost"]].iloc[[3, 1, 2, 0]]
    batch = batch.assign(spent=batch.cost.cumsum(), regret=[0.02, 0.015, 0.012, 0.011], error=0.001)
    batch = batch.assign(buy=[True, True, True, False])
    decision = bl.Decision("How large?", {"params": bl.LogRange(1e8, 1e12)}, ("flops",), lambda: {}, ("params",))
    return bl.NextRuns(batch, candidates, 0.05, 0.0, decision, "nats/token", "flops", ())


def test_what_is_promised_is_area_and_what_to_buy_is_numbered(found: bl.NextRuns) -> None:
    ax = plot_next_runs(found)
    areas = np.asarray(ax.collections[0].get_sizes())  # type: ignore[attr-defined]
    np.testing.assert_allclose(areas / areas.max(), [0, 0.25, 0.25, 1, 0])
    (bought,) = (line for line in ax.lines if str(line.get_label()).startswith("to buy"))
    np.testing.assert_allclose(np.asarray(bought.get_xydata()), [[1e10, 1e11], [1e9, 2e10], [1e9, 2e10]])
    assert sorted(text.get_text() for text in ax.texts) == ["1", "2, 3"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "tokens" in ax.get_ylabel().lower()
    assert "0.05 nats/token, 0.012 after 3 runs" in ax.get_title()


def test_columns_can_be_chosen_and_stopping_is_said(found: bl.NextRuns) -> None:
    nothing = dataclasses.replace(found, batch=found.batch.assign(buy=False))
    ax = plot_next_runs(nothing, x="tokens", y="cost")
    assert "more runs are not worth it" in ax.get_title()
    with pytest.raises(bl.InputError, match="no column 'bits' of numbers; they have params, tokens"):
        plot_next_runs(found, x="bits")
