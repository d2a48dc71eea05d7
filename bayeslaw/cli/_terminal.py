"""Reading what was typed and writing what was found, for the command line."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeslaw import __version__
from bayeslaw._errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from bayeslaw import Posterior


def given(flops: str | None, given: list[str] | None) -> dict[str, Any]:
    from bayeslaw._columns import COLUMNS, parse_number

    def read(name: str, text: str) -> Any:
        """A number; of a column without a unit it may also be a label, such as a corpus."""
        try:
            return parse_number(text)
        except ValueError:
            if name in COLUMNS and COLUMNS[name].unit:
                raise
            return text.strip()

    pairs = [("flops", flops)] if flops is not None else []
    for item in given or []:
        name, equals, values = item.partition("=")
        if not equals:
            raise InputError(f"--given {item!r}: write NAME=VALUES, such as unique_tokens=25e9.")
        pairs.append((name.strip(), values))
    found: dict[str, Any] = {}
    for name, values in pairs:
        try:
            found[name] = [read(name, value) for value in values.split(",")]
        except ValueError as error:
            raise InputError(f"{name} {values!r}: {error}.") from None
    return found


def columns(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = [item.partition("=") for item in text.split(",")]
    if not all(equals and theirs.strip() and ours.strip() for theirs, equals, ours in pairs):
        raise InputError(f"--columns {text!r}: write yours=ours pairs, such as N=params,D=tokens.")
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}


def headline(posterior: "Posterior") -> str:
    chains, draws = posterior.shape
    law, noise = type(posterior.prior).__name__, type(posterior.noise_prior).__name__
    return f"{law}, {noise} noise, {len(posterior.runs)} runs, {chains} x {draws} draws"


def remarks(posterior: "Posterior", found: Any) -> tuple[Any, ...]:
    """Of the fit and of what was found by it. What is odd about the data belongs there too: it may be all that one sees
    of the fit."""
    return tuple(dict.fromkeys((*posterior.status, *found.status)))


def print_table(title: str, headers: list[str], rows: list[tuple[str, ...]], status: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, no_wrap="interval" in header)
    for row in rows:
        if row:
            table.add_row(*row)
        else:
            table.add_section()
    console = Console(highlight=False)
    console.print(title, style="bold")
    console.print(table)
    for one in status:
        console.print(str(one), style="bold red" if one.serious else "yellow", markup=False)


def print_json(posterior: "Posterior | None", prob: float | None, result: dict[str, Any], status: Any) -> None:
    head: dict[str, Any] = {"bayeslaw": __version__}
    if posterior is not None:
        head |= {
            "law": type(posterior.prior).__name__,
            "noise": type(posterior.noise_prior).__name__,
            "runs": len(posterior.runs),
            "seed": int(posterior.tree.attrs["seed"]),
            "ok": posterior.ok,
        }
    head |= {} if prob is None else {"prob": prob}
    notes = [{"serious": one.serious, "text": one.text} for one in status]
    print(json.dumps({**head, **result, "status": notes}, indent=2))


def table_json(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """A row each, with what its index says; null for what is not a number."""
    named = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    return json.loads(str(named.to_json(orient="records", double_precision=15)))


def print_result(text: str, status: Any, plot: Path | None = None) -> None:
    """A result as Python prints it, and what else there is to know."""
    print(text)
    for one in status:
        print(one)
    if plot is not None:
        print(f"figure written to {plot}")


def save_figure(draw: Callable[[], Any], target: Path) -> None:
    """What a plot draws, whole or not at all."""
    import matplotlib

    matplotlib.use("Agg")  # a file is wanted, no window
    axes = draw()
    figure = (axes if hasattr(axes, "get_figure") else axes[0]).get_figure(root=True)
    _whole(target, lambda path: figure.savefig(path, dpi=200))


def save_table(frame: "pd.DataFrame", target: Path) -> None:
    """The same for a table as CSV."""
    _whole(target, lambda path: frame.to_csv(path, index=False))


def _whole(target: Path, write: Callable[[Path], Any]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bayeslaw") as folder:
        temporary = Path(folder) / target.name
        write(temporary)
        os.replace(temporary, target)
