"""The registry of bundles: build, list, open, export, import, collect. Immutable, and verified whenever opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from remora.control.traffic import PRODUCTION, Traffic
from remora.core.errors import BadRequest, NotFound, RemoraError, StorageError
from remora.core.home import Home
from remora.registry.archive import Archive, write
from remora.registry.bundle import Bundle
from remora.registry.documents import CARD, LINEAGE, METRICS, finite
from remora.registry.garbage import BundleGarbage, bundle_garbage, recently_promoted
from remora.registry.lineage import Lineage
from remora.registry.manifest import ID, PREFIX, Manifest, check_paths
from remora.registry.model_card import card
from remora.registry.pointers import ALIASES, Pointers
from remora.registry.promotions import DamagedRecord, Promotion
from remora.registry.signature import PrivateKey, Signature
from remora.registry.store import FOLDER, BundleStore, Content, entry, folder
from remora.registry.trust import check, is_signed_by_trusted, signature_problem, signed, trusted
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves
from remora.settings import RegistrySettings, Settings


@dataclass(frozen=True, kw_only=True)
class BundleSummary:
    """One line of the list of bundles. ``problem`` says why it would be refused, as far as its manifest tells.

    ``created_at`` is None for a bundle that an alias means and that is gone.
    """

    id: str
    created_at: datetime | None
    aliases: tuple[str, ...]
    surfaces: tuple[str, ...] = ()
    bytes: int = 0
    signed: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Bundles:
    """The bundles of one home. A bundle is there when its manifest is, which is written last."""

    settings: Settings

    @cached_property
    def home(self) -> Home:
        """Where the bundles are kept."""
        return Home(self.settings.home)

    @cached_property
    def store(self) -> BundleStore:
        """Their folders."""
        return BundleStore(self.home)

    @property
    def _trust(self) -> RegistrySettings:
        return self.settings.registry

    @cached_property
    def _pointers(self) -> Pointers:
        return Pointers(self.settings, self.store)

    def build(
        self,
        files: Mapping[str, Content],
        *,
        lineage: Lineage,
        metrics: Mapping[str, Any],
        surfaces: Sequence[str],
    ) -> Bundle:
        """Make a bundle of ``files`` (path in the bundle -> content or local file), or find the same one.

        Adds lineage.json, metrics.json (an evaluation report) and the model card card.md, and the signature where the
        settings name a key. The same content has the same id; building it again writes nothing, or mends what was
        damaged. Refused for a format that is not listed.
        """
        contents: dict[str, Content] = {
            **files,
            LINEAGE: lineage.model_dump_json(indent=1).encode(),
            METRICS: json.dumps(finite(metrics), indent=1, sort_keys=True).encode(),
            CARD: card(lineage, finite(metrics), surfaces).encode(),
        }
        check_paths(contents)
        manifest = Manifest(surfaces=tuple(surfaces), files={path: entry(c) for path, c in contents.items()})
        signature = signed(manifest, self._trust)
        bundle = self.store.fill(manifest, contents)
        with self._pointers.lock():
            self.store.complete(bundle, signature)
            self._pointers.register(bundle)
        return bundle

    def list(self) -> list[BundleSummary]:
        """Every complete bundle, oldest first; one whose manifest is damaged says so. Before them what aliases mean and
        is gone."""
        aliases = self._names()
        listed = [self._listed(id, at, aliases.get(id, ())) for id, at in self.store.ids().items()]
        gone = [
            BundleSummary(id=id, created_at=None, aliases=names, problem=str(self._gone(id, names)))
            for id, names in sorted(aliases.items())
            if not self.store.has(id)
        ]
        return gone + sorted(listed, key=lambda b: (b.created_at or datetime.min, b.id))

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the documents that replicas follow: each names the file or bundle, and what to do."""
        damage = self._pointers.traffic_damage()
        gone = [str(self._gone(id, names)) for id, names in self._names().items() if not self.store.has(id)]
        return (*([str(damage)] if damage else ()), *gone)

    def _names(self) -> dict[str, tuple[str, ...]]:
        """Id -> the aliases that mean it."""
        meant = self._pointers.aliases()
        return {id: tuple(sorted(alias for alias, bundle in meant.items() if bundle == id)) for id in meant.values()}

    def _gone(self, id: str, aliases: tuple[str, ...]) -> NotFound:
        alias = aliases[0]
        return NotFound(
            "bundle",
            id,
            f"The alias {alias} means it, and it is gone from {self.home.at(FOLDER)}. Bring it back (`remora bundle "
            f"import FILE`, or `remora bundle build`), or make {alias} mean another: "
            + ("`remora rollback`." if alias == PRODUCTION else f"`remora bundle promote ID --alias {alias}`."),
        )

    def _listed(self, id: str, created_at: datetime, aliases: tuple[str, ...]) -> BundleSummary:
        try:
            bundle = self.store.read(id)
        except RemoraError as error:
            return BundleSummary(id=id, created_at=created_at, aliases=aliases, problem=str(error))
        signature = self.store.signature(bundle)
        return BundleSummary(
            id=id,
            created_at=created_at,
            aliases=aliases,
            surfaces=bundle.manifest.surfaces,
            bytes=bundle.manifest.bytes,
            signed=signature is not None,
            problem=signature_problem(bundle.manifest, signature, self._trust) or "",
        )

    def open(self, name: str) -> Bundle:
        """The bundle of an id or an alias, to be served: every file verified, its signature as the settings ask.

        NotFound for an id that there is not, NotBuilt for an alias that means nothing yet, ChecksumMismatch for a
        damaged file, SignatureError for a signature that is missing or does not fit, UnsupportedFormat for another
        version's bundle.
        """
        return trusted(self.inspect(name), self._trust)

    def inspect(self, name: str) -> Bundle:
        """The same, to be looked at, signed or exported: whoever signed it, or unsigned."""
        bundle = self.read(name)
        bundle.verify()
        return bundle

    def read(self, name: str) -> Bundle:
        """The same without a look at its files: what its manifest says; NotFound when the bundle is gone."""
        id = self.id_of(name)
        if not self.store.has(id) and (meant := (name,) if name in ALIASES else self._names().get(id, ())):
            raise self._gone(id, meant)
        return self.store.read(id)

    def id_of(self, name: str) -> str:
        """The id of what people name: an id, the beginning of just one, or an alias.

        BadRequest for what is not one of them or begins several, NotBuilt for an alias that means nothing yet.
        """
        if ID.fullmatch(name) or not PREFIX.fullmatch(name):
            return name if ID.fullmatch(name) else self.resolve(name)
        found = sorted(id for id in self.store.ids() if id.startswith(name))
        if len(found) != 1:
            what = f"begins {len(found)} bundles: {', '.join(found[:5])}" if found else "begins no bundle's id"
            raise BadRequest(f"'{name}' {what}. `remora bundle list` shows what there is.")
        return found[0]

    def resolve(self, alias: str) -> str:
        """The id that an alias means now. BadRequest for what is no alias, NotBuilt where it means nothing yet."""
        return self._pointers.resolve(alias)

    def sign(self, name: str, key: PrivateKey) -> Bundle:
        """Put a signature beside a bundle's manifest, in the place of another, once its files were verified."""
        bundle = self.inspect(name)
        with self._pointers.lock():
            self.store.sign(self.store.read(bundle.id), key.sign(bundle.manifest.canonical))
        return bundle

    def export(self, name: str, file: Path) -> Bundle:
        """Write a bundle as one file for another home; the same bundle is the same file, byte by byte."""
        bundle = self.inspect(name)
        write(bundle, file)
        return bundle

    def import_(self, file: Path) -> Bundle:
        """Import what :meth:`export` wrote; its content and its signature are checked before anything is written.

        Errors as of :meth:`Archive.read` and :meth:`open`. When the disk fills or the process dies there is no bundle;
        what was written goes at once, or with the next :meth:`gc`. A bundle that is there is mended, not replaced.
        """
        archive = Archive.read(file)
        manifest = archive.manifest
        check(manifest, archive.signature, self._trust)
        archive.check_documents()
        new = not self.home.exists(folder(manifest.id))
        try:
            bundle = self.store.fill(manifest, archive.contents)
            with self._pointers.lock():
                self.store.complete(bundle, self._kept(bundle, archive))
                self._pointers.register(bundle)
        except BaseException:
            if new and not self.store.has(manifest.id):
                self.store.remove(manifest.id)
            raise
        return bundle

    def _kept(self, bundle: Bundle, archive: Archive) -> Signature | None:
        """The archive's signature, unless that would put a stranger's in the place of one that is there."""
        content = archive.signature
        if content is None or (
            self.store.signature(bundle) and not is_signed_by_trusted(bundle.manifest, content, self._trust)
        ):
            return None
        return Signature.model_validate_json(content)

    def gc(self, *, keep: int, delete: bool = False, now: datetime | None = None) -> Sequence[BundleGarbage]:
        """What nothing needs: no alias, no traffic, none of the ``keep`` newest or last promoted; and what was cut off.

        Removed only when ``delete`` is set, under the registry's lock. A crash leaves some of it, never half a bundle.
        """
        with self._pointers.lock():
            self._pointers.recover()
            needed = self._pointers.needed() | recently_promoted(self.history(), keep)
            going = bundle_garbage(self.home.stored(FOLDER), needed, keep=keep, now=now or datetime.now(UTC))
            for one in going if delete else ():
                if one.id is None:
                    self.home.delete(f"{FOLDER}/{one.path}")
                    continue
                self._pointers.forget(one.id)
                self.store.remove(one.id)
        return going

    def needed(self) -> set[str]:
        """Ids of the bundles that an alias means or that replicas shall hold: the rollback's target among them."""
        with self._pointers.lock():
            return self._pointers.needed()

    def promote(
        self, name: str, alias: str = PRODUCTION, *, by: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """Make ``alias`` mean a bundle (an id, or what another alias means), and record who, when, why and on what.

        ``evidence`` is a small JSON document, such as a gate's report. The bundle is opened first, so what :meth:`open`
        refuses is not promoted. The alias moves in one transaction, so a crash leaves it as it was or moved, never in
        between. When it means that bundle already, nothing is written.
        """
        self._pointers.check_alias(alias)
        return self._pointers.promote(self.open(name), alias, by=by, why=why, evidence=evidence)

    def rollback(
        self, *, by: str, why: str, to: str | None = None, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """Make production what it was before, or ``to`` (an id or an alias), and drop the canary and the shadow.

        The bundle that is left is not looked at, for it may be damaged or gone. Of the one that is returned to, the
        manifest, the signature and the files' sizes are checked, and the hashes only where no replica keeps it warm.
        Another rollback goes further back, never to what was rolled back. NotReady where nothing was before.
        """
        target = to if to is None else self.id_of(to)
        return self._pointers.rollback(target, by=by, why=why, evidence=evidence)

    def set_traffic(self, change: Callable[[Traffic], Traffic]) -> Traffic:
        """Change who serves whom, and activate it: ``change`` gets what is active and gives what shall be.

        Bundles that it names are opened first. Production is what its last record says, whatever ``change`` says of it.
        NotBuilt while nothing is in production.
        """
        return self._pointers.set_traffic(change)

    def traffic(self) -> Traffic:
        """What is active; published again where whoever moved the alias last died before that. NotBuilt as above."""
        return self._pointers.set_traffic(lambda now: now)

    def unrecorded_moves(self) -> tuple[UnrecordedMove, ...]:
        """Aliases that were moved in MLflow without a promotion record; they count for nothing until promoted.

        Where MLflow does not answer, or nothing was ever promoted or registered, what the last command found.
        """
        known = UnrecordedMoves(self.home)
        if not self.store.ids() and not self._pointers.promotions.records():
            return known.read()
        try:
            return self._pointers.unrecorded_moves()
        except StorageError:
            return known.read()

    def restore_aliases(self) -> tuple[UnrecordedMove, ...]:
        """Make MLflow's aliases mean again what the promotion records say; returns those that did not.

        A damaged traffic document is written again, without canary and shadow.
        """
        return self._pointers.restore_aliases()

    def history(self) -> tuple[Promotion, ...]:
        """Every promotion and rollback that can be read, oldest first; one that is not ``done`` was cut off."""
        return tuple(self._pointers.promotions.all())

    def records(self) -> tuple[Promotion | DamagedRecord, ...]:
        """The same with those that cannot be read, each in its place."""
        return tuple(self._pointers.promotions.records())
