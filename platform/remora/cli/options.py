"""Options that commands share, and how a command says what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from remora.cli.terminal import Terminal

console = Terminal(stderr=True)
"""Progress and messages; results go to stdout."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="REMORA_CONFIG",
        help="Settings file, as `remora init` writes one. Default: the settings of the home used last.",
    ),
]


class Since(StrEnum):
    """Since when a run or an ingest looks for new files."""

    last = "last"


SinceOption = Annotated[
    Since | None,
    typer.Option("--since", help="`last`: read only files that the lake was not made of yet; the result is the same."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]

NameArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's id, or an alias.")]


def paper() -> Console:
    """Where results are drawn: the terminal, or a page of 110 columns when stdout goes to a file."""
    return Terminal(width=None if sys.stdout.isatty() else 110)


def emit(value: dict[str, Any], as_json: bool, render: Callable[[Console], None]) -> None:
    """Print a result: ``value`` as one JSON document, or whatever ``render`` draws for people."""
    if as_json:
        typer.echo(json.dumps(value, indent=1, default=str))
    else:
        render(paper())
