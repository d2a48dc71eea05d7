"""The page of the command line, from what `--help` says."""

import inspect
import re
from pathlib import Path
from typing import Any

import typer

from _extension.markdown import code, codes, escaped, fenced, table
from _extension.markdown import write as write_page
from bayeslaw.cli import app


def write(path: Path) -> None:
    write_page(path, page())


def page() -> str:
    group: Any = typer.main.get_command(app)
    text = [
        "# Command line\n",
        f"{escaped(group.help)} `bayeslaw COMMAND --help` says what stands here; `bayeslaw --install-completion` "
        "completes commands and options in your shell. Bad input is one sentence and exit code 2; a fit that is no "
        "result is exit code 1.\n",
    ]
    return "\n".join([*text, *(_command(name, command) for name, command in group.commands.items())])


def _command(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    about, _, examples = inspect.cleandoc(command.help).partition("Examples:")
    text = [f"## bayeslaw {name}\n", escaped(about), fenced(f"bayeslaw {name} {usage}")]
    if examples:
        text += ["Examples:\n", fenced("\n".join(inspect.cleandoc(examples).split("\n\n")), "bash")]
    rows = [_row(record) for one in command.params if (record := one.get_help_record(context)) is not None]
    return "\n".join([*text, *([table(["argument or option", "", "meaning"], rows)] if rows else [])])


def _row(record: tuple[str, str]) -> tuple[str, str, str]:
    options, value = re.fullmatch(r"((?:--?[\w-]+(?:, )?)*)\s*(.*)", record[0]).groups()  # pyright: ignore
    named = codes(options.strip().split(", ")) if options else ""
    return named or code(value), code(value) if named and value else "", escaped(record[1])
