"""Components as the settings choose them, one class a kind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from remora.core.errors import ComponentError
from remora.extensions import ComponentChoice, Kind, UnresolvedConfig, find, names
from remora.extensions.kinds import (
    BACKFILL,
    FILTER,
    HISTORY_ENCODER,
    HYDRATOR,
    LINEAR_MODEL,
    LOSS,
    METRIC,
    RANKING_MODEL,
    RERANKER,
    RETRIEVAL_MODEL,
    SCORER,
    SOURCE,
    STATES,
    SURFACE,
    TRANSFORM,
)


class MetricChoice(ComponentChoice):
    """What a slate is judged by."""

    kind: ClassVar[Kind] = METRIC


class LinearModelChoice(ComponentChoice):
    """What a retrieval model of the type ``linear`` learns its item-to-item lists by."""

    kind: ClassVar[Kind] = LINEAR_MODEL


class RetrievalModelChoice(ComponentChoice):
    """What is learned of events for sources to read: once by a step, or each time that a bundle is built."""

    kind: ClassVar[Kind] = RETRIEVAL_MODEL


class HistoryEncoderChoice(ComponentChoice):
    """What reads a user's history of items."""

    kind: ClassVar[Kind] = HISTORY_ENCODER

    def check_dimension(self, dimension: int) -> None:
        """ValueError where the encoder cannot read vectors of so many numbers, as its ``check_dimension`` says."""
        check = getattr(self._resolved, "check_dimension", None)
        if check is not None:
            check(self.config, dimension)

    def check_states(self) -> None:
        """ValueError where the encoder gives one vector of a history and no state after each item."""
        if self._resolved is not None and not hasattr(self._resolved, STATES):
            raise ValueError(
                f"the history encoder '{self.type}' gives one vector of a whole history, and a state after each item "
                f"is needed. Choose one that has states: {', '.join(_with_states())}"
            )

    @property
    def _resolved(self) -> Any:
        """The class; None for one that may not be imported on a bundle's account."""
        return None if isinstance(self.config, UnresolvedConfig) else self.component.cls


class LossChoice(ComponentChoice):
    """What a retrieval model minimizes."""

    kind: ClassVar[Kind] = LOSS


class HydratorChoice(ComponentChoice):
    """What finds out who asks."""

    kind: ClassVar[Kind] = HYDRATOR


class RankingModelChoice(ComponentChoice):
    """What orders candidates: it predicts the objectives of each, learned from past slates."""

    kind: ClassVar[Kind] = RANKING_MODEL


class SourceChoice(ComponentChoice):
    """What finds candidates."""

    kind: ClassVar[Kind] = SOURCE


class FilterChoice(ComponentChoice):
    """What may not be shown."""

    kind: ClassVar[Kind] = FILTER


class ScorerChoice(ComponentChoice):
    """What scores candidates."""

    kind: ClassVar[Kind] = SCORER


class RerankerChoice(ComponentChoice):
    """What orders a scored slate."""

    kind: ClassVar[Kind] = RERANKER


class BackfillChoice(ComponentChoice):
    """What fills a slate that is short."""

    kind: ClassVar[Kind] = BACKFILL


class PipelineChoice(ComponentChoice):
    """Code that makes a whole surface."""

    kind: ClassVar[Kind] = SURFACE


class TransformChoice(ComponentChoice):
    """What makes a feature view of events."""

    kind: ClassVar[Kind] = TRANSFORM


def _with_states() -> list[str]:
    found = []
    for name in names(HISTORY_ENCODER):
        with suppress(ComponentError):  # one that cannot be used is nothing to choose
            if hasattr(find(HISTORY_ENCODER, name).cls, STATES):
                found.append(name)
    return found
