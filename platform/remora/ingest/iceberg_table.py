"""Finding an Iceberg table and the snapshot to read: in a catalog, or by its metadata in a folder."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.fs as pafs
from pyiceberg import exceptions
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.io.pyarrow import PyArrowFileIO, UnsupportedPyArrowTypeException
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import EMPTY_DICT, Properties
from pyiceberg.utils.config import Config
from sqlalchemy.exc import SQLAlchemyError

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.core.home import Home
from remora.ingest.table_location import TableLocation, store_of
from remora.settings import SourceSettings

log = logging.getLogger(__name__)

FAILURES = (
    OSError,
    ValueError,  # Pydantic's and Arrow's among them
    KeyError,
    TypeError,
    NotImplementedError,
    pa.ArrowException,
    UnsupportedPyArrowTypeException,
    exceptions.ResolveError,
    exceptions.ValidationError,
    exceptions.ValidationException,
    exceptions.NotInstalledError,
)
"""What PyIceberg raises for a table that it cannot read."""

_CATALOG_FAILURES = (
    *FAILURES,
    exceptions.RESTError,
    exceptions.NoSuchTableError,
    exceptions.NoSuchNamespaceError,
    SQLAlchemyError,
    ImportError,
)

_METADATA = re.compile(r"v?(?P<number>\d+)(?:-[^.]*)?(?:\.gz)?\.metadata\.json(?:\.gz)?")


class StoreFileIO(PyArrowFileIO):
    """Reads a table's files from the store in which the table is, with the credentials that its URL has."""

    def __init__(self, store: pafs.FileSystem) -> None:
        self._store = store
        super().__init__()

    def _initialize_fs(self, scheme: str, netloc: str | None = None) -> pafs.FileSystem:
        if store_of(scheme) == self._store.type_name:
            return self._store
        if store_of(scheme) == "local":
            raise ValueError(f"a table in a store ({self._store.type_name}) names files of this machine")
        return super()._initialize_fs(scheme, netloc)


@dataclass(frozen=True)
class IcebergTable:
    """A table at one snapshot; ``schema`` are the columns to read it in, ``location`` is its metadata file."""

    name: str
    location: str
    metadata: TableMetadata
    io: PyArrowFileIO
    snapshot: Snapshot
    schema: Schema


def open_table(source: SourceSettings, home: Home) -> IcebergTable:
    """The source's table at its snapshot; DataError, MissingInput or SettingsError where there is no such table."""
    if source.catalog is not None:
        name = f"{source.path} of the catalog {source.catalog}"
        location, metadata, io = _in_catalog(source, source.catalog)
    else:
        found = TableLocation.of(source, home, "Iceberg table")
        name, location, io = str(found), _metadata_file(found), StoreFileIO(found.filesystem)
        metadata = _read_metadata(location, io, name)
    snapshot, schema = _chosen(metadata, source, name)
    return IcebergTable(name, location, metadata, io, snapshot, schema)


def first_line(error: BaseException) -> str:
    """What the error says, without the details below."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def _in_catalog(source: SourceSettings, name: str) -> tuple[str, TableMetadata, PyArrowFileIO]:
    config = Config()  # read now: PyIceberg's own copy is of when it was imported
    if (properties := config.get_catalog_config(name)) is None:
        raise SettingsError(
            f"There is no Iceberg catalog '{name}' in PyIceberg's configuration, which has: "
            f"{', '.join(config.get_known_catalogs()) or 'none'}. Describe it in .pyiceberg.yaml, or set "
            f"PYICEBERG_CATALOG__{name.upper()}__URI and what else it needs."
        )
    try:
        catalog = load_catalog(name, **cast(dict[str, str], properties))
        _without_code_of_tables(catalog)
        table = catalog.load_table(source.path)
    except (exceptions.NoSuchTableError, exceptions.NoSuchNamespaceError) as error:
        hint = (
            "The name is that of its namespace, a point, and its own, such as shop.events. In a database of catalogs a "
            "table belongs to the one with whose name it was made."
        )
        raise MissingInput(f"Iceberg table in the catalog {name}", source.path, hint=hint) from error
    except _CATALOG_FAILURES as error:
        raise DataError(
            f"The table {source.path} of the Iceberg catalog {name} cannot be opened: {first_line(error)}. Check the "
            f"catalog's address and credentials in PyIceberg's configuration, and that what it needs is installed."
        ) from error
    assert isinstance(table.io, PyArrowFileIO)
    return table.metadata_location, table.metadata, table.io


def _without_code_of_tables(catalog: Catalog) -> None:
    """Let the properties of a table name no class to import: who may write to a table must not run code here."""

    def load_file_io(properties: Properties = EMPTY_DICT, location: str | None = None) -> PyArrowFileIO:
        of_table = {key: value for key, value in properties.items() if not key.endswith("-impl")}
        return PyArrowFileIO({**catalog.properties, **of_table})

    catalog._load_file_io = load_file_io  # type: ignore[method-assign]


def _metadata_file(found: TableLocation) -> str:
    """The metadata file itself, or the current one of a table's folder."""
    if found.is_file:
        if not found.path.endswith((".metadata.json", ".metadata.json.gz")):
            raise DataError(
                f"{found} is a file, and not the metadata of an Iceberg table: that ends in .metadata.json. Name it or "
                f"the table's folder."
            )
        return found.plain_url
    names = _metadata_names(found)
    if not names:
        raise DataError(
            f"{found} is not an Iceberg table: it has no metadata/*.metadata.json. Name the table's own folder, or "
            f"with `catalog` its name, or give the format that the files have."
        )
    if (hinted := _hinted(found)) is not None:
        fitting = [
            name for name in (hinted, f"v{hinted}.metadata.json", f"v{hinted}.gz.metadata.json") if name in names
        ]
        if not fitting:
            raise DataError(
                f"metadata/version-hint.text of the Iceberg table {found} says '{hinted}', and there is no such "
                f"metadata file. Name the metadata file to read, or with `catalog` the table's name."
            )
        return f"{found.plain_url}/metadata/{fitting[0]}"
    return f"{found.plain_url}/metadata/{_newest(names, found)}"


