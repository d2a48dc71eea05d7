"""`sbc`: are the intervals right where the law and its prior are? Simulation-based calibration."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayeslaw._allocate import decision_of
from bayeslaw._decision import Decision
from bayeslaw._errors import InputError, Status
from bayeslaw._fit import quiet_fit
from bayeslaw._joint import Joint, as_joint
from bayeslaw._many import fingerprint, folder_of, in_parallel
from bayeslaw._posterior import flat, labelled, log_likelihood
from bayeslaw._recipes import optima
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._sampler import Progress, reporter
from bayeslaw._tree import float64

RANKS = 99  # draws that the truth is ranked among; so it is at one of 100 places
_LEAST = 20  # worlds
_ALARM = 0.01  # chance of an alarm where all is right, over all quantities
_FIT = {"method", "chains", "draws", "warmup", "target_accept"}


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """Worlds drawn from the prior, and where the truth lies in the posterior of each; made by `sbc`.

    - `ranks`: a row per world, a column per quantity: how many of 99 posterior draws lie below the truth. If the fits
      are right each of 0 to 99 is as likely as any other. Missing where the world could not be fitted.
    - `worlds`: a row per world: `ok`, whether the posterior was a result, and `refused`, why there is none.
    - `status`: quantities whose ranks are not uniform, and worlds that are not in the ranks.
    """

    ranks: pd.DataFrame
    worlds: pd.DataFrame
    status: tuple[Status, ...]

    @property
    def pit(self) -> pd.DataFrame:
        """The ranks as numbers between 0 and 1, uniform if all is right, at random within their hundredth."""
        within = np.random.default_rng(0).uniform(size=self.ranks.shape)
        return ((self.ranks + within) / (RANKS + 1)).loc[self.worlds["refused"] == ""]

    def summary(self) -> pd.DataFrame:
        """A row per quantity. `p`: of uniform ranks (ArviZ's `prit_c`); `p_all`: the same after Holm, for all of them;
        `held_50` and `held_90`: the share of worlds in which the central interval of that mass held the truth; `bias`:
        the mean rank less that of a uniform one, as a share: above zero, the posterior is too low."""
        pit = self.pit
        from arviz_stats.base.array import array_stats  # slow to import

        p = np.array([array_stats.uniformity_test(one, method="prit_c")[0] for one in pit.to_numpy().T])
        frame = pd.DataFrame({"p": p, "p_all": holm(p)}, index=pd.Index(self.ranks.columns, name="quantity"))
        for prob in (0.5, 0.9):
            frame[f"held_{prob * 100:.0f}"] = (np.abs(pit.to_numpy() - 0.5) <= prob / 2).mean(axis=0)
        frame["bias"] = pit.to_numpy().mean(axis=0) - 0.5
        return frame

    @property
    def ok(self) -> bool:
        """Are all ranks as uniform as they should be?"""
        return not any(one.serious for one in self.status)

    def _title(self) -> str:
        return f"Simulation-based calibration: {len(self.pit)} worlds, {self.ranks.shape[1]} quantities"

    def _shown(self) -> pd.DataFrame:
        return self.summary().sort_values("p").map("{:.3g}".format)

    def __repr__(self) -> str:
        return "\n".join([self._title(), self._shown().to_string(), *map(str, self.status)])

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(self._title(), self._shown(), self.status)


class _Job(NamedTuple):
    world: int
    joint: Joint
    columns: Mapping[str, np.ndarray]
    decision: Decision | None
    given: Mapping[str, np.ndarray]
    seed: int
    options: Mapping[str, Any]


@float64
def sbc(
    law: Any,
    scenarios: Table,
    decision: Decision | str | None = None,
    *,
    noise: Any = None,
    worlds: int = 200,
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **given: Any,
) -> Calibration:
    """Are its intervals right? `sbc(Chinchilla, design, flops=1e23)`, where the law and its prior hold.

    For each world parameters are drawn from the prior, runs simulated at the scenarios and fitted, and the truth is
    ranked among the posterior's draws: every parameter, the log density of the runs, and what a decision would choose.
    Over many worlds the ranks are uniform if formula, prior, sampler and search are all right, whatever the law.

    - `law`, `noise`: as in `fit`; their priors must be those that are fitted with.
    - `scenarios`: the design, a table of the columns that the law (and noise) read, without a response.
    - `decision`, `given`: as in `allocate`, in one scenario. Left out both, no decision is ranked.
    - `worlds`: how many. 200 find intervals too narrow by 29 % in 95 of 100 cases, by 17 % in 17 (one quantity
      among ten).
    - `seed`: world i has the seed `seed + i`.
    - `folder`: where what was found in each world is kept, in one file of lines. A second call finds it and does the
      rest; a call for more worlds adds to them.
    - `workers`, `progress`: as in `fit_many`. `given` may also hold options of `fit`: `method`, `chains`, `draws`,
      `warmup`, `target_accept`; 4 chains of 500 draws after 500 when left out.

    Returns a `Calibration`; `plots.plot_calibration` draws it. The test is at 1 % over all quantities. Talts et al.
    2018 (arXiv 1804.06788); the log density as a quantity, Modrak et al. 2023 (arXiv 2211.02383).

    Raises `InputError` for what `fit` and `allocate` refuse of a law, a design or a decision.
    """
    options = {"chains": 4, "draws": 500, "warmup": 500} | {n: given.pop(n) for n in sorted(_FIT & set(given))}
    if not (isinstance(worlds, int) and worlds >= 1):
        raise InputError(f"worlds is how many are drawn from the prior, one or more; got {worlds!r}.")
    joint = as_joint(law, noise)
    labels, optional = joint.law.categories(), joint.law.optional()
    columns, _ = number_columns(read_table(scenarios), joint.columns(), optional, labels=labels, what="scenario")
    chosen = decision_of(joint.law, decision) if decision is not None or given else None
    numbers = {} if chosen is None else _one_scenario(joint, chosen, given)
    place = folder_of(folder)
    file = None if place is None else place / _name(joint, columns, chosen, numbers, options)
    found = {} if file is None else {one["seed"]: one for one in _kept(file)}
    missing = [seed + i for i in range(worlds) if seed + i not in found]
    jobs = [_Job(i, joint, columns, chosen, numbers, i, options) for i in missing]
    with reporter(progress, worlds, "worlds") as tell:
        tell(worlds - len(missing))
        for one in in_parallel(_world, jobs, workers):
            found[one["seed"]] = one
            if file is not None:
                with file.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(one) + "\n")
            tell(1)
    return _of([found[seed + i] for i in range(worlds)])


def _one_scenario(joint: Joint, decision: Decision, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    decision.check_given(given, joint.law.optional())
    table = read_table(given) if given else pd.DataFrame(index=[0])
    if len(table) != 1:
        raise InputError(f"the decision is ranked in one scenario, here are {len(table)}: give single values.")
    return number_columns(table, tuple(given), labels=joint.law.categories(), what="scenario")[0]


def _name(joint: Joint, columns: Any, decision: Decision | None, given: Any, options: Mapping[str, Any]) -> str:
    """A file that says all that the ranks depend on but the seeds."""
    numbers = [{name: one.tolist() for name, one in sorted(part.items())} for part in (columns, given)]
    asked = "" if decision is None else f"{decision.question} {decision.choose}"
    return f"{type(joint.law).__name__}-{fingerprint(joint, [numbers, asked, sorted(options.items())])}.jsonl"


def _kept(file: Path) -> Iterator[dict[str, Any]]:
    """What an earlier call found; a line that was being written when it ended is left out."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        file.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


@float64
def _world(job: _Job) -> dict[str, Any]:
    """What becomes of one world: the ranks of its truth, or why it was refused."""
    joint, labels = job.joint, job.joint.law.categories()
    truth, response = jax.tree.map(np.asarray, _drawn(jax.random.key(job.seed), joint, job.columns))
    shown = {name: labelled(labels.get(name), values) for name, values in job.columns.items()}
    runs = pd.DataFrame({**shown, joint.response: response})
    try:
        posterior = quiet_fit(joint, runs, seed=job.seed, workers=1, progress=False, **job.options)
    except InputError as error:
        return {"seed": job.seed, "ok": False, "refused": str(error), "ranks": {}}
    draws = flat(posterior)
    places = np.linspace(0, len(next(iter(draws.values()))) - 1, RANKS).round().astype(int)
    values = {name: np.concatenate([truth[name][None], draws[name][places]]) for name in draws}
    rng = np.random.default_rng(job.seed)
    ranks = {name: _rank(one, rng) for name, one in _quantities(job, values, response)}
    return {"seed": job.seed, "ok": bool(posterior.ok), "refused": "", "ranks": ranks}


@jax.jit
def _drawn(key: Any, joint: Joint, columns: Mapping[str, Any]) -> Any:
    """A truth and its runs."""
    of_truth, of_noise = jax.random.split(key)
    truth = joint.sample_prior(of_truth)
    return truth, joint.fill(truth).draw(of_noise, columns)


def _quantities(job: _Job, values: Mapping[str, np.ndarray], response: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each of them by name, at the truth and then at the draws."""
    for name, array in values.items():
        parts = array.reshape(len(array), -1)
        for i in range(parts.shape[1]):
            yield name if array.ndim == 1 else f"{name}[{i}]", parts[:, i]
    yield "log density", np.asarray(log_likelihood(job.joint, values, job.columns, response)).sum(axis=-1)
    if job.decision is not None:
        count = {} if job.given else {"_": jnp.zeros(1)}
        scenarios = {name: jnp.asarray(one) for name, one in job.given.items()} | count
        plan, *_ = optima(job.joint, values, scenarios, job.decision)
        for name in job.decision.choose:
            yield f"optimum: {name}", np.asarray(plan[name])[:, 0]


def _rank(values: np.ndarray, rng: np.random.Generator) -> int:
    """How many draws lie below the truth; where some equal it, at random among these."""
    truth, draws = values[0], values[1:]
    below, equal = int((draws < truth).sum()), int((draws == truth).sum())
    return below + int(rng.integers(equal + 1))


def _of(found: list[dict[str, Any]]) -> Calibration:
    seeds = pd.Index([one["seed"] for one in found], name="world")
    ranks = pd.DataFrame([one["ranks"] for one in found], index=seeds, dtype=float)
    worlds = pd.DataFrame({name: [one[name] for one in found] for name in ("ok", "refused")}, index=seeds)
    status = []
    refused = [one["refused"] for one in found if one["refused"]]
    if refused:
        text = f"{len(refused)} of {len(found)} worlds could not be fitted and are not in the ranks, the first because "
        status.append(Status(text + refused[0], serious=len(refused) > 0.02 * len(found)))
    poor = sum(not one["ok"] for one in found) - len(refused)
    if poor:
        status.append(
            Status(f"{poor} of {len(worlds)} posteriors are no results by their own status; they count here.")
        )
    untested = Calibration(ranks, worlds, ())
    if (fitted := len(untested.pit)) >= _LEAST:
        table = untested.summary()
        for name, row in table[table["p_all"] < _ALARM].iterrows():
            text = f"the ranks of {name} are not uniform (p = {row['p']:.1g}): 90 % intervals hold the truth in "
            status.append(Status(f"{text}{row['held_90']:.0%} of worlds.", serious=True))
    else:
        status.append(Status(f"{fitted} worlds are too few for a test; 200 are usual."))
    return Calibration(ranks, worlds, tuple(status))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values for all hypotheses together (Holm 1979)."""
    order, count = np.argsort(p), len(p)
    raised = np.maximum.accumulate(p[order] * (count - np.arange(count)))
    found = np.empty(count)
    found[order] = np.minimum(raised, 1)
    return found
