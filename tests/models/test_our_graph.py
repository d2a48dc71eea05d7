"""Our model of a graph of calls to language models, on the cost law of Agent-REINFORCE (arXiv 2511.00086, second-hand).

The cost of a node is tested in `tests/test_costs.py`. No data are public: the law is held against a truth of ours on the
card's design, 3 tasks x 3 models x 5 widths x 4 depths, 100 questions each. Every expected figure is *ours*.
"""

import equinox as eqx
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned

import bayeslaw as bl
from bayeslaw import costs
from bayeslaw.models import OurGraph
from bayeslaw.models.our_graph_plans import DEPTHS, LLAMA3, WIDTHS, graph_flops, unit_flops

TASKS, MODELS = ("math", "mmlu", "humaneval"), tuple(LLAMA3)
OWN = {"math": (0.0, 0.3, -0.2), "mmlu": (-0.2, 0.0, 0.4), "humaneval": (0.3, -0.3, 0.0)}
TRUE = OurGraph(
    level={"math": -0.5, "mmlu": 0.4, "humaneval": 0.0}, by_params=0.4,
    own={task: dict(zip(MODELS, each, strict=True)) for task, each in OWN.items()},
    by_width=0.5, bend_width=0.12, by_depth=0.4, bend_depth=0.15, h=0.08, tasks=TASKS, models=MODELS,
)  # fmt: skip
LENGTHS = {"prompt_tokens": 200.0, "generated_tokens": 400.0}
BUDGETS = [1.0, 18.0, 42.0, 80.0]  # the first a corner, the others of the paper


def design() -> pd.DataFrame:
    grid = np.meshgrid(TASKS, MODELS, (1.0, 2.0, 4.0, 8.0, 16.0), (1.0, 2.0, 4.0, 8.0), indexing="ij")
    names = ("task", "model", "width", "iterations")
    table = pd.DataFrame({name: x.ravel() for name, x in zip(names, grid, strict=True)})
    return table.assign(params=[LLAMA3[name].params for name in table.model], trials=100.0)


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    runs = bl.simulate(TRUE, design(), noise=bl.Binomial, seed=1)
    return advised_fit(OurGraph, runs, seed=1, target_accept=0.95, draws=500, progress=False)


@pytest.fixture(scope="module")
def sure() -> bl.Posterior:
    at = {"task": [0.0, 2.0], "model": [0.0, 2.0], "params": [1e9, 8e9], "width": [1.0, 16.0], "iterations": [1.0, 8.0]}
    return pinned(TRUE, OurGraph.prior(), at | {"trials": [100.0, 100.0]})


# --- The formulas -----------------------------------------------------------------------------------------------------


def test_accuracy_by_hand() -> None:
    found = TRUE(task="math", model="Llama-3.2-3B", params=3e9 * np.e, width=[1, np.e], iterations=[1, np.e])
    logits = np.array([-0.5 + 0.3 + 0.4, -0.5 + 0.3 + 0.4 + 0.5 - 0.12 + 0.4 - 0.15 - 0.08])
    assert found == pytest.approx(1 / (1 + np.exp(-logits)))


def test_cost_of_a_graph() -> None:
    """Calls side by side are fused by one more; a single chain is not; a single call is the unit."""
    node = LLAMA3["Llama-3.2-1B"]
    unit = unit_flops(node, 200, 400)
    assert unit == pytest.approx(1.511632e12, rel=1e-6)
    sizes = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert np.asarray(graph_flops(1.0, sizes, node, 200, 400) / unit) == pytest.approx(
        [1, 2.68, 6.05, 12.79, 26.26], abs=0.01
    )
    fans = np.asarray(graph_flops(sizes[1:], 1.0, node, 200, 400) / unit)
    assert fans == pytest.approx([4.38, 7.82, 14.86, 29.61], abs=0.01)
    both = float(graph_flops(3.0, 2.0, node, 200, 400) / unit)
    fuse = costs.node_flops(3, node.params, 200, 400, node.n_layers, node.d_model) / unit
    assert both == pytest.approx(3 * 2.684 + fuse, abs=0.01)


