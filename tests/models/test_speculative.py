"""Speculative decoding (Leviathan et al. 2022, arXiv 2211.17192; Hu et al. 2025, arXiv 2502.18779).

Each expected figure says where it comes from: *ours*, or *second-hand*. The papers' acceptances are not transcribed.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from pinned import pinned
from scipy.optimize import linprog
from scipy.special import betaln

import bayeslaw as bl
from bayeslaw._tree import float64
from bayeslaw.models.speculative import LONGEST, Speculative
from bayeslaw.models.transport import acceptance, greedy_acceptance

P, Q = np.array([0.5, 0.2, 0.15, 0.1, 0.05]), np.array([0.2, 0.4, 0.2, 0.1, 0.1])
FREE = {"check_cost": 0.0, "step_overhead": 0.0}


# --- Acceptance of several drafts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drafts", "with_", "without", "greedy"),
    [(1, 0.7, 0.7, 0.7), (2, 0.86, 0.927778, 0.833333), (3, 0.988, 1.0, 1.0)],
)
def test_acceptance_of_an_example(drafts: int, with_: float, without: float, greedy: float) -> None:
    """Ours."""
    assert acceptance(P, Q, drafts) == pytest.approx(with_, abs=1e-6)
    assert acceptance(P, Q, drafts, replacement=False) == pytest.approx(without, abs=1e-6)
    assert greedy_acceptance(P, Q, drafts) == pytest.approx(greedy, abs=1e-6)
    assert acceptance(P, Q) == pytest.approx(np.minimum(P, Q).sum())


def test_acceptance_at_random() -> None:
    """Ours."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet([0.5] * 5), rng.dirichlet([0.7] * 5)
    found = [acceptance(p, q), greedy_acceptance(p, q, 2), acceptance(p, q, 2), acceptance(p, q, 2, replacement=False)]
    assert found == pytest.approx([0.62735, 0.74251, 0.75704, 0.77779], abs=1e-5)


def by_programme(p: np.ndarray, chances: dict[tuple[int, ...], float]) -> float:
    """The transport problem itself: how much of p can be covered by tuples of drafts that hold the token."""
    tuples = list(chances)
    pairs = [(i, token) for i, drafts in enumerate(tuples) for token in set(drafts)]
    rows = np.zeros((len(tuples) + len(p), len(pairs)))
    for column, (i, token) in enumerate(pairs):
        rows[i, column] = rows[len(tuples) + token, column] = 1
    limits = np.concatenate([[chances[one] for one in tuples], p])
    return -linprog(-np.ones(len(pairs)), A_ub=rows, b_ub=limits, method="highs").fun


def drawn(q: np.ndarray, drafts: int, replacement: bool) -> dict[tuple[int, ...], float]:
    found = {}
    for one in itertools.product(range(len(q)), repeat=drafts):
        if replacement or len(set(one)) == drafts:
            left, chance = 1.0, 1.0
            for token in one:
                chance *= q[token] / left
                left -= 0.0 if replacement else q[token]
            found[one] = chance
    return found


def test_formulas_against_the_linear_programme() -> None:
    """Ours: on random distributions over five tokens; without replacement is never worse than with, nor that than one
    draft; a greedy draft is better than drawing without replacement now and then."""
    rng, better = np.random.default_rng(1), 0
    for case in range(300):
        p, q, drafts = rng.dirichlet([0.5] * 5), rng.dirichlet([0.7] * 5), 2 + case % 2
        with_, without = (acceptance(p, q, drafts, replacement=one) for one in (True, False))
        greedy = greedy_acceptance(p, q, drafts)
        assert without >= with_ - 1e-12
        assert with_ >= acceptance(p, q) - 1e-12
        better += greedy > without + 1e-12
        if case < 60:
            assert with_ == pytest.approx(by_programme(p, drawn(q, drafts, True)), abs=1e-9)
            assert without == pytest.approx(by_programme(p, drawn(q, drafts, False)), abs=1e-9)
            top = tuple(np.argsort(-q)[: drafts - 1])
            rest = {(*top, i): q[i] / (1 - q[list(top)].sum()) for i in range(5) if i not in top}
            assert greedy == pytest.approx(by_programme(p, rest), abs=1e-9)
    assert 0 < better < 30


