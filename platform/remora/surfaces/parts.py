"""The live objects that surfaces are made of; wiring fills it from a bundle, or for a window of evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from remora.contracts.vocabulary import Vocabulary
from remora.features.snapshot import ItemSnapshot
from remora.pipeline import Scorer
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.segments import Segments
from remora.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that a request needs, of one version and one instant."""

    settings: Settings
    vocabulary: Vocabulary
    snapshot: ItemSnapshot
    encoder: UserEncoder
    index: ItemIndex
    neighbours: Neighbours  # by co-visitation
    linear: Neighbours  # by the linear model
    segments: Segments  # of users, by what they want
    scorer: Scorer | None

    def instant(self) -> datetime:
        """When a request without an instant happens: now, or at the end of historical data."""
        return self.snapshot.instant if self.settings.data.clock == "data" else datetime.now(UTC)
