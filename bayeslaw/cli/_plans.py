"""`bayeslaw allocate`, `bayeslaw choose` and `bayeslaw next-runs`: what to do with a budget."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    Misfit,
    Penalise,
    Plot,
    Prob,
    Runs,
    Seed,
    Source,
    WhichDecision,
    check_prob,
    check_target,
)
from bayeslaw.cli._sources import Request, leave
from bayeslaw.cli._terminal import given as parse_given
from bayeslaw.cli._terminal import (
    headline,
    print_json,
    print_result,
    print_table,
    remarks,
    save_figure,
    save_table,
    table_json,
)

if TYPE_CHECKING:
    pass


def allocate(
    source: Source,
    runs: Runs = None,
    flops: Flops = None,
    given: Given = None,
    decision: WhichDecision = None,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """The best plan for a budget, as a credible interval.

    Examples:

        bayeslaw allocate chinchilla --flops 5.76e23

        bayeslaw allocate chinchilla runs.csv --columns N=params,D=tokens --flops 1e24 --plot plan.png

        bayeslaw allocate fit.nc --flops 1e24,1e25 --json

        bayeslaw allocate tuned.nc --decision hyperparameters --given params=7B --given tokens=140B
    """
    check_prob(prob)
    check_target(plot, FIGURES)
    wanted = parse_given(flops, given)
    posterior, chosen = Request(source, runs, columns, penalise, noise, draws, seed).asked(decision, wanted)
    from bayeslaw import allocate

    allocation = allocate(posterior, chosen, seed=seed, **wanted)
    summary = allocation.summary(prob)
    status = remarks(posterior, allocation)
    if plot is not None:
        from bayeslaw.plots import plot_allocation

        save_figure(lambda: plot_allocation(allocation, prob=prob), plot)
    labels = list(summary.index.names[:-1])
    scenarios = list(summary.groupby(level=labels, sort=False))
    if as_json:
        found = []
        for key, block in scenarios:
            values = dict(zip(labels, key if isinstance(key, tuple) else (key,), strict=True))
            quantities = block.droplevel(labels)
            optimum = quantities.drop(columns="at_edge").to_dict(orient="index")
            found.append({"given": values, "at_edge": float(quantities["at_edge"].iloc[0]), "optimum": optimum})
        print_json(posterior, prob, {"question": chosen.question, "scenarios": found}, status)
    else:
        from bayeslaw._show import readable

        rows: list[tuple[str, ...]] = []
        for _, block in scenarios:
            for i, (index, row) in enumerate(readable(block).iterrows()):
                *asked, quantity = [str(level) for level in index] if isinstance(index, tuple) else [str(index)]
                name = quantity.removesuffix("_new_run")
                unit = f", {row['unit']}" if quantity.startswith(posterior.response) and str(row["unit"]) else ""
                interval = f"{row['lower']} to {row['upper']}"
                asked = asked if i == 0 else [""] * len(labels)
                rows.append((*asked, name + unit, str(row["median"]), interval, str(row["covers"])))
            rows.append(())
        headers = [*labels, "quantity", "median", f"{prob:.0%} interval", "covers"]
        print_table(f"{chosen.question}\n{headline(posterior)}", headers, rows[:-1], status)
        if plot is not None:
            print(f"figure written to {plot}")
    leave(posterior)


def choose(
    source: Source,
    runs: Runs = None,
    flops: Flops = None,
    given: Given = None,
    decision: WhichDecision = None,
    risk: Annotated[
        str,
        typer.Option(
            metavar="MEASURE", help="expectation, cvar:0.9, quantile:0.9, worst-case, or mean-variance:2 over draws."
        ),
    ] = "expectation",
    at_most: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=BOUND[@PROB]", help="A limit, with its probability; may be repeated."),
    ] = None,
    at_least: Annotated[
        list[str] | None, typer.Option(metavar="NAME=BOUND[@PROB]", help="The same from below; may be repeated.")
    ] = None,
    misfit: Misfit = False,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """One plan to sign off: what it risks, what else is nearly as good, and what drives that.

    Examples:

        bayeslaw choose chinchilla --flops 5.76e23

        bayeslaw choose fit.nc --flops 1e24 --risk cvar:0.9 --at-most tokens=15T --plot regret.png

        bayeslaw choose fit.nc --flops 1e24 --at-most loss=1.95@0.9
    """
    check_prob(prob)
    check_target(plot, FIGURES)
    wanted, limits = parse_given(flops, given), [*_limits(at_most, "AtMost"), *_limits(at_least, "AtLeast")]
    measure = _measure(risk)
    posterior, chosen = Request(source, runs, columns, penalise, noise, draws, seed).asked(decision, wanted)
    import bayeslaw

    used = bayeslaw.misfit(posterior) if misfit else posterior
    plan = bayeslaw.choose(used, chosen, risk=measure, subject_to=limits, seed=seed, **wanted)
    if plot is not None:
        save_figure(lambda: bayeslaw.plots.plot_choice(plan), plot)
    status = remarks(posterior, plan)
    if as_json:
        found = {"question": chosen.question, "risk": str(plan.aim.risk), "plans": table_json(plan.action)}
        print_json(posterior, prob, {**found, "options": table_json(plan.summary(prob))}, status)
    else:
        pages = [plan.page(i, prob) for i in range(len(plan.action))]
        print_result("\n\n".join(pages), [one for one in status if one not in plan.status], plot)  # a page says its own
    leave(posterior)


def next_runs(
    source: Source,
    candidates: Annotated[Path, typer.Argument(help="The runs that could be made, CSV or parquet, one row per run.")],
    flops: Flops = None,
    given: Given = None,
    decision: WhichDecision = None,
    budget: Annotated[str | None, typer.Option(help="The most that the runs may cost in all.")] = None,
    cost: Annotated[str, typer.Option(help="The column of the candidates that they cost.")] = "flops",
    price: Annotated[
        float | None, typer.Option(help="What a unit of cost is worth in the unit of the regret, such as the loss.")
    ] = None,
    learn: Annotated[str | None, typer.Option(help="Pick by what runs tell of this parameter instead.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the runs to buy to this .csv.")] = None,
    runs: Annotated[
        Path | None, typer.Option("--runs", help="Your runs; the law's shipped data when left out.")
    ] = None,
    misfit: Misfit = False,
    columns: Columns = None,
    penalise: Penalise = None,
    noise: HowNoise = None,
    draws: Draws = 1000,
    seed: Seed = 0,
    as_json: Json = False,
    plot: Plot = None,
) -> None:
    """Which pilot runs are worth their cost before deciding, or that none is.

    Examples:

        bayeslaw next-runs fit.nc candidates.csv --flops 1e23 --budget 1e21

        bayeslaw next-runs fit.nc candidates.csv --flops 1e23 --cost dollars --price 1e-9 -o buy.csv
    """
    check_target(plot, FIGURES)
    check_target(output, (".csv",))
    wanted = parse_given(flops, given)
    posterior, chosen = Request(source, runs, columns, penalise, noise, draws, seed).asked(decision, wanted)
    import bayeslaw

    used = bayeslaw.misfit(posterior) if misfit else posterior
    found = bayeslaw.next_runs(
        used, candidates, chosen, budget=budget, cost=cost, price=price, learn=learn, seed=seed, **wanted
    )
    if output is not None:
        save_table(found.runs, output)
    if plot is not None:
        save_figure(lambda: bayeslaw.plots.plot_next_runs(found), plot)
    if as_json:
        result = {"question": chosen.question, "before": found.before, "after": found.after, "stop": found.stop}
        print_json(posterior, None, {**result, "batch": table_json(found.batch)}, found.status)
    else:
        print_result(repr(found), (), plot)
        if output is not None:
            print(f"{len(found.runs)} runs written to {output}")
    leave(posterior)


def _measure(text: str) -> Any:
    """A measure of risk, from its name and, after a colon, its number."""
    from bayeslaw import CVaR, Expectation, MeanVariance, Quantile, WorstCase

    name, _, number = text.lower().partition(":")
    plain = {"expectation": Expectation, "worst-case": WorstCase}
    numbered = {"cvar": CVaR, "quantile": Quantile, "mean-variance": MeanVariance}
    if name in plain and not number:
        return plain[name]()
    try:
        level = float(number) if number or name == "mean-variance" else 0.9
    except ValueError:
        level = None
    if name in numbered and level is not None:
        return numbered[name](level)
    known = ", ".join([*plain, "cvar:0.9", "quantile:0.9", "mean-variance:2"])
    raise InputError(f"--risk {text!r} is not a measure of risk; write one of {known}.")


def _limits(texts: list[str] | None, kind: str) -> list[Any]:
    import bayeslaw

    found = []
    for text in texts or []:
        match = re.fullmatch(r"\s*(\w+)\s*=\s*([^@]+?)\s*(?:@\s*([^@]+))?", text)
        option = "--at-most" if kind == "AtMost" else "--at-least"
        if match is None:
            raise InputError(f"{option} {text!r}: write NAME=BOUND or NAME=BOUND@PROBABILITY, such as loss=2.1@0.9.")
        name, bound, prob = match.groups()
        try:
            sure = 1.0 if prob is None else float(prob)
        except ValueError:
            raise InputError(f"{option} {text!r}: the probability after @ is a number, such as 0.9.") from None
        found.append(getattr(bayeslaw, kind)(name, bound, prob=sure))
    return found
