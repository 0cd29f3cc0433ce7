"""The one place that draws plots: matplotlib with text that is text, as one SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from remora.core.printable import one_line

NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
TICK_LABEL, TITLE = 24, 60
"""Characters of a label and of a title that are drawn: longer ones would leave no room for the plot."""


def svg(draw: Callable[[Any], None], *, rows: int = 1, columns: int = 1, size: tuple[float, float]) -> bytes:
    """What ``draw`` puts on an array of axes, shape (rows, columns); ``size`` in inches.

    ``$`` in a label is a dollar sign: matplotlib would read formulas between two of them.
    """
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # of scripts that the font lacks
        figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
        into = io.BytesIO()
        try:
            draw(axes)
            figure.savefig(into, format="svg", metadata={"Date": None})
        finally:
            plt.close(figure)
    return NOT_XML.sub(b"", into.getvalue())


def label(text: str) -> str:
    """A category beside an axis."""
    return one_line(text, limit=TICK_LABEL)


def title(text: str) -> str:
    """The heading of a plot."""
    return one_line(text, limit=TITLE)
