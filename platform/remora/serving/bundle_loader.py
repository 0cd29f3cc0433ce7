"""Loads bundles of the registry into a replica.

Imports stand where they are used, because a loader is unpickled in every replica: only those that ask for users need
Feast, none needs MLflow, and either takes seconds and a hundred megabytes to import.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import PRODUCTION, Traffic, TrafficStore
from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.events.from_settings import live_users_of, reader_of
from remora.pipeline import Hydrator, StageContext
from remora.registry.promotions import Promotions
from remora.registry.store import BundleStore
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves
from remora.serving.load_guard import LoadGuard
from remora.serving.loaded_bundle import ItemStates
from remora.settings import Settings

logger = logging.getLogger(__name__)

GONE_AFTER = timedelta(hours=1)
"""A replica that lives reports every few seconds."""


@dataclass(frozen=True, kw_only=True)
class BundleLoader:
    """Loads bundles of the settings' home, users from that home's online store.

    Named ``production`` it follows the home's traffic; by another name it pins the bundle that this meant.
    """

    settings: Settings
    bundle: str
    variant: str

    @classmethod
    def named(cls, settings: Settings, name: str) -> BundleLoader:
        """The bundle that an alias means now, or that has an id, its files verified."""
        from remora.registry.bundles import Bundles

        bundles = Bundles(settings)
        bundle = bundles.open(name)
        if name == PRODUCTION:
            bundles.traffic()  # written where a home of an earlier version has none
        return cls(settings=settings, bundle=bundle.id, variant=name)

    @property
    def follows(self) -> bool:
        """Does a promotion change what is served? By the name ``production``."""
        return self.variant == PRODUCTION

    @property
    def live(self) -> bool:
        """Where events are taken in and production is served."""
        return self.follows and live_users_of(self.settings)

    def traffic(self) -> Traffic:
        """The home's, or the one bundle for all users. UnreadableInput where the home's document is damaged."""
        followed = TrafficStore(self._home).read() if self.follows else None
        return followed or Traffic(production=self.bundle)

    def first_traffic(self) -> Traffic:
        """The same for a replica that holds nothing yet: production as its promotion record says, where the document is
        damaged; UnreadableInput where that does not say it either."""
        try:
            return self.traffic()
        except UnreadableInput as error:
            record = Promotions(self._home).last(PRODUCTION)
            if record.bundle is None or record.pending is not None or record.damaged is not None:
                raise
            logger.error("%s This replica begins with %s, as the promotion record says.", error, record.bundle)
            return Traffic(production=record.bundle)

    def report(self, report: ReplicaStatus) -> None:
        """Into the home; a replica that begins sweeps up after those that are gone."""
        reports = ReplicaStatuses(self._home)
        if report.heartbeat == 1:
            reports.forget(GONE_AFTER, datetime.now(UTC))
        reports.write(report)

    def unrecorded_moves(self) -> Sequence[UnrecordedMove]:
        """Of the home."""
        return UnrecordedMoves(self._home).read()

    def opening(self, bundle: str) -> AbstractContextManager[None]:
        """See :class:`LoadGuard`."""
        followed = TrafficStore(self._home).readable() if self.follows else None
        return LoadGuard(self._home).opening(bundle, revision=followed.revision if followed else 0)

    def context(self, bundle: str) -> StageContext:
        """Read the bundle, check its signature, and verify its files where they are read."""
        from remora.wiring.bundle_contents import context_from_bundle

        return context_from_bundle(BundleStore(self._home).read(bundle), self.settings)

    def users(self, context: StageContext) -> Hydrator:
        """The online store of the settings' home."""
        from remora.wiring.hydration import online_users

        return online_users(self.settings, context, live=self.live)

    def items(self) -> ItemStates | None:
        """Where they are taken in and production is served."""
        events = self.settings.events
        if not (self.follows and events.intake and events.entities and reader_of(self.settings, "items") is not None):
            return None
        from remora.events.entity_states import EntityStates

        return EntityStates.open(self.settings, "items")

    @property
    def _home(self) -> Home:
        return Home(self.settings.home)
