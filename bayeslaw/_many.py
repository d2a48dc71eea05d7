"""`fit_many`: many fits with one compilation, over cores or a cluster, resumable."""

import hashlib
import json
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pandas as pd

from bayeslaw._errors import InputError
from bayeslaw._fit import quiet_fit
from bayeslaw._joint import Joint, as_joint
from bayeslaw._posterior import Posterior
from bayeslaw._runs import read_table
from bayeslaw._sampler import STOP, Progress, reporter
from bayeslaw._tree import float64


def fit_many(
    law: Any,
    runs: Any,
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **options: Any,
) -> Any:
    """The posteriors of one law on many tables, of many laws on one table, or of each law on its table.

        tables = {date: runs[runs.date <= date] for date in dates}
        posteriors = bl.fit_many(Chinchilla, tables, method="importance")   # {date: Posterior}

    - `law`, `runs`: as in `fit`, or lists of such, or mappings from names to such (of tables: to DataFrames or mappings
      of columns). What is single is used for all; two lists are paired in order, two mappings by name.
    - `seed`: fit i has the seed `seed + i`, wherever it runs.
    - `folder`: where each posterior is saved as soon as it is there. A second call finds what is done and does the
      rest; a file is named after the law, the table, the options and the seed, so that it is never mistaken.
    - `workers`: fits at a time; as many as there are cores when left out. They run in threads of this process, which
      share what is compiled. Inside `joblib.parallel_config(backend="dask")`, or any other backend of joblib, they run
      there instead; a worker that dies is the backend's business (Dask runs its fits anew).
    - `progress`: a bar (default: when a terminal or notebook can show one), or a callable that is told
      (fits done, fits in all).
    - `options`: all else that `fit` takes: `noise`, `columns`, `method`, `chains`, `draws`, `warmup`, `target_accept`.

    Returns a list of `Posterior`, or a mapping with the names given. Warns once, naming the posteriors that are not
    results yet. Raises `InputError` when there is nothing to fit, or two lists differ in length; and the error of the
    first fit that fails, after which finished fits are still in `folder`.
    """
    names, jobs = _jobs(law, runs)
    known = {"noise", "columns", "method", "chains", "draws", "warmup", "target_accept"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise InputError(f"fit_many has no option {unknown[0]!r}; it passes {', '.join(sorted(known))} on to fit.")
    joints = _joints([law for law, _ in jobs], options.get("noise"))
    jobs = [(joints[id(law)], table) for law, table in jobs]
    place = folder_of(folder)
    files = [None if place is None else _file(place, *job, seed + i, options) for i, job in enumerate(jobs)]
    found = {i: _load(file) for i, file in enumerate(files) if file is not None and file.is_file()}
    missing = [i for i in range(len(jobs)) if i not in found]
    with reporter(progress, len(jobs), "fits") as tell:
        tell(len(found))
        todo = [(i, str(names[i]) if names else f"fit {i}", *jobs[i], seed + i, options) for i in missing]
        for i, posterior in in_parallel(_one, todo, workers):
            file = files[i]
            if file is not None:
                posterior.save(file)
            found[i] = posterior
            tell(1)
    labels = names if names is not None else range(len(jobs))
    bad = [str(label) for i, label in enumerate(labels) if not found[i].ok]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        warnings.warn(
            f"{len(bad)} of {len(jobs)} posteriors are not results yet: {', '.join(bad[:5])}{more}; see their status.",
            stacklevel=2,
        )
    posteriors = [found[i] for i in range(len(jobs))]
    return posteriors if names is None else dict(zip(names, posteriors, strict=True))


def _jobs(law: Any, runs: Any) -> tuple[list[Any] | None, list[tuple[Any, Any]]]:
    """The names, if any were given, and a (law, table) for each fit."""
    tables = isinstance(runs, Mapping) and all(isinstance(one, pd.DataFrame | Mapping) for one in runs.values())
    many = [isinstance(law, list | tuple | Mapping), isinstance(runs, list | tuple) or tables]
    if not any(many):
        raise InputError("fit_many needs a list or mapping of laws or of tables; for one law on one table use fit.")
    given = [one for one, several in zip((law, runs), many, strict=True) if several]
    if not all(len(one) for one in given):
        raise InputError("fit_many was given an empty list: there is nothing to fit.")
    mappings = [one for one in given if isinstance(one, Mapping)]
    names = list(mappings[0]) if mappings else None
    if len(mappings) == 2 and set(mappings[0]) != set(mappings[1]):
        odd = sorted(map(str, set(mappings[0]) ^ set(mappings[1])))
        raise InputError(f"laws and tables are paired by name, and {', '.join(odd)} is only among one of them.")
    if len(given) == 2 and (len(mappings) == 1 or len(law) != len(runs)):
        raise InputError(
            f"laws and tables must be two lists of one length or two mappings; there are {len(law)} laws "
            f"({type(law).__name__}) and {len(runs)} tables ({type(runs).__name__})."
        )

    def each(one: Any, several: bool) -> Sequence[Any]:
        if not several:
            return [one] * len(given[0])
        return [one[name] for name in names or ()] if isinstance(one, Mapping) else one

    return names, list(zip(each(law, many[0]), each(runs, many[1]), strict=True))


@float64
def _joints(laws: Sequence[Any], noise: Any) -> dict[int, Joint]:
    """What is made of each law, once: it keeps what follows from the prior."""
    return {id(law): as_joint(law, noise) for law in laws}


def in_parallel[J, R](function: Callable[[J], R], jobs: Sequence[J], workers: int | None) -> Iterator[R]:
    """What comes of the jobs as they are done, on joblib's active backend."""
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.parallel import get_active_backend

    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise InputError(f"workers must be a whole number of at least 1, got {workers!r}.")
    active: Any = get_active_backend(prefer="threads")
    backend, at_once = active
    at_once = workers or (at_once if at_once != 1 else -1)  # 1 is what joblib says when nobody chose
    if getattr(backend, "supports_sharedmem", False):
        yield from _in_threads(function, jobs, effective_n_jobs(at_once))
        return
    streams = "generator_unordered" if backend.supports_return_generator else "list"
    options: dict[str, Any] = {"return_as": streams, "batch_size": 1, "pre_dispatch": "all"}
    parallel: Any = Parallel(n_jobs=at_once, prefer="threads", **options)
    one: Any = delayed(function)
    # A job is one tuple, for Dask's backend puts large arguments on a worker of their own, and they would die with it.
    yield from parallel(one(job) for job in jobs)


def _in_threads[J, R](function: Callable[[J], R], jobs: Sequence[J], at_once: int) -> Iterator[R]:
    """The same in threads of this process, which end before one goes on when a job fails or somebody interrupts.

    joblib leaves them running, and Python is aborted where it exits while one of them computes.
    """
    stop = threading.Event()

    def run(job: J) -> R:
        STOP.set(stop)
        return function(job)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            for done in as_completed([pool.submit(run, job) for job in jobs]):
                yield done.result()
        except BaseException:
            stop.set()  # heard by a fit after its block of iterations
            pool.shutdown(cancel_futures=True)
            raise


def _one(job: tuple[int, str, Joint, Any, int, Mapping[str, Any]]) -> tuple[int, Posterior]:
    i, label, law, runs, seed, options = job
    try:
        posterior = quiet_fit(law, runs, seed=seed, workers=1, progress=False, **options)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    _ = posterior.status  # found here, in parallel
    return i, posterior


def fit_once(place: Path | None, joint: Joint, runs: Any, seed: int, options: Mapping[str, Any]) -> Posterior:
    """One fit, by one thread; from the folder where it is there, and left there where it is not."""
    file = None if place is None else _file(place, joint, runs, seed, options)
    if file is not None and file.is_file():
        return _load(file)
    posterior = quiet_fit(joint, runs, seed=seed, workers=1, progress=False, **options)
    if file is not None:
        posterior.save(file)
    return posterior


def folder_of(folder: str | Path | None) -> Path | None:
    """The folder for finished fits, which is made."""
    if folder is None:
        return None
    place = Path(folder).absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place


def _file(place: Path, joint: Joint, runs: Any, seed: int, options: Mapping[str, Any]) -> Path:
    return place / f"{_fingerprint(joint, runs, seed, options)}.nc"


def _load(file: Path) -> Posterior:
    from bayeslaw._saved import load

    return load(file)


def _fingerprint(joint: Joint, runs: Any, seed: int, options: Mapping[str, Any]) -> str:
    """A name for a fit that says all that its draws depend on."""
    frame = read_table(runs, options.get("columns"))
    rest = {name: value for name, value in sorted(options.items()) if name not in ("noise", "columns")}
    return fingerprint(joint, [list(map(str, frame.columns)), rest, seed, frame.to_csv()])


@float64
def fingerprint(joint: Joint, about: Any) -> str:
    """A name for a law, a noise, this version and more that JSON can say."""
    from bayeslaw import __version__
    from bayeslaw._codec import encode

    text = json.dumps([encode(joint.law), encode(joint.noise), __version__, about], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
