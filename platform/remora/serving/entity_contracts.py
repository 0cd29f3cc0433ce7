"""What items and users that are sent are held against: the columns of the lake whose features are online."""

from __future__ import annotations

import time
from collections.abc import Callable

from remora.core.errors import NotBuilt, NotReady
from remora.core.home import Home
from remora.events.entity_contract import EntityContract
from remora.events.entity_update import EntityKind
from remora.features.tables import FeatureTables
from remora.ingest.lake import Lake, lake_artifacts

SECONDS_BETWEEN_LOOKS = 5.0
"""After a run with other columns the new ones are taken so much later."""


class ServingContracts:
    """Contracts of a home, read when they are needed first and then at intervals; for several threads."""

    def __init__(self, home: Home, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._home, self._clock = home, clock
        self._looked, self._tables = float("-inf"), ""
        self._contracts = dict[EntityKind, EntityContract]()

    def of(self, kind: EntityKind) -> EntityContract:
        """NotReady where no lake serves yet; StorageError where the home does not answer."""
        now = self._clock()
        if now - self._looked >= SECONDS_BETWEEN_LOOKS:
            self._look()
            self._looked = now
        return self._contracts[kind]

    def _look(self) -> None:
        try:
            tables = FeatureTables.open(self._home).artifact
        except NotBuilt as error:
            raise NotReady(f"The columns of items and users are not known yet: {error}") from error
        if tables.version == self._tables:
            return
        artifact = lake_artifacts(self._home).find(tables.metadata["lake"])
        if artifact is None:
            raise NotReady("The lake of the feature tables is gone. Run `remora run`.")
        lake = Lake(artifact)
        self._contracts = {
            "items": EntityContract.of("items", lake.item_schema),
            "users": EntityContract.of("users", lake.user_schema),
        }
        self._tables = tables.version
