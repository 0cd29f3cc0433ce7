"""The one kind of console: text is text, whatever is in it, and looks are asked for by styles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from remora.core.printable import printable


class Terminal(Console):
    """A console that takes no string for markup, emoji codes or links, and shows control characters as text.

    Titles, ids and file names come from strangers. A string in any table, title or message is drawn as it is; what
    shall have a colour is a :class:`rich.text.Text` with a style, see :func:`styled`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as text; called for every string that is printed or stands in a table."""
        return super().render_str(printable(text), **options | {"markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is written at last; covers the texts that were made without :meth:`render_str`.

        A word that is wider than its column continues in the next line: Rich would cut it, and a path or an id that is
        cut cannot be used.
        """
        if isinstance(renderable, Table):
            for column in renderable.columns:
                if column.overflow == "ellipsis" and not column.no_wrap:
                    column.overflow = "fold"
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A spinner with a message beside it."""
        return _Spinner(_as_text(status), console=self, **options)


class _Spinner(Status):
    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        super().update(None if status is None else _as_text(status), **options)


def styled(text: object, style: str) -> Text:
    """One value in a colour: ``styled("refused", "red")``."""
    return Text(printable(str(text)), style)


def line(*parts: str | Text) -> Text:
    """Values and styled values in one line of text, as they are: ``line(styled("alert", "red"), " ", text)``."""
    return Text.assemble(*(part if isinstance(part, Text) else printable(part) for part in parts))


def _as_text(status: RenderableType) -> RenderableType:
    return Text(printable(status)) if isinstance(status, str) else status
