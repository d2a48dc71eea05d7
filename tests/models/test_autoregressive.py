"""The numbers of Henighan et al. 2020, reproduced; and domains that learn from each other, on simulated runs.

Each says where its expected figure comes from: *published* in the paper, *recomputed* from its coefficients, *ours*
where no one has published it.
"""

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw._search import score_of, search
from bayeslaw._tree import float64
from bayeslaw.models import Autoregressive, AutoregressiveCompute, AutoregressiveSize

LOSS = Autoregressive.published()
COMPUTE = AutoregressiveCompute.published()
SIZE = AutoregressiveSize.published()
DOMAINS = [name for name in SIZE if name != "language_kaplan2020"]
PF_DAY = 8.64e19
TOKENS = {"image_8x8": 192, "image_16x16": 768, "image_32x32": 3072, "image_vq_16x16": 256, "image_vq_32x32": 1024}


@float64
def best(law: Any, decision: str, **given: float) -> dict[str, float]:
    """The closed form, held against the search, and the columns that follow."""
    one = law.decisions()[decision]
    choice = one.closed_form(law, **given)
    found, edge = jax.jit(lambda given: search(one, lambda c: score_of(one, law, c, given)))(given)
    assert not edge
    for name, value in choice.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5)
    return {name: float(value) for name, value in one.columns(law, choice, given).items()}


# --- The frontier -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "params", "ratio"),
    [
        ("language", 1.29e9, 8.6),
        ("image_8x8", 3.14e8, 146),
        ("image_16x16", 3.08e8, 151),
        ("image_32x32", 2.08e8, 334),
        ("image_vq_16x16", 2.84e8, 179),
        ("image_vq_32x32", 2.62e8, 209),
        ("video_vq_16x16x16", 3.04e8, 156),
        ("math", 1.07e8, 1250),
    ],
)
def test_size_at_one_petaflop_day(domain: str, params: float, ratio: float) -> None:
    """Recomputed: the best size and its tokens per parameter, closed form and search."""
    found = best(SIZE[domain], "compute_optimal", flops=PF_DAY)
    assert found["nonembedding_params"] == pytest.approx(params, rel=0.01)
    assert found["tokens_per_param"] == pytest.approx(ratio, rel=0.02)


def test_two_prints_of_one_frontier() -> None:
    """Published, for 16x16 images: 2.8e8 C^0.74 and C = 5e-42 D^3.9 in the text; the table has 3.08e8 C^0.75.

    Recomputed: the text's size gives C = 6.4e-42 D^3.85. A 30 % agreement is what two digits of an exponent leave.
    """
    text, table = AutoregressiveSize(n=2.8e8, beta=0.74), SIZE["image_16x16"]
    assert (table.n, table.beta) == (pytest.approx(3.08e8, rel=2e-3), 0.75)
    assert text.n == pytest.approx(table.n, rel=0.3)
    power = 1 / (1 - text.beta)  # tokens grow as flops^(1 - beta)
    tokens = best(text, "compute_optimal", flops=PF_DAY)["tokens"]
    assert power == pytest.approx(3.85, abs=0.005)
    assert tokens**-power == pytest.approx(6.4e-42, rel=0.01)
    assert tokens**-power == pytest.approx(5e-42, rel=0.3)
    assert power == pytest.approx(3.9, abs=0.06)


def test_data_grow_slower_than_size() -> None:
    """Published: D as N^0.4, for an exponent of 0.71; above 0.6 in every domain, so at most N^(2/3)."""
    assert SIZE["video_vq_16x16x16"].derived()["data_exponent"] == pytest.approx(0.4, abs=0.01)
    assert all(law.beta > 0.6 and law.derived()["data_exponent"] <= 2 / 3 for law in SIZE.values())
    assert SIZE["image_to_text"].derived()["C_opt"] == pytest.approx(3.3e-12)


def test_nearest_size_on_a_menu() -> None:
    """The frontier says 1.29e9; of 8e8 and 2.2e9 the first is nearer on a log scale, of 5e8 and 2.2e9 the second."""
    for low, nearest in ((8e8, 8e8), (5e8, 2.2e9)):
        menu = SIZE["language"].decisions()["compute_optimal"].within(nonembedding_params=bl.Choices((low, 2.2e9)))
        with jax.enable_x64(True):
            choice, _ = search(menu, lambda c, menu=menu: score_of(menu, SIZE["language"], c, {"flops": PF_DAY}))
        assert float(choice["nonembedding_params"]) == nearest


