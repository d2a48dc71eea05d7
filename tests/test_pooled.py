"""`Pooled`: what it moves, whom it lends to, and what it says of groups it has not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from advised import advised_fit

import bayeslaw as bl
from bayeslaw._decision import through
from bayeslaw._joint import as_joint
from bayeslaw._pooled import _of_group
from bayeslaw._target import cheapest
from bayeslaw._tree import evaluate, fill, float64, sites
from bayeslaw.models import Chinchilla
from bayeslaw.models.chinchilla import compute_optimal

GROUPS = {"corpus": ["c4", "pile", "web"]}


def world(**offsets: list[float]) -> bl.Pooled:
    """A pooled Chinchilla law of three corpora with given offsets, all others zero."""
    law = bl.Pooled(Chinchilla, GROUPS, by="corpus")
    truth = Chinchilla.published()["besiroglu2024"]
    values = {f"base.{name}": getattr(truth, name) for name in ("E", "a", "alpha", "b", "beta")}
    values |= {f"spread.{name}": 0.1 for name, _ in law.links}
    values |= {f"offsets.{name}": np.array([*offsets.get(name, [0.0, 0.0, 0.0]), 0.0]) for name, _ in law.links}
    return fill(law, values)


def test_a_group_is_the_base_law_with_its_parameters_moved() -> None:
    law = world(alpha=[1.0, -2.0, 0.0])
    truth = Chinchilla.published()["besiroglu2024"]
    for place, corpus in enumerate(GROUPS["corpus"]):
        moved = Chinchilla(
            E=truth.E, a=truth.a, alpha=truth.alpha * np.exp(0.1 * [1.0, -2.0, 0.0][place]), b=truth.b, beta=truth.beta
        )
        at = {"params": 7e9, "tokens": 1e11}
        np.testing.assert_allclose(law.mean(**at, corpus=place), moved.mean(**at), rtol=1e-6)
        assert law.derived()[f"alpha[{corpus}]"] == pytest.approx(moved.alpha)


def test_names_stand_for_groups() -> None:
    law = world(E=[1.0, -1.0, 0.5])
    at = {"params": "7e9", "tokens": 1e11}
    at = {"params": 7e9, "tokens": 1e11}
    assert law(**at, corpus="pile") == pytest.approx(float(law.mean(**at, corpus=1.0)), rel=1e-6)
    np.testing.assert_array_equal(law(**at, corpus=["new", "c4"]), [law(**at), law(**at, corpus="c4")])
    with pytest.raises(bl.InputError, match="'books' is not one of c4, pile, web, new"):
        law(**at, corpus="books")


@float64
def test_what_is_moved_and_how_far() -> None:
    """Positive parameters in logarithms, real ones as they are, shares in logits; a fifth of the prior's sd; others shared."""

    class Kinds(bl.AbstractLaw):
        level: bl.Scalar
        slope: bl.Scalar
        share: bl.Scalar
        vector: bl.Scalar
        bound: bl.Scalar

        def mean(self, params: jax.Array) -> jax.Array:  # type: ignore[override]
            return self.level + self.slope * params + self.share + self.vector.sum() + self.bound

        @classmethod
        def prior(cls) -> "Kinds":
            return cls(
                level=dist.LogNormal(0.0, 0.3), slope=dist.Normal(0.0, 2.0), share=dist.Beta(2.0, 2.0),
                vector=dist.Normal(jnp.zeros(2), 1.0).to_event(1), bound=dist.Uniform(2.0, 3.0),
            )  # fmt: skip

    law = bl.Pooled(Kinds, {"family": [1, 2.0, "b"]}, by="family")
    assert law.groups == ("1", "2", "b")
    assert dict(law.links) == {"level": "log", "share": "logit", "slope": "identity"}
    found = sites(law)
    assert np.exp(found["spread.level"].loc) == pytest.approx(
        0.06, rel=0.05
    )  # Monte Carlo, 20,000 draws, and two digits
    assert np.exp(found["spread.slope"].loc) == pytest.approx(0.4, rel=0.05)
    values = as_joint(law, None).sample_prior(jax.random.key(0))
    values |= {"offsets.share": np.array([1.0, -1.0, 0.0, 2.0]), "spread.share": np.array(0.5)}
    odds = [p / (1 - p) for p in (values["base.share"], fill(law, values).derived()["share[2]"])]
    assert odds[1] == pytest.approx(odds[0] * np.exp(-0.5))


