"""`remora new`: skeletons for code of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from remora.cli.options import JsonOption, emit
from remora.core.errors import SettingsError

app = typer.Typer(no_args_is_help=True, help="Write skeletons for code of your own.")


@app.callback()
def _new() -> None:
    """So that `component` stays a command of its own."""


@app.command("component")
def component(
    kind: Annotated[str, typer.Argument(help="metric, linear_model, …; an unknown kind lists those that there are.")],
    name: Annotated[str, typer.Argument(help="Of the component and its module: small letters, digits and '_'.")],
    folder: Annotated[Path | None, typer.Option(help="Of the package. Default: the name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a package with a component of a kind, its test and its entry point.

    It works as it is: its test passes, and once installed, settings choose it by its name.
    """
    from remora.project.component_skeleton import component_skeleton
    from remora.project.folders import write_project

    place = folder or Path(name)
    skeleton = component_skeleton(kind, name, place)
    if there := [place / file for file in skeleton.files if (place / file).exists()]:
        raise SettingsError(f"{there[0]} exists. Name another folder with --folder, or remove it.")
    written = write_project(place, skeleton.files).written

    def render(out: Console) -> None:
        out.print(f"Wrote {', '.join(map(str, written))}")
        out.print(f"Try it: cd {place} && python -m pytest")
        out.print(f"Install it: pip install -e {place}   Then the settings may choose it:")
        out.print(skeleton.settings)

    emit({"written": [str(path) for path in written], "settings": skeleton.settings}, as_json, render)
