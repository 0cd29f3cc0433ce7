"""The source for people without a history, where the data names a segment of users."""

from __future__ import annotations

from remora.retrieval.sources.popular_in_segment import PopularInSegment
from remora.surfaces.parts import Parts


def in_segment(parts: Parts, *, limit: int | None, skip_seen: bool = True) -> tuple[PopularInSegment, ...]:
    """One source, or none without ``retrieval.segment``."""
    column = parts.settings.retrieval.segment
    if column is None:
        return ()
    return (PopularInSegment(segments=parts.segments, column=column, limit=limit, skip_seen=skip_seen),)
