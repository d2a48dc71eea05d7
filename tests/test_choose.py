"""`choose`: the action of least risk, by formula where there is one, and what it says of itself."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayeslaw as bl
from bayeslaw._best import find
from bayeslaw._joint import as_joint
from bayeslaw._posterior import build
from bayeslaw._ranked import Aim, ranked
from bayeslaw._risk import quantile
from bayeslaw._tree import Scalar, float64
from bayeslaw._worlds import worlds_of
from bayeslaw.models import Chinchilla, Overtraining
from bayeslaw.models.chinchilla import compute_optimal

BUDGET = 5.76e23
spend = compute_optimal.within(flops=bl.LogRange(1e18, 1e28)).minimising("flops")


class Bowl(bl.AbstractLaw):
    """loss = 1 + (tokens - centre)^2, whose best fixed choice under each measure is known."""

    centre: Scalar

    def mean(self, tokens: Any) -> Any:  # type: ignore[override]
        return 1 + (tokens - self.centre) ** 2

    @classmethod
    def prior(cls) -> "Bowl":
        return cls(centre=dist.Normal(30.0, 10.0))


bowl = bl.Decision(
    question="How many tokens?",
    choose={"tokens": bl.Range(1.0, 100.0)},
    given=(),
    derive=lambda: {},
    report=("tokens",),
)


@pytest.fixture(scope="module")
def known() -> bl.Posterior:
    """A posterior whose draws of the centre are skewed: Gamma(3), times 10."""
    rng = np.random.default_rng(0)
    posterior = bl.fit(Bowl, {"tokens": [10.0, 20.0, 30.0], "loss": [5.0, 2.0, 1.5]}, noise=bl.Normal, seed=1)
    tree = posterior.tree.copy(deep=True)
    centre = tree["posterior"]["centre"]
    tree["posterior"] = (
        tree["posterior"].to_dataset().assign(centre=(centre.dims, 10 * rng.gamma(3.0, size=centre.shape)))
    )
    return bl.Posterior(tree, posterior.joint)


def centres(posterior: bl.Posterior) -> np.ndarray:
    return posterior.draws["centre"].ravel()


def chosen(choice: bl.Choice, name: str = "tokens") -> float:
    return float(choice.action[name].iloc[0])


def test_each_measure_has_its_own_best_choice(known: bl.Posterior) -> None:
    """Of a squared distance: the mean of the centres for the expectation; the middle of the extremes for the worst case;
    for the others the least on a fine grid. The search stops at 2e-4 of a box of 99."""
    x, step = centres(known), 99 * 2e-4
    grid = np.linspace(1, 100, 4951)
    losses = 1 + (grid - x[:, None]) ** 2
    wanted = {
        bl.Expectation(): x.mean(),
        bl.WorstCase(): min((x.min() + x.max()) / 2, 100.0),
        bl.CVaR(0.9): grid[np.sort(losses, axis=0)[-len(x) // 10 :].mean(axis=0).argmin()],
        bl.Quantile(0.8): grid[np.quantile(losses, 0.8, axis=0).argmin()],
        bl.MeanVariance(0.01): grid[(losses.mean(axis=0) + 0.01 * losses.var(axis=0)).argmin()],
    }
    for risk, best in wanted.items():
        found = bl.choose(known, bowl, risk=risk)
        # A quantile is not smooth: several choices within 0.5 have it alike, but for a draw more or less.
        assert chosen(found) == pytest.approx(best, abs=0.6 if risk == bl.Quantile(0.8) else 2 * step), risk
    own = bl.choose(known, bowl, risk=lambda losses: losses.mean() + losses.std())
    assert chosen(own) == pytest.approx(grid[(losses.mean(axis=0) + losses.std(axis=0)).argmin()], abs=2 * step)


def test_regret_is_against_the_optimum_of_each_draw(known: bl.Posterior) -> None:
    x = centres(known)
    found = bl.choose(known, bowl)
    regret = found.draws["regret"].sel(option="recommended").to_numpy().ravel()
    wanted = (chosen(found) - x) ** 2 - (np.clip(x, 1, 100) - x) ** 2
    np.testing.assert_allclose(regret, wanted, atol=0.05)  # the optimum of a draw is found to 0.1 of a range of 100
    np.testing.assert_allclose(found.draws["best_tokens"].to_numpy().ravel(), np.clip(x, 1, 100), atol=0.15)
    # The expectation regrets least on average; the plug-in of this law is the same, for the mean is its optimum.
    assert found.draws["regret"].mean(("chain", "draw")).to_numpy().argmin() == 0
    assert chosen(found) == pytest.approx(float(found.draws["tokens"].sel(option="plug-in").item()), abs=0.05)


class Skewed(bl.AbstractLaw):
    """loss = 1 + (tokens - e^z)^2, whose optimum at the mean of z is not the mean of the optima."""

    z: Scalar

    def mean(self, tokens: Any) -> Any:  # type: ignore[override]
        return 1 + (tokens - jnp.exp(self.z)) ** 2

    @classmethod
    def prior(cls) -> "Skewed":
        return cls(z=dist.Normal(3.0, 1.0))


@pytest.mark.slow
def test_in_worlds_whose_truth_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 truths z ~ N(3, 1), each seen once with an error of 0.5, so that the posterior is normal. Judged by the truth
    the choice regrets less on average than the plug-in, whose expected loss is higher by (E e^z - e^(E z))^2; what it is
    expected to regret is what it does; and the worst tenth of CVaR's losses is less. All as shares of what was expected
    in each world, for regrets differ by powers of ten."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    rng = np.random.default_rng(3)
    joint = as_joint(Skewed, bl.Normal(scale=1.0))
    stats = {"diverging": np.zeros((4, 250), bool), "n_steps": np.ones((4, 250), int)}
    realised: dict[str, list[float]] = {"choose": [], "plug-in": [], "cvar": []}
    decision = bowl.within(tokens=bl.Range(0.0, 400.0))
    for _ in range(200):
        z = rng.normal(3.0, 1.0)
        seen, sd = z + 0.5 * rng.normal(), (1 + 1 / 0.25) ** -0.5
        middle = sd**2 * (3.0 + seen / 0.25)
        draws = {"z": middle + sd * rng.normal(size=(4, 250))}
        made = build(joint, (draws, stats), {"tokens": np.ones(2)}, np.ones(2), [], {"seed": 0})
        plain, careful = bl.choose(made, decision), bl.choose(made, decision, risk=bl.CVaR(0.9))
        table = plain.summary()
        scale = table["regret"].iloc[0]
        pairs = {"choose": table["tokens"].iloc[0], "plug-in": table["tokens"].iloc[1], "cvar": chosen(careful)}
        for name, tokens in pairs.items():
            realised[name].append((tokens - np.exp(z)) ** 2 / scale)
    choose, plug, cvar = (np.sort(realised[name]) for name in ("choose", "plug-in", "cvar"))
    assert np.mean(choose) < np.mean(plug)
    # These shares have a standard deviation of 3.2, hence their mean a standard error of 0.23.
    assert np.mean(choose) == pytest.approx(1, abs=0.5)
    assert cvar[-20:].mean() < choose[-20:].mean()


def test_what_is_nearly_as_good(known: bl.Posterior) -> None:
    """(1 + x) times the least risk, 1 + var, is reached sqrt(x (1 + var)) from the mean."""
    x = centres(known)
    found = bl.choose(known, bowl, within=0.1)
    row = found.region.iloc[0]
    half = np.sqrt(0.1 * (1 + x.var()))
    assert row["low"] == pytest.approx(row["chosen"] - half, abs=0.05 * half)
    assert row["high"] == pytest.approx(row["chosen"] + half, abs=0.05 * half)
    landscape = found.landscape.isel(scenario=0, variable=0)
    at, risk = landscape["at"].to_numpy(), landscape["risk"].to_numpy()
    np.testing.assert_allclose(risk, 1 + x.var() + (at - x.mean()) ** 2, rtol=1e-9)


def test_quantiles_are_those_of_the_weights() -> None:
    values = np.array([[3.0], [1.0], [2.0], [4.0]])
    even = np.full(4, 0.25)
    assert [quantile(values, even, level)[0] for level in (0.25, 0.26, 0.5, 0.99)] == [1, 2, 2, 4]
    weights = np.array([0.7, 0.1, 0.1, 0.1])
    assert [quantile(values, weights, level)[0] for level in (0.1, 0.2, 0.5, 0.95)] == [1, 2, 3, 4]
    # CVaR takes the part of the draw that lies across the level: 0.1 of 4 and 0.1 of 3.
    assert bl.CVaR(0.8)(values, weights)[0] == pytest.approx((0.1 * 4 + 0.1 * 3) / 0.2)
    assert bl.CVaR(0.9)(values, even)[0] == 4
    assert bl.WorstCase()(values, np.array([1.0, 0, 0, 0]))[0] == 3


def test_a_choice_is_one_action_that_predict_knows(posterior: bl.Posterior) -> None:
    found = bl.choose(posterior, flops=[1e22, "5.76e23"])
    params = found.action["params"].to_numpy()
    assert list(found.action.index.names) == ["flops"]
    there = bl.predict(posterior, {"params": params, "tokens": np.array([1e22, BUDGET]) / (6 * params)}, misfit=False)
    best = found.draws.sel(option="recommended")
    np.testing.assert_allclose(best["loss"], there.draws["loss"], rtol=1e-12)
    np.testing.assert_allclose(best["tokens"].isel(chain=0, draw=0), [1e22, BUDGET] / (6 * params))
    optimum = bl.allocate(posterior, flops=[1e22, BUDGET]).draws
    # The optima of draws are found to 1e-6 nats, a hundredth of the regret.
    np.testing.assert_allclose(best["regret"], best["loss"] - optimum["loss"], atol=2e-6)
    table = found.summary(prob=0.8)
    row = table.loc[(BUDGET, "recommended")]
    assert row["lower"] == pytest.approx(np.quantile(best["loss"].to_numpy()[..., 1], 0.1))
    assert row["regret_upper"] == pytest.approx(np.quantile(best["regret"].to_numpy()[..., 1], 0.8))
    assert row["risk"] == pytest.approx(best["loss"].to_numpy()[..., 1].mean())
    assert row["params"] == params[1]
    assert "5.76e+23" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_page_to_decide_by(posterior: bl.Posterior) -> None:
    found = bl.choose(posterior, flops=BUDGET, risk=bl.CVaR(0.9))
    page = found.page()
    assert page == repr(found)
    for word in ("Given           flops = 5.76e+23", "Recommended     params = 6", "CVaR(level=0.9) of loss", "the optimum at",
                 "Within 1 %      params ", "plug-in", "lowest params", "Driven by", "Assumed         Chinchilla; StudentT",
                 "decades above the runs"):  # fmt: skip
        assert word in page
    drivers = found.drivers.query("quantity == 'loss'")
    assert drivers.iloc[0]["driver"] == "E"  # beyond the data the floor is what one does not know
    assert drivers["share"].between(0, 1).all()


def test_a_menu_says_how_surely_each_item_is_the_best(posterior: bl.Posterior) -> None:
    menu = compute_optimal.within(params=bl.Choices((13e9, 34e9, 70e9, 140e9)))
    found = bl.choose(posterior, menu, flops=[1e22, BUDGET])
    shares = bl.alternatives(posterior, menu, flops=[1e22, BUDGET]).summary()
    np.testing.assert_allclose(found.menu["p_optimal"].to_numpy().ravel(), shares["p_best"])
    assert found.action["params"].tolist() == [13e9, 70e9]
    regret = found.draws["regret"].sel(option="recommended").mean(("chain", "draw"))
    np.testing.assert_allclose(regret, [shares.loc[(1e22, 13e9), "regret"], shares.loc[(BUDGET, 70e9), "regret"]])
    assert found.region.query("scenario == 1")["items"].item() == (34e9, 70e9, 140e9)
    assert found.summary().loc[(BUDGET, "recommended"), "p_optimal"] > 0.9


def test_the_least_that_is_sure_to_be_enough(posterior: bl.Posterior) -> None:
    """How much must be spent to be 90 % sure of a loss: the budget at which the 0.9 quantile of the best size's loss is
    it, found here by bisection on one-variable choices."""
    found = bl.choose(posterior, spend, subject_to=bl.AtMost("loss", 2.1, prob=0.9))
    low, high = 1e22, 4e22
    for _ in range(10):  # to 0.1 %
        middle = np.sqrt(low * high)
        risk = bl.choose(posterior, flops=middle, risk=bl.Quantile(0.9)).summary()["risk"].iloc[0]
        low, high = (middle, high) if risk > 2.1 else (low, middle)
    assert chosen(found, "flops") == pytest.approx(low, rel=2e-3)  # what is left of the bisection
    row = found.summary().iloc[0]
    assert 0.9 <= row["kept"] < 0.91
    plug = found.summary().iloc[1]
    assert 0.3 < plug["kept"] < 0.7  # a point estimate is enough in every other draw
    assert "loss at most 2.1 with probability 0.9: kept in 90% of draws" in found.page()
    sure = bl.choose(posterior, spend, subject_to=[bl.AtMost("loss", 2.1, prob=0.99)])
    new = bl.choose(posterior, spend, subject_to=[bl.AtMost("loss_new_run", 2.1, prob=0.9)])
    assert chosen(sure, "flops") > chosen(found, "flops")
    assert chosen(new, "flops") > chosen(found, "flops")  # the noise of a run has to be paid for


def test_a_limit_on_what_a_plan_costs(posterior: bl.Posterior) -> None:
    decision = compute_optimal.also(memory_bytes=lambda params, bits=16: params * bits / 8)
    free = bl.choose(posterior, decision, flops=BUDGET)
    bound = bl.choose(posterior, decision, subject_to={"memory_bytes": 24e9}, flops=BUDGET)
    assert free.draws["memory_bytes"].sel(option="recommended").max() > 24e9
    assert chosen(bound, "params") == pytest.approx(12e9, rel=1e-3)
    assert chosen(bound, "params") <= 12e9
    half = bl.choose(posterior, decision, subject_to={"memory_bytes": 24e9}, flops=BUDGET, bits=8)
    assert chosen(half, "params") == pytest.approx(24e9, rel=1e-3)


def test_what_is_not_known_of_the_question_is_drawn(posterior: bl.Posterior) -> None:
    """A utilisation that may be low costs more on average than the same at its mean: E[1 / u] > 1 / E[u]."""
    decision = spend.also(
        training_days=lambda flops, training_utilisation: flops / (1e18 * training_utilisation) / 86400
    )
    limits = [bl.AtMost("loss", 2.2), bl.AtMost("training_days", 1.0, prob=0.9)]
    given = dist.Uniform(0.2, 0.6)
    with pytest.raises(bl.InputError, match=r"training_days at most 1 with probability 0.9"):
        bl.choose(posterior, decision, subject_to=[*limits[1:], bl.AtMost("loss", 2.05)], training_utilisation=given)
    found = bl.choose(
        posterior, decision.minimising("training_days"), subject_to=limits[:1], training_utilisation=given
    )
    drawn = found.draws["training_utilisation"].to_numpy()
    assert drawn.shape == posterior.shape
    assert abs(drawn.mean() - 0.4) < 5 * 0.4 / np.sqrt(12 * drawn.size)
    days = found.draws["training_days"].sel(option="recommended").to_numpy()[..., 0]
    np.testing.assert_allclose(days, chosen(found, "flops") / (1e18 * drawn) / 86400)
    assert found.drivers.query("quantity == 'loss'")["driver"].iloc[0] == "E"
    assert any("training_days differ from draw to draw" in one.text for one in found.status)
    again = bl.choose(
        posterior, decision.minimising("training_days"), subject_to=limits[:1], training_utilisation=given
    )
    np.testing.assert_array_equal(again.draws["training_utilisation"], drawn)
    assert "training_utilisation 0." in found.page()


def test_one_action_for_all_laws_of_a_stack(posterior: bl.Posterior) -> None:
    runs = bl.load_chinchilla()
    prior = dataclasses.replace(Chinchilla.prior(), alpha=dist.LogNormal(np.log(0.5), 0.01))
    members = {"plain": posterior, "tight": bl.fit(prior, runs, seed=3)}
    alone = {name: chosen(bl.choose(one, flops=BUDGET), "params") for name, one in members.items()}
    stack = bl.stack(members, weights={"plain": 1, "tight": 1})
    found = bl.choose(stack, flops=BUDGET)
    low, high = sorted(alone.values())
    assert low * 1.1 < chosen(found, "params") < high / 1.1
    # The action of least mean loss over the mixture: no other of a fine grid is better.
    grid = np.geomspace(low, high, 60)
    there = (
        bl.predict(stack, {"params": grid, "tokens": BUDGET / (6 * grid)}, misfit=False)
        .draws["loss"]
        .mean(("chain", "draw"))
    )
    best = found.draws.sel(option="recommended")
    assert float(best["loss"].mean()) <= float(there.min()) + 1e-7
    at = {"params": chosen(found, "params"), "tokens": BUDGET / (6 * chosen(found, "params"))}
    np.testing.assert_allclose(best["loss"], bl.predict(stack, at, misfit=False).draws["loss"], rtol=1e-12)
    assert found.drivers.query("quantity == 'best_params'")["driver"].iloc[0] == "law"
    # Of the loss, the floor of each law in its part of what lies within laws, and what lies between them.
    shares = found.drivers.query("quantity == 'loss'").set_index("driver")["share"]
    assert {"law", "plain: E", "tight: E"} <= set(shares.index)
    assert shares[["law", "plain: E", "tight: E"]].sum() <= 1
    one = bl.choose(bl.stack({"plain": posterior}), flops=BUDGET)
    assert chosen(one, "params") == alone["plain"]
    other = bl.stack({"plain": posterior, "box": bl.fit(Overtraining, runs, noise=bl.StudentT, seed=2)}, method="equal")
    assert np.isfinite(bl.choose(other, flops=BUDGET).summary()["risk"]).all()


@float64
def test_other_beliefs_are_other_weights(known: bl.Posterior) -> None:
    """With weights the risk is that of the draws repeated as often, and so is the best action."""
    worlds, _ = worlds_of(known, bowl, {}, 0)
    weights = np.where(centres(known) < 30, 3.0, 1.0)
    weights /= weights.sum()
    units = np.linspace(0, 1, 7)[:, None]
    at = worlds.outcomes(0, np.zeros(7, int), units)
    tokens = 1 + 99 * units[:, 0]
    losses = 1 + (tokens - centres(known)[:, None]) ** 2
    np.testing.assert_allclose(ranked(at, weights, Aim(bl.Expectation())).risk, weights @ losses)
    repeated = np.repeat(losses, np.where(centres(known) < 30, 3, 1), axis=0)
    even = np.full(len(repeated), 1 / len(repeated))
    np.testing.assert_allclose(ranked(at, weights, Aim(bl.CVaR(0.9))).risk, bl.CVaR(0.9)(repeated, even))
    believed = dataclasses.replace(worlds, weights=weights)
    found = find(believed, believed.thinned(128), 0, Aim(bl.Expectation()))
    assert 1 + 99 * found.unit[0] == pytest.approx(weights @ centres(known), abs=0.05)


def test_a_target_that_some_draws_cannot_reach(posterior: bl.Posterior) -> None:
    """The floor is below 1.83 in most draws, not in all: a size alone cannot be possible in every draw."""
    target = float(np.quantile(posterior.draws["E"], 0.9))
    with pytest.raises(bl.InputError, match=r"no action is possible in every draw: .* in 7.*subject_to=Feasible"):
        bl.choose(posterior, bl.cheapest, target=target, inference_tokens=1e12)
    found = bl.choose(posterior, bl.cheapest, subject_to=bl.Feasible(0.5), target=target, inference_tokens=1e12)
    kept = found.summary()["kept"].iloc[0]
    assert 0.5 <= kept < 0.9
    assert np.isnan(found.draws["regret"].sel(option="recommended")).mean() == pytest.approx(1 - kept)
    assert any("the plan is possible in" in one.text for one in found.status)
    assert any(
        "tokens, tokens_per_param, flops, total_flops differ from draw to draw" in one.text for one in found.status
    )


def test_limits_that_no_action_keeps_are_named(posterior: bl.Posterior) -> None:
    lowest = posterior.draws["E"].min()
    with pytest.raises(bl.InputError, match=r"no action keeps loss at most 1.2 with probability 0.9: 1.8.* the probability "
                       r"of loss at most 1.2 is 0: the lowest that any of 4000 draws reaches"):  # fmt: skip
        bl.choose(posterior, spend, subject_to=bl.AtMost("loss", 1.2, prob=0.9))
    with pytest.raises(bl.InputError, match=r"the probability of loss at most 1.2 is 0"):
        bl.choose(posterior, flops=BUDGET, risk=bl.Miss(bl.AtMost("loss", 1.2)))
    assert lowest > 1.2
    with pytest.raises(bl.InputError, match=r"1.9 can be kept with probability 0.9"):
        bl.choose(posterior, spend.within(flops=bl.LogRange(1e18, 2e25)), subject_to=bl.AtMost("loss", 1.9, prob=0.999))
    with pytest.raises(
        bl.InputError, match=r"each of params at most 100M and loss at most 2.1 can be kept alone, but not"
    ):
        bl.choose(posterior, spend, subject_to={"params": 1e8, "loss": 2.1})
    with pytest.raises(bl.InputError, match=r"flops = 1e\+05.*tokens would be .* and must be at least 1"):
        bl.choose(posterior, flops=1e5)


def test_the_probability_of_missing_a_target(posterior: bl.Posterior) -> None:
    found = bl.choose(posterior, flops=BUDGET, risk=bl.Miss(bl.AtMost("loss", 1.97)))
    loss = found.draws["loss"].sel(option="recommended").to_numpy()
    assert found.summary()["risk"].iloc[0] == pytest.approx((loss > 1.97).mean())
    other = bl.allocate(posterior, flops=BUDGET).draws["params"].median().item()
    there = (
        bl.predict(posterior, {"params": other, "tokens": BUDGET / (6 * other)}, misfit=False).draws["loss"].to_numpy()
    )
    assert (loss > 1.97).mean() <= (there > 1.97).mean()
    assert "probability of missing loss at most 1.97" in found.page()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bl.CVaR(1.0), "level of risk is between 0 and 1"),
        (lambda: bl.Quantile(0.0), "level of risk is between 0 and 1"),
        (lambda: bl.MeanVariance(-1.0), "aversion"),
        (lambda: bl.AtMost("loss", 2.0, prob=0.0), "above 0, and 1 for always"),
        (lambda: bl.AtMost("loss", float("nan")), "finite number"),
        (lambda: bl.Feasible(1.2), "above 0, and at most 1"),
        (lambda: bl.Miss(2.1), r'Miss\(AtMost\("loss", 2.1\)\)'),  # type: ignore[arg-type]
        (lambda: bl.Choices(()), "at least one value"),
    ],
)
def test_risks_and_limits_are_checked(make: Any, message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        make()


def test_what_cannot_be_asked_is_said(posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match="risk is a measure such as"):
        bl.choose(posterior, flops=BUDGET, risk="cvar")  # type: ignore[arg-type]
    with pytest.raises(bl.InputError, match=r"a plan has no 'memory_bytes'.*decision.also\(memory_bytes"):
        bl.choose(posterior, subject_to={"memory_bytes": 24e9}, flops=BUDGET)
    with pytest.raises(bl.InputError, match="'price', which is to be least, is no column"):
        bl.choose(posterior, compute_optimal.minimising("price"), flops=BUDGET)
    with pytest.raises(bl.InputError, match="the column 'cost' needs price"):
        bl.choose(posterior, compute_optimal.also(cost=lambda flops, price: flops * price), flops=BUDGET)
    with pytest.raises(bl.InputError, match="subject_to holds limits"):
        bl.choose(posterior, subject_to=[2.1], flops=BUDGET)  # type: ignore[list-item]
    with pytest.raises(bl.InputError, match="within is a share"):
        bl.choose(posterior, within=-0.1, flops=BUDGET)
    with pytest.raises(bl.InputError, match=r"must be at least 0.*was drawn"):
        bl.choose(posterior, bl.cheapest, target=2.1, inference_tokens=dist.Normal(0.0, 1e12))
    with pytest.raises(bl.InputError, match="expected a Posterior"):
        bl.choose(Chinchilla, flops=BUDGET)  # type: ignore[arg-type]


def test_a_decision_grows_without_its_law_knowing() -> None:
    both = compute_optimal.within(flops=bl.LogRange(1e20, 1e22))
    assert (tuple(both.choose), both.given) == (("params", "flops"), ())
    assert "flops" in both.report
    costed = compute_optimal.also(days=lambda flops, speed: flops / speed)
    law = Chinchilla.published()["besiroglu2024"]
    assert costed.plan(law, {"params": 1e9}, {"flops": 1e21, "speed": jnp.asarray(1e16)})["days"] == pytest.approx(1e5)
    costed.check_given({"flops": 1.0, "speed": 1.0})
    assert costed.minimising("days").question == "Which params need the least days?"
