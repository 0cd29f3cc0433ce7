"""References in settings: `${NAME}` stands for an environment variable, `${file:PATH}` for what a file holds.

Settings that are written down keep the reference, so a secret stays where it was put. A `$` before it, as in
`$${NAME}`, makes it the text `${NAME}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remora.core.errors import SettingsError
from remora.core.printable import one_line

Place = tuple[str | int, ...]
References = dict[Place, tuple[str, str]]
"""Place in the settings -> the text that was read there, and what it stands for."""

FILE = "file:"
MOST_BYTES = 65_536
_REFERENCE = re.compile(r"(\$?)\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolved(values: dict[str, Any], file: Path) -> tuple[dict[str, Any], References]:
    """``values`` with every reference filled in, and where they were.

    SettingsError names the setting, and the variable that is not set or the file that cannot be read.
    """
    references: References = {}
    return _resolved(values, (), references, file), references


def referring(values: Any, references: Mapping[Place, tuple[str, str]], place: Place = ()) -> Any:
    """``values`` with the references in place of what they stood for, unless a value has changed since."""
    if isinstance(values, dict):
        return {name: referring(value, references, (*place, name)) for name, value in values.items()}
    if isinstance(values, list):
        return [referring(value, references, (*place, index)) for index, value in enumerate(values)]
    written, meant = references.get(place, ("", None))
    if meant is not None and meant == (values if isinstance(values, str) else str(values)):
        return written
    return literal(values) if isinstance(values, str) else values


def literal(text: str) -> str:
    """A text that :func:`resolved` gives back as it is, whatever looks like a reference in it.

    >>> literal("${HOME}/events.csv")
    '$${HOME}/events.csv'
    """
    return _REFERENCE.sub(lambda found: f"${found[0]}", text)


def _resolved(value: Any, place: Place, references: References, file: Path) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(one, (*place, name), references, file) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, (*place, index), references, file) for index, one in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def meant(found: re.Match[str]) -> str:
        return found[0][1:] if found[1] else _looked_up(found[2], f"{file}: {_shown(place)}")

    text = _REFERENCE.sub(meant, value)
    references[place] = value, text
    return text


def _looked_up(name: str, where: str) -> str:
    if name.startswith(FILE):
        return _content(name.removeprefix(FILE), where)
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{where}: '${{{one_line(name)}}}' is no reference. Write ${{NAME}} for an environment variable, "
            f"${{file:/path}} for a file's content, or $${{…}} for the text itself."
        )
    found = os.environ.get(name)
    if found is None:
        raise SettingsError(
            f"{where}: the environment variable {name} is not set. Set it, or write the value in its place; "
            f"$${{{name}}} means the text itself."
        )
    return found


def _content(path: str, where: str) -> str:
    """The text of a file, without the line break at its end."""
    if not Path(path).is_absolute():
        raise SettingsError(f"{where}: the file '{one_line(path)}' of a reference needs an absolute path.")
    try:
        with Path(path).open("rb") as file:
            # A byte more than is allowed tells that there is more, of a device or pipe without an end as well.
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingsError(f"{where}: the file '{path}' has more than {MOST_BYTES:,} bytes: that is no secret.")
        # Editors end a file with a line break, which is no part of a password.
        return content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsError(f"{where}: the file '{path}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{where}: the file '{path}' is not UTF-8 text.") from error


def _shown(place: Place) -> str:
    return one_line(".".join(map(str, place)))