# --- Loss -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "scale", "power", "entropy"),
    [
        ("image_16x16", 1.73e10, 0.16, 2028),
        ("image_32x32", 2.69e26, 0.1, 6789),
        ("image_vq_16x16", 4.77e15, 0.11, 1047),
        ("image_vq_32x32", 3.17e19, 0.12, 3246),
    ],
)
def test_nats_per_image(domain: str, scale: float, power: float, entropy: float) -> None:
    """Recomputed: Table 3, (C / scale)^-power per image, from Table 1 and the tokens of an image; published beside it."""
    printed = {
        "image_16x16": (1.7e10, 2026), "image_32x32": (2.7e26, 6806), "image_vq_16x16": (4.7e15, 1047), "image_vq_32x32": (3.1e19, 3246),
    }  # fmt: skip
    law, tokens = COMPUTE[domain], TOKENS[domain]
    reducible = tokens * (law(flops=PF_DAY) - law.E)
    assert law.alpha == power
    for expected in ((scale, entropy), printed[domain]):
        assert (reducible ** (1 / power), tokens * law.E) == pytest.approx(expected, rel=0.025)
    assert (reducible ** (1 / power), tokens * law.E) == pytest.approx((scale, entropy), rel=3e-3)


def test_table_3_of_8x8_images_does_not_check() -> None:
    """Published as 1.9e3; recomputed from Table 1 it is 1.87e4, ten times as much. The entropy agrees: 602, 601."""
    law, tokens = COMPUTE["image_8x8"], TOKENS["image_8x8"]
    scale = (tokens * (law(flops=PF_DAY) - law.E)) ** (1 / 0.19)
    assert scale == pytest.approx(1.87e4, rel=0.01)
    assert scale / 1.9e3 == pytest.approx(10, rel=0.03)
    assert tokens * law.E == pytest.approx(602, rel=2e-3)


@pytest.mark.parametrize(("domain", "data", "compute"), [("image_16x16", 2013, 2023), ("image_8x8", 599, 602)])
def test_entropy_of_images(domain: str, data: float, compute: float) -> None:
    """Published: nats per image by L(D) and by L(C), within 1 % of the floors of both laws of Table 1."""
    for law in (LOSS[domain], COMPUTE[domain]):
        for entropy in (data, compute):
            assert TOKENS[domain] * law.floor() == pytest.approx(entropy, rel=0.01)


@pytest.mark.parametrize(
    ("compute", "size", "loss", "limit"),
    [
        ("text_to_image", "text_to_image_image", 2.06, 2.18),
        ("image_to_text", "image_to_text_image", 2.09, 2.21),
        ("math", "math", 0.29, 0.51),
    ],
)
def test_the_laws_contradict_each_other(compute: str, size: str, loss: float, limit: float) -> None:
    """Recomputed: at 1 PF-day the loss for the budget lies below what the best size can ever reach."""
    found = float(COMPUTE[compute](flops=PF_DAY))
    assert found == pytest.approx(loss, abs=0.01)
    reached = float(LOSS[size](nonembedding_params=SIZE[compute](flops=PF_DAY)))
    assert reached == pytest.approx(limit, abs=0.01)


def test_text_of_pairs() -> None:
    """Published: 8 nats of an image are in its caption at 1 B, an Infogain of 0.10; a 32x32 picture is 2 to 3 words.

    8 / 0.10 nats a caption at the law's loss per token are 82 tokens. Ours: 20 % at 3e12 then fixes lambda = 0.0125 per
    e-fold and N_c = 3.3e5.
    """
    per_token = float(LOSS["text_to_image_text"](nonembedding_params=1e9))
    assert 8 / 0.10 / per_token == pytest.approx(82, abs=1)
    rate = (0.20 - 0.10) / np.log(3e12 / 1e9)
    assert rate == pytest.approx(0.0125, rel=0.01)
    assert 1e9 / np.exp(0.10 / rate) == pytest.approx(3.3e5, rel=0.05)
    assert 0.0125 * np.log(3e12 / 3.3e5) == pytest.approx(0.20, rel=0.2)
    words = 8 / 3.4  # nats a word
    assert words == pytest.approx(2.4, abs=0.05)


def test_smallest_and_cheapest() -> None:
    """Ours: closed form and search, and that the target is met; a target below the floor is out of reach."""
    found = best(LOSS["image_32x32"], "smallest", target=2.4)["nonembedding_params"]
    assert LOSS["image_32x32"](nonembedding_params=found) == pytest.approx(2.4)
    found = best(COMPUTE["math"], "cheapest", target=0.3)["flops"]
    assert COMPUTE["math"](flops=found) == pytest.approx(0.3)
    beyond = LOSS["image_32x32"].decisions()["smallest"].closed_form(LOSS["image_32x32"], target=2.1)
    assert np.isnan(beyond["nonembedding_params"])


# --- Domains ----------------------------------------------------------------------------------------------------------


