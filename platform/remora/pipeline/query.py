"""One request for recommendations, before and after its user is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from remora.core.vocabulary import NO_ROWS, ItemCodes
from remora.pipeline.deadline import NEVER, Deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What is asked, in item rows; the :class:`~remora.pipeline.stages.Hydrator` stages fill in the last four.

    ``instant`` is timezone-aware UTC: nothing learned after it may be used.
    """

    request_id: str
    surface: str
    n: int
    instant: datetime
    user_id: str | None = None
    seed_item: int | None = None  # the row that similar_items starts from
    context: Mapping[str, str | float] = field(default_factory=dict)
    exclude: ItemCodes = field(default_factory=lambda: NO_ROWS)
    retrieval_deadline: Deadline = NEVER  # after which no source is asked
    ranking_deadline: Deadline = NEVER  # the same for the scorer and the rerankers
    log_features: bool = False  # does the slate carry what the scorer read of the shown items?

    user_found: bool = False  # does the feature store know the user?
    history: ItemCodes = field(default_factory=lambda: NO_ROWS)  # positive items, most recent last
    seen: ItemCodes = field(default_factory=lambda: NO_ROWS)  # items with any event of this user
    user: Mapping[str, Any] = field(default_factory=dict)  # feature columns of the user, by full name