def test_acceptance_of_certain_tokens() -> None:
    """Corners: equal distributions, disjoint ones, tokens that the draft never proposes."""
    assert acceptance(P, P, 3) == pytest.approx(1)
    assert acceptance(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 5) == pytest.approx(0)
    many = np.random.default_rng(2).dirichlet([0.1] * 2000, 2)
    found = [acceptance(*many, drafts, replacement=False) for drafts in (1, 2, 8)]
    assert found[0] == pytest.approx(np.minimum(*many).sum(), abs=1e-9)
    assert found == sorted(found)
    assert acceptance(np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5]), 2, replacement=False) == pytest.approx(0.5)
    for arguments in ((P, Q, 0), (P, Q[:3], 1), (P, 2 * Q, 1)):
        with pytest.raises(bl.InputError):
            acceptance(*arguments)
    with pytest.raises(bl.InputError, match="6 drafts cannot be had"):
        acceptance(P, Q, 6, replacement=False)


# --- Tokens per step and speed-up -------------------------------------------------------------------------------------


def law(rate: float, alike: float) -> Speculative:
    return Speculative(rate={"one": rate}, alike=alike, methods=("one",), drafts=(1.0,))


def tokens(rate: float, alike: float, length: float) -> float:
    return float(float64(law(rate, alike).tokens)(0, length))


@pytest.mark.parametrize(("rate", "length", "expected"), [(0.6, 3, 2.176), (0.8, 5, 3.68928), (0.9, 7, 5.69533)])
def test_tokens_of_one_context(rate: float, length: int, expected: float) -> None:
    """Ours: (1 - alpha^(g + 1)) / (1 - alpha) where contexts do not differ."""
    assert (1 - rate ** (length + 1)) / (1 - rate) == pytest.approx(expected, abs=1e-5)
    assert tokens(rate, 1e9, length) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("a", "b", "expected"), [(8, 2, 3.85714), (4, 1, 3.98254), (16, 4, 3.77997)])
def test_tokens_where_contexts_differ(a: float, b: float, expected: float) -> None:
    """Ours: more than at the mean of 0.8."""
    found = tokens(a / (a + b), a + b, 5)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found == pytest.approx(sum(np.exp(betaln(a + j, b) - betaln(a, b)) for j in range(6)))
    assert found > 3.68928
    assert tokens(0.8, 10.0, 0) == 1
    assert np.isnan(tokens(0.8, 10.0, LONGEST + 1))


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """200 contexts of 50 proposals, from Beta(8, 2)."""
    return bl.simulate(law(0.8, 10.0), {"method": ["one"] * 200, "trials": 50.0}, seed=1)


def certain(rate: float, alike: float) -> bl.Posterior:
    return pinned(law(rate, alike), Speculative.prior({"one": 1.0}), {"method": [0.0, 0.0], "trials": [50.0, 50.0]})


@pytest.mark.parametrize(
    ("rate", "alike", "lengths", "speedups"),
    [
        (0.6, 1e9, (6, 4, 3), (2.170, 1.921, 1.674)),
        (0.8, 1e9, (11, 8, 6), (3.817, 3.092, 2.470)),
        (0.9, 1e9, (19, 13, 10), (6.365, 4.674, 3.431)),
        (0.8, 10.0, (19, 11, 8), (4.658, 3.484, 2.647)),
    ],
)
def test_best_drafts(rate: float, alike: float, lengths: tuple[int, ...], speedups: tuple[float, ...]) -> None:
    """Ours: differences between contexts make the best draft longer, at the same mean."""
    found = bl.allocate(certain(rate, alike), draft_cost=[0.02, 0.05, 0.1], **FREE).draws.isel(chain=0, draw=0)
    assert tuple(found["draft_length"].to_numpy()) == lengths
    assert found["speedup"].to_numpy() == pytest.approx(speedups, abs=1e-3)


