"""What `PUT` and `DELETE` of items and users do, over HTTP and gRPC alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from remora.core.home import Home
from remora.events.entity_contract import EntityContract
from remora.events.entity_intake import EntityIntake
from remora.events.entity_update import EntityKind, EntityUpdate
from remora.events.from_settings import ENTITIES, entity_intake_of
from remora.serving.entity_contracts import ServingContracts
from remora.settings import Settings

REFUSED = "refused"


class EntityWrites:
    """Holds what is sent against the contract of its kind, and answers once it is on the disk. ``counted`` is called
    with the kind, what became of updates and how many."""

    def __init__(
        self,
        intakes: Mapping[EntityKind, EntityIntake],
        contract: Callable[[EntityKind], EntityContract],
        *,
        counted: Callable[[EntityKind, str, int], None] = lambda kind, result, count: None,
    ) -> None:
        self.contract, self._intakes, self._counted = contract, intakes, counted

    @classmethod
    def of(
        cls, settings: Settings, counted: Callable[[EntityKind, str, int], None] = lambda kind, result, count: None
    ) -> EntityWrites:
        """Of a home; NotReady where the settings say of no place for a log."""

        def intake(kind: EntityKind) -> EntityIntake:
            return entity_intake_of(settings, kind, counted=lambda result, count: counted(kind, result, count))

        intakes = {kind: intake(kind) for kind in ENTITIES}
        return cls(intakes, ServingContracts(Home(settings.home)).of, counted=counted)

    async def put(self, kind: EntityKind, id: str, columns: Mapping[str, Any]) -> EntityUpdate:
        """It has these columns from now on. UnfitColumns says what is wrong with them; NotReady, NotTaken: later."""
        # A look at the home is a matter of milliseconds, or of a store's patience.
        contract = await asyncio.to_thread(self.contract, kind)
        try:
            accepted = contract.accept(columns)
        except Exception:
            self._counted(kind, REFUSED, 1)
            raise
        return await _durable(self._intakes[kind].put(id, accepted))

    async def delete(self, kind: EntityKind, id: str) -> EntityUpdate:
        """It is gone from now on, known or not. NotTaken: later."""
        return await _durable(self._intakes[kind].delete(id))

    def close(self) -> None:
        """Write what waits, and seal the logs."""
        for intake in self._intakes.values():
            intake.close()


async def _durable(done: Future[EntityUpdate]) -> EntityUpdate:
    return await asyncio.wrap_future(done)
