"""The registry of bundles: build, list, open, promote. Content-addressed, immutable, verified whenever opened."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from remora.contracts.errors import BadRequest, NotBuilt
from remora.contracts.home import Home, storage_errors
from remora.registry.aliases import Aliases
from remora.registry.bundle import Bundle, hash_at
from remora.registry.card import card
from remora.registry.exclusive import exclusive
from remora.registry.lineage import Lineage
from remora.registry.manifest import ID, MANIFEST, FileEntry, Manifest, check_paths
from remora.registry.promotions import Promotion, Promotions
from remora.registry.tracking import tracking_uri
from remora.registry.traffic import PRODUCTION, Traffic, TrafficBoard
from remora.settings import Settings

FOLDER = "bundles"
LOCK = f"{FOLDER}/.lock"
ALIASES = (PRODUCTION, "candidate", "shadow")

Content = Path | bytes


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One line of the list of bundles."""

    id: str
    made_at: datetime
    aliases: tuple[str, ...]
    surfaces: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Bundles:
    """The bundles of one home. A bundle is there when its manifest is, which is written last."""

    settings: Settings

    @cached_property
    def home(self) -> Home:
        """Where the bundles are kept."""
        return Home(self.settings.home)

    @cached_property
    def _aliases(self) -> Aliases:
        return Aliases(tracking_uri(self.settings), self.settings.name)

    def build(
        self,
        files: Mapping[str, Content],
        *,
        lineage: Lineage,
        metrics: Mapping[str, Any],
        surfaces: Sequence[str],
    ) -> Bundle:
        """Make a bundle of ``files`` (path in the bundle -> content or local file), or find the same one.

        Adds lineage.json, metrics.json (an evaluation report) and the model card card.md. The same content has the same
        id; building it again writes nothing, or mends what was damaged. Refused for a format that is not listed.
        """
        contents: dict[str, Content] = {
            **files,
            "lineage.json": lineage.model_dump_json(indent=1).encode(),
            "metrics.json": json.dumps(metrics, indent=1, sort_keys=True).encode(),
            "card.md": card(lineage, metrics, surfaces).encode(),
        }
        check_paths(contents)
        entries = {path: _entry(content) for path, content in contents.items()}
        manifest = Manifest(surfaces=tuple(surfaces), files=entries)
        folder = _folder(manifest.id)
        for path, content in contents.items():
            if hash_at(self.home, f"{folder}/{path}") != entries[path].sha256:
                self._write(f"{folder}/{path}", content)
        bundle = Bundle(self.home, folder, manifest.id, manifest)
        bundle.verify()
        if not self.home.exists(f"{folder}/{MANIFEST}"):
            self.home.write_bytes(f"{folder}/{MANIFEST}", manifest.canonical)
        with exclusive(self.home, LOCK):
            self._register(bundle)
        return bundle

    def list(self) -> list[Listed]:
        """Every complete bundle, oldest first."""
        aliases = self._aliases.bundles()
        found = []
        for id in filter(ID.fullmatch, self.home.folders(FOLDER)):
            info = self.home.filesystem.get_file_info(self.home.at(f"{_folder(id)}/{MANIFEST}"))
            if info.type == pafs.FileType.NotFound:
                continue  # a build that did not end
            manifest = Bundle.read(self.home, _folder(id), id).manifest
            found.append(
                Listed(
                    id=id,
                    made_at=info.mtime.astimezone(UTC),
                    aliases=tuple(sorted(alias for alias, bundle in aliases.items() if bundle == id)),
                    surfaces=manifest.surfaces,
                    bytes=sum(entry.bytes for entry in manifest.files.values()),
                )
            )
        return sorted(found, key=lambda b: (b.made_at, b.id))

    def open(self, name: str) -> Bundle:
        """The bundle of an id or an alias, every file verified.

        NotFound for an id that there is not, NotBuilt for an alias that means nothing yet, Tampered for a damaged file.
        """
        id = name if ID.fullmatch(name) else self.resolve(name)
        bundle = Bundle.read(self.home, _folder(id), id)
        bundle.verify()
        return bundle

    def resolve(self, alias: str) -> str:
        """The id that an alias means now."""
        _check_alias(alias)
        found = self._aliases.bundles().get(alias)
        if found is None:
            raise NotBuilt(f"{alias} bundle", self.home.url, f"remora bundle promote ID --alias {alias}")
        return found

    def promote(self, name: str, alias: str = PRODUCTION, *, by: str, why: str) -> Promotion:
        """Make ``alias`` mean a bundle (an id, or what another alias means), and record who, when and why.

        The bundle is verified first. The alias moves in one transaction, so a crash leaves it as it was or moved, never
        in between. When it means that bundle already, nothing is written.
        """
        _check_alias(alias)
        bundle = self.open(name)
        with exclusive(self.home, LOCK):
            previous = self._aliases.bundles().get(alias)
            asked = Promotion(at=datetime.now(UTC), alias=alias, bundle=bundle.id, previous=previous, by=by, why=why)
            if previous != bundle.id:
                key = self._promotions.begin(asked)
                self._aliases.point(alias, self._register(bundle))
                if alias == PRODUCTION:
                    self._publish()
                self._promotions.finish(key)
        return asked.model_copy(update={"done": True})

    def direct(self, change: Callable[[Traffic], Traffic]) -> Traffic:
        """Change who serves whom, and put it in force: ``change`` gets what is in force and gives what shall be.

        Bundles that it names are verified first. Production is what the alias says, whatever ``change`` says of it.
        NotBuilt while nothing is in production.
        """
        with exclusive(self.home, LOCK):
            return self._publish(change)

    def traffic(self) -> Traffic:
        """What is in force; published anew where whoever moved the alias last died before that. NotBuilt as above."""
        with exclusive(self.home, LOCK):
            return self._publish()

    def _publish(self, change: Callable[[Traffic], Traffic] = lambda now: now) -> Traffic:
        production = self.resolve(PRODUCTION)
        board = TrafficBoard(self.home)
        now = board.read() or Traffic(production=production)
        if now.production != production:
            now = _moved(now, production)
        wanted = change(now).model_copy(update={"production": production})
        for bundle in set(wanted.bundles) - set(now.bundles):
            self.open(bundle)
        return board.publish(wanted)

    def history(self) -> tuple[Promotion, ...]:
        """Every promotion, oldest first; one that is not ``done`` was cut off."""
        return tuple(self._promotions.all())

    @cached_property
    def _promotions(self) -> Promotions:
        return Promotions(self.home)

    def _register(self, bundle: Bundle) -> str:
        source = (
            Path(bundle.at()).as_uri() if self.home.is_local else f"{self.home.url.partition('?')[0]}/{bundle.folder}"
        )
        return self._aliases.register(bundle.id, source)

    def _write(self, path: str, content: Content) -> None:
        if isinstance(content, bytes):
            self.home.write_bytes(path, content)
            return
        self.home.make_folder(path.rpartition("/")[0])
        # An object of S3 appears when it is whole; a file appears when it is opened, so it is written aside.
        target = self.home.at(path)
        aside = f"{target}.{uuid.uuid4().hex}" if self.home.is_local else target
        with storage_errors(target):
            pafs.copy_files(
                str(content),
                aside,
                source_filesystem=pafs.LocalFileSystem(),
                destination_filesystem=self.home.filesystem,
            )
            if aside != target:
                self.home.filesystem.move(aside, target)


def _moved(now: Traffic, production: str) -> Traffic:
    """With another production, which is nobody's canary, no shadow and not to be loaded any more."""
    canary = now.canary if now.canary and now.canary.bundle != production else None
    shadow = now.shadow if now.shadow != production else None
    loading = tuple(bundle for bundle in now.loading if bundle != production)
    kept = {"previous": now.production, "canary": canary, "shadow": shadow, "loading": loading}
    return now.model_copy(update={"production": production} | kept)


def _entry(content: Content) -> FileEntry:
    if isinstance(content, bytes):
        return FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    with content.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=content.stat().st_size)


def _folder(id: str) -> str:
    return f"{FOLDER}/{id}"


def _check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise BadRequest(f"'{alias}' is neither an alias ({', '.join(ALIASES)}) nor a bundle's id (16 hex digits).")
