"""What several commands ask for, and what is checked before minutes of sampling and not after."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bayeslaw._errors import InputError

FIGURES = (".png", ".pdf", ".svg")


class Noise(StrEnum):
    """How runs scatter around the law."""

    student_t = "student-t"
    lognormal = "lognormal"
    normal = "normal"
    one_sided = "one-sided"
    untuned_t = "untuned-t"


Source = Annotated[
    str, typer.Argument(metavar="LAW|FIT.nc", help="A law to fit now, or a fit saved by `bayeslaw fit -o`.")
]
Runs = Annotated[
    Path | None,
    typer.Argument(help="Your runs, CSV or parquet, one row per run; the law's shipped data when left out."),
]
RunsOption = Annotated[
    Path | None,
    typer.Option("--runs", help="Your runs, CSV or parquet, one row per run, for laws."),
]
Flops = Annotated[str | None, typer.Option(metavar="VALUES", help="Training budgets in FLOPs: 5.76e23, or 1e24,1e25.")]
Given = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUES", help="Any other quantity the decision needs; may be repeated."),
]
WhichDecision = Annotated[str | None, typer.Option(help="Which of the law's decisions; its first when left out.")]
Columns = Annotated[
    str | None, typer.Option(metavar="N=params,D=tokens", help="Your column names and what they are here.")
]
Penalise = Annotated[
    str | None,
    typer.Option(
        metavar="lr,batch_tokens", help="Hyperparameters that were not tuned in these runs; fit their optimum too."
    ),
]
HowNoise = Annotated[
    Noise | None, typer.Option(help="How runs scatter around the law; the law's own, mostly student-t, when left out.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same draws.")]
Draws = Annotated[int, typer.Option(min=10, help="Draws kept per chain (4 chains).")]
Prob = Annotated[float, typer.Option(help="Credible mass of the intervals, between 0 and 1.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Plot = Annotated[Path | None, typer.Option(help="Draw it: a .png, .pdf or .svg file.")]
Misfit = Annotated[bool, typer.Option("--misfit", help="Allow for the law being off, by what it leaves of the runs.")]


def check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise InputError(f"--prob is the credible mass, between 0 and 1, such as 0.9; got {prob:g}.")


def check_target(path: Path | None, endings: tuple[str, ...]) -> None:
    """Could the result be written there?"""
    if path is None:
        return
    if path.suffix not in endings:
        raise InputError(f"{str(path)!r}: the name must end in {' or '.join(endings)}.")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {str(path.parent)!r}.")
