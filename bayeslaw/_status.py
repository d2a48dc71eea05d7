"""Whether a posterior can be trusted, in sentences with advice."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from bayeslaw._errors import Status
from bayeslaw._identify import prior_of
from bayeslaw._joint import Joint
from bayeslaw._tree import float64

_MAX_RHAT, _MIN_ESS_PER_CHAIN = 1.01, 100  # Vehtari et al. 2021, arXiv 1903.08008
_TAILS = (0.05, 0.95)  # the quantiles of which tail ESS is the ESS, ibid. section 4.3
_NARROWED = 0.9  # a posterior sd above this share of the prior's says the data added little


def diagnostics_of(draws: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """Bulk and tail ESS and R-hat, by ArviZ, of variables (chain, draw, ...), each of the shape of one draw; NaN where
    they cannot be computed.

    Draws that no chain made have no order: what they are worth (`settings["ess"]`) stands in for both ESS.
    """
    from arviz_stats.base.array import array_stats

    def each(function: Callable[..., Any], **options: Any) -> dict[str, np.ndarray]:
        found = {name: np.full(array.shape[2:], np.nan) for name, array in draws.items()}
        for name, array in draws.items():
            # What follows from fixed parameters alone does not vary and has no diagnostics.
            if array.shape[1] >= 4 and not (array == array[:1, :1]).all():
                found[name] = np.asarray(function(array, chain_axis=0, draw_axis=1, **options))
        return found

    if "ess" in settings:
        worth = {name: np.full(array.shape[2:], settings["ess"]) for name, array in draws.items()}
        return {"ess_bulk": worth, "ess_tail": worth, "r_hat": {name: one * np.nan for name, one in worth.items()}}
    bulk = each(array_stats.ess, method="bulk")
    tail = each(array_stats.ess, method="tail", prob=_TAILS)
    several = len(next(iter(draws.values()))) > 1
    r_hat = each(array_stats.rhat) if several else {name: one * np.nan for name, one in bulk.items()}
    return {"ess_bulk": bulk, "ess_tail": tail, "r_hat": r_hat}


def sampler_status(
    draws: Mapping[str, np.ndarray], stats: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> list[Status]:
    """What forbids using the draws: R-hat, bulk and tail ESS, divergences; and what only slows sampling."""
    chains = len(next(iter(draws.values())))
    if "ess" in settings:
        ess, need = settings["ess"], _MIN_ESS_PER_CHAIN * chains
        return [] if ess >= need else [Status(f"ESS is {ess:.0f}, below {need}: raise draws.", serious=True)]
    found, diagnostics = [], diagnostics_of(draws, settings)
    if chains == 1:
        found.append(Status("one chain: R-hat cannot be computed; run at least four.", serious=True))
    rhat = {name: float(np.max(array)) for name, array in diagnostics["r_hat"].items()}
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
        ess = {one: float(np.min(array)) for one, array in diagnostics[name].items()}
        worst = min(ess, key=lambda one: ess[one] if np.isfinite(ess[one]) else -1.0)
        need = _MIN_ESS_PER_CHAIN * chains
        if not ess[worst] >= need:
            text = f"{kind} ESS of {worst} is {ess[worst]:.0f}, below {need}: raise draws."
            found.append(Status(text, serious=True))
    diverging = int(stats["diverging"].sum())
    if diverging:
        shorter = 0.99 if settings.get("target_accept", 0.9) < 0.99 else 0.999
        found.append(
            Status(
                f"{diverging} of {stats['diverging'].size} transitions diverged: part of the posterior was not "
                f"reached. Raise target_accept to {shorter}; if they stay, a prior allows a region the sampler cannot "
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
def prior_status(joint: Joint, draws: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> list[Status]:
    """Parameters whose posterior is hardly narrower than their prior, on the unconstrained scale."""
    if settings.get("method") == "bootstrap":  # no prior had a part in these
        return []
    values, before, *_ = prior_of(joint)
    after = _unconstrain(joint, draws)
    weak = []
    deviations = joint.law.deviations()
    for name in [one for one in before if one not in deviations]:
        # The size of deviations may well be zero, where its logarithm has no end.
        prior, posterior = (values, draws) if name in deviations.values() else (before, after)
        share = np.std(np.asarray(posterior[name]), axis=0) / np.std(prior[name], axis=0)
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
