"""`snap`: what can be built in place of a plan, by formula and by trying all, and what it says of itself."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw._joint import as_joint
from bayeslaw._posterior import build
from bayeslaw._tree import Scalar
from bayeslaw.models import Overtraining, Vocabulary
from bayeslaw.models.chinchilla import D0, N0, compute_optimal

BUDGET = 5.76e23


class Bowl(bl.AbstractLaw):
    """loss = 1 + (tokens - centre)^2 + (shots - tokens)^2 / 4: of fixed tokens the best shots are as many."""

    centre: Scalar

    def mean(self, tokens: Any, shots: Any) -> Any:  # type: ignore[override]
        return 1 + (tokens - self.centre) ** 2 + (shots - tokens) ** 2 / 4

    @classmethod
    def prior(cls) -> "Bowl":
        return cls(centre=dist.Normal(30.0, 10.0))


BOX = bl.Range(1.0, 101.0)
bowl = bl.Decision(
    question="How many tokens and shots?",
    choose={"tokens": BOX, "shots": BOX},
    given=(),
    derive=lambda tokens, shots: {"both": tokens + shots},
    report=("tokens", "shots", "both"),
)
alone = dataclasses.replace(bowl, choose={"tokens": BOX}, derive=lambda tokens: {"shots": tokens, "both": 2 * tokens})


def made(law: Any, draws: dict[str, np.ndarray], columns: tuple[str, ...]) -> bl.Posterior:
    """A posterior of these draws (chain, draw)."""
    joint = as_joint(law, bl.Normal(scale=1.0))
    stats = {"diverging": np.zeros((2, 500), bool), "n_steps": np.ones((2, 500), int)}
    return build(joint, (draws, stats), {n: np.ones(2) for n in columns}, np.ones(2), [], {"seed": 0})


@pytest.fixture(autouse=True)
def no_status(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draws that are made up say nothing of a sampler."""
    if "known" in request.fixturenames:
        monkeypatch.setattr(bl.Posterior, "status", ())


@pytest.fixture(scope="module")
def known() -> bl.Posterior:
    """Centres with a skewed distribution of mean 30."""
    return made(Bowl, {"centre": 10 * np.random.default_rng(0).gamma(3.0, size=(2, 500))}, ("tokens", "shots"))


@pytest.fixture(scope="module")
def plan(posterior: bl.Posterior) -> bl.Choice:
    return bl.choose(posterior, flops=BUDGET)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return bl.shapes.transformers(("20B", "200B"))


def losses(posterior: bl.Posterior, params: Any, flops: float = BUDGET) -> np.ndarray:
    """Of every draw, (draws, sizes), by the formula."""
    E, a, alpha, b, beta = (posterior.draws[n].reshape(-1, 1) for n in ("E", "a", "alpha", "b", "beta"))
    params = np.asarray(params, dtype=float)
    return E + a * (params / N0) ** -alpha + b * (flops / (6 * params) / D0) ** -beta


def test_a_plan_that_can_be_built_costs_nothing(plan: bl.Choice) -> None:
    own = float(plan.action["params"].iloc[0])
    found = bl.snap(plan, params=[own / 2, own, 2 * own])
    row = found.summary().iloc[0]
    assert row["params"] == own
    assert row[["regret", "mean_regret", "regret_upper"]].to_numpy(float) == pytest.approx(0, abs=1e-12)
    assert found.action["params"].tolist() == [own]
    assert row["breaks"] == ""
    assert row["kept"] == 1


