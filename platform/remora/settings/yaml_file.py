"""A settings file as text and as values: YAML in which nothing is dropped and nothing is taken for something else.

Differences from PyYAML's own reading, which is YAML 1.1: a key given twice is an error; `on`, `off`, `yes` and `no` are
words, `1:30` is no number and `2024-01-31` no date (as in YAML 1.2); `1e-3` is a number; a key is the text that it was
written as, so an event type may be called `no`, `null` or `5`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from remora.core.errors import SettingsError
from remora.core.printable import one_line

MOST_BYTES = 10_000_000
MERGE = "tag:yaml.org,2002:merge"
TEXT = "tag:yaml.org,2002:str"


def read_text(file: Path) -> str:
    """The text of a settings file; SettingsError says why it cannot be read."""
    if file.is_dir():
        raise SettingsError(f"'{file}' is a folder, not a settings file. Pass --config FILE; `remora init` writes one.")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise SettingsError(f"{file} has more than {MOST_BYTES:,} bytes: that is no settings file.")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file} is not UTF-8 text: byte {error.start + 1:,} is {error.object[error.start]:#04x}. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error


def parse(text: str, file: Path) -> dict[str, Any]:
    """The settings in ``text``; SettingsError names ``file`` and the lines of the mistake."""
    try:
        values = yaml.load(text, _YamlLoader)
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is not valid YAML: {error}") from error
    except (RecursionError, ValueError) as error:
        raise SettingsError(f"{file} is not valid YAML: {one_line(str(error))}") from error
    if values is None:
        raise SettingsError(f"{file} is empty. `remora init` writes a settings file.")
    if not isinstance(values, dict):
        raise SettingsError(f"{file} holds no settings, but {_described(values)}. `remora init` writes a file.")
    return values


def dump(values: dict[str, Any]) -> str:
    """``values`` as text that :func:`parse` reads back as they are."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)


def inline(value: Any) -> str:
    """``value`` in one line that :func:`parse` reads back as it is."""
    text = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _YamlLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _mistake("a list or a mapping is no name", key)
            if key.tag == MERGE:
                continue
            key.tag = TEXT
            if key.value in first:
                name, line = one_line(key.value), first[key.value].start_mark.line + 1
                raise _mistake(f"'{name}' stands in line {line} already; keep one of the two", key)
            first[key.value] = key
        return super().construct_mapping(node, deep=deep)


def _mistake(what: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}: {what}")


def _described(value: object) -> str:
    return "a list" if isinstance(value, list) else f"the text {one_line(str(value), limit=40)!r}"


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that either reading, PyYAML's or this one, would take for something else."""


DIGITS = [*"-+0123456789"]
SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", DIGITS),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*DIGITS, "."]),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", ["-", "+", "."]),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", ["<"]),
)
"""What a text without quotes means, and the characters that it may begin with; all else is text."""

_YamlLoader.yaml_implicit_resolvers = {}  # without those of YAML 1.1
for _tag, _pattern, _first in SCALARS:
    for _side in (_YamlLoader, _Dumper):
        _side.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def _whole(loader: _YamlLoader, node: yaml.ScalarNode) -> int:
    """A whole number; a leading zero is no octal."""
    text = node.value.replace("_", "")
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_YamlLoader.add_constructor("tag:yaml.org,2002:int", _whole)
