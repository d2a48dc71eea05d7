"""Every item on a menu, compared draw by draw."""

import jax.numpy as jnp
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._tree import evaluate
from bayeslaw.models import Primer
from bayeslaw.models.chinchilla import compute_optimal

SIZES = (1e9, 7e9, 13e9, 34e9, 70e9, 140e9)
menu = compute_optimal.within(params=bl.Choices(SIZES))


@pytest.fixture(scope="module")
def found(posterior: bl.Posterior) -> bl.Alternatives:
    return bl.alternatives(posterior, menu, flops=[1e20, "1e22", 5.76e23])


def test_the_best_is_that_of_allocate_and_costs_nothing(posterior: bl.Posterior, found: bl.Alternatives) -> None:
    optimum = bl.allocate(posterior, menu, flops=[1e20, 1e22, 5.76e23]).draws
    best = found.draws["best"]
    assert (best.sum("alternative") == 1).all()
    sizes = found.draws["params"].to_numpy()[best.argmax("alternative").to_numpy()]
    np.testing.assert_array_equal(sizes, optimum["params"])
    assert (found.draws["regret"].where(best, 0) == 0).all()
    assert (found.draws["regret"] >= 0).all()
    # The regret of the decision that minimises the loss is a difference of losses.
    loss = found.draws["loss"]
    np.testing.assert_allclose(found.draws["regret"], loss - loss.min("alternative"), atol=1e-12)


def test_each_alternative_is_what_predict_says_of_it(posterior: bl.Posterior, found: bl.Alternatives) -> None:
    sizes = np.array(SIZES)
    there = bl.predict(posterior, {"params": sizes, "tokens": 1e22 / (6 * sizes)}, misfit=False).draws["loss"]
    np.testing.assert_allclose(found.draws["loss"].sel(scenario=1).to_numpy(), there.to_numpy(), rtol=1e-12)


def test_the_summary_says_what_is_lost_and_how_surely(found: bl.Alternatives) -> None:
    frame = found.summary(prob=0.8)
    assert list(frame.index.names) == ["flops", "params"]
    assert len(frame) == 3 * len(SIZES)
    assert frame.groupby("flops")["p_best"].sum().to_numpy() == pytest.approx(1)
    regret = found.draws["regret"].sel(scenario=2).to_numpy().reshape(-1, len(SIZES))
    of_70b = frame.loc[(5.76e23, 70e9)]
    assert of_70b["regret"] == pytest.approx(regret[:, 4].mean())
    of_34b = frame.loc[(5.76e23, 34e9)]
    assert of_34b["regret_upper"] == pytest.approx(np.quantile(regret[:, 3], 0.8))
    assert of_70b["lower"] < of_70b["median"] < of_70b["upper"]
    shown = repr(found)
    assert "p_best" in shown
    assert "5.76e+23 70B" in shown
    assert "decades above the runs" in shown
    assert "<table" in found._repr_html_()


def test_what_is_out_of_budget_is_never_the_best(posterior: bl.Posterior) -> None:
    """A menu of tokens at a size, in a budget: all that cost too much are impossible."""
    budget = bl.Decision(
        question="How many tokens?",
        choose={"tokens": bl.Choices((1e10, 1e11, 1e12))},
        given=("params", "flops"),
        derive=lambda params: {},
        report=("tokens",),
        objective=lambda law, plan: jnp.where(
            6 * plan["params"] * plan["tokens"] <= plan["flops"], evaluate(law, plan), jnp.inf
        ),
    )
    found = bl.alternatives(posterior, budget, params=1e9, flops=1e21)
    frame = found.summary()
    assert frame["possible"].tolist() == [1, 1, 0]
    assert frame["p_best"].tolist() == [0, 1, 0]
    assert np.isnan(frame["median"].iloc[2])
    assert np.isnan(frame["regret"].iloc[2])
    assert "nan" in repr(found)
    with pytest.raises(bl.InputError, match="none of the 3 alternatives is possible with params = 1B, flops = 1e\\+10"):
        bl.alternatives(posterior, budget, params=1e9, flops=1e10)


def test_a_range_is_optimised_inside_each_item(posterior: bl.Posterior) -> None:
    """A menu beside a range: with a tax of k on the budget, the optimum of each k is that of the budget left."""
    taxed = bl.Decision(
        question="Which size, at which share of the budget?",
        choose={"share": bl.Choices((0.5, 1.0)), "params": bl.LogRange(1e6, 1e14)},
        given=("flops",),
        derive=lambda share, params, flops: {"tokens": share * flops / (6 * params)},
        report=("share", "params", "tokens"),
    )
    found = bl.alternatives(posterior, taxed, flops=1e22)
    alone = bl.allocate(posterior, flops=[5e21, 1e22]).draws["loss"]
    np.testing.assert_allclose(found.draws["loss"].to_numpy()[:, :, 0], alone.to_numpy(), rtol=1e-9)
    assert found.summary()["p_best"].tolist() == [0, 1]


def test_names_on_a_menu_are_shown_by_name_and_counted() -> None:
    posterior = bl.fit(Primer, bl.load_primer().query("corpus == 'c4' and params == 1.1e8"), seed=1, target_accept=0.95)
    found = bl.alternatives(posterior, relative_compute=1.0)
    share = found.summary()["p_best"]
    assert share.index.get_level_values("architecture").tolist()[0] == "vanilla"
    allocated = bl.allocate(posterior, relative_compute=1.0).summary()["median"]
    for name in ("primer", "primer-ez"):
        assert share.loc[(1.0, name)] == allocated.loc[(1.0, f"architecture={name}")]


def test_what_cannot_be_compared_is_said(posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match=r"no menu: params can be anything.*within\(params=Choices"):
        bl.alternatives(posterior, flops=1e22)
    with pytest.raises(bl.InputError, match=r"100001 alternatives in 4000 draws are too many.*narrow"):
        bl.alternatives(posterior, compute_optimal.within(params=bl.Integers(0, 100_000)), flops=1e22)
    with pytest.raises(bl.InputError, match="Did you mean 'flops'"):
        bl.alternatives(posterior, menu, flop=1e22)
