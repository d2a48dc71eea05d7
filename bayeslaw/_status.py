"""Whether a posterior can be trusted, in sentences with advice."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from bayeslaw._errors import Status
from bayeslaw._identify import prior_draws
from bayeslaw._tree import Joint, float64

_MAX_RHAT, _MIN_ESS_PER_CHAIN = 1.01, 100  # Vehtari et al. 2021, arXiv 1903.08008
_NARROWED = 0.9  # a posterior sd above this share of the prior's says the data added little


def diagnostics_of(draws: xr.Dataset, settings: Mapping[str, Any]) -> dict[str, xr.Dataset]:
    """Bulk and tail ESS and R-hat of every variable, by ArviZ; NaN where they cannot be computed.

    Draws by importance sampling have no order: what their weights are worth stands in for both ESS.
    """
    import arviz_stats  # noqa: F401  (registers the .azstats accessor)

    nothing = draws.mean(("chain", "draw")) * np.nan
    if settings.get("method") == "importance":
        return {
            "ess_bulk": nothing.fillna(settings["ess"]),
            "ess_tail": nothing.fillna(settings["ess"]),
            "r_hat": nothing,
        }
    # What follows from fixed parameters alone does not vary and has no diagnostics.
    varies = [name for name, array in draws.data_vars.items() if not (array == array.isel(chain=0, draw=0)).all()]
    if draws.sizes["draw"] < 4 or not varies:
        return dict.fromkeys(("ess_bulk", "ess_tail", "r_hat"), nothing)
    stats = draws[varies].azstats
    found = {"ess_bulk": stats.ess(method="bulk"), "ess_tail": stats.ess(method="tail")}
    found["r_hat"] = stats.rhat() if draws.sizes["chain"] > 1 else found["ess_bulk"] * np.nan
    return {kind: nothing.assign(values.data_vars) for kind, values in found.items()}


def sampler_status(draws: xr.Dataset, stats: xr.Dataset, settings: Mapping[str, Any]) -> list[Status]:
    """What forbids using the draws: R-hat, bulk and tail ESS, divergences; and what only slows sampling."""
    chains = draws.sizes["chain"]
    if settings.get("method") == "importance":
        ess, need = settings["ess"], _MIN_ESS_PER_CHAIN * chains
        return [] if ess >= need else [Status(f"ESS is {ess:.0f}, below {need}: raise draws.", serious=True)]
    found, diagnostics = [], diagnostics_of(draws, settings)
    if chains == 1:
        found.append(Status("one chain: R-hat cannot be computed; run at least four.", serious=True))
    rhat = {str(n): float(a.max()) for n, a in diagnostics["r_hat"].data_vars.items()}
    bad = [f"{name} {value:.3f}" for name, value in rhat.items() if chains > 1 and not value <= _MAX_RHAT]
    if bad:
        found.append(
            Status(
                f"R-hat is above {_MAX_RHAT} for {', '.join(bad)}: the chains disagree. Raise warmup and draws; if it "
                "stays, look at the chains for several modes (arviz_plots.plot_trace) and tighten the priors.",
                serious=True,
            )
        )
    for kind, name in (("bulk", "ess_bulk"), ("tail", "ess_tail")):
        ess = {str(n): float(a.min()) for n, a in diagnostics[name].data_vars.items()}
        worst = min(ess, key=lambda one: ess[one] if np.isfinite(ess[one]) else -1.0)
        need = _MIN_ESS_PER_CHAIN * chains
        if not ess[worst] >= need:
            text = f"{kind} ESS of {worst} is {ess[worst]:.0f}, below {need}: raise draws."
            found.append(Status(text, serious=True))
    diverging = int(stats["diverging"].sum())
    if diverging:
        found.append(
            Status(
                f"{diverging} of {stats['diverging'].size} transitions diverged: part of the posterior was not "
                "reached. Raise target_accept towards 0.99; if they stay, a prior allows a region the sampler cannot "
                "enter.",
                serious=True,
            )
        )
    deep = int((stats["n_steps"] >= 2**10 - 1).sum())
    if deep:
        found.append(
            Status(f"{deep} transitions reached the longest trajectory (1023 steps): sampling is inefficient.")
        )
    return found


@float64
def prior_status(joint: Joint, draws: Mapping[str, np.ndarray]) -> list[Status]:
    """Parameters whose posterior is hardly narrower than their prior, on the unconstrained scale."""
    values, before, _ = prior_draws(joint, 0)
    after = _unconstrain(joint, draws)
    weak = []
    deviations = joint.law.deviations()
    for name in [one for one in before if one not in deviations]:
        # The size of deviations may well be zero, where its logarithm has no end.
        prior, posterior = (values, draws) if name in deviations.values() else (before, after)
        share = np.std(np.asarray(posterior[name]), axis=0) / np.std(np.asarray(prior[name]), axis=0)
        if np.any(share > _NARROWED):
            weak.append(f"{name} ({np.max(share):.0%} of the prior's sd)")
    if not weak:
        return []
    return [
        Status(
            f"the data hardly narrow {', '.join(weak)}: there the posterior is the prior. Results that depend on "
            "it depend on that choice; try another prior to see how much."
        )
    ]


@jax.jit
def _unconstrain(joint: Joint, values: Mapping[str, Any]) -> dict[str, Any]:
    return jax.vmap(joint.unconstrain)(values)