def _newest(names: list[str], found: TableLocation) -> str:
    """The one with the highest number. Only a catalog knows which is current: a commit that failed may leave one."""
    numbers = {name: int(match["number"]) for name in names if (match := _METADATA.fullmatch(name))}
    if not numbers:
        raise DataError(
            f"The metadata files of the Iceberg table {found} have no numbers ({names[0]}). Name the one to read, or "
            f"with `catalog` the table's name."
        )
    highest = [name for name, number in numbers.items() if number == max(numbers.values())]
    if len(highest) > 1:
        raise DataError(
            f"The Iceberg table {found} has two newest metadata files, {highest[0]} and {highest[1]}: two writers "
            f"tried the same commit, and only the table's catalog knows which succeeded. Name the catalog with "
            f"`catalog`, or the metadata file itself as `path`."
        )
    log.warning(
        "%s is read by its newest metadata file, %s, as no catalog is named: a commit that failed may have left it. "
        "`catalog` names the one that knows",
        found,
        highest[0],
    )
    return highest[0]


def _metadata_names(found: TableLocation) -> list[str]:
    selector = pafs.FileSelector(f"{found.path}/metadata", allow_not_found=True)
    infos = found.filesystem.get_file_info(selector)
    return sorted(i.base_name for i in infos if i.base_name.endswith((".metadata.json", ".metadata.json.gz")))


def _hinted(found: TableLocation) -> str | None:
    try:
        with found.filesystem.open_input_stream(f"{found.path}/metadata/version-hint.text") as stream:
            return bytes(stream.read(1_000)).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return None


def _read_metadata(location: str, io: PyArrowFileIO, name: str) -> TableMetadata:
    try:
        return FromInputFile.table_metadata(io.new_input(location))
    except FAILURES as error:
        raise DataError(
            f"The metadata of the Iceberg table {name} cannot be read: {first_line(error)} ({location}). It is "
            f"damaged, or of a format version that PyIceberg does not read (it reads 1 to 3)."
        ) from error


def _chosen(metadata: TableMetadata, source: SourceSettings, name: str) -> tuple[Snapshot, Schema]:
    """The snapshot that the source names, or the current one, and its columns."""
    wanted, current = source.snapshot, metadata.schema()
    if wanted is None:
        if (snapshot := metadata.current_snapshot()) is None:
            raise DataError(f"The Iceberg table {name} has no snapshot: nothing was written to it yet.")
        return snapshot, current
    if (reference := metadata.refs.get(wanted)) is not None:
        snapshot = metadata.snapshot_by_id(reference.snapshot_id)
        if snapshot is not None and reference.snapshot_ref_type == "branch":
            return snapshot, current
    else:
        snapshot = metadata.snapshot_by_id(int(wanted)) if wanted.isdecimal() else None
    if snapshot is None:
        known = [*metadata.refs, *(str(s.snapshot_id) for s in metadata.snapshots[-10:])]
        raise MissingInput("snapshot, tag or branch", wanted, known, f"The Iceberg table is {name}.")
    return snapshot, next((s for s in metadata.schemas if s.schema_id == snapshot.schema_id), current)
