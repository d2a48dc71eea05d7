"""NumPyro's NUTS in coordinates whitened at the posterior's mode: chains in threads, compiled once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpyro.infer import NUTS
from numpyro.infer.hmc_util import dual_averaging

from bayeslaw._columns import format_number
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._modes import STARTS, Mode, Observed, climb, density_of, values_of

BLOCK = 250  # iterations per call of the compiled program at most: progress and interruption happen in between
_BLOCK_ROWS = 2**18  # and that times the number of runs, roughly
_PHASE = 100  # iterations before the first change of the metric, of which it forgets the first half
_FORGOTTEN = 7.0  # a mode that holds less than e^-7 of the mass of the best is not sampled

_restart, _adapt = dual_averaging()

Progress = bool | Callable[[int, int], None] | None

STOP: ContextVar[threading.Event | None] = ContextVar("stop", default=None)  # of the jobs that a fit is one of


class Chain(NamedTuple):
    """A chain between two blocks. It moves in x, where z = place + root @ x and `place` is where the block began."""

    key: Array
    place: Array  # (d,), sampler coordinates
    root: Array  # (d, d), about the covariance's square root
    step_size: Array
    averaging: Any  # the state of the step size's dual averaging


def _averaging(step_size: Array) -> Any:
    """Dual averaging from a step size on; of strong types, for a program is compiled for each kind."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=leaf.dtype), _restart(jnp.log(10 * step_size)))  # type: ignore[arg-type]


@jax.jit
def _begin(key: Array, mode: Mode, joint: Joint, seen: Observed) -> Chain:
    """A chain that starts as far from the mode as the Gaussian there says, or nearer where that is too unlikely."""
    key, first = jax.random.split(key)
    d = len(mode.centre)
    away = mode.root @ jax.random.normal(first, (d,))
    density = density_of(joint, seen)
    places = mode.centre + jnp.array([1.0, 0.5, 0.25, 0.1, 0.0])[:, None] * away
    heights = jax.vmap(density)(places)
    place = places[jnp.argmax(heights >= heights[-1] - 2 * d - 5)]  # the first that is likely enough
    step = jnp.asarray(d**-0.25, dtype=float)  # what a standard Gaussian asks for
    return Chain(key, place, mode.root, step, _averaging(step))


@jax.jit
def _advance(chain: Chain, count: Array, adapting: Array, target_accept: Array, joint: Joint, seen: Observed) -> Any:
    """`count` iterations, in which the step size adapts or not: the chain after them, its places (BLOCK, d), the
    parameters' values and the statistics; what is beyond `count` means nothing."""
    key, first = jax.random.split(chain.key)
    density = density_of(joint, seen)
    # The step size is set by hand: NumPyro's adaptation restarts at each of its windows and forgets what it learned.
    kernel = NUTS(
        potential_fn=lambda x: -density(chain.place + chain.root @ x),
        adapt_step_size=False,
        adapt_mass_matrix=False,
        find_heuristic_step_size=False,
    )
    state = kernel.init(first, 0, jnp.zeros_like(chain.place), (), {})

    def step(i: Array, carry: Any) -> Any:
        state, size, averaging, record = carry
        state = state._replace(adapt_state=state.adapt_state._replace(step_size=size))
        state = kernel.sample(state, (), {})
        stats = {
            "lp": -state.potential_energy,
            "energy": state.energy,
            "diverging": state.diverging,
            "n_steps": state.num_steps,
            "acceptance_rate": state.accept_prob,
            "step_size": size,
        }
        adapted = _adapt(target_accept - state.accept_prob, averaging)
        averaging = jax.tree.map(lambda new, old: jnp.where(adapting, new, old), adapted, averaging)
        size = jnp.where(adapting, jnp.exp(averaging[0]), size)
        record = jax.tree.map(lambda all, one: all.at[i].set(one), record, (state.z, stats))
        return state, size, averaging, record

    record = {
        "lp": jnp.zeros(BLOCK),
        "energy": jnp.zeros(BLOCK),
        "diverging": jnp.zeros(BLOCK, dtype=bool),
        "n_steps": jnp.zeros(BLOCK, dtype=state.num_steps.dtype),
        "acceptance_rate": jnp.zeros(BLOCK),
        "step_size": jnp.zeros(BLOCK),
    }
    carry = (state, chain.step_size, chain.averaging, (jnp.zeros((BLOCK, len(state.z))), record))
    state, size, averaging, (moves, stats) = jax.lax.fori_loop(0, count, step, carry)
    places = chain.place + moves @ chain.root.T
    return (
        Chain(key, places[count - 1], chain.root, size, averaging),
        places,
        jax.vmap(lambda z: values_of(joint, z))(places),
        stats,
    )


