"""`backtest`: fit to some of the runs, forecast the others, and score the forecasts and the decision."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._errors import InputError, Status
from bayeslaw._forecaster import method_of, response_of
from bayeslaw._held_out import Done, Job, decisions_of, predictions_of, projections_of, work
from bayeslaw._many import folder_of, in_parallel
from bayeslaw._posterior import check_prob
from bayeslaw._runs import Table, number_columns, read_table
from bayeslaw._sampler import Progress, reporter
from bayeslaw._scores import PROBS, scores_of
from bayeslaw._splits import Cut, splits_of, with_flops, with_numbers

ALL = "all runs"  # the name of the split that holds nothing out
_FIT = {"noise", "method", "chains", "draws", "warmup", "target_accept"}


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Forecasts of methods that had seen only some of the runs, made by `backtest`.

    - `predictions`: of runs that were held out, and exist: xarray Dataset with dims (forecaster, split, run), NaN where
      a run is not held out. `forecast` (..., quantile) is the distribution of a *new run* there, law and noise, in
      units of the response; `truth` (run) what came out; `miss`, of the median, `crps`, `log_score`, and `pit`, the
      share of draws below the truth. `forecaster` is the name of a method (of `method` xarray thinks otherwise).
    - `scores`: dims (forecaster, split[, prob]): the means over held-out runs, `count` of them: `rmse` and `bias` of
      the median, `crps` and `log_score` (minus ln density; lower is better for both), `coverage` and `width` of
      equal-tailed intervals; `ok` is False where a fit is not a result. All are of ln response, to base e, where
      responses and draws are positive (`scale` is "log"), else of the response ("linear").
    - `decisions`: dims (forecaster, split, scenario[, prob]): the `optimum` (..., quantile) that the training runs
      imply; is the median `found` with all runs `covered` by its interval; the `width` of that and the `miss` of its
      median, in decades. `quantity` names its column. NaN for a method that cannot allocate; None where no budget is
      known.
    - `projections`: of scenarios that *nobody ran*: `forecast` (forecaster, split, scenario, quantile), the last split
      with all runs. There is nothing to score them with. None unless asked for.
    - `status`: fits that are not results, by method and split, and decisions that could not be scored.
    """

    predictions: xr.Dataset
    scores: xr.Dataset
    decisions: xr.Dataset | None
    projections: xr.Dataset | None
    status: tuple[Status, ...]

    @property
    def scale(self) -> str:
        """What scores are of: `"log"`, the logarithm of the response, or `"linear"`, the response."""
        return str(self.scores.attrs["scale"])

    def summary(self, prob: float = 0.9, by: Literal["forecaster", "split"] = "forecaster") -> pd.DataFrame:
        """A row per method, the mean over splits; or with `by="split"` a row per method and split.

        `forecasts`: held-out runs in all; `rmse`, `bias`, `crps`, `log_score`; the share of held-out runs inside each
        interval; the width of that of mass `prob`. Of the decision: the share of budgets whose optimum is inside the
        interval of mass `prob`, the width of that and the size of its median's error, in decades.
        """
        check_prob(prob)
        if prob not in PROBS:
            raise InputError(f"intervals were scored at {', '.join(map(str, PROBS))}; got prob={prob!r}.")
        if by not in ("forecaster", "split"):
            raise InputError(f'by must be "forecaster" or "split", got {by!r}.')
        scores = self.scores
        table = {name: scores[name] for name in ("rmse", "bias", "crps", "log_score")}
        table |= {f"inside_{100 * p:g}": scores["coverage"].sel(prob=p, drop=True) for p in PROBS}
        table[f"width_{100 * prob:g}"] = scores["width"].sel(prob=prob, drop=True)
        if self.decisions is not None:
            chosen = self.decisions[["covered", "width", "miss"]].sel(prob=prob, drop=True)
            table |= {"decision_inside": chosen["covered"].mean("scenario")}
            table |= {"decision_width": chosen["width"].mean("scenario")}
            table |= {"decision_miss": abs(chosen["miss"]).mean("scenario")}
        found = xr.Dataset(table)
        count = scores["count"]
        if by == "forecaster":
            found, count = found.mean("split"), count.sum("split")
        order = ["forecaster"] if by == "forecaster" else ["forecaster", "split"]
        frame: Any = found.assign(forecasts=count).to_dataframe(dim_order=order)[["forecasts", *table]]
        frame.attrs["prob"] = prob
        return frame

    def _title(self) -> str:
        sizes = self.scores.sizes
        of = "ln " if self.scale == "log" else ""
        text = (
            f"Back-test of {sizes['forecaster']} methods on {sizes['split']} splits of {self.predictions.sizes['run']} "
        )
        text += f"runs: scores of {of}{self.scores.attrs['response']} of a new run"
        if self.projections is not None:
            text += "; projections, of runs that nobody made, are not scored"
        return text

    def __repr__(self) -> str:
        return "\n".join(
            [self._title(), self.summary().to_string(float_format="{:.3g}".format), *map(str, self.status)]
        )

    def _repr_html_(self) -> str:
        from bayeslaw._show import page

        return page(self._title(), self.summary().map("{:.3g}".format), self.status)


