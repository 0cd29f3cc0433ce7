"""What makes a row itself: an event id from the content of the whole source row, and a key to find duplicates by."""

from __future__ import annotations

import functools

import duckdb
import pyarrow as pa


def content_ids(rows: pa.Table) -> pa.Array:
    """MD5 of each row's columns as text, in hex, shape (n,): equal rows, and only they, have equal ids.

    Columns go by their places: to DuckDB `price` and `Price` are one name, and the empty one, which pandas gives an
    index, is not one.
    """
    placed = rows.rename_columns([f"column_{place}" for place in range(rows.num_columns)])
    # `concat_ws` leaves nulls out, so (null, 'a') and ('a', null) would have one id without a sign for null.
    parts = ", ".join(f"coalesce({name}::VARCHAR, chr(30))" for name in placed.column_names)
    return _query(f"SELECT md5(concat_ws(chr(31), {parts})) AS id FROM rows", placed)["id"].combine_chunks()


def keys(event_ids: pa.ChunkedArray) -> pa.Table:
    """Columns ``low`` and ``high``, uint64: together a hash of 128 bits of each id, so that two ids never share one."""
    halves = "SELECT md5_number_lower(id) AS low, md5_number_upper(id) AS high FROM rows"
    return _query(halves, pa.table({"id": event_ids}))


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    # One a process: opening one takes as long as hashing 100,000 rows.
    return duckdb.connect(config={"threads": 1})


def _query(sql: str, rows: pa.Table) -> pa.Table:
    with _connection().cursor() as cursor:
        cursor.register("rows", rows)
        return cursor.sql(sql).to_arrow_table()
