"""Every command with its arguments and options, from the Typer application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

from typer.main import get_command

from docs.reference_pages.errors import exit_codes
from docs.reference_pages.markdown import code, document, fence, sentence, table
from remora.cli.main import app

INTRODUCTION = """\
Results go to stdout, as a table or with `--json` as one document; progress and messages go to stderr. `remora
COMMAND --help` prints what stands here. [Run the steps one by one](../how-to/run_step_by_step.md) has the order of
the commands.

| variable | meaning |
|---|---|
| `REMORA_CONFIG` | settings file, as `--config` |
| `REMORA_HOME` | home, in place of that of the settings |
| `REMORA_DEBUG` | `1` prints the trace of an unforeseen error |"""


def page() -> str:
    """The page."""
    top: Any = get_command(app)
    return document(
        "Commands",
        "the application in `remora.cli`",
        INTRODUCTION,
        "## Exit codes",
        exit_codes(),
        *_pages(top, "remora"),
    )


def _pages(command: Any, path: str) -> Iterator[str]:
    yield _page(command, path)
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            yield from _pages(below, f"{path} {name}")


def _page(command: Any, path: str) -> str:
    group = hasattr(command, "commands")
    options = [p for p in command.params if p.opts[0].startswith("-") and p.name != "help" and not p.hidden]
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    words = [path, *(["[OPTIONS]"] if options else []), *map(_placeholder, arguments), *(["COMMAND"] if group else [])]
    rows = [(code(_placeholder(p)), _default(p), sentence(p.help or "")) for p in arguments]
    rows += [(_option(p), _default(p), sentence(p.help or "")) for p in options]
    listed = [
        (f"[`{path} {name}`](#{f'{path} {name}'.replace(' ', '-')})", sentence(_summary(below)))
        for name, below in sorted(getattr(command, "commands", {}).items())
    ]
    return "\n\n".join(
        part
        for part in (
            f"## {code(path)}",
            fence(" ".join(words)),
            _help(command.help or ""),
            table(("argument, option", "default", "meaning"), rows),
            table(("command", "what it does"), listed),
        )
        if part
    )


def _help(text: str) -> str:
    """The help text; lines that stand for themselves on the terminal are a block of code."""
    text = re.sub(r"\[/?(?:bold|italic|dim|cyan|green|yellow|red)\]", "", text).replace("\b", "").strip()
    return text.replace("[", r"\[") if "](" in text else text


def _summary(command: Any) -> str:
    return " ".join(_help(command.help or "").split("\n\n")[0].split())


def _placeholder(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    many = "..." if parameter.nargs == -1 or parameter.multiple else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _option(parameter: Any) -> str:
    names = ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} {_value(parameter)}"


def _value(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    kind = next((one for one in get_args(kind) if one is not type(None)), kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(code(one.value) for one in kind)
    name = {"Path": "file", "str": "text", "int": "integer", "float": "number"}.get(getattr(kind, "__name__", ""), "")
    bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", parameter.min), ("≤", parameter.max)) if bound is not None]
    return ", ".join((parameter.metavar or name, *bounds))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "**required**"
    if parameter.is_flag if hasattr(parameter, "is_flag") else False:
        return "off" if not parameter.default else "on"
    return "" if parameter.default in (None, "", []) else code(getattr(parameter.default, "value", parameter.default))
