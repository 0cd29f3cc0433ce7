"""What long work says while it runs: drawn for a terminal, plain lines for a log."""

from __future__ import annotations

import logging

from rich.logging import RichHandler

from remora.cli.options import console
from remora.core.printable import printable
from remora.core.redaction import redacted


def show_progress() -> None:
    """Send what Remora's packages log (their INFO lines) to stderr."""
    log = logging.getLogger("remora")
    if log.handlers:
        return
    handler: logging.Handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(message)s", "%H:%M:%S"))
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, show_level=False, log_time_format="%H:%M:%S")
    handler.addFilter(_redact)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args = redacted(record.getMessage()), ()
    return True


class _Lines(logging.Formatter):
    """Plain lines; text from data is shown, not obeyed by the terminal that shows the log."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(printable(super().format(record)))
