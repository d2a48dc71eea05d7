"""The routed language models of Clark et al. 2022."""

import pandas as pd

from bayeslaw.datasets._store import shipped


def load_routed_lms() -> pd.DataFrame:
    """223 runs of Clark et al. 2022 (arXiv 2202.01169, CC BY 4.0): dense and routed, 6 sizes, 1 to 512 experts.

    Columns: run, router (Dense, Hash, S-Base, RL-R), params (seen by one token), total_params, experts (per routed
    layer), experts_per_token, routing_frequency (share of layers that are routed), flop_increase, d_model, n_layers,
    seed, steps (of 2048 x 256 tokens), loss (validation, nats per token, at the last evaluation), and in_main_law: one
    expert per token in every other layer, 166 runs. Ships with the package. All saw 130 B tokens; seeds differ by a
    thirtieth of what the law misses.
    """
    return shipped("routed_lms", ("params", "total_params", "experts", "d_model", "n_layers", "steps"))
