"""Lines of a settings file with a comment beside or above each."""

from __future__ import annotations

import textwrap
from typing import Any

from remora.core.printable import one_line
from remora.settings.references import literal
from remora.settings.yaml_file import inline

WIDTH = 118
BESIDE = 44
"""Column in which comments beside short lines begin."""


class YamlText:
    """A settings file that is being written, line by line; levels are of two spaces."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def comment(self, text: str, level: int = 0) -> None:
        """A comment of its own, in as many lines as it needs."""
        indent = "  " * level
        self._lines += textwrap.wrap(
            one_line(text, 2_000),
            WIDTH,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}#   ",
            break_long_words=False,
        )

    def entry(self, name: str, value: Any, why: str = "", level: int = 0, *, item: bool = False) -> None:
        """``name: value``, the reason beside it, or above where it is long. ``item`` begins an item of a list."""
        indent = "  " * level
        begin = f"{indent[:-2]}- " if item else indent
        line = f"{begin}{inline(name)}: {value_text(value)}"
        beside = f"{line:<{BESIDE}}  # {one_line(why, 1_000)}"
        if why and len(beside) > WIDTH:
            self.comment(why, level - 1 if item else level)
        self._lines.append(beside if why and len(beside) <= WIDTH else line)

    def section(self, name: str, level: int = 0) -> None:
        """The beginning of a section."""
        self._lines.append(f"{'  ' * level}{inline(name)}:")

    def listed(self, value: Any, why: str = "", level: int = 0) -> None:
        """An item of a list."""
        line = f"{'  ' * level}- {value_text(value)}"
        self._lines.append(f"{line}  # {one_line(why, 1_000)}" if why else line)

    def text(self) -> str:
        """The file."""
        return "\n".join(self._lines) + "\n"


def value_text(value: Any) -> str:
    """A value as it is read back, also where it has what would be a reference."""
    if isinstance(value, dict):
        return inline({name: _meant(one) for name, one in value.items()})
    return inline(_meant(value))


def _meant(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_meant(one) for one in value]
    if isinstance(value, dict):
        return {name: _meant(one) for name, one in value.items()}
    return literal(value) if isinstance(value, str) else value
