"""Components as the settings choose them, one class a kind."""

from __future__ import annotations

from typing import ClassVar

from remora.extensions import ComponentChoice, Kind
from remora.extensions.kinds import LINEAR_MODEL, METRIC


class MetricChoice(ComponentChoice):
    """What a slate is judged by."""

    kind: ClassVar[Kind] = METRIC


class LinearModelChoice(ComponentChoice):
    """What the source ``linear`` learns its item-to-item lists by."""

    kind: ClassVar[Kind] = LINEAR_MODEL