def test_what_cannot_be_pooled_is_refused() -> None:
    with pytest.raises(bl.InputError, match="no column 'corpus' to tell groups apart; they have params"):
        bl.Pooled(Chinchilla, {"params": [1e9]}, by="corpus")
    with pytest.raises(bl.InputError, match="column 'corpus' is empty in row 1"):
        bl.Pooled(Chinchilla, {"corpus": ["a", None]}, by="corpus")
    with pytest.raises(bl.InputError, match="a group is called 'new'"):
        bl.Pooled(Chinchilla, {"corpus": ["a", "new"]}, by="corpus")
    with pytest.raises(bl.InputError, match=r"'run' is the name of a dimension.*columns=\{'run': 'group'\}"):
        bl.Pooled(Chinchilla, {"run": ["a", "b"]}, by="run")
    with pytest.raises(bl.InputError, match="'gamma' is not a parameter that can be pooled; these are E, a, alpha"):
        bl.Pooled(Chinchilla, GROUPS, by="corpus", share=("gamma",))
    with pytest.raises(bl.InputError, match="leaves no scalar parameter to pool"):
        bl.Pooled(Chinchilla.published()["besiroglu2024"], GROUPS, by="corpus")
    with pytest.raises(bl.InputError, match=r"Pooled\(Chinchilla, runs, by='corpus'\)"):
        bl.fit(bl.Pooled, {"params": [1e9]})


def runs(seed: int = 0) -> "bl.datasets.pd.DataFrame":
    """36 runs of each of two corpora and ten of a third, from one world, scatter 0.5 %."""
    law = world(E=[1.0, -1.0, 0.5], alpha=[0.8, -0.6, 0.3])
    rng = np.random.default_rng(seed)
    counts = [36, 36, 10]
    table = {
        "params": 10 ** rng.uniform(7.5, 9.5, sum(counts)),
        "corpus": np.repeat(GROUPS["corpus"], counts),
    }
    table["tokens"] = table["params"] * 10 ** rng.uniform(0.7, 2.5, sum(counts))
    return bl.simulate(law, table, noise=bl.LogNormal(scale=0.005), seed=seed)


@pytest.fixture(scope="module")
def pooled() -> bl.Posterior:
    frame = runs()
    law = bl.Pooled(Chinchilla, frame, by="corpus")
    return advised_fit(
        law,
        frame,
        noise=bl.LogNormal,
        seed=1,
    )


def test_a_known_world_is_recovered(pooled: bl.Posterior) -> None:
    """The loss of each group where it is used, and which groups differ how; six 99.7 % intervals, of which one may miss in 2 % of worlds."""
    assert pooled.ok, pooled.status
    law = world(E=[1.0, -1.0, 0.5], alpha=[0.8, -0.6, 0.3])
    at = {"params": [3e9, 3e10], "tokens": [6e10, 6e11]}
    for corpus in GROUPS["corpus"]:
        found = (
            bl.predict(pooled, {**at, "corpus": corpus}, misfit=False).summary(prob=0.997).xs("loss", level="quantity")
        )
        truth = law(params=np.array(at["params"]), tokens=np.array(at["tokens"]), corpus=corpus)
        assert ((found.lower < truth) & (truth < found.upper)).all(), corpus


def test_a_small_group_leans_on_the_others(pooled: bl.Posterior) -> None:
    """Ten runs alone, though told how much runs scatter, leave the loss of a ten times larger run twice as uncertain."""
    frame = pooled.runs
    web = frame[frame.corpus == "web"].drop(columns="corpus")
    alone = advised_fit(Chinchilla, web, noise=bl.LogNormal(scale=0.005), seed=1, target_accept=0.98)  # type: ignore[arg-type]
    at = {"params": 3e10, "tokens": 6e11}
    widths = [
        np.ptp(
            bl.predict(one, {**at, **group}, misfit=False)
            .summary()
            .xs("loss", level="quantity")[["lower", "upper"]]
            .to_numpy()
        )
        for one, group in ((pooled, {"corpus": "web"}), (alone, {}))
    ]
    assert widths[0] < 0.5 * widths[1]


def test_a_new_group_is_less_certain_than_any_known_one(pooled: bl.Posterior) -> None:
    at = {"params": 3e9, "tokens": 6e10}
    found = (
        bl.predict(pooled, {**at, "corpus": ["c4", "new"]}, misfit=False)
        .draws["loss"]
        .std(("chain", "draw"))
        .to_numpy()
    )
    assert found[1] > 3 * found[0]
    left_out = bl.predict(pooled, at, misfit=False).draws["loss"].to_numpy()
    np.testing.assert_array_equal(
        left_out[..., 0], bl.predict(pooled, {**at, "corpus": "new"}, misfit=False).draws["loss"][..., 0]
    )


