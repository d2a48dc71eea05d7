"""`bayeslaw check`, `bayeslaw compare` and `bayeslaw backtest`: is the law to be trusted."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bayeslaw._errors import InputError
from bayeslaw.cli._options import (
    FIGURES,
    Columns,
    Draws,
    Flops,
    Given,
    HowNoise,
    Json,
    Penalise,
    Plot,
    Runs,
    RunsOption,
    Seed,
    Source,
    WhichDecision,
    check_target,
)
from bayeslaw.cli._sources import Request, leave, noise_of, prior_of, runs_of
from bayeslaw.cli._terminal import columns as parse_columns
from bayeslaw.cli._terminal import given as parse_given
from bayeslaw.cli._terminal import print_json, print_result, save_figure, table_json


def check(
    source: Source,
    runs: Runs = None,
    flops: Flops = None,
    given: Given = None,
    decision: WhichDecision = None,
    by: Annotated[str | None, typer.Option(help="A column of the runs whose groups are looked at too.")] = None,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Does the law describe its runs, and is the answer the prior's?

    Examples:

        bayeslaw check fit.nc

        bayeslaw check chinchilla runs.csv --flops 1e24 --plot check.png
    """
    check_target(plot, FIGURES)
    request, wanted = Request(source, runs, columns, penalise, noise, draws, seed), parse_given(flops, given)
    posterior, chosen = request.asked(decision, wanted) if wanted or decision else (request.posterior(), None)
    import bayeslaw

    found = bayeslaw.check(posterior, chosen, by=by, seed=seed, **wanted)
    if plot is not None:
        save_figure(lambda: bayeslaw.plots.plot_check(found), plot)
    if as_json:
        result = {"tests": table_json(found.table), "sensitivity": table_json(found.sensitivity)}
        print_json(posterior, None, result, found.status)
    else:
        print_result(repr(found), (), plot)
    leave(posterior)


def compare(
    sources: Annotated[
        list[str], typer.Argument(metavar="LAW|FIT.nc...", help="Laws to fit now, or fits of the same runs.")
    ],
    runs: RunsOption = None,
    by: Annotated[
        str | None, typer.Option(help="Leave out whole groups of this column, instead of single runs.")
    ] = None,
    columns: Columns = None,
    noise: HowNoise = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Which law predicts best a run that it has not seen, and what weights a stack would give them.

    Examples:

        bayeslaw compare chinchilla.nc overtraining.nc

        bayeslaw compare chinchilla overtraining --runs runs.csv --by params
    """
    members = {}
    for one in _different(sources):
        saved = Request(one).saved  # has its runs inside
        own = (None, None) if saved else (runs, columns)
        members[Path(one).stem] = Request(one, *own, None, noise, draws, seed).posterior()
    import bayeslaw

    found = bayeslaw.compare(members, by=by, seed=seed)
    if as_json:
        print_json(next(iter(members.values())), None, {"laws": table_json(found.table)}, found.status)
    else:
        print_result(repr(found), ())
    leave(*members.values())


def backtest(
    laws: Annotated[list[str], typer.Argument(metavar="LAW...", help="Laws; `bayeslaw laws` lists them.")],
    runs: RunsOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="The runs to hold out, such as 'flops > 1e21'; may be repeated."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Hold out the groups of this column, one after the other.")] = None,
    columns: Columns = None,
    noise: HowNoise = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """How good would forecasts have been: fit the smaller runs, forecast the larger ones.

    Without --split or --by what is above the 50, 65 and 80 % quantiles of flops is held out.

    Examples:

        bayeslaw backtest chinchilla overtraining --runs runs.csv

        bayeslaw backtest chinchilla --split "flops > 1e21" --plot backtest.png
    """
    check_target(plot, FIGURES)
    methods = {name: prior_of(Request(name)) for name in _different(laws)}
    table = runs_of(Request(laws[0], runs, columns))
    import bayeslaw

    cut: Any = split if split or by else {"flops": (0.5, 0.65, 0.8)}
    found = bayeslaw.backtest(
        methods, table, split=cut or None, by=by, columns=parse_columns(columns), noise=noise_of(noise), draws=draws,
        seed=seed,
    )  # fmt: skip
    if plot is not None:
        save_figure(lambda: bayeslaw.plots.plot_backtest(found), plot)
    if as_json:
        print_json(None, None, {"methods": table_json(found.summary())}, found.status)
    else:
        print_result(repr(found), (), plot)
    if any(one.serious for one in found.status):
        raise typer.Exit(1)


def _different(names: list[str]) -> list[str]:
    short = [Path(name).stem for name in names]
    twice = sorted({name for name in short if short.count(name) > 1})
    if twice:
        raise InputError(f"{twice[0]!r} is there twice; laws are told apart by the names of laws and files.")
    return names
