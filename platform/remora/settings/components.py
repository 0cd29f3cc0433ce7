"""Components as the settings choose them, one class a kind."""

from __future__ import annotations

from typing import ClassVar

from remora.extensions import ComponentChoice, Kind
from remora.extensions.kinds import (
    BACKFILL,
    FILTER,
    HYDRATOR,
    LINEAR_MODEL,
    METRIC,
    RANKING_MODEL,
    RERANKER,
    RETRIEVAL_MODEL,
    SCORER,
    SOURCE,
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