def test_decisions_are_of_the_group_that_is_given(pooled: bl.Posterior) -> None:
    """The search agrees with the formula of each group's own law; a group left out is a new one."""
    found = {
        method: bl.allocate(pooled, flops=1e22, corpus=["c4", "web"], method=method).draws["params"].to_numpy()
        for method in ("search", "closed_form")
    }
    np.testing.assert_allclose(found["search"], found["closed_form"], rtol=1e-5)
    assert not np.allclose(found["search"][..., 0], found["search"][..., 1])
    summary = bl.allocate(pooled, flops=1e22, corpus=["c4", "web"]).summary()
    assert list(summary.index.get_level_values("corpus").unique()) == ["c4", "web"]
    assert (
        bl.allocate(pooled, flops=1e22).summary().loc[(1e22, "params"), "upper"]
        > summary.loc[(1e22, "c4", "params"), "upper"]
    )
    with pytest.raises(bl.InputError, match=r"'corpora' is not a quantity of this decision: give flops \(and corpus"):
        bl.allocate(pooled, flops=1e22, corpora="c4")
    assert pooled.prior.decisions()["compute_optimal"].question == compute_optimal.question


def test_survives_being_saved(pooled: bl.Posterior, tmp_path: pytest.TempPathFactory) -> None:
    pooled.save(tmp_path / "fit.nc")
    loaded = bl.load(tmp_path / "fit.nc")
    assert loaded.prior.groups == ("c4", "pile", "web")
    assert list(loaded.runs.corpus.unique()) == ["c4", "pile", "web"]
    at = {"params": 3e9, "tokens": 6e10, "corpus": "web"}
    np.testing.assert_array_equal(
        bl.predict(loaded, at, misfit=False).draws["loss"], bl.predict(pooled, at, misfit=False).draws["loss"]
    )


def test_rows_of_unknown_groups_are_named() -> None:
    law = bl.Pooled(Chinchilla, GROUPS, by="corpus")
    table = {"params": [1e9] * 3, "tokens": [2e10] * 3, "loss": [2.5, 2.6, 2.7]}
    with pytest.raises(
        bl.InputError, match=r"'corpus' holds row 1 \('books'\), where the law knows c4, pile, web, new"
    ):
        bl.fit(law, {**table, "corpus": ["c4", "books", "web"]})
    with pytest.raises(bl.InputError, match="1 runs have corpus 'new', which stands for a group without runs"):
        bl.fit(law, {**table, "corpus": ["c4", "new", "web"]})


@float64
def test_wraps_and_is_wrapped() -> None:
    """Penalties outside and inside: each group's own floor and optimum; hyperparameters left out are tuned."""
    columns = {
        "params": jnp.full(2, 1e9),
        "tokens": jnp.full(2, 2e10),
        "corpus": jnp.array([0.0, 1.0]),
        "lr": jnp.full(2, 0.1),
    }
    base = world(E=[1.0, -1.0, 0.5])
    outside = bl.Penalised(base, ("lr",))
    inside = bl.Pooled(bl.Penalised(Chinchilla, ("lr",)), GROUPS, by="corpus")
    for law in (outside, inside):
        joint = as_joint(law, None)
        filled = joint.fill(joint.sample_prior(jax.random.key(0)))
        mean, tuned = filled.mean(columns), filled.tuned(columns)
        assert (mean > tuned).all()
        assert mean[0] != mean[1]
        np.testing.assert_allclose(filled.mean({n: v for n, v in columns.items() if n != "lr"}), tuned, rtol=1e-9)
    joint = as_joint(outside, None)
    filled = joint.fill(joint.sample_prior(jax.random.key(0)))
    floors = np.array([float(filled.law.base.member({"corpus": place}).floor()) for place in (0.0, 1.0)])
    inflated = (filled.mean(columns) - floors) / (filled.tuned(columns) - floors)
    assert inflated[0] == pytest.approx(
        float(inflated[1]), rel=1e-9
    )  # the same penalty, on each corpus's own reducible loss


@float64
def test_a_decision_that_reads_the_law_is_given_that_of_the_group() -> None:
    """Tokens that reach a loss are those of the group's own law, also where the decision derives them from the law."""
    law, decision = world(E=[1.0, -1.0, 0.5]), through(cheapest, _of_group)
    for place in (0.0, 1.0):
        given = {"target": 2.5, "inference_tokens": 0.0, "corpus": place}
        plan = decision.columns(law, {"params": 7e9}, given)
        own = law.member({"corpus": jnp.asarray(place)})
        assert float(evaluate(own, {"params": 7e9, "tokens": plan["tokens"]})) == pytest.approx(2.5, rel=1e-9)