def test_each_measure_has_its_own_regret_of_snapping(known: bl.Posterior) -> None:
    """Of t in place of the plan's t0 = E[centre]: (t - t0)^2 of the expected loss; for the others by trying all."""
    x, menu = known.draws["centre"].ravel(), np.array([5.0, 20.0, 27.5, 37.0, 50.0])
    every = 1 + (menu - x[:, None]) ** 2
    for risk in (bl.Expectation(), bl.CVaR(0.9), bl.WorstCase(), bl.Quantile(0.8), bl.MeanVariance(0.01)):
        chosen = bl.choose(known, alone, risk=risk)
        found = bl.snap(chosen, tokens=menu).summary(prob=0.8)
        wanted = risk(every, np.full(len(x), 1 / len(x)))
        order = np.argsort(wanted)
        assert found["tokens"].tolist() == menu[order].tolist(), risk
        np.testing.assert_allclose(found["risk"], wanted[order], rtol=1e-12)
        before = 1 + (float(chosen.action["tokens"].iloc[0]) - x) ** 2
        paired = every[:, order] - before[:, None]
        np.testing.assert_allclose(found["mean_regret"], paired.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(found["regret_upper"], np.quantile(paired, 0.8, axis=0), rtol=1e-9)
        np.testing.assert_allclose(found["regret"], wanted[order] - chosen.summary()["risk"].iloc[0], rtol=1e-9)
        np.testing.assert_allclose(found["share"], found["regret"] / chosen.summary()["risk"].iloc[0])
        better = (every[:, order[:-1]] < every[:, order[1:]]).mean(axis=0)
        np.testing.assert_allclose(found["p_better"][:-1], better)
    plain = bl.snap(bl.choose(known, alone), tokens=menu).summary()
    np.testing.assert_allclose(plain["regret"], (plain["tokens"] - x.mean()) ** 2, rtol=1e-3, atol=1e-3)


def test_what_is_not_snapped_is_chosen_again(known: bl.Posterior) -> None:
    """With fixed tokens the best shots are as many: to keep those of the plan would cost a quarter of the square of the
    difference more. The search stops at 2e-4 of a box of 100."""
    found = bl.snap(bl.choose(known, bowl), tokens=[20.0, 45.0, 99.0]).summary()
    np.testing.assert_allclose(found["shots"], found["tokens"], atol=0.04)
    x = known.draws["centre"].ravel()
    np.testing.assert_allclose(found["risk"], [1 + np.mean((t - x) ** 2) for t in found["tokens"]], rtol=1e-6)
    assert found["both"].to_numpy() == pytest.approx(found["tokens"] + found["shots"])


def test_two_variables_of_a_table_at_once(known: bl.Posterior) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"name": [f"c{i}" for i in range(300)], "shots": rng.uniform(1, 100, 300), "tokens": rng.uniform(1, 100, 300)})  # fmt: skip
    chosen = bl.choose(known, bowl)
    found = bl.snap(chosen, table, keep=300)
    x = known.draws["centre"].ravel()[:, None]
    tokens, shots = table["tokens"].to_numpy(), table["shots"].to_numpy()
    wanted = (1 + (tokens - x) ** 2 + (shots - tokens) ** 2 / 4).mean(axis=0)
    order = np.argsort(wanted)
    summary = found.summary()
    assert summary["name"].tolist() == table["name"].to_numpy()[order].tolist()
    np.testing.assert_allclose(summary["risk"], wanted[order])
    assert found.action["name"].item() == table["name"][order[0]]
    # The same with every row of a table of one and every value of the other.
    both = bl.snap(chosen, {"tokens": [20.0, 31.0]}, shots=bl.Multiples(10), keep=3).summary()
    assert both[["tokens", "shots"]].to_numpy().tolist() == [[31.0, 30.0], [31.0, 40.0], [31.0, 20.0]]


def test_few_draws_miss_nothing_that_all_find(posterior: bl.Posterior, plan: bl.Choice, table: pd.DataFrame) -> None:
    """More shapes than all draws look at: the best are those of looking at all."""
    assert len(table) > 2**22 // 4000
    found = bl.snap(plan, table)
    mean = losses(posterior, table["params"].to_numpy()).mean(axis=0)
    order = np.argsort(mean)[:10]
    assert found.summary()["params"].to_numpy() == pytest.approx(table["params"].to_numpy()[order], rel=1e-12)
    np.testing.assert_allclose(found.summary()["risk"], mean[order], rtol=1e-12)
    row = found.summary().iloc[0]
    best = table.iloc[order[0]]
    assert (
        row[["n_layers", "d_model", "n_heads", "d_ff"]].tolist()
        == best[["n_layers", "d_model", "n_heads", "d_ff"]].tolist()
    )
    own = float(found.draws["plan_regret"][0])
    there = mean - plan.summary()["risk"].iloc[0] <= 0.1 * own
    assert int(found.draws["as_good"][0]) == there.sum()
    ends = table["params"][there]
    assert found.draws["near"].sel(variable="params").to_numpy().tolist() == [[ends.min(), ends.max()]]
    assert int(found.draws["there_are"][0]) == len(table)
    assert row["tokens"] == pytest.approx(BUDGET / (6 * row["params"]))


