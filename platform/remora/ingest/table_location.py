"""Where a table of a data lake lies, for Arrow and for libraries that have clients of their own for stores."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow.fs as pafs

from remora.core.home import Home
from remora.core.redaction import without_credentials
from remora.ingest.files import nothing_there, place_in_store
from remora.settings import SourceSettings

_SCHEMES = {"s3": "s3", "gcs": "gs", "abfs": "abfs"}
"""Arrow's names of stores, and how their URLs begin."""

_STORES = {"s3a": "s3", "s3n": "s3", "gs": "gcs", "file": "local", "": "local"}
"""How URLs within tables begin where that is not Arrow's name of the store."""


def store_of(scheme: str) -> str:
    """Arrow's name of the store that URLs of a scheme mean.

    >>> store_of("s3a"), store_of("file"), store_of("hdfs")
    ('s3', 'local', 'hdfs')
    """
    return _STORES.get(scheme, scheme)


@dataclass(frozen=True)
class TableLocation:
    """A folder or file of a store: ``path`` with Arrow's ``filesystem``; ``url`` may hold credentials."""

    filesystem: pafs.FileSystem
    path: str
    url: str

    @classmethod
    def of(cls, source: SourceSettings, home: Home, what: str) -> TableLocation:
        """Where the source says; MissingInput when there is nothing, which should be ``what``."""
        filesystem, path = place_in_store(source.path, home)
        if filesystem.get_file_info(path).type == pafs.FileType.NotFound:
            raise nothing_there(what, path, source)
        of_home = "://" not in source.path and not os.path.isabs(source.path)
        return cls(filesystem, path.rstrip("/"), home.url if of_home else source.path)

    @property
    def is_file(self) -> bool:
        """Is it a file, and no folder?"""
        return bool(self.filesystem.get_file_info(self.path).type == pafs.FileType.File)

    def has_folder(self, name: str) -> bool:
        """Is there a folder of this name in it?"""
        return bool(self.filesystem.get_file_info(f"{self.path}/{name}").type == pafs.FileType.Directory)

    @property
    def plain_url(self) -> str:
        """The path for people and other libraries: a path of this machine, or a URL without credentials."""
        scheme = _SCHEMES.get(self.filesystem.type_name)
        return f"{scheme}://{self.path}" if scheme else self.path

    def storage_options(self) -> dict[str, str]:
        """What the URL says about the store, as `object_store` of Rust names it; else that takes the environment's.

        >>> url = "s3://key:secret@lake/shop?endpoint_override=store:9000&scheme=http&region=eu"
        >>> sorted(TableLocation(pafs.LocalFileSystem(), "", url).storage_options())
        ['aws_access_key_id', 'aws_allow_http', 'aws_endpoint', 'aws_region', 'aws_secret_access_key']
        """
        parts, options = urlsplit(self.url), dict[str, str]()
        query = dict(parse_qsl(parts.query))
        if parts.username and parts.password:
            options["aws_access_key_id"] = unquote(parts.username)
            options["aws_secret_access_key"] = unquote(parts.password)
        if endpoint := query.get("endpoint_override"):
            options["aws_endpoint"] = endpoint if "://" in endpoint else f"{query.get('scheme', 'https')}://{endpoint}"
        if region := query.get("region"):
            options["aws_region"] = region
        if options.get("aws_endpoint", os.environ.get("AWS_ENDPOINT_URL", "")).startswith("http://"):
            options["aws_allow_http"] = "true"
        return options

    def __str__(self) -> str:
        """As :attr:`plain_url`."""
        return without_credentials(self.plain_url)
