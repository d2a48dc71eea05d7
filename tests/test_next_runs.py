"""`next_runs` against closed forms: of a normal parameter that is measured with normal noise."""

from typing import Any, ClassVar

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw._errors import Status
from bayeslaw._tree import Scalar
from bayeslaw.models import Chinchilla, Overtraining

NOISE = 1.0


class Measured(bl.AbstractLaw):
    """score = centre params / 1e9 + offset tokens / 1e9, and the best action is the centre."""

    response: ClassVar = "score"

    centre: Scalar
    offset: Scalar

    def mean(self, params: Any, tokens: Any) -> Any:  # type: ignore[override]
        return self.centre * params / 1e9 + self.offset * tokens / 1e9

    @classmethod
    def prior(cls) -> "Measured":
        return cls(centre=dist.Normal(0.0, 1.0), offset=dist.Normal(0.0, 1.0))


guess = bl.Decision(
    question="Where is the centre?",
    choose={"action": bl.Range(-6.0, 6.0)},
    given=(),
    derive=lambda: {"params": 1e9, "tokens": 1e9},
    report=("action",),
    objective=lambda law, plan: (plan["action"] - law.centre) ** 2,
)


@pytest.fixture(scope="module")
def measured() -> bl.Posterior:
    """A run that says nothing: the posterior is the prior, of variance 1, and the regret of acting now is 1."""
    nothing = {"params": [1.0], "tokens": [1.0], "score": [0.0]}
    return bl.fit(Measured, nothing, noise=bl.Normal(scale=NOISE), draws=1000, seed=3)


def grid(**more: Any) -> pd.DataFrame:
    """Runs that read the centre better and better, and one of the offset alone."""
    return pd.DataFrame({"params": [0.5e9, 1e9, 2e9, 4e9, 1.0], "tokens": [1.0, 1.0, 1.0, 1.0, 4e9], **more})


def left(*x: float) -> float:
    """The variance of the centre after runs with these columns."""
    return 1 / (1 + sum(one**2 for one in x) / NOISE**2)


def test_a_run_lowers_regret_by_what_the_formula_says(measured: bl.Posterior) -> None:
    found = bl.next_runs(measured, grid(price=1.0), guess, cost="price", budget=1)
    assert found.before == pytest.approx(1.0, rel=0.1)  # the variance of 4000 draws: 3 sd of it are 0.07
    alone = found.candidates.sort_index()
    wanted = np.array([1 - left(x) for x in (0.5, 1.0, 2.0, 4.0, 0.0)])
    np.testing.assert_array_less(np.abs(alone["gain"] - wanted), 3 * alone["error"] + 0.03)
    assert list(found.runs.index) == [3]
    assert found.after == pytest.approx(
        left(4.0), rel=0.35
    )  # 512 squared errors of a normal: se 0.06 of it, and weights
    assert found.unit == ""
    assert not found.stop


def test_a_batch_is_the_sum_of_its_precisions(measured: bl.Posterior) -> None:
    """Twice the run of x = 1 and no other: 1/2, then 1/3."""
    twice = pd.DataFrame({"params": [1e9, 1e9], "tokens": [1.0, 1.0], "price": [1.0, 1.0]})
    found = bl.next_runs(measured, twice, guess, cost="price", budget=2)
    assert found.batch["regret"].to_numpy() == pytest.approx([1 / 2, 1 / 3], rel=0.2)  # 3 se of 512 squared errors
    assert found.batch["spent"].tolist() == [1, 2]


def test_what_is_learnt_is_the_information(measured: bl.Posterior) -> None:
    """ln(1 + x^2) / 2 of the centre, and the same of the offset for the run that reads it."""
    found = bl.next_runs(measured, grid(price=1.0), guess, cost="price", budget=1, learn="centre")
    alone = found.candidates.sort_index()
    wanted = [0.5 * np.log(1 + x**2) for x in (0.5, 1.0, 2.0, 4.0, 0.0)]
    np.testing.assert_array_less(np.abs(alone["gain"] - wanted), 3 * alone["error"] + 0.05)
    assert found.batch["information"].iloc[0] == pytest.approx(wanted[3], abs=0.15)
    other = bl.next_runs(measured, grid(price=1.0), guess, cost="price", budget=1, learn="offset")
    assert list(other.runs.index) == [4]
    of_action = bl.next_runs(measured, grid(price=1.0), guess, cost="price", budget=1, learn="action")
    assert list(of_action.runs.index) == [3]  # the best action is the centre


def test_worth_per_cost_decides_and_the_budget_is_kept(measured: bl.Posterior) -> None:
    """The run of x = 4 takes away most, and two others for the same money less: 1/17 against 1/6."""
    found = bl.next_runs(measured, grid(price=[1.0, 3.0, 6.0, 9.0, 1.0]), guess, cost="price", budget=9)
    assert list(found.runs.index) == [3]
    assert found.runs["spent"].iloc[-1] <= 9
    cheaper = bl.next_runs(measured, grid(price=[1.0, 3.0, 6.0, 9.0, 1.0]), guess, cost="price", budget=7)
    assert set(cheaper.runs.index) == {0, 2}
    assert cheaper.candidates["gain_per_cost"].is_monotonic_decreasing