def frontier_runs(domains: list[str], seed: int) -> pd.DataFrame:
    """The best sizes at seven budgets in each domain, each read off with a scatter of 10 %."""
    budgets = PF_DAY * 10.0 ** np.arange(-5, 2)
    tables = [
        bl.simulate(SIZE[name], {"flops": budgets}, noise=bl.LogNormal(scale=0.1), seed=seed + i).assign(domain=name)
        for i, name in enumerate(domains)
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def posterior() -> bl.Posterior:
    return advised_fit(AutoregressiveSize, frontier_runs(["language"], seed=1), seed=1, warmup=500, draws=500)


def test_recovery(posterior: bl.Posterior) -> None:
    """Ours: one domain by itself, both parameters within three posterior sds and the size in its 99 % interval."""
    assert posterior.ok
    found = posterior.summary()
    for name in ("n", "beta"):
        truth = getattr(SIZE["language"], name)
        assert found.loc[name, "mean"] == pytest.approx(truth, abs=3 * found.loc[name, "sd"])
    search = bl.allocate(posterior, flops=1e23)
    closed = bl.allocate(posterior, flops=1e23, method="closed_form")
    np.testing.assert_allclose(search.draws["nonembedding_params"], closed.draws["nonembedding_params"], rtol=1e-5)
    row = search.summary(prob=0.99).loc[(1e23, "nonembedding_params")]
    assert row["lower"] < SIZE["language"](flops=1e23) < row["upper"]


@pytest.mark.slow
def test_frontiers_of_ten_domains() -> None:
    """Ours: the frontiers of Table 1 (of text-image pairs there is one each), pooled as on the card.

    Mathematics has its two smallest budgets only. By themselves they leave its size at 1e23 FLOPs, seven orders of
    magnitude on, within 1.8e9 to 1.1e11 (99 %, scatter known); with the other nine domains within 4.6e9 to 8.5e10.
    """
    runs = frontier_runs(DOMAINS, seed=10)
    runs = runs[(runs.domain != "math") | (runs.flops < 2e-4 * PF_DAY)].reset_index(drop=True)
    spread = {"n": dist.HalfNormal(1.0), "beta": dist.HalfNormal(0.05)}
    posterior = advised_fit(
        bl.Pooled(AutoregressiveSize, runs, by="domain", spread=spread), runs, seed=1, target_accept=0.95
    )
    assert posterior.ok
    found = posterior.summary()
    for name in DOMAINS:
        for parameter in ("n", "beta"):
            row, truth = found.loc[f"{parameter}[{name}]"], getattr(SIZE[name], parameter)
            # 20 parameters; n of mathematics is skewed, so its sd is no measure: see the interval below
            assert (parameter, name) == ("n", "math") or abs(row["mean"] - truth) < 3.5 * row["sd"]
    assert found.loc["base.beta", "mean"] == pytest.approx(0.694, abs=0.03)  # the mean of Table 1
    assert found.loc["spread.beta", "mean"] == pytest.approx(0.04, abs=0.025)
    best = bl.allocate(posterior, flops=1e23, domain=[*DOMAINS, "new"]).summary(prob=0.99)
    for name in DOMAINS:
        row = best.loc[(1e23, name, "nonembedding_params")]
        assert row["lower"] < SIZE[name](flops=1e23) < row["upper"]
        unseen = best.loc[(1e23, "new", "nonembedding_params")]
        assert unseen["lower"] < SIZE[name](flops=1e23) < unseen["upper"]
    math = runs[runs.domain == "math"]
    alone = advised_fit(AutoregressiveSize, math, noise=bl.LogNormal(scale=dist.LogNormal(np.log(0.1), 0.1)), seed=1)
    own = bl.allocate(alone, flops=1e23).summary(prob=0.99).loc[(1e23, "nonembedding_params")]
    row = best.loc[(1e23, "math", "nonembedding_params")]
    assert np.log(row["upper"] / row["lower"]) < 0.8 * np.log(own["upper"] / own["lower"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["with_floor", "text"])
def test_losses_of_twelve_domains(kind: str) -> None:
    """Ours: the nine domains with a floor, and the three of text without one, each kind pooled.

    Runs scatter by 1 % of their reducible part, which is a thousandth of the loss in one domain and all of it in
    another; a Student-t of one scale stands in for that, hence four posterior sds.
    """
    domains = [name for name, law in LOSS.items() if (law.E == 0.0) == (kind == "text")]
    params = np.array([1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9])
    generator = np.random.default_rng(0)
    tables = []
    for name in domains:
        loss = LOSS[name](nonembedding_params=params)
        loss = loss + 0.01 * (loss - LOSS[name].E) * generator.standard_normal(len(params))
        tables.append(pd.DataFrame({"domain": name, "nonembedding_params": params, "loss": loss}))
    runs = pd.concat(tables, ignore_index=True)
    assert len(domains) == (3 if kind == "text" else 9)
    spread = {"a": dist.HalfNormal(1.0), "alpha": dist.HalfNormal(0.4)}
    spread |= {} if kind == "text" else {"E": dist.HalfNormal(0.7)}
    prior = Autoregressive.text() if kind == "text" else Autoregressive.prior()
    noise = bl.StudentT(df=bl.StudentT.prior().df, scale=dist.LogNormal(np.log(1e-3), 1.5))
    posterior = advised_fit(
        bl.Pooled(prior, runs, by="domain", spread=spread), runs, noise=noise, seed=1, target_accept=0.95
    )
    assert posterior.ok
    found = posterior.summary()
    off = [
        (found.loc[f"{one}[{name}]", "mean"] - getattr(LOSS[name], one)) / found.loc[f"{one}[{name}]", "sd"]
        for name in domains
        for one in spread
    ]
    assert np.max(np.abs(off)) < 4
