"""What one replica serves: the live objects of one bundle and the pipelines made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from remora.control.replica_status import ReplicaStatus
from remora.control.traffic import Traffic
from remora.events.entity_update import EntityUpdate
from remora.features.cached_users import CachedUsers
from remora.pipeline import Hydrator, Pipeline, Query, Slate, StageContext
from remora.pipeline.cache import Cache
from remora.registry.unrecorded import UnrecordedMove
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.settings.retrieval import TWO_TOWER
from remora.surfaces.build import pipelines
from remora.surfaces.popular_fallback import popular_fallback
from remora.wiring.live_items import LiveItems


@dataclass(frozen=True, kw_only=True)
class LoadedBundle:
    """One bundle, live; ``live``: with which items that were sent since, None where none are followed."""

    bundle: str
    context: StageContext
    surfaces: Mapping[str, Pipeline]
    popular_fallback: Pipeline
    live: LiveItems | None = None

    @classmethod
    def load(cls, loader: Loader, bundle: str, *, with_users: bool = True) -> LoadedBundle:
        """What ``loader`` brings; takes seconds. ``with_users``: its pipelines ask the loader's store of users, whose
        answers are kept for moments; without, the queries that come here are hydrated."""
        context, limits = loader.context(bundle), loader.settings.serving
        if with_users:
            users = loader.users(context)
            if not loader.live:  # what is kept would hide what the user has done since
                users = CachedUsers(users, max_size=limits.user_cache_size, ttl_seconds=limits.user_cache_ttl_seconds)
            context = replace(context, users=users)
        return cls.of(context, bundle=bundle)

    @classmethod
    def of(cls, context: StageContext, *, bundle: str) -> LoadedBundle:
        """Build every surface of the settings."""
        return cls(
            bundle=bundle, context=context, surfaces=pipelines(context), popular_fallback=popular_fallback(context)
        )

    def with_items(self, updates: Iterable[EntityUpdate]) -> LoadedBundle:
        """The same with what was sent since, in place of what is known of these items; the stages are made again, of
        what the bundle holds in memory."""
        live = (self.live or LiveItems.none(self.context)).plus(updates)
        return replace(LoadedBundle.of(live.context, bundle=self.bundle), live=live)

    @property
    def opened(self) -> StageContext:
        """What its stages are made from without any item that was sent since: the rows of its own items alone."""
        return self.context if self.live is None else self.live.opened

    @property
    def catalogue(self) -> str:
        """The digest of the items that it has beyond its own: replicas in which it is the same have the same rows."""
        return self.context.vocabulary.digest

    def run(self, query: Query) -> Slate:
        """The slate of a query, all stages here."""
        return self.surfaces[query.surface].run(query)

    @property
    def caches(self) -> Iterator[Cache[Any]]:
        """Those of users and of their vectors."""
        yield self.context.model(TWO_TOWER, Towers).encoder.cache
        if isinstance(self.context.users, CachedUsers):
            yield self.context.users.cache


class Loader(Protocol):
    """Where a replica gets what it serves; it travels to the replica, so it must pickle."""

    @property
    def settings(self) -> Settings:
        """Of the home that the bundles belong to."""

    @property
    def bundle(self) -> str:
        """What was asked for, when it was asked for."""

    @property
    def variant(self) -> str:
        """By which name."""

    @property
    def follows(self) -> bool:
        """Does what is served change while it is?"""

    @property
    def live(self) -> bool:
        """Does what users do change at once what is known of them?"""

    def traffic(self) -> Traffic:
        """Which bundle gets which requests now; asked every second of one that follows. UnreadableInput where the home
        does not say it."""

    def first_traffic(self) -> Traffic:
        """The same for a replica that holds nothing yet."""

    def report(self, report: ReplicaStatus) -> None:
        """What a replica says of itself, for whoever directs the traffic."""

    def unrecorded_moves(self) -> Sequence[UnrecordedMove]:
        """Aliases that were moved in MLflow without a promotion record, as the last command found them."""

    def opening(self, bundle: str) -> AbstractContextManager[None]:
        """Held while a bundle is opened. LoadInProgress: not now; Refused: it ended a process."""

    def context(self, bundle: str) -> StageContext:
        """What the stages of a bundle are made from; takes seconds."""

    def users(self, context: StageContext) -> Hydrator:
        """Who tells what is known of a user, in rows of the context's vocabulary."""

    def items(self) -> ItemStates | None:
        """The items that are sent, which replicas follow; None where none are taken. NotReady, StorageError while they
        cannot be read."""


class ItemStates(Protocol):
    """What holds of each item that was ever sent, as :class:`~remora.events.entity_states.EntityStates` has it."""

    current: Mapping[str, EntityUpdate]

    def poll(self, seconds: float) -> list[EntityUpdate]:
        """Updates that hold now and did not before, after at most so many seconds. NotReady, StorageError while they
        cannot be read."""

    def close(self) -> None:
        """Let the log go."""