def test_a_page_to_build_by(plan: bl.Choice, table: pd.DataFrame) -> None:
    found = bl.snap(plan, table)
    page = found.page()
    assert page == repr(found)
    for word in ("configurations", "Given           flops = 5.76e+23", "The plan        params = 64.1B", "Build           n_layers = ",
                 "% (Expectation of loss)", "the plan itself regrets 0.0001", "choose among these for other reasons",
                 "The best of them"):  # fmt: skip
        assert " ".join(word.split()) in " ".join(page.split())
    assert "breaks" not in page
    assert "Build" in found._repr_html_()
    with pytest.raises(bl.InputError, match="prob"):
        found.summary(prob=2)


def test_a_plan_for_each_budget(posterior: bl.Posterior) -> None:
    chosen = bl.choose(posterior, flops=[1e22, "5.76e23"])
    found = bl.snap(chosen, params=bl.Powers(2), keep=2)
    assert found.action.index.tolist() == [(1e22,), (BUDGET,)]
    # By trying all: the power of two of the least expected loss.
    powers = 2.0 ** np.arange(30, 40)
    wanted = [powers[losses(posterior, powers, flops).mean(axis=0).argmin()] for flops in (1e22, BUDGET)]
    assert found.action["params"].tolist() == wanted
    assert found.summary().index.names == ["flops", "place"]
    assert len(found.summary()) == 4
    assert "8.59B" in repr(found)
    assert "<table" in found._repr_html_()
    assert "flops = 1e+22" in found.page(0)


def test_a_limit_that_the_nearest_break(posterior: bl.Posterior, table: pd.DataFrame) -> None:
    """A plan on its limit: about half of what is near breaks it, is shown, and never recommended."""
    decision = compute_optimal.also(memory_bytes=bl.costs.weight_bytes)
    chosen = bl.choose(posterior, decision, subject_to={"memory_bytes": 80e9}, flops=BUDGET)
    found = bl.snap(chosen, table)
    summary = found.summary()
    most = table["params"][table["params"] <= 40e9].max()
    assert summary["params"].iloc[0] == most
    assert summary["kept"].iloc[0] == 1
    broken = summary[summary["breaks"] != ""]
    assert 1 <= len(broken) <= 3
    assert (broken["params"] > 40e9).all()
    assert (broken["kept"] == 0).all()
    assert broken["breaks"].str.fullmatch(r"memory_bytes at most 8e\+10: 8(\.0\d*)?e\+10, \S+ % beyond").all()
    assert (summary["params"][summary["breaks"] == ""] <= 40e9).all()
    assert "memory_bytes at most 8e+10: kept in 100% of draws" in " ".join(found.page().split())
    # Bound by its limit the plan regrets nothing: what is next to nothing of the loss is no cause for a remark.
    assert not found.status
    assert (bl.snap(chosen, table, keep=1).summary()["params"] == most).all()
    with pytest.raises(bl.InputError, match=r"at flops = 5.76e\+23 none of 2 configurations keeps memory_bytes at most 8e\+10: "
                       r"params = 41B comes nearest \(memory_bytes at most 8e\+10: 8.2e\+10, 2.5 % beyond\)"):  # fmt: skip
        bl.snap(chosen, params=["41B", "50B"])


def test_a_limit_with_a_probability(posterior: bl.Posterior) -> None:
    """The least budget that is 90 % sure of a loss is no power of two: the next one above it is."""
    spend = compute_optimal.within(flops=bl.LogRange(1e18, 1e28)).minimising("flops")
    chosen = bl.choose(posterior, spend, subject_to=bl.AtMost("loss", 2.1, prob=0.9))
    least = float(chosen.action["flops"].iloc[0])
    found = bl.snap(chosen, flops=bl.Powers(2), keep=4).summary()
    assert found["flops"].iloc[0] == 2.0 ** np.ceil(np.log2(least))
    below = found[found["flops"] < least]
    assert (below["breaks"].str.startswith("loss at most 2.1 with probability 0.9")).all()
    assert (below["kept"] < 0.9).all()
    # With 14B parameters a little more than the least has to be spent.
    sized = bl.snap(chosen, params=["14B"]).summary().iloc[0]
    assert least < sized["flops"] < 1.02 * least
    assert 0.9 <= sized["kept"] < 0.91


