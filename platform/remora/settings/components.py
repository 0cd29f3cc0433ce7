"""Components as the settings choose them, one class a kind."""

from __future__ import annotations

from typing import ClassVar

from remora.extensions import Choice, Kind
from remora.extensions.kinds import METRIC


class MetricChoice(Choice):
    """What a slate is judged by."""

    kind: ClassVar[Kind] = METRIC