def _rounded(chains: list[Chain], places: list[np.ndarray]) -> list[Chain]:
    """The chains with coordinates in which the draws of the last phase have no correlation and unit spread.

    The covariance is that within chains, shrunk towards a multiple of the identity (oracle approximating shrinkage,
    Chen et al. 2010), for a few hundred draws know little about a hundred directions.
    """
    moves = [
        np.linalg.solve(np.asarray(chain.root), (place - place.mean(0)).T).T
        for chain, place in zip(chains, (place[_PHASE // 2 :] for place in places), strict=True)
    ]
    moves = np.concatenate(moves)
    count, d = moves.shape
    covariance = moves.T @ moves / (count - len(chains))
    level, size = np.trace(covariance) / d, (covariance**2).mean()
    share = (size + level**2) / ((count + 1) * (size - level**2 / d)) if size > level**2 / d else 1.0
    share = min(1.0, share)
    change = np.linalg.cholesky((1 - share) * covariance + share * level * np.eye(d))
    return [
        chain._replace(root=chain.root @ change, averaging=_averaging(jnp.exp(chain.averaging[1]))) for chain in chains
    ]


def _settled(chain: Chain) -> Chain:
    """The chain with the average of the step sizes it tried, once adaptation ends."""
    return chain._replace(step_size=jnp.exp(chain.averaging[1]))


def _why(candidates: np.ndarray, joint: Joint, seen: Observed) -> str:
    """Which runs have no density at most of the candidates (draws, d)."""

    def densities(z: Any) -> Any:
        return joint.fill(values_of(joint, z)).observe(seen.columns).log_prob(seen.response)

    often = np.isfinite(jax.vmap(densities)(candidates)).mean(axis=0) > 0.5
    runs = np.flatnonzero(~often & (np.asarray(seen.weight) > 0))
    if not 0 < len(runs) < np.sum(seen.weight):
        text = "its mean is NaN, infinite or outside what the noise allows (a log noise needs a positive mean). "
        return f"{text}Evaluate the law at a few parameter values, or narrow the prior."
    labels = joint.law.categories()
    first = {name: np.asarray(values)[runs[:1]] for name, values in seen.columns.items()}
    shown = {
        name: labels[name][int(one[0])] if name in labels else format_number(one[0], name)
        for name, one in first.items()
    }
    run = ", ".join(f"{name} = {value}" for name, value in shown.items())
    many = (
        f"at more than half of them {len(runs)} runs have none, the first {run}"
        if len(runs) > 1
        else f"at more than half of them one run has none, {run}"
    )
    return f"{many}. The law is not defined there, or its mean leaves what the noise allows: leave such runs out."


def _phases(warmup: int) -> list[int]:
    """How many iterations there are between changes of the metric; in the last phase only the step size adapts."""
    phases, size = [], _PHASE
    while sum(phases) + size + _PHASE <= warmup:
        phases.append(size)
        size = max(_PHASE, sum(phases))
    return [*phases, warmup - sum(phases)]


def find_modes(candidates: np.ndarray, joint: Joint, seen: Observed, workers: int) -> tuple[list[Mode], list[Status]]:
    """A mode for each of `candidates` (chains, STARTS, d), with a remark where local maxima were found and left.

    Raises `InputError` where the density is finite at no candidate.
    """
    modes = in_threads(lambda batch: jax.tree.map(np.asarray, climb(batch, joint, seen)), list(candidates), workers)
    best = max(modes, key=lambda mode: -np.inf if np.isnan(mode.evidence) else mode.evidence)
    if not np.isfinite(best.peak):
        raise InputError(
            f"{type(joint.law).__name__} gives no finite density at any of {STARTS} draws from its prior: "
            f"{_why(candidates.reshape(-1, candidates.shape[-1]), joint, seen)}"
        )
    left = [mode for mode in modes if not mode.evidence > best.evidence - _FORGOTTEN]
    notes = []
    if left and np.isfinite(left[0].peak):
        notes.append(
            Status(
                f"{len(left)} of {len(modes)} searches from the prior ended at a local maximum that holds less than "
                f"1e-3 of the probability ({best.peak - left[0].peak:.1f} nats below the best): chains start at the "
                "best."
            )
        )
    return [mode if mode.evidence > best.evidence - _FORGOTTEN else best for mode in modes], notes


def sample(
    modes: Sequence[Mode],
    joint: Joint,
    seen: Observed,
    *,
    draws: int,
    warmup: int,
    target_accept: float,
    seed: int,
    workers: int,
    tell: Callable[[int], None],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draws and sampler statistics by name, each (chains, draws, ...), of a chain for each of `modes`.

    Each chain is a sequence of calls of one compiled program in a thread, so that cores are used, a bar moves and an
    interrupt is heard. Between phases of the warm-up the chains share what they learned of the metric.
    """
    target = jnp.asarray(target_accept)
    *phases, last = _phases(warmup)
    block = int(np.clip(_BLOCK_ROWS // len(seen.response), 25, BLOCK))
    stop = STOP.get() or threading.Event()
    keys = jax.random.split(jax.random.key(seed), len(modes))
    chains = [_begin(key, mode, joint, seen) for key, mode in zip(keys, modes, strict=True)]

    def advance(chain: Chain, count: int, adapting: bool) -> Any:
        found = []
        for begin in range(0, count, block):
            if stop.is_set():
                raise CancelledError
            steps = min(block, count - begin)
            chain, *out = _advance(chain, np.asarray(steps), np.asarray(adapting), target, joint, seen)
            found.append(jax.tree.map(itemgetter(slice(steps)), jax.tree.map(np.asarray, out)))  # waits for it
            tell(steps)
        return chain, jax.tree.map(lambda *parts: np.concatenate(parts), *found)

    for count in phases:
        results = in_threads(lambda chain, count=count: advance(chain, count, True), chains, workers, stop)
        chains = _rounded([chain for chain, _ in results], [out[0] for _, out in results])
    results = in_threads(
        lambda chain: advance(_settled(advance(chain, last, True)[0]), draws, False), chains, workers, stop
    )
    _, values, stats = jax.tree.map(lambda *parts: np.stack(parts), *(out for _, out in results))
    return values, stats


def in_threads[T](
    function: Callable[[Any], T], items: Sequence[Any], workers: int, stop: threading.Event | None = None
) -> list[T]:
    """`function` of each item in so many threads, or in this one; sets `stop` when one fails or is interrupted."""

    def run(item: Any) -> T:
        with jax.enable_x64(True):  # the setting belongs to a thread
            return function(item)

    if min(workers, len(items)) == 1:
        return [run(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        try:
            return list(pool.map(run, items))
        except BaseException:
            if stop is not None:
                stop.set()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def reporter(progress: Progress, total: int, what: str = "sampling") -> Iterator[Callable[[int], None]]:
    """Yields a function that is told how many iterations, or other steps, were just finished."""
    if callable(progress):
        lock, done = threading.Lock(), 0

        def tell(steps: int) -> None:
            nonlocal done
            with lock:
                done += steps
                progress(done, total)

        yield tell
        return
    if progress is False:
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    # In a notebook the bar is a widget; without ipywidgets it would be a warning in the reader's way.
    drawable = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    show = drawable if progress is None else progress
    with Bar(console=console, transient=True, disable=not show) as bar:
        task = bar.add_task(f"compiling, then {what}", total=total)
        yield lambda steps: bar.update(task, advance=steps, description=what if steps else None)
