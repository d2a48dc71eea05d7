"""`bayeslaw report`: all of it on one page."""

from pathlib import Path
from typing import Annotated

import typer

from bayeslaw.cli._options import (
    Columns,
    Draws,
    Flops,
    Given,
    HowNoise,
    Misfit,
    Penalise,
    Prob,
    Runs,
    Seed,
    Source,
    WhichDecision,
    check_prob,
    check_target,
)
from bayeslaw.cli._sources import Request, check_given, decision_of, leave
from bayeslaw.cli._terminal import given as parse_given


def report(
    source: Source,
    runs: Runs = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the page to this .html.")] = Path("report.html"),
    flops: Flops = None,
    given: Given = None,
    decision: WhichDecision = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Also fit the smaller runs and forecast the larger; takes longer.")
    ] = False,
    misfit: Misfit = False,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    seed: Seed = 0,
) -> None:
    """The answer and all it rests on, as one HTML page that needs nothing else.

    Data, law, priors, diagnostics, fit, extrapolation, the optimum over budgets with a slider, one plan with its
    regret, assumptions, and how to get the same again. A budget that is left out is ten times that of the largest run.

    Examples:

        bayeslaw report fit.nc -o report.html

        bayeslaw report fit.nc --flops 5.76e23 -o report.html --prob 0.8 --backtest

        bayeslaw report qat.nc --decision fraction --given params=3B --given tokens=100B --given bits=4
    """
    check_prob(prob)
    check_target(output, (".html", ".htm"))
    wanted = parse_given(flops, given)
    posterior = Request(source, runs, columns, penalise, noise, draws, seed).posterior()
    import bayeslaw
    from bayeslaw._report import default_given

    if posterior.prior.decisions():
        chosen = decision_of(posterior.prior, decision)
        check_given(chosen, {**wanted, **default_given(posterior, chosen, wanted)}, posterior.prior.optional())
    path = bayeslaw.report(
        bayeslaw.misfit(posterior) if misfit else posterior, output, decision, prob=prob, backtest=backtest, seed=seed,
        **wanted,
    )  # fmt: skip
    print(f"page written to {path}")
    for one in posterior.status:
        print(one)
    leave(posterior)
