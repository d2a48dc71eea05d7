"""Every decision of every law answers to `choose`, its plans to `snap` and its posterior to `next_runs`, with no
code of its own."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw._joint import as_joint
from bayeslaw._posterior import build
from bayeslaw._report._html import Html
from bayeslaw._tree import float64
from bayeslaw.models import LAWS, Chinchilla

# What is given, where the decisions of a law need it: a plausible value of each.
GIVEN: dict[str, Any] = {
    "params": 3e9, "tokens": 7e10, "batch_tokens": 1e6, "unique_tokens": 2e10, "flops": 1e21, "total_flops": 1e24,
    "nonembedding_params": 2e9, "final_params": 1e9, "average_params": 2e9, "sparsity": 0.5, "steps": 2e5,
    "reference_params": 3e9, "overhead": 0.1, "overfitting": 0.02, "inference_tokens": 1e11, "prompt_tokens": 1e3,
    "generated_tokens": 300.0, "training_price": 1e-18, "inference_price": 1e-18, "training_utilisation": 0.4,
    "prompt_utilisation": 0.4, "generation_utilisation": 0.05, "trials": 2000.0, "total_params": 8e9,
    "train_flops": 1e21, "inference_flops": 1e14, "sample_tokens": 300.0, "queries": 1e9, "samples": 20.0,
    "generations": 64.0, "size_ratio": 3.0, "inference_ratio": 1.0, "prm_score": 60.0, "window_tokens": 1000.0,
    "least_saving": 0.1, "experts": 8.0, "memory_bytes": 8e9, "context_tokens": 1e5, "d_model": 2048.0, "n_layers": 24.0,
    "params_limit": 1e12, "query_tokens": 50.0, "active_params": 1e9, "kv_size": 128.0, "sample_budget": 64.0,
    "verdict_cost": 1.0, "context_limit": 1e5, "document_tokens": 500.0, "shot_tokens": 1000.0, "document_value": 0.5,
    "shot_value": 0.2, "iterations": 2.0, "answer_value": 10.0, "attempts": 6.0, "draft_cost": 0.05, "check_cost": 0.0,
    "step_overhead": 0.0, "relative_compute": 2.0, "search_compute": 0.1, "bits": 4.0, "tolerance": 0.05,
    "fp_tokens": 7e10, "bits_post": 5.0, "bit_operations": 2e11, "memory_bits": 1e8, "requests_per_second": 60.0,
    "kv_budget": 1e4, "budget_units": 80.0,
}  # fmt: skip
# Where a decision needs another value, or a target, a response that its law can reach.
TARGETS = {
    "Downstream": 0.75, "Overtraining": 2.5, "InferenceAware": 2.4, "Broken": 2.5, "Autoregressive": 2.2,
    "AutoregressiveCompute": 2.2, "M4": 3.0, "Primer": 2.8, "InferenceSize": 1.3e10, "Observational": 0.5,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {"OurKinetics": {"inference_flops": 1e16}, "QAT": {"tolerance": 0.3}}
# Its first question reads the size and tokens of another law, which a chained posterior brings.
CHAINED = {("Downstream", "cheapest")}
DECISIONS = [(law, n) for law in LAWS for n in law.prior().decisions() if (law.__name__, n) not in CHAINED]
# Kinds: one range, two, a menu, menus of names beside a range, a target that the law may not reach, nothing to choose.
QUICK = {("Chinchilla", "compute_optimal"), ("Precision", "compute_optimal"), ("Ensemble", "menu"),
         ("OurThinkingCap", "cap"), ("AutoregressiveCompute", "cheapest"), ("MIST", "tuned")}  # fmt: skip


@pytest.fixture(autouse=True)
def forget_programs_of_a_decision() -> Iterator[None]:
    """No two decisions share a program, and those of all are more than a process may map (see conftest)."""
    yield
    jax.clear_caches()


@float64
def near_the_prior(law: Any) -> bl.Posterior:
    """Draws close to the middle of the prior, in place of a fit."""
    joint = as_joint(law, None)
    prior = jax.vmap(joint.sample_prior)(jax.random.split(jax.random.key(0), 400))
    free = {name: np.asarray(one) for name, one in jax.vmap(joint.unconstrain)(prior).items()}
    rng = np.random.default_rng(1)
    near = {
        n: np.median(a, axis=0) + 0.02 * a.std(axis=0) * rng.normal(size=(2, 20, *a.shape[1:])) for n, a in free.items()
    }
    values = jax.tree.map(np.asarray, jax.vmap(jax.vmap(joint.constrain))(near))
    stats = {"diverging": np.zeros((2, 20), bool), "n_steps": np.ones((2, 20), int)}
    columns = {name: np.full(4, GIVEN.get(name, 1.0)) for name in joint.columns()}
    return build(joint, (values, stats), columns, np.full(4, 0.5), [], {"seed": 0})


def given_to(posterior: bl.Posterior, name: str) -> dict[str, Any]:
    law = type(posterior.prior).__name__
    decision, labels = posterior.prior.decisions()[name], posterior.prior.categories()
    own = {"target": TARGETS.get(law, 0.5)} | OWN.get(law, {})
    return {n: own[n] if n in own else labels[n][0] if n in labels else GIVEN[n] for n in decision.given}


@pytest.mark.parametrize(
    ("law", "name"),
    [
        pytest.param(law, name, id=f"{law.__name__}-{name}",
                     marks=() if (law.__name__, name) in QUICK else pytest.mark.slow)
        for law, name in DECISIONS
    ],
)  # fmt: skip
def test_a_decision_answers_to_choose(law: type[bl.AbstractLaw], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bl.Posterior, "status", ())
    posterior = near_the_prior(law)
    given = given_to(posterior, name)
    choice = bl.choose(posterior, name, subject_to=bl.Feasible(0.5), **given)
    decision = choice.decision
    table = choice.summary()
    best = table.iloc[0]
    assert np.isfinite(best["risk"])
    # Nothing that is compared is better, but for the step of the search: 2e-6 of a box of at most 24 decades where a
    # limit ends it, and flat elsewhere. No draw is beaten at its own optimum.
    size = max(abs(table["risk"]).max(), 1e-12)
    usable = table[table["kept"] >= 0.5]
    assert best["risk"] <= usable["risk"].min() + 1e-4 * size
    assert (choice.draws["regret"].to_numpy()[np.isfinite(choice.draws["regret"].to_numpy())] >= 0).all()
    # The average regret is what is lost against `allocate` in each draw.
    optimum = bl.allocate(posterior, name, **given).draws
    for column, space in decision.choose.items():
        if isinstance(space, bl.Choices) and column in optimum:
            share = float(choice.menu["p_optimal"].sum())
            assert 0 < share <= 1 + 1e-9
    if decision.objective is None:
        lost = choice.draws[posterior.response].sel(option="recommended") - optimum[posterior.response]
        # With four ranges the optimum of a draw is found to a hundredth of the regret.
        near = 1e-5 * abs(best["median"]) + 0.01 * float(lost.max())
        np.testing.assert_allclose(choice.draws["regret"].sel(option="recommended"), lost, atol=near)
    assert decision.question in choice.page()
    assert "Recommended" in choice.page() or not decision.choose
    if decision.choose:
        built(choice)
        bought(posterior, name, given)


def bought(posterior: bl.Posterior, name: str, given: dict[str, Any]) -> None:
    """Of two runs alike the cheaper one is worth more for its cost; where no action is possible in every draw there is
    no regret, and that is said."""
    labels = posterior.prior.categories()
    alike = {one: [labels[one][0] if one in labels else GIVEN.get(one, 1.0)] * 2 for one in posterior.joint.columns()}
    try:
        found = bl.next_runs(posterior, alike | {"price": [1.0, 2.0]}, name, cost="price", budget=2, **given)
    except bl.InputError as error:
        if "no action is possible in every draw" not in str(error):
            raise
        return
    assert 0 <= found.before < np.inf
    gain = found.candidates.sort_values("price")["gain"].to_numpy()
    assert np.isfinite(gain).all()
    assert gain[0] == gain[1]
    assert len(found.batch) <= 2


def built(choice: bl.Choice) -> None:
    """Among others the values that were chosen cost nothing, the rest being chosen again: but for the search's step."""
    name, space = next(iter(choice.decision.choose.items()))
    own = choice.action[name].iloc[0]
    if isinstance(space, bl.Choices):
        found = bl.snap(choice, **{name: space})
    else:
        near = np.clip([0.9 * own, own, 1.1 * own], space.low, space.high)
        found = bl.snap(choice, **{name: np.unique(near)})
    best = found.summary().iloc[0]
    assert abs(best["share"]) < 1e-6
    assert best["breaks"] == ""
    assert found.page().startswith("What can be built of this plan")


