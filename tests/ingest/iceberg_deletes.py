"""Deletes that an engine merges when it reads, as Spark, Flink and Trino write them; PyIceberg writes none."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, SetSnapshotRefUpdate
from pyroaring import BitMap


class DeleteManifestWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return super()._meta | {"content": "deletes"}


def delete_positions(table: Table, data_file: DataFile, *positions: int) -> Table:
    """By a file of positions, from 0."""
    path = f"{table.location()}/data/{uuid4()}-deletes.parquet"
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), metadata={"PARQUET:field_id": "2147483546"}),
            pa.field("pos", pa.int64(), metadata={"PARQUET:field_id": "2147483545"}),
        ]
    )
    rows = pa.table({"file_path": [data_file.file_path] * len(positions), "pos": list(positions)}, schema)
    pq.write_table(rows, path.removeprefix("file://"))
    return _commit(table, path, data_file, DataFileContent.POSITION_DELETES, "PARQUET", len(positions))


def delete_by_vector(table: Table, data_file: DataFile, *positions: int) -> Table:
    """By a deletion vector in a Puffin file, as version 3 of the format has them."""
    path = f"{table.location()}/data/{uuid4()}.puffin"
    bitmap = bytes.fromhex("d1d33964") + (1).to_bytes(8, "little") + bytes(4) + BitMap(positions).serialize()
    blob = len(bitmap).to_bytes(4, "big") + bitmap + zlib.crc32(bitmap).to_bytes(4, "big")
    entry = {
        "type": "deletion-vector-v1",
        "fields": [],
        "snapshot-id": -1,
        "sequence-number": -1,
        "offset": 4,
        "length": len(blob),
        "properties": {"referenced-data-file": data_file.file_path, "cardinality": str(len(positions))},
    }
    footer = json.dumps({"blobs": [entry]}).encode()
    magic = b"PFA1"
    content = magic + blob + magic + footer + len(footer).to_bytes(4, "little") + bytes(4) + magic
    Path(path.removeprefix("file://")).write_bytes(content)
    return _commit(table, path, data_file, DataFileContent.POSITION_DELETES, "PUFFIN", len(positions))


def delete_equal(table: Table, data_file: DataFile, column: str, value: str) -> Table:
    """By the value of a column."""
    path = f"{table.location()}/data/{uuid4()}-equal.parquet"
    field_id = table.schema().find_field(column).field_id
    schema = pa.schema([pa.field(column, pa.string(), metadata={"PARQUET:field_id": str(field_id)})])
    pq.write_table(pa.table({column: [value]}, schema), path.removeprefix("file://"))
    return _commit(table, path, data_file, DataFileContent.EQUALITY_DELETES, "PARQUET", 1, equality_ids=[field_id])


def _commit(
    table: Table, path: str, data_file: DataFile, content: DataFileContent, format: str, rows: int, **more: object
) -> Table:
    """A snapshot more, with one file of deletes of the data file's partition."""
    parent, io, snapshot_id = table.current_snapshot(), table.io, uuid4().int >> 66
    sequence = table.metadata.last_sequence_number + 1
    spec = table.specs()[data_file.spec_id]
    deletes = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=format,
        partition=data_file.partition,
        record_count=rows,
        file_size_in_bytes=Path(path.removeprefix("file://")).stat().st_size,
        **more,
    )
    deletes.spec_id = data_file.spec_id
    manifest = io.new_output(f"{table.location()}/metadata/{uuid4()}-m0.avro")
    with DeleteManifestWriter(spec, table.schema(), manifest, snapshot_id, "deflate") as writer:
        writer.add_entry(
            ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=deletes)
        )
    listing = f"{table.location()}/metadata/snap-{snapshot_id}.avro"
    with write_manifest_list(
        2, io.new_output(listing), snapshot_id, parent.snapshot_id, sequence, "deflate"
    ) as manifests:
        manifests.add_manifests([*parent.manifests(io), writer.to_manifest_file()])
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=parent.snapshot_id,
        sequence_number=sequence,
        manifest_list=listing,
        summary=Summary(Operation.OVERWRITE),
        schema_id=table.schema().schema_id,
    )
    main = SetSnapshotRefUpdate(ref_name=MAIN_BRANCH, type="branch", snapshot_id=snapshot_id)
    table.catalog.commit_table(table, (), (AddSnapshotUpdate(snapshot=snapshot), main))
    return table.catalog.load_table(table.name())
