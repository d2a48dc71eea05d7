"""The command line. Nothing heavy is imported before a command needs it, so that --help is quick."""

import sys
from typing import Annotated, NoReturn

import typer

from bayeslaw import __version__
from bayeslaw._errors import InputError
from bayeslaw.cli import _fit, _judging, _lists, _plans, _report

app = typer.Typer(
    help="Bayesian scaling laws: from training runs to a credible interval on the best plan.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    _fit.fit, _plans.allocate, _plans.choose, _plans.next_runs, _judging.check, _judging.compare, _judging.backtest,
    _report.report, _lists.laws, _lists.data,
):  # fmt: skip
    app.command()(command)


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
