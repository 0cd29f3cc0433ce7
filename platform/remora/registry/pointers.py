"""Moving what points at bundles: aliases in MLflow, the traffic that replicas follow, and the record of both.

A move is four steps under the registry's lock: the record of what is meant, the alias, the traffic, the mark that it is
done. The alias decides: a process that dies before it moves has changed nothing, and what one that dies after it has
left undone is done by the next command, whichever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from remora.contracts.errors import BadRequest, NotBuilt, NotReady, SettingsError
from remora.registry.aliases import Aliases
from remora.registry.bundle import Bundle
from remora.registry.exclusive import POSTGRESQL, SQLITE, exclusive
from remora.registry.manifest import ID
from remora.registry.promotions import ROLLBACK, Promotion, Promotions, checked
from remora.registry.store import FOLDER, BundleStore
from remora.registry.succession import before, succession
from remora.registry.tracking import tracking_uri
from remora.registry.traffic import PRODUCTION, Traffic, TrafficBoard
from remora.registry.trust import trusted
from remora.settings import Settings

LOCK = f"{FOLDER}/.lock"
ALIASES = (PRODUCTION, "candidate", "shadow")

Change = Callable[[Traffic], Traffic]


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
    def _board(self) -> TrafficBoard:
        return TrafficBoard(self.store.home)

    @cached_property
    def _aliases(self) -> Aliases:
        return Aliases(tracking_uri(self.settings), self.settings.name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the registry's lock: one process at a time changes what points at bundles.

        SettingsError where the home is not local and no database is named that could keep others out.
        """
        home = self.store.home
        database = self.settings.registry.lock or ("" if home.is_local else tracking_uri(self.settings))
        if not home.is_local and not database.startswith((POSTGRESQL, SQLITE)):
            raise SettingsError(
                f"The home {home.at()} is not local and the tracking server has no lock, so two changes at once could "
                f"lose one. Set registry.lock to a PostgreSQL database (postgresql://…)."
            )
        with exclusive(home, LOCK, database):
            yield

    def aliases(self) -> dict[str, str]:
        """Alias -> bundle's id, as they are now."""
        return self._aliases.bundles()

    def resolve(self, alias: str) -> str:
        """The id that an alias means now."""
        self.check_alias(alias)
        found = self.aliases().get(alias)
        if found is None:
            raise NotBuilt(f"{alias} bundle", self.store.home.url, f"remora bundle promote ID --alias {alias}")
        return found

    def check_alias(self, alias: str) -> None:
        """BadRequest for a name that is none of :data:`ALIASES`."""
        if alias not in ALIASES:
            raise BadRequest(f"'{alias}' is neither an alias ({', '.join(ALIASES)}) nor a bundle's id (16 hex digits).")

    def register(self, bundle: Bundle) -> str:
        """The bundle's version in MLflow's registry, made when there is none."""
        home = self.store.home
        scheme = "file" if home.is_local else home.url.partition("://")[0]
        return self._aliases.register(bundle.id, f"{scheme}://{bundle.at()}")

    def forget(self, id: str) -> None:
        """Remove the bundle's version from MLflow's registry."""
        self._aliases.forget(id)

    def needed(self) -> set[str]:
        """Bundles that an alias means or that replicas shall hold. The lock is held."""
        traffic = self._board.read()
        return {*self.aliases().values(), *(traffic.bundles if traffic else ())}

    def promote(
        self, bundle: Bundle, alias: str, *, by: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """See :meth:`Bundles.promote`; the bundle is verified."""
        kept = checked(evidence)
        with self.lock():
            self.settle()
            self.store.check_sizes(self.store.read(bundle.id))  # it may have been collected since it was verified
            return self._move(bundle, alias, self.aliases().get(alias), by=by, why=why, evidence=kept)

    def rollback(
        self, target: str | None, *, by: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """See :meth:`Bundles.rollback`; ``target`` is an id."""
        kept = checked(evidence)
        with self.lock():
            self.settle()
            now = self.resolve(PRODUCTION)
            if target == now:
                raise BadRequest(f"{now} is in production already: there is nothing to roll back.")
            bundle = self._standing(target or self._before(now))
            return self._move(bundle, PRODUCTION, now, by=by, why=why, evidence=kept, kind=ROLLBACK)

    def direct(self, change: Change) -> Traffic:
        """See :meth:`Bundles.direct`."""
        with self.lock():
            self.settle()
            return self._publish(change)

    def settle(self) -> None:
        """Finish what a process that died has left: its alias moved and the rest did not. The lock is held."""
        for key, promotion in self.promotions.unfinished().items():
            if self.aliases().get(promotion.alias) == promotion.bundle:
                self._finish(key, promotion)

    def _move(self, bundle: Bundle, alias: str, previous: str | None, **record: Any) -> Promotion:
        now = datetime.now(UTC)
        asked = Promotion(at=now, alias=alias, bundle=bundle.id, previous=previous, **record)
        if previous != bundle.id:
            version = self.register(bundle)
            key = self.promotions.begin(asked)
            self._aliases.point(alias, version)
            self._finish(key, asked)
        return asked.model_copy(update={"done": True})

    def _finish(self, key: str, promotion: Promotion) -> None:
        if promotion.alias == PRODUCTION:
            self._publish(self._returned(promotion) if promotion.kind == ROLLBACK else lambda now: now)
        self.promotions.finish(key)

    def _publish(self, change: Change) -> Traffic:
        production = self.resolve(PRODUCTION)
        now = self._board.read() or Traffic(production=production)
        if now.production != production:
            now = _moved(now, production)
        wanted = change(now).model_copy(update={"production": production})
        new = set(wanted.bundles) - set(now.bundles)
        for id in new:
            self._verified(id)
        for id in _tried(wanted) - _tried(now) - new:
            self._looked_at(id)
        return self._board.publish(wanted)

    def _returned(self, rollback: Promotion) -> Change:
        """Traffic after a rollback: nothing is tried, and what the next rollback would return to is kept warm."""
        line = succession([*self.promotions.all(), rollback.model_copy(update={"done": True})])
        earlier = before(line, rollback.bundle)
        previous = earlier if earlier and self.store.has(earlier) else None
        return lambda now: Traffic(revision=now.revision, production=now.production, previous=previous)

    def _before(self, production: str) -> str:
        """What production was before, as the traffic says or, where it says nothing, the history."""
        traffic = self._board.read()
        if traffic and traffic.previous not in (None, production):
            return str(traffic.previous)
        found = before(succession(self.promotions.all()), production)
        if found is None:
            raise NotReady(
                f"Nothing was in production before {production} that was not taken back, so there is nothing to return "
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
        traffic = self._board.read()
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
    """With another production, which is nobody's canary, no shadow, and not to be loaded any more."""
    canary = now.canary if now.canary and now.canary.bundle != production else None
    shadow = now.shadow if now.shadow != production else None
    loading = tuple(bundle for bundle in now.loading if bundle != production)
    kept = {"previous": now.production, "canary": canary, "shadow": shadow, "loading": loading}
    return now.model_copy(update={"production": production} | kept)


def _tried(traffic: Traffic) -> set[str]:
    """Bundles that requests go to, or will, beside production."""
    named = (traffic.canary.bundle if traffic.canary else None, traffic.shadow, *traffic.loading)
    return {bundle for bundle in named if bundle is not None}
