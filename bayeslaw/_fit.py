"""`fit`: from a table of runs to the posterior of a law."""

import functools
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import jax
import numpy as np

from bayeslaw._errors import InputError, Status
from bayeslaw._identify import prior_of, remark_on_design
from bayeslaw._joint import Joint, as_joint
from bayeslaw._modes import STARTS, Observed, observed
from bayeslaw._posterior import Posterior, build
from bayeslaw._runs import Table, number_columns, read_table, remark_on_rows
from bayeslaw._sampler import Progress, find_modes, reporter, sample
from bayeslaw._tree import float64

Method = Literal["nuts", "importance", "plain"]
# Above 0.5 the weights of importance sampling have no finite variance. The estimate has a standard error of 0.1, and
# the luckier it is the more of a tail was missed.
MAX_PARETO_K = 0.4
_TARGETS = (0.9, 0.95, 0.99)
_WARMUP = {"nuts": 200, "importance": 200, "plain": 1000}
_FEW = 4  # prior draws of which every other search starts at the likeliest
_PROPOSALS = 1.4  # per draw of importance sampling


def _warned[**P](function: Callable[P, Posterior]) -> Callable[P, Posterior]:
    """The same, with a warning for each status that forbids using the posterior."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Posterior:
        posterior = function(*args, **kwargs)
        for status in posterior.status:
            if status.serious:
                warnings.warn(f"this posterior is not a result yet: {status.text}", stacklevel=2)
        return posterior

    return wrapped


@_warned
@float64
def fit(
    law: Any,
    runs: Table,
    *,
    noise: Any = None,
    columns: Mapping[str, str] | None = None,
    method: Method = "nuts",
    chains: int = 4,
    draws: int = 1000,
    warmup: int | None = None,
    target_accept: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress = None,
) -> Posterior:
    """The posterior of a law's parameters given training runs, by NUTS.

    - `law`: a class, with its own prior (`fit(Chinchilla, runs)`), or an instance with distributions
      as leaves (`eqx.tree_at(lambda law: law.alpha, Chinchilla.prior(), dist.Normal(0.35, 0.02))`).
      A leaf that is a number stays fixed at it.
    - `runs`: a DataFrame, a mapping of columns or the path of a CSV or parquet file; one row per run.
      Numbers may be written `70B`, `1.4T`, `5.76e23`.
    - `noise`: how runs scatter around the law: `StudentT`, `UntunedT`, `LogNormal`, `Normal`, `OneSided`; the law's own
      (`StudentT` for most) when left out. As a class or as an instance with distributions as leaves.
    - `columns`: a mapping from the table's names to ours, `{"N": "params", "D": "tokens"}`.
    - `method`: `"nuts"` starts at the posterior's mode, found by Newton's method from prior draws, and moves in
      coordinates whitened there. `"importance"` weights draws from an approximation at the mode: for hundreds of fits
      of easy posteriors; where its weights cannot be trusted (Pareto k-hat above 0.4) the fit is by NUTS, and a
      status says so. `"plain"` is NumPyro's NUTS on the model as it stands, the slow reference for both.
    - `chains`, `draws`, `warmup`: chains, draws kept per chain, and adaptation steps before them (200; 1000 for plain).
    - `target_accept`: the acceptance rate that sets the step size. When left out, 0.9; where transitions diverge, the
      chains are drawn anew with shorter steps, at 0.95 and then at 0.99.
    - `seed`: same seed, same draws.
    - `workers`: threads over which chains are spread; as many as there are cores when left out.
    - `progress`: a bar (default: when a terminal or notebook can show one), or a callable that is told
      (iterations done, iterations in all).

    Returns a `Posterior`; read its `.status` before its numbers. Raises `InputError` when the table or a
    prior cannot be used. All arithmetic is 64-bit. The first fit of a law structure at a number of runs (to the next
    of 8, 12, 16, 24, 32, 48 ...) compiles; later ones, with new data or prior hyperparameters, do not.
    """
    if method not in get_args(Method):
        raise InputError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}.")
    warmup = _WARMUP[method] if warmup is None else warmup
    workers = (os.cpu_count() or 1) if workers is None else workers
    whole = (("chains", chains, 1), ("draws", draws, 4), ("warmup", warmup, 20), ("workers", workers, 1))
    for name, value, least in whole:
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    targets = _TARGETS if target_accept is None else (target_accept,)
    if not all(0 < target < 1 for target in targets):
        raise InputError(f"target_accept must lie between 0 and 1, got {target_accept!r}.")
    joint = as_joint(law, noise)
    if not joint.sites():
        raise InputError(
            "the law has no distributions as leaves, so there is nothing to fit; pass the class or a prior."
        )
    frame = read_table(runs, columns)
    wanted, free = (*joint.columns(), joint.response), joint.law.unmeasured()
    numbers, notes = number_columns(frame, wanted, free, labels=joint.law.categories())
    notes += remark_on_rows(frame, numbers) + joint.law.check_design(numbers)
    response = numbers.pop(joint.response)
    seen = observed(numbers, response)
    notes += remark_on_design(joint, numbers, response, seen, frame)
    settings: dict[str, Any] = {"seed": seed, "warmup": warmup, "target_accept": targets[0], "method": method}

    if method == "plain":
        from bayeslaw._plain import plain

        found = plain(
            joint, numbers, response, chains=chains, draws=draws, warmup=warmup, target_accept=targets[0],
            seed=seed, progress=progress is True,
        )  # fmt: skip
        return build(joint, found, numbers, response, notes, settings)

    prior = np.random.default_rng(seed).permutation(prior_of(joint).places)
    candidates = prior[np.arange(chains * STARTS).reshape(chains, STARTS) % len(prior)]
    # The likeliest of many draws lies below the highest mode; of few, anywhere: so that other modes are found too.
    candidates[1::2] = np.tile(candidates[1::2, :_FEW], (1, STARTS // _FEW, 1))
    modes, remarks = find_modes(candidates, joint, seen, workers)
    if method == "importance":
        found, quality = _by_importance(modes, joint, seen, chains, draws, seed)
        if quality["pareto_k"] <= MAX_PARETO_K:
            return build(joint, found, numbers, response, remarks + notes, settings | quality)
        text = f"importance sampling was not reliable here (Pareto k-hat {quality['pareto_k']:.2f}, above "
        notes.append(Status(f"{text}{MAX_PARETO_K}): these draws are by NUTS."))
        settings["method"] = "nuts"
    options = {"draws": draws, "warmup": warmup, "seed": seed, "workers": workers}
    found, settings["target_accept"] = _by_nuts(modes, joint, seen, targets, progress, **options)
    return build(joint, found, numbers, response, remarks + notes, settings)


quiet_fit: Callable[..., Posterior] = fit.__wrapped__  # type: ignore[attr-defined]
"""`fit` without warnings, which several threads cannot hold back."""


def _by_nuts(
    modes: list[Any],
    joint: Joint,
    seen: Observed,
    targets: tuple[float, ...],
    progress: Progress,
    **options: Any,
) -> tuple[tuple[dict[str, np.ndarray], dict[str, np.ndarray]], float]:
    """Draws and statistics at the first acceptance rate without a divergence, or the last; and that rate."""
    target, *shorter = targets
    with reporter(progress, len(modes) * (options["warmup"] + options["draws"])) as tell:
        found = sample(modes, joint, seen, target_accept=target, tell=tell, **options)
    if shorter and found[1]["diverging"].any():
        return _by_nuts(modes, joint, seen, tuple(shorter), progress, **options)
    return found, target


def _by_importance(
    modes: list[Any], joint: Joint, seen: Observed, chains: int, draws: int, seed: int
) -> tuple[tuple[dict[str, np.ndarray], dict[str, np.ndarray]], dict[str, float]]:
    from bayeslaw._importance import resampled, values_at, weigh

    count = chains * draws
    weighted = weigh(modes, joint, seen, count=int(_PROPOSALS * count), most=MAX_PARETO_K, seed=seed)
    index = resampled(weighted, count, seed)
    values = jax.tree.map(np.asarray, values_at(weighted.places[index], joint))
    # Resampling costs at most what drawing as many at random would.
    quality = {"pareto_k": weighted.pareto_k, "ess": 1 / (1 / weighted.ess + 1 / count)}
    values, stats = jax.tree.map(
        lambda array: array.reshape(chains, draws, *array.shape[1:]), (values, {"lp": weighted.heights[index]})
    )
    return (values, stats), quality
