"""Observational scaling: the numbers of Ruan et al. 2024 (arXiv 2405.10938) and ours, reproduced.

Each says where its expected figure comes from: *recomputed* from the published data, or *ours*. Every capability is
of the 8 benchmark scores of the shipped models, centred and unscaled.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from advised import advised_fit
from families import FAMILIES, world

import bayeslaw as bl
from bayeslaw._tree import fill
from bayeslaw.models import Observational
from bayeslaw.models.observational import BENCHMARKS, F0, compute_to_reach, equivalent_flops, principal_capability

SPREAD = {"level": dist.HalfNormal(0.5), "slope": dist.HalfNormal(0.2)}


@pytest.fixture(scope="module")
def models() -> pd.DataFrame:
    return bl.load_observational()


@pytest.fixture(scope="module")
def scored(models: pd.DataFrame) -> pd.DataFrame:
    """The models with all 8 scores."""
    return models[models[list(BENCHMARKS)].notna().all(axis=1)].reset_index(drop=True)


@pytest.fixture(scope="module")
def usable(scored: pd.DataFrame) -> pd.DataFrame:
    """Those with compute that can be trusted, and their capability; the component is theirs."""
    table = scored[scored.flops.notna() & ~scored.doubtful].reset_index(drop=True)
    return table.assign(capability=principal_capability(table, np.ones(len(table)))[0][:, 0])


# --- The benchmarks and their principal components --------------------------------------------------------------------


def shares(table: pd.DataFrame) -> np.ndarray:
    """What each component explains of the variance, in percent."""
    variance = principal_capability(table, np.ones(len(table)), components=8)[0].var(axis=0)
    return 100 * variance / variance.sum()


def test_shares_of_variance(scored: pd.DataFrame) -> None:
    """Recomputed: three components hold 97.4 % (about 97 % second-hand in the paper); ours: the same, standardised."""
    assert len(scored) == 124
    assert shares(scored)[:3] == pytest.approx([84.3, 10.0, 3.1], abs=0.1)
    assert shares(scored)[:3].sum() == pytest.approx(97.4, abs=0.1)
    values = scored[list(BENCHMARKS)]
    assert shares((values - values.mean()) / values.std())[:4] == pytest.approx([78.1, 13.9, 3.9, 1.9], abs=0.1)


def test_loadings_of_the_first_component(scored: pd.DataFrame) -> None:
    """Recomputed."""
    loadings = principal_capability(scored, np.ones(len(scored)))[1]
    assert loadings[0] == pytest.approx([0.437, 0.316, 0.337, 0.224, 0.089, 0.592, 0.214, 0.375], abs=0.002)


def test_the_component_is_of_the_training_rows_alone(scored: pd.DataFrame) -> None:
    """Rows that are not training rows change neither the loadings nor anyone else's capability."""
    train = np.arange(len(scored)) < 60
    capability, loadings = principal_capability(scored, train, components=2)
    changed = scored.copy()
    changed.loc[~train, list(BENCHMARKS)] = 1 - scored.loc[~train, list(BENCHMARKS)]
    again, same = principal_capability(changed, train, components=2)
    np.testing.assert_array_equal(loadings, same)
    np.testing.assert_array_equal(capability[train], again[train])
    assert np.abs(capability - again)[~train].max() > 0.1
    np.testing.assert_allclose(capability[train].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(loadings @ loadings.T, np.eye(2), atol=1e-12)
    incomplete = scored.astype({"mmlu": float})
    incomplete.loc[0, "mmlu"] = np.nan
    found = principal_capability(incomplete, train)[0]
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()
    with pytest.raises(bl.InputError, match="1 training rows have all of mmlu"):
        principal_capability(scored, np.arange(len(scored)) == 5)


def test_compute_is_six_times_size_and_tokens(models: pd.DataFrame) -> None:
    """Recomputed. The figures ship with ten digits; hence 1e-9 in place of the 1e-12 of the source's own."""
    known = models[models.flops.notna()]
    assert len(known) == 123
    np.testing.assert_allclose(6 * known.params * known.tokens / known.flops, 1, rtol=1e-9)


def test_split_by_compute(models: pd.DataFrame, usable: pd.DataFrame) -> None:
    """Recomputed: 77 of 123 at or below 84e21 FLOPs (the paper's own split was 47 and 30); ours: 72 of the 108 usable."""
    assert (models.flops <= F0).sum() == 77
    assert (len(usable), (usable.flops <= F0).sum(), usable.family.nunique()) == (108, 72, 33)


@pytest.mark.parametrize(
    ("family", "size", "r2", "slope"),
    [
        ("Pythia", 8, 0.984, 0.155),
        ("OPT", 8, 0.985, 0.123),
        ("Qwen1.5", 7, 0.970, 0.424),
        ("BLOOM", 5, 0.984, None),
        ("GPT-Neo/J", 5, 0.942, None),
        ("Cerebras-GPT", 6, 0.860, None),
    ],
)
def test_capability_is_linear_inside_a_family(
    scored: pd.DataFrame, family: str, size: int, r2: float, slope: float | None
) -> None:
    """Recomputed: with the component of the 124 models."""
    own = (scored.family == family) & scored.flops.notna()
    x, y = np.log10(scored.flops[own]), principal_capability(scored, np.ones(len(scored)))[0][own, 0]
    assert len(x) == size
    assert np.corrcoef(x, y)[0, 1] ** 2 == pytest.approx(r2, abs=0.002)
    if slope is not None:
        assert np.polyfit(x, y, 1)[0] == pytest.approx(slope, abs=0.002)


# --- A simulated world ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pooled() -> bl.Posterior:
    runs = world()
    return advised_fit(
        bl.Pooled(Observational, runs, by="family", spread=SPREAD),
        runs,
        chains=2,
        draws=600,
        warmup=600,
        target_accept=0.95,
        seed=1,
    )


def test_families_are_recovered(pooled: bl.Posterior) -> None:
    """98 % intervals of five levels and five slopes."""
    assert pooled.ok, pooled.status
    found = pooled.summary(prob=0.98)
    for family, truth in FAMILIES.items():
        for name, value in zip(("level", "slope"), truth, strict=True):
            row = found.loc[f"{name}[{family}]"]
            assert row.lower < value < row.upper, (family, name)
    assert found.loc["slope[Pythia]", "sd"] < 0.5 * found.loc["slope[Yi]", "sd"]  # eight models and two


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_compute_to_reach_a_capability(pooled: bl.Posterior) -> None:
    """The search against the closed form, draw by draw; the truth in the 98 % interval."""
    decision = pooled.prior.decisions()["compute_to_reach"]
    given = {"target": 0.45, "family": ["Qwen1.5", "Llama"]}
    draws = {
        method: bl.allocate(pooled, decision, method=method, **given).draws["flops"].to_numpy()
        for method in ("search", "closed_form")
    }
    np.testing.assert_allclose(draws["search"], draws["closed_form"], rtol=1e-4)
    for i, family in enumerate(given["family"]):
        level, slope = FAMILIES[family]
        low, high = np.quantile(draws["search"][..., i], [0.01, 0.99])
        assert low < F0 * 10 ** ((given["target"] - level) / slope) < high


def test_a_family_that_falls_is_at_its_best_at_the_least_compute() -> None:
    law = bl.Pooled(Observational, {"family": ["up", "down"]}, by="family")
    offsets = {"offsets.level": np.zeros(3), "offsets.slope": np.array([0.0, -1.0, 0.0])}
    law = fill(law, {"base.level": 0.0, "base.slope": 0.3, "spread.level": 1.0, "spread.slope": 0.5, **offsets})
    choose = compute_to_reach.closed_form
    assert choose is not None
    flops = [float(choose(law.member({"family": jnp.asarray(i)}), target=0.3)["flops"]) for i in (0, 1)]
    assert flops == pytest.approx([10 * F0, 0.0])


def test_equivalent_compute(pooled: bl.Posterior) -> None:
    """Back and forth is where one came from; the truth in the 98 % interval."""
    there = equivalent_flops(pooled, 1e22, family="Pythia", reference="Llama")
    np.testing.assert_allclose(
        equivalent_flops(pooled, there, family="Llama", reference="Pythia"), np.full(there.shape, 1e22)
    )
    (a, b), (level, slope) = FAMILIES["Pythia"], FAMILIES["Llama"]
    low, high = np.quantile(there, [0.01, 0.99])
    assert low < F0 * 10 ** ((a + b * np.log10(1e22 / F0) - level) / slope) < high
    with pytest.raises(bl.InputError, match="'GPT-5' is not a family of this posterior; it has Pythia"):
        equivalent_flops(pooled, 1e22, family="GPT-5", reference="Llama")


def test_a_falling_reference_has_no_equivalent() -> None:
    draws = {"level[a]": [0.0, 0.0], "slope[a]": [0.3, 0.3], "level[b]": [0.0, 0.0], "slope[b]": [0.6, -0.1]}
    posterior = SimpleNamespace(derived=xr.Dataset({name: ("draw", values) for name, values in draws.items()}))
    found = equivalent_flops(posterior, 100 * F0, family="a", reference="b")
    np.testing.assert_allclose(found, [10 * F0, np.nan])


# --- The public models ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def public(usable: pd.DataFrame) -> bl.Posterior:
    return advised_fit(bl.Pooled(Observational, usable, by="family", spread=SPREAD), usable, draws=4000, seed=1)


@pytest.mark.slow
def test_posterior_of_the_public_models(public: bl.Posterior) -> None:
    """Ours: the component is that of the 108 models. Means within 3 % or two Monte Carlo errors.

    Ends of the 95 % intervals within 0.35 posterior sds: those expected are of some 4,000 draws, whose tails are worth 400
    independent ones, an error of 0.135 sds; twice that, and ours.
    """
    assert public.ok, public.status
    found = public.summary(prob=0.95)
    assert found["mean"]["base.level"] == pytest.approx(0.071, abs=0.005)
    assert found.sd["base.level"] == pytest.approx(0.041, abs=0.004)
    assert found.sd["base.slope"] == pytest.approx(0.037, abs=0.004)
    assert found["mean"]["noise.scale"] == pytest.approx(0.037, abs=0.0016)  # 3 %, and half the last digit printed
    assert found["mean"]["noise.df"] == pytest.approx(2.7, abs=0.3)
    assert found["mean"]["spread.level"] == pytest.approx(0.22, abs=0.01)
    assert found["mean"]["spread.slope"] == pytest.approx(0.16, abs=0.01)
    for name, mean, low, high in (
        ("base.slope", 0.331, 0.261, 0.407),
        ("slope[Pythia]", 0.164, 0.128, 0.204),
        ("slope[OPT]", 0.130, 0.098, 0.166),
        ("slope[Qwen1.5]", 0.426, 0.338, 0.490),
        ("slope[Llama-2]", 0.504, 0.340, 0.614),
    ):
        row = found.loc[name]
        assert row["mean"] == pytest.approx(mean, rel=0.03), name
        assert [row.lower, row.upper] == pytest.approx([low, high], abs=0.35 * row.sd), name


@pytest.mark.slow
def test_held_out_by_compute(usable: pd.DataFrame) -> None:
    """Ours: 72 models up to 84e21 FLOPs, and the component of their scores, predict 36 larger ones.

    Of families that are known about as often as the intervals say; new families are newer ones, better than those before.
    """
    train = (usable.flops <= F0).to_numpy()
    table = usable.assign(capability=principal_capability(usable, train)[0][:, 0])
    known, test = table[train], table[~train]
    new = ~test.family.isin(set(known.family))
    law = bl.Pooled(Observational, known, by="family", spread=SPREAD)
    posterior = advised_fit(law, known, draws=16_000, target_accept=0.95, seed=1)  # StableLM has two modes
    assert posterior.ok, posterior.status
    at = test[["flops"]].assign(family=test.family.where(~new, "new"))
    low, median, high = np.quantile(
        bl.predict(posterior, at, misfit=False).draws["capability_new_run"], [0.05, 0.5, 0.95], axis=(0, 1)
    )
    error, held = np.abs(median - test.capability), (low <= test.capability) & (test.capability <= high)
    assert (len(test), new.sum()) == (36, 16)
    assert error[~new].mean() == pytest.approx(0.11, abs=0.005)
    assert error[new].mean() == pytest.approx(0.252, abs=0.01)
    assert held[~new].mean() == pytest.approx(0.85, abs=0.051)
    assert held[new].mean() == pytest.approx(0.625, abs=0.063)  # one model more or less
