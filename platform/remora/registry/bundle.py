"""One released bundle: an immutable folder whose every file is as its manifest says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remora.core.checksums import hash_at
from remora.core.errors import ChecksumMismatch, NotFound
from remora.core.home import Home
from remora.core.json_document import parse_json
from remora.registry.documents import LINEAGE, METRICS, check_documents, lineage_of, metrics_of
from remora.registry.lineage import Lineage
from remora.registry.manifest import MANIFEST, Manifest

MEND = "Import or build the bundle again: either mends it."


@dataclass(frozen=True)
class Bundle:
    """A bundle under ``folder`` of ``home``; made by :class:`~remora.registry.bundles.Bundles`, which verifies it."""

    home: Home
    folder: str
    id: str
    manifest: Manifest

    @classmethod
    def read(cls, home: Home, folder: str, id: str) -> Bundle:
        """Read and check the manifest, not yet the files. NotFound without one; see :meth:`Manifest.parse`.

        The id is the manifest's hash, so an id from a trusted place vouches for every byte of the bundle.
        """
        path = f"{folder}/{MANIFEST}"
        if not home.exists(path):
            raise NotFound("bundle", id, "`remora bundle list` shows what there is.")
        manifest = Manifest.parse(home.read_bytes(path), home.at(path), id, MEND)
        return cls(home, folder, id, manifest)

    def at(self, path: str = "") -> str:
        """A path inside the bundle, for use with ``home.filesystem``."""
        return self.home.at(f"{self.folder}/{path}" if path else self.folder)

    def read_bytes(self, path: str) -> bytes:
        """The content of one file."""
        return self.home.read_bytes(f"{self.folder}/{path}")

    def read_json(self, path: str) -> Any:
        """The content of one JSON file; Refused for what is not JSON or is nested too deeply."""
        return parse_json(self.read_bytes(path), self.at(path))

    def verify(self) -> None:
        """Hash every file; ChecksumMismatch names the first that differs or is missing.

        Refused where its settings name what no bundle may set, or a document of it cannot be read.
        """
        self._verify(lambda path: hash_at(self.home, f"{self.folder}/{path}"), self.at)
        check_documents(self.manifest, self.read_bytes, self.at)

    def lineage(self) -> Lineage:
        """Where it comes from."""
        return lineage_of(self.read_bytes(LINEAGE), self.at(LINEAGE))

    def metrics(self) -> dict[str, Any]:
        """The evaluation report as JSON; empty where nothing was evaluated."""
        return metrics_of(self.read_bytes(METRICS), self.at(METRICS))

    def local(self) -> Path:
        """A local folder with the bundle's files, verified there: the bundle itself, or a download from S3."""
        folder = self.home.local_copy(self.folder)
        # Verified where it is read: a download may be damaged as well.
        copy = Home(str(folder))
        self._verify(lambda path: hash_at(copy, path), copy.at)
        return folder

    def _verify(self, found_at: Callable[[str], str], name: Callable[[str], str]) -> None:
        for path, entry in self.manifest.files.items():
            found = found_at(path)
            if found != entry.sha256:
                raise ChecksumMismatch(name(path), entry.sha256, found, MEND)