def test_no_draft_where_it_costs_more_than_it_is_accepted() -> None:
    """The corner, an edge of the menu: alpha below the cost of drafting; or checking is no longer free."""
    found = bl.allocate(certain(0.3, 1e9), draft_cost=[0.29, 0.31, 0.05], **(FREE | {"check_cost": [0.0, 0.0, 0.3]}))
    assert found.draws["draft_length"].median(("chain", "draw")).to_numpy().tolist() == [1, 0, 0]
    assert found.edge_share.to_numpy().tolist() == [0, 1, 1]
    assert found.draws["speedup"].to_numpy()[..., 1:] == pytest.approx(1)


def test_spectr() -> None:
    """Second-hand: eight drafts of eight tokens have a block efficiency of 4.0 against 2.9 of one, 2.13 times plain
    decoding. The acceptances behind that, were contexts alike, and the steps' cost that the two figures imply."""
    for efficiency, rate in ((4.0, 0.77), (2.9, 0.66)):
        assert tokens(rate, 1e9, 8) == pytest.approx(efficiency, abs=0.1)
    assert pytest.approx(1 + 0.88, abs=0.01) == 4.0 / 2.13


# --- Posteriors -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def posterior(runs: pd.DataFrame) -> bl.Posterior:
    return advised_fit(Speculative.prior({"one": 1.0}), runs, seed=1, progress=False)


def test_recovery(posterior: bl.Posterior) -> None:
    assert posterior.ok, posterior.status
    found = posterior.summary(0.99)
    assert found.loc["rate.one", "lower"] < 0.8 < found.loc["rate.one", "upper"]
    assert found.loc["alike", "lower"] < 10 < found.loc["alike", "upper"]
    assert found.loc["rate.one", "sd"] < 0.015


def test_draft_of_a_posterior(posterior: bl.Posterior) -> None:
    """Ours: of 60 lengths a few may be the best, and which hardly matters."""
    found = bl.allocate(posterior, draft_cost=0.05, **FREE).draws
    low, high = np.quantile(found["draft_length"], [0.005, 0.995])
    assert low <= 11 <= high
    assert high - low < 8
    low, high = np.quantile(found["speedup"], [0.005, 0.995])
    assert low < 3.484 < high
    table = bl.alternatives(posterior, draft_cost=0.05, **FREE).summary()
    assert table["p_best"].max() < 0.6
    regret = table["regret"].to_numpy()
    assert (regret[10:15] < 0.03).all()  # under a hundredth of the speed-up
    assert regret[0] > 1


def test_two_methods() -> None:
    """Ours: two candidates a token are worth their check while that is free, and not where it costs a tenth of a step."""
    methods = {"one": 1.0, "two": 2.0}
    truth = Speculative(rate={"one": 0.7, "two": 0.8}, alike=1e9, methods=tuple(methods), drafts=(1.0, 2.0))
    sure = pinned(truth, Speculative.prior(methods), {"method": [0.0, 1.0], "trials": [50.0, 50.0]})
    given = {"draft_cost": 0.05, "check_cost": [0.0, 0.1], "step_overhead": 0.05}
    found = bl.allocate(sure, **given).draws
    assert found["method"][0, 0].to_numpy().tolist() == [1, 0]
    assert found["drafts"][0, 0].to_numpy().tolist() == [2, 1]
    length = float(found["draft_length"][0, 0, 0])
    expected = (1 - 0.8 ** (length + 1)) / 0.2 / (1.05 + 0.05 * length)
    assert float(found["speedup"][0, 0, 0]) == pytest.approx(expected, abs=1e-6)
