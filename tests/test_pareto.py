"""`pareto`: each plan is the best at its cost, and what is said of its place on the front is so."""

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.models.chinchilla import compute_optimal

spend = compute_optimal.within(flops=bl.LogRange(1e20, 1e26))
SIZES = (1e9, 7e9, 13e9, 34e9, 70e9, 140e9)


@pytest.fixture(scope="module")
def front(posterior: bl.Posterior) -> bl.Front:
    return bl.pareto(posterior, spend, against="flops", levels=["1e21", 1e25, 1e23])


def test_a_front_against_compute_is_the_choice_at_each_budget(posterior: bl.Posterior, front: bl.Front) -> None:
    alone = bl.choose(posterior, flops=[1e21, 1e23, 1e25]).summary().xs("recommended", level="option")
    frame = front.summary()
    np.testing.assert_allclose(frame["flops"], [1e21, 1e23, 1e25], rtol=1e-4)  # 2e-6 of a box of six decades: 3e-5
    np.testing.assert_allclose(frame["median"], alone["median"], rtol=2e-4)
    # The size is flat around its best: 1e-6 of the loss is 3 % of the size.
    np.testing.assert_allclose(frame["params"], alone["params"], rtol=0.05)
    assert (frame["lower"] < frame["median"]).all()
    assert (frame["p_front"] == 1).all()
    assert "1e+23" in repr(front)
    assert "<table" in front._repr_html_()


def test_a_menu_against_its_size(posterior: bl.Posterior) -> None:
    """At 1e24 FLOPs the loss falls with size up to 70 B: those are the front, and the probability that each is on it is
    the share of draws in which no smaller size is better."""
    menu = compute_optimal.within(params=bl.Choices(SIZES))
    found = bl.pareto(posterior, menu, against="params", within=0.0, flops=1e24)
    assert found.summary()["params"].tolist() == list(SIZES[:5])
    regret = bl.alternatives(posterior, menu, flops=1e24).draws["loss"].to_numpy()[:, :, 0]
    for i in range(5):
        best = regret[..., : i + 1].min(axis=-1)
        assert found.p_front[i] == pytest.approx((regret[..., i] <= best).mean())


def test_levels_are_from_the_least_cost_to_that_of_the_best_plan(posterior: bl.Posterior) -> None:
    found = bl.pareto(posterior, against="params", flops=1e22).summary()
    best = bl.choose(posterior, flops=1e22).action["params"].iloc[0]
    assert found["params"].iloc[0] == pytest.approx(1e6, rel=0.01)
    assert found["params"].iloc[-1] == pytest.approx(best, rel=0.05)
    assert (np.diff(found["median"]) < 0).all()


def test_what_has_no_front_is_said(posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match="already has the least flops"):
        bl.pareto(posterior, against="flops", flops=1e22)
    with pytest.raises(bl.InputError, match="a front is of one scenario, here are 2"):
        bl.pareto(posterior, against="params", flops=[1e22, 1e23])
    with pytest.raises(bl.InputError, match="a plan has no 'dollars'"):
        bl.pareto(posterior, spend, against="dollars")
    with pytest.raises(bl.InputError, match=r"no plan keeps flops at most 1e\+10"):
        bl.pareto(posterior, spend, against="flops", levels=[1e10])
    with pytest.raises(bl.InputError, match="losses and costs"):
        bl.pareto(posterior, spend, against="flops", risk=bl.Miss(bl.AtMost("loss", 2.0)))