def test_what_limits_read_of_a_shape_is_each_its_own(posterior: bl.Posterior) -> None:
    """A memory that depends on depth and width: given as typical for the plan, taken from the table for each shape."""
    decision = compute_optimal.also(
        memory_bytes=lambda params, n_layers, d_model: 2 * params + 4e4 * n_layers * d_model
    )
    limit = {"memory_bytes": 140e9}
    chosen = bl.choose(posterior, decision, subject_to=limit, flops=BUDGET, n_layers=60, d_model=7000)
    shapes = pd.DataFrame({"n_layers": [40, 60, 80], "d_model": [8192, 7040, 12288], "params": [60e9, 61e9, 61.1e9]})
    found = bl.snap(chosen, shapes).summary()
    memory = 2 * shapes["params"] + 4e4 * shapes["n_layers"] * shapes["d_model"]
    assert found["n_layers"].tolist() == [60, 40, 80]
    np.testing.assert_allclose(found["memory_bytes"], memory[[1, 0, 2]])
    assert found["breaks"].tolist()[:2] == ["", ""]
    assert found["breaks"].iloc[2].startswith("memory_bytes at most 1.4e+11: 1.61")
    assert "n_layers was given; each configuration has its own" in " ".join(map(str, bl.snap(chosen, shapes).status))


def test_vocabularies_of_a_real_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multiples of 128 around the optimum: the best is one of its two neighbours, and costs next to nothing."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    rng, law = np.random.default_rng(2), Vocabulary.published()["tao2024"]
    names = ("E", "a", "alpha", "c", "gamma", "b")
    draws = {n: getattr(law, n) * np.exp(0.03 * rng.normal(size=(2, 500))) for n in names}
    found = made(Vocabulary, draws, ("nonembedding_params", "vocab_size", "d_model", "tokens"))
    chosen = bl.choose(found, nonembedding_params=3e9, flops=1e22)
    own = float(chosen.action["vocab_size"].iloc[0])
    snapped = bl.snap(chosen, vocab_size=bl.Multiples(128))
    best = float(snapped.action["vocab_size"].iloc[0])
    assert best % 128 == 0
    assert abs(best - own) < 128
    assert abs(snapped.summary()["mean_regret"].iloc[0]) < 1e-6  # the plan itself is found to 2e-4 of its box
    assert f"vocab_size = {best:,.0f}" in snapped.page()
    coarse = bl.snap(chosen, vocab_size=bl.Powers(2)).summary()
    assert np.log2(coarse["vocab_size"].iloc[0]) % 1 == 0
    assert coarse["regret"].iloc[0] > snapped.summary()["regret"].iloc[0]


def test_menus_beside_what_is_snapped(posterior: bl.Posterior, known: bl.Posterior) -> None:
    """Items that are left on a menu are chosen again; those that are snapped are a part of the menu."""
    menu = bowl.within(shots=bl.Choices((10.0, 25.0, 40.0)))
    chosen = bl.choose(known, menu)
    found = bl.snap(chosen, tokens=[12.0, 24.0, 44.0]).summary()
    assert found.set_index("tokens")["shots"].to_dict() == {12.0: 10.0, 24.0: 25.0, 44.0: 40.0}
    part = bl.snap(chosen, shots=[10.0, 40.0, 77.0])
    assert set(part.summary()["shots"]) == {10.0, 40.0}  # 77 is not on the menu
    assert "1 rows lie outside" in str(part.status[0])
    x = known.draws["centre"].ravel()
    # Of shots s the best tokens are (4 E[centre] + s) / 5.
    np.testing.assert_allclose(part.summary()["tokens"], (4 * x.mean() + part.summary()["shots"]) / 5, atol=0.05)


def test_names_on_a_menu(posterior: bl.Posterior) -> None:
    """A table says which sizes each recipe can be had in."""
    menu = dataclasses.replace(
        compute_optimal,
        choose={"params": bl.LogRange(1e9, 1e12), "recipe": bl.Choices(("plain", "thrifty"))},
        derive=lambda params, recipe, flops: {"tokens": flops * jnp.where(recipe == 1, 1.2, 1.0) / (6 * params)},
        report=("params", "tokens"),
    )
    chosen = bl.choose(posterior, menu, flops=BUDGET)
    assert chosen.action["recipe"].item() == "thrifty"
    found = bl.snap(chosen, {"recipe": ["plain", "thrifty"], "params": ["70B", "300B"]})
    assert found.action.iloc[0].tolist() == ["plain", 70e9]
    assert bl.snap(chosen, params=["70B", "300B"]).action["recipe"].item() == "thrifty"
    with pytest.raises(bl.InputError, match="recipe has names, plain, thrifty: list those that may be chosen"):
        bl.snap(chosen, recipe=bl.Powers(2))
    with pytest.raises(bl.InputError, match="where the law knows plain, thrifty"):
        bl.snap(chosen, recipe=["lavish"])


