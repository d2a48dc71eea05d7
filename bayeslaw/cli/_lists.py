"""`bayeslaw laws` and `bayeslaw data`: what there is."""

from typing import Annotated

import typer

from bayeslaw.cli._terminal import print_table


def laws() -> None:
    """List the laws, the columns they read and the questions they answer."""
    import bayeslaw

    rows: list[tuple[str, ...]] = []
    for name, law in bayeslaw.laws().items():
        prior = law.prior()
        formula = (law.__doc__ or "").strip().splitlines()[0]
        questions = "\n".join(f"{key}: {decision.question}" for key, decision in prior.decisions().items())
        rows.append((name, formula, ", ".join((*prior.columns(), prior.response)), questions))
    print_table("Laws", ["name", "formula", "columns", "decisions"], rows, ())


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
