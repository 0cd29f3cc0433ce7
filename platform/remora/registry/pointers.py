"""Moving what points at bundles: the records of promotions, aliases in MLflow, and the traffic that replicas follow.

A move is four steps under the registry's lock: the record of what is meant, the alias, the traffic, the mark that it is
done. An alias means what its last record says. While that record is not done, MLflow's alias decides: a process that
dies before the alias moves has changed nothing, and the next command completes what one that dies after it has left.
An alias that was moved without a record counts for nothing; commands name it (:mod:`remora.registry.unrecorded`).
So does a record that cannot be read: production then stays what the replicas were last told, any other alias means no
bundle, and the next promotion or rollback writes a record that counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from remora.control.replica_status import ReplicaStatuses
from remora.control.traffic import PRODUCTION, Traffic, TrafficStore
from remora.core.errors import BadRequest, NotBuilt, NotReady, SettingsError, UnreadableInput
from remora.core.locks import POSTGRESQL, SQLITE, exclusive_lock
from remora.registry.aliases import Aliases
from remora.registry.bundle import Bundle
from remora.registry.manifest import ID
from remora.registry.promotions import ROLLBACK, AliasRecord, Promotion, Promotions, checked
from remora.registry.rollback_target import before, succession
from remora.registry.store import FOLDER, BundleStore
from remora.registry.tracking import tracking_uri
from remora.registry.trust import trusted
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves
from remora.settings import Settings

LOCK = f"{FOLDER}/.lock"
ALIASES = (PRODUCTION, "candidate", "shadow")

Change = Callable[[Traffic], Traffic]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pointers:
    """The aliases and the traffic of one home's bundles."""

    settings: Settings
    store: BundleStore

    @cached_property
    def promotions(self) -> Promotions:
        """Who moved what."""
        return Promotions(self.store.home)

    @cached_property
    def _board(self) -> TrafficStore:
        return TrafficStore(self.store.home)

    @cached_property
    def _aliases(self) -> Aliases:
        return Aliases(tracking_uri(self.settings), self.settings.name)

    @cached_property
    def _unrecorded(self) -> UnrecordedMoves:
        return UnrecordedMoves(self.store.home)

    @cached_property
    def _logged(self) -> set[UnrecordedMove]:
        return set()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the registry's lock: one process at a time changes what points at bundles.

        SettingsError where the home is not local and no database is named that could keep others out.
        """
        home = self.store.home
        database = self.settings.registry.lock_url or ("" if home.is_local else tracking_uri(self.settings))
        if not home.is_local and not database.startswith((POSTGRESQL, SQLITE)):
            raise SettingsError(
                f"The home {home.at()} is not local and the tracking server has no lock, so two changes at once could "
                f"lose one. Set registry.lock_url to a PostgreSQL database (postgresql://…)."
            )
        with exclusive_lock(home, LOCK, database, command="a change of the registry"):
            yield

    def aliases(self) -> dict[str, str]:
        """Alias -> bundle's id, as the records of promotions say."""
        recorded = {alias: self._recorded(alias) for alias in ALIASES}
        return {alias: bundle for alias, bundle in recorded.items() if bundle is not None}

    def _recorded(self, alias: str) -> str | None:
        return self._meant(alias, self.promotions.last(alias))

    def _meant(self, alias: str, record: AliasRecord) -> str | None:
        if record.pending is not None:
            _, promotion = record.pending
            if self._aliases.bundles().get(alias) == promotion.bundle:
                return promotion.bundle
        if record.damaged is None:
            return record.bundle
        # The bundle that it was moved to is not known. What the replicas serve is, and nothing may change that unasked.
        told = self._board.readable() if alias == PRODUCTION else None
        return told.production if told else None

    def unrecorded_moves(self) -> tuple[UnrecordedMove, ...]:
        """Aliases that MLflow has otherwise than the records say; logged, and written down for the replicas."""
        while True:
            found = self._aliases.bundles()
            moves = self._compared(found)
            if not moves or self._aliases.bundles() == found:  # else a promotion moved one while this was looking
                break
        self._unrecorded.write(moves)
        for move in set(moves) - self._logged:
            logger.warning(move.message)
        self._logged.clear()
        self._logged.update(moves)
        return moves

    def _compared(self, found: Mapping[str, str]) -> tuple[UnrecordedMove, ...]:
        moves = []
        for alias in ALIASES:
            record = self.promotions.last(alias)
            recorded, there = self._meant(alias, record), found.get(alias)
            if record.damaged is not None and (record.pending is None or record.pending[1].bundle != recorded):
                damage = f"'{record.damaged.path}': {record.damaged.problem}"
                moves.append(UnrecordedMove(alias=alias, recorded=recorded, found=there, damaged=damage))
            elif recorded != there:
                moves.append(UnrecordedMove(alias=alias, recorded=recorded, found=there))
        return tuple(moves)

    def restore_aliases(self) -> tuple[UnrecordedMove, ...]:
        """Make MLflow's aliases mean what the records say; returns those that did not. A damaged traffic document is
        written again."""
        with self.lock():
            self.recover()
            if self._board.damage():
                self._publish(lambda now: now, self.resolve(PRODUCTION))
            moves = self.unrecorded_moves()
            for move in moves:
                if move.damaged is None:
                    self._mirror(move.alias, move.recorded)
            self.unrecorded_moves()
        return moves

    def _mirror(self, alias: str, bundle: str | None) -> None:
        if bundle is None:
            self._aliases.remove(alias)
        else:
            self._aliases.point(alias, self.register(self.store.read(bundle)))

    def resolve(self, alias: str) -> str:
        """The id that an alias means now, as the records of promotions say; NotBuilt when it means none yet.

        UnreadableInput where its last record is damaged and nothing else says it.
        """
        self.check_alias(alias)
        record = self.promotions.last(alias)
        found = self._meant(alias, record)
        if found is None and record.damaged is not None:
            raise record.damaged.error(alias)
        if found is None:
            step = f"remora bundle promote ID --alias {alias}" if self.store.ids() else "remora bundle build"
            raise NotBuilt(f"{alias} bundle", self.store.home.url, step)
        return found

    def check_alias(self, alias: str) -> None:
        """BadRequest for a name that is not one of :data:`ALIASES`."""
        if alias not in ALIASES:
            raise BadRequest(f"'{alias}' is neither an alias ({', '.join(ALIASES)}) nor a bundle's id.")

    def register(self, bundle: Bundle) -> str:
        """The bundle's version in MLflow's registry, made when none exists."""
        home = self.store.home
        scheme = "file" if home.is_local else home.url.partition("://")[0]
        return self._aliases.register(bundle.id, f"{scheme}://{bundle.at()}")

    def forget(self, id: str) -> None:
        """Remove the bundle's version from MLflow's registry."""
        self._aliases.forget(id)

    def traffic_damage(self) -> UnreadableInput | None:
        """Why the traffic document cannot be read; None where it can, or where none exists."""
        return self._board.damage()

    def needed(self) -> set[str]:
        """Bundles that an alias means or that replicas shall hold. The lock is held.

        UnreadableInput where the traffic document is damaged: any bundle may be one that replicas hold.
        """
        traffic = self._board.read()
        meant = {*self.aliases().values(), *self._aliases.bundles().values()}
        for alias in ALIASES:
            record = self.promotions.last(alias)
            if record.damaged is not None and record.bundle is not None:
                meant.add(record.bundle)
        return meant | {*(traffic.bundles if traffic else ())}

    def promote(
        self, bundle: Bundle, alias: str, *, by: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """See :meth:`Bundles.promote`; the bundle is verified."""
        kept = checked(evidence)
        with self.lock():
            self.recover()
            self.store.check_sizes(self.store.read(bundle.id))  # it may have been collected since it was verified
            return self._move(bundle, alias, self.aliases().get(alias), by=by, why=why, evidence=kept)

    def rollback(
        self, target: str | None, *, by: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """See :meth:`Bundles.rollback`; ``target`` is an id; BadRequest when it is in production already."""
        kept = checked(evidence)
        with self.lock():
            self.recover()
            damaged = self.promotions.last(PRODUCTION).damaged is not None
            now = self._recorded(PRODUCTION) if target and damaged else self.resolve(PRODUCTION)
            if target == now and not damaged:
                raise BadRequest(f"{now} is in production already: there is nothing to roll back.")
            bundle = self._standing(target or self._before(str(now)))
            return self._move(bundle, PRODUCTION, now, by=by, why=why, evidence=kept, kind=ROLLBACK)

    def set_traffic(self, change: Change) -> Traffic:
        """See :meth:`Bundles.set_traffic`."""
        with self.lock():
            self.recover()
            return self._publish(change, self.resolve(PRODUCTION))

    def recover(self) -> None:
        """Finish what a process that died has left, or give it up where its alias had not moved. The lock is held."""
        for alias in ALIASES:
            pending = self.promotions.last(alias).pending
            if pending is not None:
                key, promotion = pending
                if self._aliases.bundles().get(alias) == promotion.bundle:
                    self._finish(key, promotion)
                else:
                    self.promotions.cut_off(key)
        self.unrecorded_moves()

    def _move(self, bundle: Bundle, alias: str, previous: str | None, **record: Any) -> Promotion:
        asked = Promotion(at=self._next_moment(), alias=alias, bundle=bundle.id, previous=previous, **record)
        if previous != bundle.id or self.promotions.last(alias).damaged is not None:
            version = self.register(bundle)
            # In this order: whoever dies in between leaves a record that the next command completes or cuts off.
            key = self.promotions.begin(asked)
            self._aliases.point(alias, version)
            self._finish(key, asked)
        elif self._aliases.bundles().get(alias) != bundle.id:
            # The records say so already, and MLflow's alias was moved beside them.
            self._mirror(alias, bundle.id)
        if self._unrecorded.read():
            self.unrecorded_moves()  # this alias is mended
        return asked.model_copy(update={"done": True})

    def _next_moment(self) -> datetime:
        """Now, or just after the newest record where this host's clock is behind the one that wrote it."""
        now, latest = datetime.now(UTC), self.promotions.latest()
        return now if latest is None or latest < now else latest + timedelta(microseconds=1)

    def _finish(self, key: str, promotion: Promotion) -> None:
        if promotion.alias == PRODUCTION:
            change = self._returned(promotion) if promotion.kind == ROLLBACK else lambda now: now
            self._publish(change, promotion.bundle)
        self.promotions.finish(key)

    def _publish(self, change: Change, production: str) -> Traffic:
        now = self._active() or Traffic(production=production, revision=self._seen_revision())
        if now.production != production:
            now = _moved(now, production)
        desired = change(now).model_copy(update={"production": production})
        new = set(desired.bundles) - set(now.bundles)
        # No replica has read these: every file's hash is checked, where sizes do for the others.
        for id in new:
            self._verified(id)
        for id in _tried(desired) - _tried(now) - new:
            self._looked_at(id)
        return self._board.publish(desired)

    def _active(self) -> Traffic | None:
        """What is active; None where nothing is, or the document is damaged, which is about to be replaced."""
        if (damage := self._board.damage()) is not None:
            logger.warning("%s It is written again now.", damage)
        return self._board.readable()

    def _seen_revision(self) -> int:
        """The latest that a replica reports, which the revision of a new document must be after; 0 without any."""
        reports = ReplicaStatuses(self.store.home).read().values() if self._board.damage() else ()
        return max((report.revision for report in reports), default=0)

    def _returned(self, rollback: Promotion) -> Change:
        """Traffic after a rollback: nothing is tried, and what the next rollback would return to is kept warm."""
        line = succession([*self.promotions.all(), rollback.model_copy(update={"done": True})])
        earlier = before(line, rollback.bundle)
        previous = earlier if earlier and self.store.has(earlier) else None
        return lambda now: Traffic(revision=now.revision, production=now.production, previous=previous)

    def _before(self, production: str) -> str:
        """What production was before, as the traffic says or, where it says nothing, the history."""
        traffic = self._board.readable()
        if traffic and traffic.previous not in (None, production):
            return str(traffic.previous)
        found = before(succession(self.promotions.all()), production)
        if found is None:
            raise NotReady(
                f"Nothing was in production before {production} that was not rolled back: there is nothing to return "
                f"to. Name a bundle: remora rollback --to BUNDLE; `remora bundle list` shows what there is."
            )
        return found

    def _standing(self, id: str) -> Bundle:
        """A bundle that can be returned to: there, trusted, and verified as far as no replica has done so."""
        if not ID.fullmatch(id) or not self.store.has(id):
            raise NotReady(
                f"Production was {id} before, and that bundle is gone. Bring it back (`remora bundle import FILE`), or "
                f"return to another: remora rollback --to BUNDLE; `remora bundle list` shows what there is."
            )
        traffic = self._board.readable()
        if traffic is None or id not in traffic.bundles:
            return self._verified(id)
        return self._looked_at(id)

    def _looked_at(self, id: str) -> Bundle:
        bundle = trusted(self.store.read(id), self.settings.registry)
        self.store.check_sizes(bundle)
        return bundle

    def _verified(self, id: str) -> Bundle:
        bundle = trusted(self.store.read(id), self.settings.registry)
        bundle.verify()
        return bundle


def _moved(now: Traffic, production: str) -> Traffic:
    """With another production, which is no canary, no shadow, and not to be loaded any more."""
    canary = now.canary if now.canary and now.canary.bundle != production else None
    shadow = now.shadow if now.shadow != production else None
    loading = tuple(bundle for bundle in now.loading if bundle != production)
    kept = {"previous": now.production, "canary": canary, "shadow": shadow, "loading": loading}
    return now.model_copy(update={"production": production} | kept)


def _tried(traffic: Traffic) -> set[str]:
    """Bundles that requests go to, or will, beside production."""
    named = (traffic.canary.bundle if traffic.canary else None, traffic.shadow, *traffic.loading)
    return {bundle for bundle in named if bundle is not None}
