"""NumPyro as its manual writes it: NUTS on the model of a law, the reference for every faster path."""

from collections.abc import Mapping

import jax
import numpy as np
import numpyro
from numpyro.infer import MCMC, NUTS

from bayeslaw._joint import Joint

_STATISTICS = {
    "potential_energy": "lp",
    "energy": "energy",
    "diverging": "diverging",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "adapt_state.step_size": "step_size",
}


def plain(
    joint: Joint,
    columns: Mapping[str, np.ndarray],
    response: np.ndarray,
    *,
    chains: int,
    draws: int,
    warmup: int,
    target_accept: float,
    seed: int,
    progress: bool,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draws and sampler statistics by name, each (chains, draws, ...): random starts, chains one after the other, a
    dense mass matrix. It compiles anew each time."""
    mcmc = MCMC(
        NUTS(joint.model, dense_mass=True, target_accept_prob=target_accept),
        num_warmup=warmup,
        num_samples=draws,
        num_chains=chains,
        chain_method="sequential",
        progress_bar=progress,
    )
    observed = {**columns, joint.response: response}
    with numpyro.validation_enabled(False):  # of random starts: those out of range are drawn again
        mcmc.run(jax.random.key(seed), extra_fields=tuple(_STATISTICS), **observed)
    values = {name: np.asarray(array) for name, array in mcmc.get_samples(group_by_chain=True).items()}
    found = mcmc.get_extra_fields(group_by_chain=True)
    stats = {ours: np.asarray(found[theirs]) for theirs, ours in _STATISTICS.items()}
    return values, {**stats, "lp": -stats["lp"]}
