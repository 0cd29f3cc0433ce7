"""What people like this one want, for whom nothing else is known."""

from __future__ import annotations

from dataclasses import dataclass

from remora.contracts.tables import PROFILE
from remora.pipeline import Found, Query
from remora.pipeline.candidates import NOTHING
from remora.retrieval.segments import Segments, segment_name
from remora.retrieval.sources.fresh import fresh


@dataclass(frozen=True, kw_only=True)
class PopularInSegment:
    """The segment is what the request's context says under ``column``, else what the user's profile does.

    A user with a history is left to the sources that read it.
    """

    segments: Segments
    column: str
    limit: int | None = None
    skip_seen: bool = True

    def find(self, query: Query) -> Found:
        """By share of what the segment wants, best first."""
        if len(query.history):
            return NOTHING
        told = query.context.get(self.column, query.user.get(PROFILE + self.column))
        return fresh(query, self.segments.of(segment_name(told)), self.limit, skip_seen=self.skip_seen)
