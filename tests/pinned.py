"""A posterior that is sure: every draw is the law given, so that `allocate` can be held against figures for one law."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import bayeslaw as bl
from bayeslaw._joint import as_joint
from bayeslaw._tree import leaves


def pinned(law: bl.AbstractLaw, prior: bl.AbstractLaw, runs: Mapping[str, Any], noise: Any = None) -> bl.Posterior:
    """2 x 40 draws within 1e-9 of `law`, whose leaves are numbers; `runs` are what it is said to have been fitted to."""
    joint = as_joint(prior, noise)
    rng = np.random.default_rng(0)

    def draws(value: float) -> Any:
        return ("chain", "draw"), value * (1 + 1e-9 * rng.standard_normal((2, 40)))

    known = dict(leaves(law))
    values = {name: draws(float(known.get(name, 0.01))) for name in joint.sites()}  # the noise does not matter here
    posterior = xr.Dataset(values, coords={"chain": range(2), "draw": range(40)})
    stats = {
        "diverging": (("chain", "draw"), np.zeros((2, 40), bool)),
        "n_steps": (("chain", "draw"), np.ones((2, 40))),
    }
    columns = {name: ("run", np.asarray(values, dtype=float)) for name, values in runs.items()}
    groups = {"posterior": posterior, "sample_stats": xr.Dataset(stats), "constant_data": xr.Dataset(columns)}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["notes"] = "[]"
    return bl.Posterior(tree, joint)
