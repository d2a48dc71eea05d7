"""A made-up world of model families, for the tests of the observational laws."""

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.models import Emergence
from bayeslaw.models.emergence import CountedScatter
from bayeslaw.models.observational import F0

FAMILIES = {
    "Pythia": (-0.1, 0.15),
    "Qwen1.5": (0.3, 0.42),
    "Llama": (0.05, 0.37),
    "OPT": (-0.15, 0.12),
    "Yi": (0.1, 0.5),
}
"""Level and slope of each."""

LINK, SCATTER = Emergence(alpha=-2.0, beta=6.0, ceiling=0.95), CountedScatter(nu=60.0)


def world() -> pd.DataFrame:
    """Eight models of each of four families and two of the fifth, up to 8.4e22 FLOPs, with accuracy on one task."""
    rng = np.random.default_rng(0)
    family = np.repeat(list(FAMILIES), [8, 8, 8, 8, 2])
    level, slope = np.array([FAMILIES[one] for one in family]).T
    flops = 10 ** rng.uniform(20, np.log10(F0), len(family))
    capability = level + slope * np.log10(flops / F0) + 0.02 * rng.standard_t(4, len(family))
    runs = pd.DataFrame({"flops": flops, "family": family, "capability": capability, "trials": 2000.0})
    return runs.assign(accuracy=bl.simulate(LINK, runs, noise=SCATTER, seed=1).accuracy)
