"""Where a Feast source or storage lies, opened with credentials that Feast's registry does not have."""

from __future__ import annotations

from pathlib import Path

import pyarrow.fs as pafs

from remora.core.home import Home
from remora.core.redaction import without_credentials


def opened(
    uri: str, *, repo_path: Path | str | None = None, endpoint: str = "", home: str = ""
) -> tuple[pafs.FileSystem | None, str]:
    """Filesystem and path of a URI; no filesystem for a local path, which is relative to ``repo_path``.

    ``home`` is a home's URL with its credentials: it opens what lies below it, whose URIs have none. Other stores are
    opened with what their URI brings, else with the credentials of the environment, at ``endpoint`` where one is given.
    """
    from feast.infra.offline_stores.file_source import FileSource

    root = without_credentials(home).rstrip("/")
    if "://" in root and uri.startswith(f"{root}/"):
        found = Home(home)
        return found.filesystem, found.at(uri.removeprefix(f"{root}/"))
    if "://" in uri and without_credentials(uri) != uri:
        return pafs.FileSystem.from_uri(uri)
    return FileSource.create_filesystem_and_path(FileSource.get_uri_for_file_path(repo_path, uri), endpoint)
