"""Runs that several posteriors share, and the groups they fall into."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._columns import label_of
from bayeslaw._counts import Share
from bayeslaw._errors import InputError
from bayeslaw._posterior import Posterior, flat


def group_labels(runs: pd.DataFrame, by: Any) -> np.ndarray:
    """The group of each run, by name: from a column, a function of the table, or labels."""
    if isinstance(by, str):
        if by not in runs.columns:
            raise InputError(
                f"the fitted runs have no column {by!r}; they have {', '.join(map(str, runs.columns))}. Give a label "
                f"for each run: by=table[{by!r}]."
            )
        by = runs[by]
    labels = np.asarray(by(runs.copy()) if callable(by) else by, dtype=object)
    if labels.shape != (len(runs),):
        raise InputError(f"by gives {labels.size} labels for {len(runs)} runs: give one for each, or a column's name.")
    found = np.array([label_of(one) for one in labels], dtype=object)
    if len(set(found)) < 2:
        raise InputError(f"all runs are of one group, {found[0]!r}: at least two are needed to leave one out.")
    return found


def same_runs(members: Mapping[str, Posterior]) -> pd.DataFrame:
    """The runs of all, with the columns of each; raises `InputError` where they are not the same."""
    (first, one), *others = members.items()
    runs = one.runs
    for name, member in members.items():
        if "first" in member.tree.children:
            raise InputError(f"{name!r} is chained from two posteriors: compare each of its steps with its like.")
    for name, other in others:
        theirs = other.runs
        if other.response != one.response:
            raise InputError(
                f"{name!r} is of {other.response}, {first!r} of {one.response}: what predicts one cannot be compared "
                "with what predicts the other. Fit both to the same response."
            )
        if counted(other) != counted(one):
            raise InputError(
                f"one of {first!r} and {name!r} gives probabilities of counts, the other densities, which cannot be "
                "compared; fit both with the same noise."
            )
        if len(theirs) != len(runs):
            raise InputError(
                f"{name!r} was fitted to {len(theirs)} runs, {first!r} to {len(runs)}: fit both to the same."
            )
        for column in [one.response, *(c for c in theirs.columns if c in runs.columns and c != one.response)]:
            differ = np.flatnonzero(theirs[column].to_numpy() != runs[column].to_numpy())
            if differ.size:
                raise InputError(
                    f"{name!r} and {first!r} were fitted to different runs: {column} differs in {differ.size} of "
                    f"{len(runs)}, first in row {differ[0]} ({theirs[column][differ[0]]} against "
                    f"{runs[column][differ[0]]}). Fit both to one table, in one order."
                )
        runs = runs.join(theirs[[c for c in theirs.columns if c not in runs.columns]])
    return runs


def counted(posterior: Posterior) -> bool:
    columns, one = columns_of(posterior), {name: values[0] for name, values in flat(posterior).items()}
    return isinstance(posterior.joint.fill(one).observe(columns), Share)


def columns_of(posterior: Posterior) -> dict[str, np.ndarray]:
    """The columns of the fitted runs as numbers."""
    return {str(name): array.to_numpy() for name, array in posterior.tree["constant_data"].data_vars.items()}