def test_best_width_and_depth() -> None:
    """exp(by / (2 bend)) where they do not compete, as the derivative has it; never below one."""
    law = eqx.tree_at(lambda one: one.h, TRUE, 0.0)
    widths = np.linspace(1, 40, 4001)
    at = {"task": "math", "model": "Llama-3.2-3B", "params": 3e9}
    top = widths[law(**at, width=widths, iterations=3).argmax()]
    assert top == pytest.approx(float(law.derived()["best_width"]), abs=0.02)
    top = widths[law(**at, width=5, iterations=widths).argmax()]
    assert top == pytest.approx(float(law.derived()["best_depth"]), abs=0.02)
    useless = eqx.tree_at(lambda one: one.by_width, TRUE, -0.1)
    assert float(useless.derived()["best_width"]) == 1
    # Width and depth stand in for each other: the deeper, the fewer side by side.
    best = [widths[TRUE(**at, width=widths, iterations=depth).argmax()] for depth in (1, 8)]
    assert best[0] > best[1]


# --- The decision -----------------------------------------------------------------------------------------------------


def test_best_graph(sure: bl.Posterior) -> None:
    """By trying every graph. One unit is one call of the smallest model, a corner."""
    found = bl.allocate(sure, task="math", budget_units=BUDGETS, **LENGTHS).draws
    unit = unit_flops(LLAMA3["Llama-3.2-1B"], 200, 400)
    for i, budget in enumerate(BUDGETS):
        best = (-1.0, "", 0, 0)
        for name, node in LLAMA3.items():
            width, depth = (x.ravel() for x in np.meshgrid(WIDTHS, DEPTHS, indexing="ij"))
            cost = np.asarray(graph_flops(width, depth, node, 200, 400)) / unit
            share = np.where(
                cost <= budget * (1 + 1e-12),
                TRUE(task="math", model=name, params=node.params, width=width, iterations=depth),
                -1,
            )
            best = max(best, (share.max(), name, width[share.argmax()], depth[share.argmax()]))
        one = found.isel(scenario=i, chain=0, draw=0)
        assert (MODELS[int(one["model"])], float(one["width"]), float(one["iterations"])) == best[1:]
        assert float(found["accuracy"][..., i].median()) == pytest.approx(best[0], rel=1e-6)
    assert (found["cost_units"] <= np.array(BUDGETS)).all()
    assert (found.isel(scenario=0)[["width", "iterations"]].to_dataarray() == 1).all()


def test_recovery(posterior: bl.Posterior) -> None:
    """99 % intervals of 18 parameters; best width 8.0 and best depth 3.8 of the truth."""
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    for name in ("by_params", "by_width", "bend_width", "by_depth", "bend_depth", "h"):
        assert found.loc[name, "lower"] < getattr(TRUE, name) < found.loc[name, "upper"], name
    assert found.loc["by_width", "upper"] - found.loc["by_width", "lower"] < 0.5
    width, depth = (np.quantile(posterior.derived[name], [0.005, 0.5, 0.995]) for name in ("best_width", "best_depth"))
    assert width[0] < 8.03 < width[2]
    assert depth[0] < 3.79 < depth[2]
    assert width[2] / width[0] < 5


def test_alternatives(posterior: bl.Posterior) -> None:
    """After 18,000 answers two calls of the largest model are best at 18 units; at 80 units several graphs may be, and
    which of them is taken costs little."""
    decision = (
        OurGraph.prior()
        .decisions()["graph"]
        .within(width=bl.Choices((1, 2, 3, 4, 6, 8, 12, 16)), iterations=bl.Choices((1, 2, 3, 4, 6, 8)))
    )
    frame = bl.alternatives(posterior, decision, task="mmlu", budget_units=[18.0, 80.0], **LENGTHS).summary()
    shares = frame.groupby(["budget_units", "model"]).p_best.sum().unstack()
    assert (shares["Llama-3.1-8B"] > 0.95).all()
    likely = frame[frame.p_best > 0.02]
    small, large = (likely.xs(budget, level="budget_units") for budget in (18.0, 80.0))
    assert [one[1:] for one in small.index.droplevel([0, 1, 2]).tolist()] == [(1.0, 2.0)], small
    assert len(large) >= 2
    assert large.p_best.max() < 0.8
    assert (large.regret < 0.01).all()


def test_bad_input(posterior: bl.Posterior) -> None:
    with pytest.raises(bl.InputError, match="'poetry'"):
        bl.allocate(posterior, task="poetry", budget_units=18.0, **LENGTHS)
    with pytest.raises(bl.InputError, match="out of reach"):
        bl.allocate(posterior, task="math", budget_units=[0.5, 18.0, 42.0, 80.0], **LENGTHS)
