"""What people like this one want, for whom nothing else is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from remora.core.errors import NotReady
from remora.core.tables import PROFILE
from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.sources.unseen import drop_seen

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.segments import Segments

MOST_NAMED, MOST_SHOWN = 20, 80
"""Segments that a message lists, and letters that it shows of what was asked for."""


@dataclass(frozen=True, kw_only=True)
class PopularInSegment:
    """The segment is what the request's context says under ``column``, else what the user's profile does.

    A user with a history is left to the sources that read it.
    """

    class Config(ComponentConfig):
        """The settings of the source."""

        model: str = Field(
            "segment_popularity", max_length=64, description="of retrieval.models; without it the source is left out"
        )
        limit: int | None = Field(100, ge=1, le=100_000, description="candidates at the most; null: all that are kept")

    segments: Segments
    column: str
    limit: int | None = None
    skip_seen: bool = True

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> PopularInSegment | None:
        """Over the model's segments; None where no model of that name is learned, as without segments in the data."""
        if config.model not in context.models:
            return None
        model = context.model(config.model, SegmentPopularity)
        return cls(segments=model.segments, column=model.column, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """By share of what the segment wants, best first. NotReady where the context names a segment that is not known:
        ``degraded`` says so."""
        if len(query.history):
            return EMPTY
        named = query.context.get(self.column)
        value = query.user.get(PROFILE + self.column) if named is None else named
        if named is not None and self.segments.named(named) is None:
            known = ", ".join(self.segments.names[:MOST_NAMED]) or "none"
            raise NotReady(f"no segment of {self.column} is called {str(named)[:MOST_SHOWN]!r}; there are: {known}")
        return drop_seen(query, self.segments.of(value), self.limit, skip_seen=self.skip_seen)