def test_several_laws(posterior: bl.Posterior) -> None:
    """One configuration for all laws of a stack: its risk is the mean over the mixture."""
    runs = bl.load_chinchilla()
    other = bl.fit(Overtraining, runs, noise=bl.StudentT, seed=2)
    stack = bl.stack({"one": posterior, "other": other}, weights={"one": 1, "other": 1})
    chosen = bl.choose(stack, flops=BUDGET)
    found = bl.snap(chosen, params=["50B", "60B", "70B", "80B"])
    sizes = np.array([50e9, 60e9, 70e9, 80e9])
    there = bl.predict(stack, {"params": sizes, "tokens": BUDGET / (6 * sizes)}, misfit=False).draws["loss"]
    order = there.mean(("chain", "draw")).to_numpy().argsort()
    summary = found.summary()
    assert summary["params"].tolist() == sizes[order].tolist()
    np.testing.assert_allclose(summary["risk"], there.mean(("chain", "draw"))[order], rtol=1e-12)
    regret = there.isel(scenario=order[0]) - chosen.draws["objective"].sel(option="recommended").isel(scenario=0)
    np.testing.assert_allclose(found.draws["regret"].isel(scenario=0, configuration=0), regret, atol=1e-12)


def test_what_is_not_known_of_the_question(posterior: bl.Posterior) -> None:
    """A utilisation that is a distribution stays one; a configuration may come with its own."""
    spend = compute_optimal.also(days=lambda flops, training_utilisation: flops / (1e19 * training_utilisation))
    chosen = bl.choose(posterior, spend, flops=1e22, training_utilisation=dist.Beta(40, 60))
    plain = bl.snap(chosen, params=["8B", "9B"])
    drawn = chosen.draws["training_utilisation"]
    np.testing.assert_allclose(plain.draws["days"].isel(scenario=0, configuration=0), 1e22 / (1e19 * drawn))
    own = bl.snap(chosen, {"params": ["8B", "9B"], "training_utilisation": [0.3, 0.5]}).summary()
    np.testing.assert_allclose(own["days"], 1e3 / own["training_utilisation"])


