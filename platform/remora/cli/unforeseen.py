"""An error that was not raised on purpose: one line for people, and the whole trace in a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
import traceback
from collections.abc import Iterator

from remora.core.errors import RemoraError
from remora.core.printable import one_line
from remora.core.redaction import redacted

DEBUG = "REMORA_DEBUG"


def deliberate(error: BaseException) -> RemoraError | None:
    """The error of Remora's own that ``error`` came from, where a library has wrapped one."""
    return next((cause for cause in _causes(error) if isinstance(cause, RemoraError)), None)


def described(error: BaseException) -> str:
    """What happened, in one line, and where the trace is."""
    said = one_line(redacted(str(error)).strip().partition("\n")[0], limit=500) or "no message"
    if isinstance(error, OSError):
        what = f"The system refused: {said}. Look at the path's permissions, the disk and the network."
    else:
        what = f"Unexpected {type(error).__name__}: {said}. This is a fault of Remora or of a library below it."
    return f"{what} {_kept(error)} With {DEBUG}=1 it is printed."


def trace(error: BaseException) -> str:
    """The whole trace, without credentials."""
    return redacted("".join(traceback.format_exception(error)))


def _kept(error: BaseException) -> str:
    try:
        handle, path = tempfile.mkstemp(prefix="remora-trace-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace(error))
    except OSError:
        return "Its trace could not be kept."
    return f"Its trace is in {path}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while isinstance(found, BaseException) and id(found) not in seen:
        seen.add(id(found))
        yield found
        following = None
        with contextlib.suppress(AttributeError):
            following = found.cause  # type: ignore[attr-defined]  # Ray's
        found = following or found.__cause__
