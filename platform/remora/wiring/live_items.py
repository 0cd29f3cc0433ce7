"""The items that were sent since a bundle was built, as its stages read them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID
from remora.events.entity_update import EntityUpdate
from remora.features.extended_items import ExtendedItems
from remora.features.item_updates import ItemUpdates
from remora.features.snapshot import ItemSnapshot
from remora.pipeline import Scorer, StageContext
from remora.pipeline.candidates import Floats
from remora.pipeline.stages import VocabularyHydrator
from remora.ranking.scorer import ObjectiveScorer
from remora.retrieval.two_tower import Towers
from remora.settings.retrieval import TWO_TOWER
from remora.wiring.item_columns import ExtendedItemColumns, ItemColumns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveItems:
    """``opened`` as its bundle is, and what was sent since; immutable.

    ``vectors`` has those of items that the bundle does not have, by id and when they were sent, in microseconds since
    1970; ``full``: were some left out, because there were too many?
    """

    opened: StageContext
    updates: ItemUpdates
    vectors: Mapping[tuple[str, int], Floats] = field(default_factory=dict)
    full: bool = False

    @classmethod
    def none(cls, opened: StageContext) -> LiveItems:
        """Before anything is sent."""
        assert isinstance(opened.snapshot, ItemSnapshot)
        return cls(opened=opened, updates=ItemUpdates.none(opened.snapshot, opened.settings.data))

    def plus(self, updates: Iterable[EntityUpdate]) -> LiveItems:
        """With what was sent since. Of more new items than ``serving.max_live_items`` the last ones are kept."""
        most = self.opened.settings.serving.max_live_items
        kept, left_out = self.updates.plus(updates).latest_new(most)
        if left_out and not self.full:
            logger.warning(
                "%s of the items that came since the bundle are left out: at most %s are held, those that were sent "
                "last (serving.max_live_items). Build a bundle that has them.",
                f"{left_out:,}",
                f"{most:,}",
            )
        return replace(self, updates=kept, vectors=self._vectors(kept), full=self.full or left_out > 0)

    @property
    def context(self) -> StageContext:
        """What stages are made of now."""
        if not len(self.updates.table):
            return self.opened
        items = ExtendedItems.of(self.updates)
        late = items.vocabulary.late
        towers, users = self.opened.models[TWO_TOWER], self.opened.users
        vectors = np.stack([*self.vectors.values()]) if self.vectors else None
        if vectors is not None:
            assert [id for id, _ in self.vectors] == [*late]
            towers = towers.with_live_items(vectors)
        return replace(
            self.opened,
            vocabulary=items.vocabulary,
            snapshot=items,
            models={**self.opened.models, TWO_TOWER: towers},
            scorer=self._scorer(items, vectors),
            users=users.with_vocabulary(items.vocabulary) if isinstance(users, VocabularyHydrator) else users,
            deleted=items.deleted if items.deleted.any() else None,
        )

    def _scorer(self, items: ExtendedItems, vectors: Floats | None) -> Scorer | None:
        scorer = self.opened.scorer
        if not isinstance(scorer, ObjectiveScorer) or not isinstance(scorer.item_columns, ItemColumns):
            return scorer
        ranker = scorer.ranker.with_live_items(items.live_from, vectors) if items.vocabulary.late else scorer.ranker
        return scorer.with_live_items(ranker, ExtendedItemColumns.of(scorer.item_columns, items))

    def _vectors(self, updates: ItemUpdates) -> Mapping[tuple[str, int], Floats]:
        """Of the new items among ``updates``, in their order; made of those that have none yet."""
        content = self.opened.model(TWO_TOWER, Towers).item_content
        if content is None:
            return {}
        base, table = self.opened.vocabulary, updates.table
        instants = table[EVENT_TIMESTAMP].cast(pa.int64()).to_pylist()
        keys = zip(table[ITEM_ID].to_pylist(), instants, strict=True)
        late = [(row, key) for row, key in enumerate(keys) if key[0] not in base]
        missing = [(row, key) for row, key in late if key not in self.vectors]
        made = content.vectors(table.take(pa.array([row for row, _ in missing], pa.int64()))) if missing else ()
        found = {**self.vectors, **dict(zip((key for _, key in missing), made, strict=True))}
        return {key: found[key] for _, key in late}