def test_runs_are_bought_as_long_as_they_are_worth_their_price(measured: bl.Posterior) -> None:
    """Runs of x = 1 at 0.1 each: 1 -> 1/2 -> 1/3 -> 1/4: the second is worth 0.17, the third 0.083."""
    many = pd.DataFrame({"params": 1e9, "tokens": 1.0, "price": [1.0] * 6})
    found = bl.next_runs(measured, many, guess, cost="price", price=0.1)
    assert 1 <= len(found.runs) <= 3  # two, but for the noise of 512 truths
    assert "stop" not in repr(found)
    dear = bl.next_runs(measured, many, guess, cost="price", price=0.9)
    assert dear.stop
    assert dear.after == dear.before
    assert "stop: more runs are not worth it" in repr(dear)
    useless = bl.next_runs(measured, grid(price=1.0).tail(1), guess, cost="price")
    assert useless.stop
    assert any("stop" in str(one) for one in useless.status)


@pytest.fixture(scope="module")
def small() -> bl.Posterior:
    """Twelve small runs, which leave much to regret far beyond them."""
    sizes = np.geomspace(5e7, 1e9, 4)
    table = pd.DataFrame({"params": np.repeat(sizes, 3), "tokens": np.outer(sizes, [10, 20, 40]).ravel()})
    truth = Chinchilla.published()["besiroglu2024"]
    runs = bl.simulate(truth, table, noise=bl.StudentT(df=3.0, scale=0.004), seed=1)
    return bl.fit(Chinchilla, runs, draws=2000, seed=1)


@pytest.mark.slow
def test_of_a_scaling_law(small: bl.Posterior) -> None:
    """Larger runs tell more about a budget far beyond; FLOPs have their own price; nothing given is changed."""
    sizes = np.geomspace(1e8, 1e10, 4)
    runs = pd.DataFrame({"params": np.repeat(sizes, 3), "tokens": np.outer(sizes, [5, 20, 80]).ravel()})
    before = runs.copy()
    found, again = (bl.next_runs(small, runs, flops=1e23, budget="1e22", seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(runs, before)
    pd.testing.assert_frame_equal(found.batch, again.batch)
    assert found.unit == "nats/token"
    assert found.price > 0
    assert found.batch["spent"].iloc[-1] <= 1e22
    largest, smallest = (found.candidates.query("params == @size")["gain"].to_numpy().max() for size in (1e10, 1e8))
    assert largest > 2 * smallest
    assert found.after < 0.5 * found.before
    # A FLOP more at 1e23 lowers the loss by what the plan says; the regret now is that of the choice.
    choice = bl.choose(small, flops=1e23)
    params = float(choice.action["params"].iloc[0])
    plans = {"params": params, "tokens": np.array([0.99e23, 1e23]) / (6 * params)}
    losses = bl.predict(small, plans, misfit=False).draws["loss"].mean(("chain", "draw")).to_numpy()
    assert found.price == pytest.approx((losses[0] - losses[1]) / 1e21, rel=0.02)
    # Of 512 and of 4000 draws: skewed, so that three standard errors are a quarter.
    assert found.before == pytest.approx(float(choice.draws["regret"][..., 0, 0].mean()), rel=0.25)


def test_of_a_stack_and_with_a_misfit(small: bl.Posterior) -> None:
    """One action for two laws regrets no less than each law's own on average; a law that may be off regrets more. A run
    off the optimum tells about either."""
    runs = {"params": [1e10], "tokens": [5e10]}
    other = bl.fit(Overtraining, small.runs, draws=2000, seed=1)
    alone, own, both, loose = (
        bl.next_runs(one, runs, flops=1e24, price=0)
        for one in (small, other, bl.stack({"a": small, "b": other}, method="equal"), bl.misfit(small))
    )
    assert both.before > 0.9 * (alone.before + own.before) / 2  # each of other draws: two standard errors
    assert loose.before > alone.before
    for found in (alone, both, loose):
        assert found.candidates["gain"].item() > 2 * found.candidates["error"].item()
        assert found.after < found.before


def test_what_cannot_be_asked(small: bl.Posterior) -> None:
    runs = pd.DataFrame({"params": [1e9, 2e9], "tokens": [2e10, 4e10]})
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (runs.iloc[:0], {}, "no rows"),
        (runs, {"budget": 1e12}, "buys no candidate: the cheapest costs 1.2e\\+20 flops"),
        (runs, {"budget": "much"}, "budget is what the runs may cost"),
        (runs, {"cost": "dollars"}, "its 'dollars', which is no column"),
        (runs, {"learn": "gamma"}, "learn names one quantity: E, a, alpha.*got 'gamma'"),
        (runs, {"price": -1.0}, "zero or more; got -1"),
        (runs.assign(dollars=[1.0, 0.0]), {"cost": "dollars"}, "a run costs something; got dollars = 0 in row 1"),
        (runs.drop(columns="tokens").assign(flops=1.0), {}, "column 'tokens'|tokens"),
    ]
    for table, options, words in cases:
        with pytest.raises(bl.InputError, match=words):
            bl.next_runs(small, table, flops=1e24, **options)
    with pytest.raises(bl.InputError, match="flops"):
        bl.next_runs(small, runs)


def test_a_fit_that_is_no_result_says_so(measured: bl.Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bl.Posterior, "status", (Status("chains disagree.", serious=True),))
    fresh = bl.Posterior(measured.tree, measured.joint)
    found = bl.next_runs(fresh, grid(price=1.0).head(1), guess, cost="price")
    assert any(one.serious for one in found.status)
    assert "chains disagree" in repr(found)
