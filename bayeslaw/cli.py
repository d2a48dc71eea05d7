"""The command line. Nothing heavy is imported before a command needs it, so that --help is quick."""

import difflib
import os
import re
import sys
import tempfile
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bayeslaw import __version__
from bayeslaw._errors import InputError
from bayeslaw._terminal import columns as parse_columns
from bayeslaw._terminal import given as parse_given
from bayeslaw._terminal import headline, print_json, print_table

if TYPE_CHECKING:
    from bayeslaw import AbstractLaw, Posterior

app = typer.Typer(
    help="Bayesian scaling laws: from training runs to a credible interval on the best plan.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Noise(StrEnum):
    """How runs scatter around the law."""

    student_t = "student-t"
    lognormal = "lognormal"
    normal = "normal"
    one_sided = "one-sided"
    untuned_t = "untuned-t"


RunsArgument = Annotated[
    Path | None,
    typer.Argument(help="Your runs, CSV or parquet, one row per run; the law's shipped data when left out."),
]
ColumnsOption = Annotated[
    str | None, typer.Option(metavar="N=params,D=tokens", help="Your column names and what they are here.")
]
PenaliseOption = Annotated[
    str | None,
    typer.Option(
        metavar="lr,batch_tokens", help="Hyperparameters that were not tuned in these runs; fit their optimum too."
    ),
]
NoiseOption = Annotated[
    Noise | None, typer.Option(help="How runs scatter around the law; the law's own, mostly student-t, when left out.")
]
SeedOption = Annotated[int, typer.Option(help="Same seed, same draws.")]
DrawsOption = Annotated[int, typer.Option(min=10, help="Draws kept per chain (4 chains).")]
ProbOption = Annotated[float, typer.Option(help="Credible mass of the intervals, between 0 and 1.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"bayeslaw {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def fit(
    law: Annotated[str, typer.Argument(help="A law, such as chinchilla; `bayeslaw laws` lists them.")],
    runs: RunsArgument = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Save the fit here, for `allocate`.")] = None,
    columns: ColumnsOption = None,
    penalise: PenaliseOption = None,
    noise: NoiseOption = None,
    prob: ProbOption = 0.9,
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit a law to training runs: the posterior of its parameters.

    Examples:

        bayeslaw fit chinchilla -o fit.nc

        bayeslaw fit chinchilla runs.csv --columns N=params,D=tokens -o fit.nc

        bayeslaw fit chinchilla sweep.csv --penalise lr,batch_tokens -o fit.nc
    """
    _check_prob(prob)
    _check_folder(output)
    posterior = _fit(law, penalise, runs, columns, noise, draws, seed)
    if output is not None:
        posterior.save(output)
    summary = posterior.summary(prob)
    if as_json:
        print_json(posterior, prob, {"parameters": summary.to_dict(orient="index")}, posterior.status)
    else:
        headers = ["parameter", "median", f"{prob:.0%} interval", "mean", "sd", "R-hat", "ESS"]
        rows = [
            (
                str(name),
                f"{row['median']:.4g}",
                f"{row['lower']:.4g} to {row['upper']:.4g}",
                f"{row['mean']:.4g}",
                f"{row['sd']:.2g}",
                f"{row['r_hat']:.3f}",
                f"{row['ess_bulk']:.0f}",
            )
            for name, row in summary.iterrows()
        ]
        print_table(headline(posterior), headers, rows, posterior.status)
        if output is not None:
            print(f"saved to {output}; next: bayeslaw allocate {output} --flops 1e24")
    _leave(posterior)


@app.command()
def allocate(
    source: Annotated[
        str, typer.Argument(metavar="LAW|FIT.nc", help="A law to fit now, or a fit saved by `bayeslaw fit -o`.")
    ],
    runs: RunsArgument = None,
    flops: Annotated[
        str | None, typer.Option(metavar="VALUES", help="Training budgets in FLOPs: 5.76e23, or 1e24,1e25.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUES", help="Any other quantity the decision needs; may be repeated."),
    ] = None,
    decision: Annotated[str | None, typer.Option(help="Which of the law's decisions; its first when left out.")] = None,
    columns: ColumnsOption = None,
    penalise: PenaliseOption = None,
    noise: NoiseOption = None,
    prob: ProbOption = 0.9,
    draws: DrawsOption = 1000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the optimum against the budget: .png, .pdf or .svg.")] = None,
) -> None:
    """The best plan for a budget, as a credible interval.

    Examples:

        bayeslaw allocate chinchilla --flops 5.76e23

        bayeslaw allocate chinchilla runs.csv --columns N=params,D=tokens --flops 1e24 --plot plan.png

        bayeslaw allocate fit.nc --flops 1e24,1e25 --json

        bayeslaw allocate tuned.nc --decision hyperparameters --given params=7B --given tokens=140B
    """
    _check_prob(prob)
    _check_folder(plot, (".png", ".pdf", ".svg"))
    wanted = parse_given(flops, given)
    if _is_file(source):
        if runs is not None or columns is not None or penalise is not None:
            raise InputError(
                f"{source} is a saved fit and has its runs inside; leave out the data, --columns and --penalise."
            )
        from bayeslaw import load

        posterior = load(source)
        chosen = _decision(posterior.prior, decision)
        _check_given(chosen, wanted)
    else:
        # Ask before sampling what can be known before sampling.
        chosen = _decision(_prior(source, penalise), decision)
        _check_given(chosen, wanted)
        posterior = _fit(source, penalise, runs, columns, noise, draws, seed)
    from bayeslaw import allocate

    allocation = allocate(posterior, chosen, seed=seed, **wanted)
    summary = allocation.summary(prob)
    # What is odd about the data belongs here too: this may be all that the user sees of the fit.
    status = (*posterior.status, *(one for one in allocation.status if one not in posterior.status))
    if plot is not None:
        _save_plot(allocation, prob, plot)
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
    _leave(posterior)


@app.command()
def laws() -> None:
    """List the laws, the columns they read and the questions they answer."""
    rows: list[tuple[str, ...]] = []
    for name, law in _laws().items():
        prior = law.prior()
        formula = (law.__doc__ or "").strip().splitlines()[0]
        questions = "\n".join(f"{key}: {decision.question}" for key, decision in prior.decisions().items())
        rows.append((name, formula, ", ".join((*prior.columns(), prior.response)), questions))
    print_table("Laws", ["name", "formula", "columns", "decisions"], rows, ())


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="Print the card of this data set.")] = None,
) -> None:
    """List the public data sets, or print the card of one: what a row is, units, source, licence, defects."""
    from bayeslaw import datasets

    if name is not None:
        print(datasets.card(name))
        return
    rows = []
    for key, function in sorted(datasets.DATASETS.items()):
        summary = (getattr(datasets, function).__doc__ or "").strip().splitlines()[0]
        rows.append((key, f"bayeslaw.datasets.{function}()", summary))
    print_table("Data sets", ["name", "in Python", "what it is"], rows, ())


def _laws() -> "dict[str, type[AbstractLaw]]":
    from bayeslaw.models import LAWS

    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", law.__name__).lower(): law for law in LAWS}


def _law(name: str) -> "type[AbstractLaw]":
    known = _laws()
    if name.lower() in known:
        return known[name.lower()]
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InputError(f"there is no law or file {name!r}; the laws are {', '.join(known)}.{hint}")


def _prior(name: str, penalise: str | None) -> "AbstractLaw":
    """The law of that name with its prior, wrapped when hyperparameters are to be penalised."""
    law = _law(name).prior()
    if penalise is None:
        return law
    from bayeslaw import Penalised

    return Penalised(law, tuple(one.strip() for one in penalise.split(",")))


def _is_file(source: str) -> bool:
    return Path(source).is_file() or source.endswith(".nc") or os.sep in source


def _decision(law: Any, name: str | None) -> Any:
    from bayeslaw._allocate import default_decision

    decisions = law.decisions()
    if name is None:
        return default_decision(law)
    if name not in decisions:
        raise InputError(f"there is no decision {name!r}; this law has {', '.join(decisions)}.")
    return decisions[name]


def _check_given(decision: Any, given: dict[str, Any]) -> None:
    missing = [name for name in decision.given if name not in given]
    if missing:
        options = " ".join("--flops 5.76e23" if name == "flops" else f"--given {name}=VALUE" for name in missing)
        raise InputError(f"{decision.question} That depends on {', '.join(decision.given)}: add {options}.")
    decision.check_given(given)


def _fit(
    law: str, penalise: str | None, runs: Path | None, columns: str | None, noise: Noise | None, draws: int, seed: int
) -> "Posterior":
    found = _prior(law, penalise)
    import bayeslaw
    from bayeslaw import datasets

    kinds = {
        Noise.student_t: bayeslaw.StudentT,
        Noise.lognormal: bayeslaw.LogNormal,
        Noise.normal: bayeslaw.Normal,
        Noise.one_sided: bayeslaw.OneSided,
        Noise.untuned_t: bayeslaw.UntunedT,
        None: None,
    }
    if runs is None:
        shipped = getattr(datasets, f"load_{law.lower()}", None)
        if shipped is None:
            raise InputError(f"no data ship for {law}: give your runs, `bayeslaw ... {law} runs.csv`.")
        if columns is not None:
            raise InputError("--columns is for your own runs; give the file too.")
        table = shipped()
    else:
        table = runs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they say is in the status, printed below
        return bayeslaw.fit(found, table, noise=kinds[noise], columns=parse_columns(columns), draws=draws, seed=seed)


def _check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise InputError(f"--prob is the credible mass, between 0 and 1, such as 0.9; got {prob:g}.")


def _check_folder(path: Path | None, endings: tuple[str, ...] = (".nc",)) -> None:
    """Say before minutes of sampling, not after, that the result could not be written."""
    if path is None:
        return
    if path.suffix not in endings:
        raise InputError(f"{str(path)!r}: the name must end in {' or '.join(endings)}.")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {str(path.parent)!r}.")


def _save_plot(allocation: Any, prob: float, target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # a file is wanted, no window
    from bayeslaw.plots import plot_allocation

    figure = plot_allocation(allocation, prob=prob).get_figure(root=True)
    assert figure is not None  # new axes have one
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".plot") as folder:
        temporary = Path(folder) / target.name
        figure.savefig(temporary, dpi=200)
        os.replace(temporary, target)


def _leave(posterior: "Posterior") -> None:
    if not posterior.ok:
        raise typer.Exit(1)  # printed, but not a result: scripts must notice


def main() -> NoReturn:
    """Run the command line; bad input is one sentence on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"bayeslaw: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("bayeslaw: interrupted; nothing was written.", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    main()
