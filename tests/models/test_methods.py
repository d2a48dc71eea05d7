"""Every way to a posterior leads to the same one: whitened NUTS, importance sampling, NumPyro as its manual writes it."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from advised import advised_fit
from test_contract import POINTS

import bayeslaw as bl
from bayeslaw._columns import COLUMNS
from bayeslaw._identify import prior_of
from bayeslaw._joint import as_joint
from bayeslaw._tree import float64
from bayeslaw.models import LAWS

# Over more of the plane Farseer's shapes bend its posterior so that no method here is quick: 1023 steps a draw.
SPREAD = {"Farseer": 1.5}
FAST = ("Chinchilla", "Emergence")  # plain NumPyro compiles for half a minute each


@float64
def world(law: type[bl.AbstractLaw]) -> pd.DataFrame:
    """96 runs around a plausible one, simulated at the prior's median."""
    joint = as_joint(law, None)
    rng = np.random.default_rng(0)
    labels, table = joint.law.categories(), {}
    for name in joint.columns():
        if name in labels:
            table[name] = rng.integers(len(labels[name]), size=96).astype(float)
        else:
            point = POINTS.get(name, 2000.0)
            reach = SPREAD.get(law.__name__, 2.5)
            spread = point * np.exp(rng.uniform(-reach, reach, 96))
            table[name] = np.round(spread) if name in ("samples", "trials") else spread
            if COLUMNS[name].high <= 1:
                table[name] = rng.uniform(0.1, 0.9, 96)
            table[name] = np.clip(table[name], COLUMNS[name].low, COLUMNS[name].high)
            if name.startswith("bits"):
                table[name] = rng.uniform(4.0, 16.0, 96)  # fewer leave no model
            if name == "samples" and joint.response == "accuracy":
                table[name] = np.ones(96)  # single answers, as its noise wants them
    if {"after_tokens", "cap_tokens"} <= set(table):
        table["after_tokens"] = np.minimum(table["after_tokens"], table["cap_tokens"] / 2)  # thoughts end in between
    if {"attempts", "iterations"} <= set(table):
        table["attempts"] = np.clip(table["attempts"], 1, 32)  # what the law of refinement knows
        table["iterations"] = np.minimum(table["iterations"], table["attempts"])
    middle = prior_of(joint).centre
    truth = joint.fill(joint.constrain(middle))
    response = np.asarray(truth.draw(jax.random.key(1), {name: jnp.asarray(one) for name, one in table.items()}))
    known = COLUMNS[joint.response]
    response = np.clip(response, known.low, known.high)
    named = {name: np.asarray(labels[name])[one.astype(int)] if name in labels else one for name, one in table.items()}
    return pd.DataFrame({**named, joint.response: response})


@pytest.mark.parametrize(
    "law", [pytest.param(law, marks=() if law.__name__ in FAST else pytest.mark.slow, id=law.__name__) for law in LAWS]
)
def test_methods_agree(law: type[bl.AbstractLaw]) -> None:
    runs = world(law)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="this posterior is not a result yet")  # plain NumPyro, now and then
        found = {"nuts": advised_fit(law, runs, draws=2000, seed=1)}
        found["importance"] = bl.fit(law, runs, method="importance", seed=1)
        # Longer and with shorter steps than its defaults, with which it hardly enters long tails.
        found["plain"] = bl.fit(law, runs, method="plain", seed=1, draws=2000, target_accept=0.98)
    sampled = [row for row in found["plain"].summary().index if row.split("[")[0] in found["plain"].draws]
    tables: dict[str, Any] = {method: one.summary().loc[sampled] for method, one in found.items()}
    for method in ("nuts", "importance"):
        ours, reference = tables[method], tables["plain"]
        ess = 1 / (1 / ours.ess_bulk + 1 / reference.ess_bulk)
        sd = reference.sd
        # Both are estimates. Among some 150 comparisons the largest z-score is about 3. Derived quantities follow
        # from parameters by the same formulas and have longer tails.
        z = (ours["median"] - reference["median"]).abs() / (1.25 * sd / np.sqrt(ess))
        assert z.max() < 4.5, (method, z.idxmax(), ours.loc[z.idxmax()], reference.loc[z.idxmax()])
        width = reference.upper - reference.lower
        for end in ("lower", "upper"):
            # The 5 % quantile of a Gaussian has a standard error of 2.1 sd / sqrt(ess); tails here are wider.
            off = (ours[end] - reference[end]).abs() / width
            assert (off < 0.03 + 3.5 / np.sqrt(ess)).all(), (method, end, off.idxmax(), off.max())