def backtest(
    methods: Any,
    runs: Table,
    *,
    split: Cut | None = None,
    by: Any = None,
    decision: Any = None,
    given: Mapping[str, Any] | None = None,
    projections: Table | None = None,
    response: str | None = None,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **options: Any,
) -> Backtest:
    """How good were its forecasts: `backtest(Chinchilla, runs, split={"flops": (0.5, 0.65, 0.8)})`.

    Each method learns from the runs below each cut, and says what the runs above it will come out at, and where the
    optimum lies. A *prediction* is of a held-out run, which exists, and is scored. A *projection* is of a run that
    nobody made; it is kept apart.

    - `methods`: a law, as `fit` takes it, or several by name; or functions of the training runs (a DataFrame; and a
      `seed`, if it has such an argument) that return a `Posterior`, a `Stack` or a `Forecaster`:
      `{"chinchilla": Chinchilla, "huber": lambda runs: bl.huber(Chinchilla, runs)}`. `predict` and `allocate` are
      called on what comes back.
    - `split`: the runs to hold out, in pandas' words, `"flops > 1e21"`, or several of such; or quantiles of a column:
      what is above each is held out. `flops` is 6 params tokens where the table has none.
    - `by`: instead, groups that are held out one after the other, as in `compare`: a column, a function of the table,
      or a label for each run.
    - `decision`, `given`: what is decided, as in `allocate`; the law's first decision when left out, at three budgets
      in the top decade of the runs' `flops`. `decision=False` leaves decisions out, and the fits to all runs with them.
    - `projections`: scenarios to be projected to, without a response.
    - `response`: its column; that of the laws, else `loss`, when left out.
    - `columns`, `seed`: as in `fit`; every fit has this seed. `folder`, `workers`, `progress`: as in
      `fit_many`; what functions return is not kept in the folder.
    - `options`: what `fit` takes, for methods that are laws: `noise`, `method`, `chains`, `draws`, `warmup`.

    Returns a `Backtest`; `plots.plot_backtest` draws it. Raises `InputError` for splits that leave too little on either
    side, naming them, and for what `fit` and `predict` refuse, naming the method.
    """
    unknown = sorted(set(options) - _FIT)
    if unknown:
        raise InputError(f"backtest has no option {unknown[0]!r}; it passes {', '.join(sorted(_FIT))} on to fit.")
    named = dict(methods) if isinstance(methods, Mapping) else {_name_of(methods): methods}
    if not named:
        raise InputError("no method was given: there is nothing to test.")
    place = folder_of(folder)
    makers = {str(name): method_of(str(name), one, decision, place, options) for name, one in named.items()}
    table = with_flops(read_table(runs, columns))
    response = response_of(named.values(), response)
    table[response] = number_columns(table, [response])[0][response]
    splits = splits_of(table, split, by)
    given = _given(table, given) if decision is not False else None
    scenarios = None if projections is None else _scenarios(projections, columns, response)
    names = [one.name for one in splits]
    if given is not None or scenarios is not None:
        names.append(ALL)
    held = {**{one.name: one.held_out for one in splits}, ALL: np.zeros(len(table), dtype=bool)}
    jobs = [
        Job(name, cut, make, *_parted(table, held[cut]), response, given, scenarios, seed)
        for name, make in makers.items()
        for cut in names
    ]
    done: dict[tuple[str, str], Done] = {}
    with reporter(progress, len(jobs), "fits") as tell, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this posterior is not a result yet")  # it is a status here
        tell(0)
        for one in in_parallel(work, jobs, workers):
            done[one.job] = one
            tell(1)
    status = [
        Status(f"{job.method}, {job.split}: {note.text}", serious=True)
        for job in jobs
        for note in done[job.method, job.split].status
    ]
    methods = list(makers)
    predictions = predictions_of(done, methods, splits, table, response)
    decisions, projected = None, None
    if given is not None:
        decisions, notes = decisions_of(done, methods, splits, ALL, given)
        status += notes
    if scenarios is not None:
        projected = projections_of(done, methods, names, scenarios, response)
    ok = [[not done[name, cut.name].status for cut in splits] for name in methods]
    return Backtest(predictions, scores_of(predictions, np.array(ok)), decisions, projected, tuple(status))


def _parted(table: pd.DataFrame, held_out: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    kept, out = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return table.iloc[kept].reset_index(drop=True), table.iloc[out].reset_index(drop=True)


def _name_of(method: Any) -> str:
    kind = method if isinstance(method, type) else type(method)
    return str(getattr(method, "__name__", kind.__name__)).strip("<>").lower()


def _given(table: pd.DataFrame, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is given to the decision, a value per scenario: budgets inside the data where the user does not say."""
    if given is not None:
        return {str(name): one.to_numpy() for name, one in with_numbers(read_table(given)).items()}
    if "flops" not in table:
        return None
    flops = table["flops"].to_numpy(dtype=float)
    return {"flops": np.geomspace(max(flops.max() / 10, flops.min()), flops.max(), 3)}


def _scenarios(table: Table, columns: Mapping[str, str] | None, response: str) -> pd.DataFrame:
    frame = read_table(table)
    known = {theirs: ours for theirs, ours in (columns or {}).items() if theirs in frame}
    frame = with_flops(frame.rename(columns=known))
    if response in frame:
        raise InputError(
            f"projections hold the column {response!r}: a projection is of a run that does not exist. Runs that do "
            "belong into runs, to be held out and scored."
        )
    return frame