def test_what_some_draws_cannot_have_and_targets(posterior: bl.Posterior) -> None:
    target = float(np.quantile(posterior.draws["E"], 0.9))
    chosen = bl.choose(posterior, bl.cheapest, subject_to=bl.Feasible(0.5), target=target, inference_tokens=1e12)
    near = float(chosen.action["params"].iloc[0])
    found = bl.snap(chosen, params=[near, 1.3 * near, 1e8]).summary()
    assert found["regret"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert found["breaks"].iloc[-1] == "possible in 0.0% of draws"
    miss = bl.choose(posterior, flops=BUDGET, risk=bl.Miss(bl.AtMost("loss", 1.97)))
    one = bl.snap(miss, params=["60B", "300B"])
    every = (losses(posterior, [60e9, 300e9]) > 1.97).mean(axis=0)
    np.testing.assert_allclose(one.summary()["risk"], every)
    assert "probability of missing loss at most 1.97" in one.page()


def test_what_to_know_is_said(plan: bl.Choice) -> None:
    small = bl.snap(plan, {"params": ["1B", "13B"], "loss": [2.5, 2.1]})
    said = " ".join(map(str, small.status))
    assert "the plan's params, 64.1B, lies above all that is allowed, 1B to 13B: allow more to come nearer" in said
    assert "what is built costs 0.02" in said
    assert "the table's loss is not shown" in said
    assert "nearest to the plan were compared, of 50,000" in " ".join(
        map(str, bl.snap(plan, params=np.geomspace(1e8, 1e13, 50_000)).status)
    )
    assert not bl.snap(plan, params=["64B", "70B"]).status
    # Names that a result has itself are no trouble.
    own = {"size": ["small", "large"], "scenario": [1, 2], "risk": [0.1, 0.2], "params": ["60B", "70B"]}
    found = bl.snap(plan, own)
    assert found.action.columns.tolist() == ["size", "params"]
    assert len([one for one in found.status if "is not shown" in one.text]) == 2


def test_a_great_many_combinations_are_looked_at_around_the_plan(known: bl.Posterior) -> None:
    chosen, fine = bl.choose(known, bowl), np.linspace(1, 101, 3001)
    found = bl.snap(chosen, tokens=fine, shots=fine)
    assert int(found.draws["there_are"][0]) == 3001**2
    best = float(found.action["tokens"].iloc[0])
    assert abs(best - known.draws["centre"].mean()) < 0.02
    assert found.action["shots"].item() == pytest.approx(best, abs=0.04)


def test_equally_good_ones_are_in_the_order_of_the_table(plan: bl.Choice) -> None:
    table = {"n_layers": [90, 60, 75], "params": ["70B", "64B", "64B"]}
    assert bl.snap(plan, table).summary()["n_layers"].tolist() == [60, 75, 90]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda plan: bl.snap(plan), r"nothing is said of what may be chosen: .* params=Multiples\(128\), Powers\(2\)"),
        (lambda plan: bl.snap(plan, parms=[1e9]), r"'parms' is not chosen in this plan; .* Did you mean 'params'\?"),
        (lambda plan: bl.snap(plan, {"N": [1e9]}), r"none of it is chosen .* chooses params. If 'N' is params, rename it"),
        (lambda plan: bl.snap(plan, {"width": [1]}), r"the table has width; none of it is chosen in this plan"),
        (lambda plan: bl.snap(plan, {"params": []}), "has no rows"),
        (lambda plan: bl.snap(plan, params=[]), r"params is a list of the values that it may have, Multiples\(128\)"),
        (lambda plan: bl.snap(plan, params="70B"), "params is a list of the values that it may have"),
        (lambda plan: bl.snap(plan, params=[7e9, -1.0]), r"column 'params' must be at least 1; found row 1 \(-1.0\)"),
        (lambda plan: bl.snap(plan, params=["70B", "big"]), r"should hold numbers .* found row 1 \('big'\)"),
        (lambda plan: bl.snap(plan, params=[7e9, 7e9]), "row 1 of params repeats an earlier one"),
        (lambda plan: bl.snap(plan, {"params": [7e9, 7e9], "n_layers": [4, 4]}), "row 1 of params, n_layers repeats"),
        (lambda plan: bl.snap(plan, {"params": [7e9], "flops": [1e20]}), r"'flops', which is given .*decision.within\(flops"),
        (lambda plan: bl.snap(plan, {"params": [7e9]}, params=[1e9]), "is a column of the table and given beside it"),
        (lambda plan: bl.snap(plan, params=[7]), r"none of 1 configurations lies in the search box: params in LogRange\(1e\+06, "
                                                 r"1e\+14\), where the table has 7."),
        (lambda plan: bl.snap(plan, params=bl.Multiples(1e15)), r"none of Multiples\(of=1.*\) lies within params in LogRange"),
        (lambda plan: bl.snap(plan, params=[7e9], keep=0), "keep is how many configurations are reported"),
        (lambda plan: bl.snap("plan", params=[7e9]), r"expected a plan made by choose\(posterior, ...\), got str"),
        (lambda plan: bl.Multiples(0), "Multiples needs a number above 0"),
        (lambda plan: bl.Powers(1), "Powers needs a number above 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(plan: bl.Choice, ask: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        ask(plan)


def test_grids_around_a_value() -> None:
    near = bl.Multiples(128).near(1000.0, 256.0, 1e8)
    assert near[[0, -1]].tolist() == [256.0, 128.0 * (7 + 16)]
    assert bl.Multiples(128).near(1e6, 1.0, 1e6).max() == 128 * (1_000_000 // 128)
    assert bl.Multiples(0.5).near(0.0, 0.0, 1.0).tolist() == [0.0, 0.5, 1.0]
    powers = bl.Powers(2).near(5e6, 1.0, 1e7)
    assert powers.tolist() == [2.0**i for i in range(7, 24)]
    assert bl.Powers(2**0.5).near(8.0, 4.0, 16.0) == pytest.approx(2.0 ** np.arange(2, 4.1, 0.5))
    assert bl.Powers(2).near(0.0, 0.0, 1.0).size == 0
