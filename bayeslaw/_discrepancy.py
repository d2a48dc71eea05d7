"""`Discrepant`: a law plus what it does not know, so that intervals hold for the next cell and not only for these."""

import itertools
from collections.abc import Mapping
from math import log
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayeslaw._decision import Decision, through
from bayeslaw._errors import InputError
from bayeslaw._law import AbstractWrapper
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._tree import Scalar, as_prior, evaluate

_SAME = 1e-6  # relative difference below which two values of a column are the same cell


class Discrepant(AbstractWrapper):
    """loss = floor + (base - floor) * exp(sum_i<j bend_ij ln(x_i / c_i) ln(x_j / c_j) + spread u_cell)

    No law is exact. A sum of powers says that the gain from data does not depend on the size of the model; runs say it
    does. And runs of one cell (same columns x: one architecture, one data order) share an offset no law knows,
    which a hundred runs of that cell do not average out. This wrapper holds both, so that the interval of the mean
    function is that of a cell not seen yet:

        Discrepant(Chinchilla, runs)                                   # cells by params and tokens
        Penalised(Discrepant(Chinchilla, runs), ("lr", "batch_tokens"))

    - `base`: the law that is approximately right.
    - `bend`: one for each pair of columns; Normal(0, 0.03): an e-fold from the centre in both, the reducible loss
      changes by up to 5 %. Positive: more of one makes the other help less.
    - `spread`: size of the offset of a cell, relative to the reducible loss; LogNormal(log 0.002, 1).
    - `offsets`: u of each cell, Normal(0, 1); the last is that of any cell that is not among the runs.
    - `cells`, `centre`: the cells of `runs` and the geometric mean of their columns.

    `by` are the columns, those of the base law when left out. Every new cell has the same draw of u: marginally
    right, and it does not move an optimum. Raises `InputError` when a column is missing or not positive.
    """

    bend: dict[str, dict[str, Scalar]]
    spread: Scalar
    offsets: Any
    cells: dict[str, np.ndarray]
    centre: dict[str, float]

    def __init__(
        self,
        base: Any,
        runs: Table,
        by: tuple[str, ...] | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        bend: Any = None,
        spread: Any = None,
    ) -> None:
        self.base = as_prior(base)
        by = tuple(self.base.columns() if by is None else by)
        labels = self.base.categories()
        numbers, _ = number_columns(read_table(runs, columns), by, labels=labels)
        for name, values in numbers.items():
            if name not in labels and values.min() <= 0:
                raise InputError(f"a discrepancy works in logarithms, and {name!r} is {values.min():.4g} in some run.")
        table = np.unique(np.stack([numbers[name] for name in by], axis=1), axis=0)
        self.cells = {name: table[:, i] for i, name in enumerate(by)}
        sizes = {name: values for name, values in numbers.items() if name not in labels}
        self.centre = {name: float(np.exp(np.log(values).mean())) for name, values in sizes.items()}
        bend = dist.Normal(0.0, 0.03) if bend is None else bend
        self.bend = {}
        for one, other in itertools.combinations(sizes, 2):
            self.bend.setdefault(one, {})[other] = bend
        self.spread = dist.LogNormal(log(0.002), 1.0) if spread is None else spread
        self.offsets = dist.Normal(jnp.zeros(len(table) + 1), 1.0).to_event(1)

    @classmethod
    def prior(cls) -> "Discrepant":
        raise InputError("Discrepant wraps a law and needs its runs: Discrepant(Chinchilla, runs).")

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        x = {name: jnp.log(columns[name] / centre) for name, centre in self.centre.items()}
        bent = sum(rho * x[one] * x[other] for one, others in self.bend.items() for other, rho in others.items())
        same = [jnp.abs(columns[name] - cell) <= _SAME * cell for name, cell in self.cells.items()]
        here = jnp.all(jnp.stack(same), axis=0)
        offset = jnp.where(jnp.any(here), self.offsets[jnp.argmax(here)], self.offsets[-1])
        base = self.base.member(columns)
        floor = base.floor()
        return floor + (evaluate(base, columns) - floor) * jnp.exp(bent + self.spread * offset)

    def tuned(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """With the optimum of hyperparameters that tell cells apart."""
        hidden = self.hyperparameters()
        full = self.complete({name: value for name, value in columns.items() if name not in hidden})
        return {name: value for name, value in full.items() if name not in hidden or name in self.cells}

    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.base.columns(), *self.cells)))

    def deviations(self) -> Mapping[str, str]:
        return {"offsets": "spread", **super().deviations()}

    def decisions(self) -> Mapping[str, Decision]:
        """The base law's, without their closed forms: a formula of the base law knows nothing of the rest."""
        return {name: through(decision, None) for name, decision in self.base.decisions().items()}