@pytest.mark.slow
@pytest.mark.parametrize(("law", "name"), [pytest.param(law, n, id=f"{law.__name__}-{n}") for law, n in DECISIONS])
def test_a_decision_has_a_page(
    law: type[bl.AbstractLaw], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever is chosen and given the answer is there. Its four equal runs are no data to test a fit or a misfit on."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    monkeypatch.setattr("bayeslaw._report._page.fitted", lambda *_: Html("<p>left out</p>"))
    monkeypatch.setattr("bayeslaw._report._decided.why_not", lambda *_: "these runs are made up")
    posterior = near_the_prior(law)
    text = bl.report(posterior, tmp_path / "page.html", name, **given_to(posterior, name)).read_text()
    assert html.escape(posterior.prior.decisions()[name].question) in text
    assert 'id="reproduce"' in text
    reasons = re.findall(r"(?:Not here|There is no answer): </strong>(.*?)</p>", text)
    # Only the columns of a law that its decision does not report are a reason: how far away is not known then.
    assert all("the decision does not report" in one for one in reasons)
    assert text.count('class="card') > 0


@pytest.mark.slow
def test_a_penalised_law_answers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its hyperparameters at their optimum, or given."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    tuned = near_the_prior(bl.Penalised(Chinchilla.prior(), ("lr",)))
    free, held = (bl.choose(tuned, flops=1e22, **lr).summary() for lr in ({}, {"lr": 3e-3}))
    assert held["risk"].iloc[0] > free["risk"].iloc[0]


def test_laws_around_laws_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A law that differs by corpus, and one with an error of its own."""
    monkeypatch.setattr(bl.Posterior, "status", ())
    prior = Chinchilla.prior()
    pooled = near_the_prior(bl.Pooled(prior, {"corpus": ["one", "other"]}, by="corpus"))
    each = bl.choose(pooled, flops=1e22, corpus=["one", "other"])
    assert each.action.index.tolist() == [(1e22, "one"), (1e22, "other")]
    assert "corpus = other" in each.page(1)
    off = near_the_prior(bl.Discrepant(prior, {"params": [1e8, 1e9], "tokens": [1e9, 1e10]}))
    found = bl.choose(off, flops=1e22)
    lost = found.draws["loss"].sel(option="recommended") - bl.allocate(off, flops=1e22).draws["loss"]
    np.testing.assert_allclose(found.draws["regret"].sel(option="recommended"), lost, atol=1e-5)
