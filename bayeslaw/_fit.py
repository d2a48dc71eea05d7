"""`fit`: NUTS on a law and its noise, compiled once per law structure and data shape."""

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpyro.infer import NUTS
from numpyro.infer.util import potential_energy

from bayeslaw._errors import InputError
from bayeslaw._identify import remark_on_design
from bayeslaw._posterior import Posterior, build
from bayeslaw._runs import Table, number_columns, read_table, remark_on_rows
from bayeslaw._tree import Joint, as_joint, float64

_BLOCK = 100  # iterations per call of the compiled program: progress and interruption happen in between
_STARTS = 64  # prior draws per chain, of which the likeliest starts it


@float64
def fit(
    law: Any,
    runs: Table,
    *,
    noise: Any = None,
    columns: Mapping[str, str] | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    target_accept: float = 0.9,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] | None = None,
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
    - `chains`, `draws`, `warmup`: chains, draws kept per chain, and adaptation steps before them.
    - `target_accept`: raise it towards 0.99 when transitions diverge.
    - `seed`: same seed, same draws.
    - `progress`: a bar (default: when a terminal or notebook can show one), or a callable that is told
      (iterations done, iterations in all).

    Returns a `Posterior`; read its `.status` before its numbers. Raises `InputError` when the table or a
    prior cannot be used. All arithmetic is 64-bit. The first fit of a law structure at a data shape
    compiles; later ones, with new data or prior hyperparameters, do not.
    """
    for name, value, least in (("chains", chains, 1), ("draws", draws, 4), ("warmup", warmup, 20)):
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, got {target_accept!r}.")
    joint = as_joint(law, noise)
    if not joint.sites():
        raise InputError(
            "the law has no distributions as leaves, so there is nothing to fit; pass the class or a prior."
        )
    frame = read_table(runs, columns)
    labels = joint.law.categories()
    numbers, notes = number_columns(frame, (*joint.columns(), joint.response), labels=labels)
    notes += remark_on_rows(frame, numbers) + joint.law.check_design(numbers)
    notes += remark_on_design(joint, numbers, frame)
    response = numbers.pop(joint.response)

    sampled = _sample(joint, numbers, response, chains, draws, warmup, target_accept, seed, progress)
    settings = {"seed": seed, "warmup": warmup, "target_accept": target_accept}
    return build(joint, sampled, numbers, response, notes, settings)


def _potential(joint: Joint, columns: dict[str, Array], response: Array) -> Callable[[Any], Array]:
    observed = {**columns, joint.response: response}

    def potential(z: Any) -> Array:
        return jnp.asarray(potential_energy(joint.model, (), observed, joint.from_sampler(z))) - joint.log_volume(z)

    return potential


def _kernel(joint: Joint, columns: dict[str, Array], response: Array, target_accept: Any) -> NUTS:
    # A dense mass matrix: exponents, sizes and floor are strongly correlated in every power law
    # (25 leapfrog steps a draw on Epoch's Chinchilla runs against 127 with a diagonal one).
    return NUTS(potential_fn=_potential(joint, columns, response), dense_mass=True, target_accept_prob=target_accept)


@partial(jax.jit, static_argnames=("warmup",))
def _start(key: Array, joint: Joint, columns: Any, response: Array, target_accept: Array, warmup: int) -> Any:
    """The state of a chain at the likeliest of several prior draws: far enough apart, none hopeless."""
    key_prior, key_kernel = jax.random.split(key)

    def candidate(key: Array) -> dict[str, Any]:
        return joint.to_sampler(joint.unconstrain(joint.sample_prior(key)))

    candidates = jax.vmap(candidate)(jax.random.split(key_prior, _STARTS))
    energies = jax.vmap(_potential(joint, columns, response))(candidates)
    best = jnp.argmin(jnp.where(jnp.isfinite(energies), energies, jnp.inf))
    z = jax.tree.map(lambda leaf: leaf[best], candidates)
    kernel = _kernel(joint, columns, response, target_accept)
    return kernel.init(key_kernel, warmup, z, (), {}), jnp.isfinite(energies[best])


@partial(jax.jit, static_argnames=("warmup", "steps"))
def _advance(
    state: Any, joint: Joint, columns: Any, response: Array, target_accept: Array, warmup: int, steps: int
) -> Any:
    """`steps` further iterations of a chain; adaptation ends by itself after `warmup`."""
    kernel = _kernel(joint, columns, response, target_accept)
    kernel.init(jax.random.key(0), warmup, state.z, (), {})  # sets the kernel up; its result is not used

    def step(state: Any, _: None) -> tuple[Any, Any]:
        state = kernel.sample(state, (), {})
        stats = {
            "lp": -state.potential_energy,
            "energy": state.energy,
            "diverging": state.diverging,
            "n_steps": state.num_steps,
            "acceptance_rate": state.accept_prob,
            "step_size": state.adapt_state.step_size,
        }
        return state, (joint.constrain(joint.from_sampler(state.z)), stats)

    return jax.lax.scan(step, state, None, length=steps)


def _sample(
    joint: Joint,
    numbers: Mapping[str, np.ndarray],
    response: np.ndarray,
    chains: int,
    draws: int,
    warmup: int,
    target_accept: float,
    seed: int,
    progress: bool | Callable[[int, int], None] | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draws and sampler statistics by name, each of shape (chains, draws, ...).

    Chains run in threads, each a sequence of calls of one compiled program, so that cores are used,
    a bar moves and an interrupt is heard; a chain's draws depend on its key alone.
    """
    block = math.gcd(warmup, draws)
    block = max(size for size in range(1, min(block, _BLOCK) + 1) if block % size == 0)
    # Awkward lengths get two programs instead of thousands of tiny calls.
    plan = [warmup, draws] if block < 10 else [block] * ((warmup + draws) // block)
    arguments = (
        joint,
        {k: jnp.asarray(v) for k, v in numbers.items()},
        jnp.asarray(response),
        jnp.asarray(target_accept),
    )
    stop = threading.Event()

    def chain(key: Array) -> Any:
        with jax.enable_x64(True):  # the setting belongs to a thread
            state, usable = _start(key, *arguments, warmup=warmup)
            if not usable:
                raise InputError(
                    f"{type(joint.law).__name__} gives no finite density at any of {_STARTS} draws from its prior: "
                    "its mean is NaN, infinite or outside what the noise allows (a log noise needs a positive "
                    "mean). Evaluate the law at a few parameter values, or narrow the prior."
                )
            kept, done = [], 0
            for steps in plan:
                if stop.is_set():
                    return None
                state, out = _advance(state, *arguments, warmup=warmup, steps=steps)
                out = jax.tree.map(np.asarray, out)  # waits for this block
                if done >= warmup:
                    kept.append(out)
                done += steps
                advance(steps)
            return jax.tree.map(lambda *parts: np.concatenate(parts), *kept)

    keys = list(jax.random.split(jax.random.key(seed), chains))
    workers = min(chains, os.cpu_count() or 1)
    with _reporter(progress, chains * (warmup + draws)) as advance, ThreadPoolExecutor(workers) as pool:
        try:
            results = list(pool.map(chain, keys))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return jax.tree.map(lambda *parts: np.stack(parts), *results)


@contextmanager
def _reporter(progress: bool | Callable[[int, int], None] | None, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function that is told how many iterations were just finished."""
    if callable(progress):
        lock, done = threading.Lock(), 0

        def tell(steps: int) -> None:
            nonlocal done
            with lock:
                done += steps
                progress(done, total)

        yield tell
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    show = (console.is_terminal or console.is_jupyter) if progress is None else progress
    with Progress(console=console, transient=True, disable=not show) as bar:
        task = bar.add_task("compiling, then sampling", total=total)
        yield lambda steps: bar.update(task, advance=steps, description="sampling")
