"""Point-in-time joins beside their peers: python -m benchmarks.point_in_time.run [--json] [--large ROWS]."""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.machine import machine
from benchmarks.memory import measured
from rich.console import Console
from rich.table import Table

from remora.core.tables import TIMESTAMP

USERS, ITEMS, DAYS, SLATE = 18_000, 12_000, 30, 10
ROWS, LARGE, RUNS, SEED = 1_000_000, 10_000_000, 3, 7
RAY_SLICE, RAY_LIMIT_SECONDS = 100, 240  # 1,000 rows did not end in three minutes
START = datetime(2024, 1, 1, tzinfo=UTC)
FEATURES = [*(f"user_stats:u{n}" for n in range(4)), *(f"item_stats:i{n}" for n in range(4))]
COLUMNS = [feature.split(":")[1] for feature in FEATURES]
ORIGIN = np.datetime64(START.replace(tzinfo=None), "us")


def daily(key: str, count: int, seed: int) -> pa.Table:
    """A snapshot of every key at every midnight, with four numbers."""
    draw = np.random.default_rng(seed)
    who, day = np.divmod(np.arange(count * DAYS), DAYS)
    stamps = ORIGIN + day.astype("timedelta64[D]")
    numbers = {f"{key[0]}{n}": draw.random(len(who)).astype(np.float32) for n in range(4)}
    columns = {f"{key}_id": pa.array(who.astype(np.int64)), "event_timestamp": pa.array(stamps, TIMESTAMP)}
    return pa.table({**columns, **numbers})


def slates(rows: int, seed: int) -> pa.Table:
    """Ten rows at a time of one user and instant, with different items."""
    draw = np.random.default_rng(seed)
    queries = rows // SLATE
    at = ORIGIN + draw.integers(0, DAYS * 86_400, queries).astype("timedelta64[s]")
    return pa.table(
        {
            "user_id": pa.array(np.repeat(draw.integers(0, USERS, queries), SLATE)),
            "item_id": pa.array(draw.integers(0, ITEMS, rows)),
            "event_timestamp": pa.array(np.repeat(at, SLATE), TIMESTAMP),
        }
    )


def feast_store(folder: Path, offline: dict[str, Any]) -> Any:
    """A repository over the two views with some offline store."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.types import Float32
    from feast.value_type import ValueType

    home = folder / offline["type"].rsplit(".", 1)[-1]
    home.mkdir(exist_ok=True)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry={"registry_type": "sql", "path": f"sqlite:///{home}/registry.db"},
        online_store={"type": "sqlite", "path": str(home / "online.db")},
        offline_store=offline,
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    declared: list[Any] = []
    for key in ("user", "item"):
        entity = Entity(name=key, join_keys=[f"{key}_id"], value_type=ValueType.INT64)
        source = FileSource(path=str(folder / f"{key}.parquet"), timestamp_field="event_timestamp")
        fields = [Field(name=f"{key[0]}{n}", dtype=Float32) for n in range(4)]
        view = FeatureView(
            name=f"{key}_stats", entities=[entity], ttl=timedelta(days=365), schema=fields, source=source
        )
        declared += [entity, view]
    store.apply(declared)
    return store


def by_duckdb(folder: Path, entity_rows: pa.Table) -> pa.Table:
    """Two ASOF JOINs, in the order of the entity rows."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("entity_rows", entity_rows.append_column("n", pa.array(range(len(entity_rows)))))
    named = ", ".join(f"u.u{n}, i.i{n}" for n in range(4))
    return connection.sql(
        f"""SELECT a.user_id, a.item_id, a.event_timestamp, {named} FROM entity_rows a
            ASOF LEFT JOIN '{folder}/user.parquet' u ON a.user_id = u.user_id AND u.event_timestamp <= a.event_timestamp
            ASOF LEFT JOIN '{folder}/item.parquet' i ON a.item_id = i.item_id AND i.event_timestamp <= a.event_timestamp
            ORDER BY n"""
    ).to_arrow_table()


def by_polars(folder: Path, entity_rows: pa.Table) -> pa.Table:
    """Two join_asof, in the order of the entity rows."""
    found = pl.DataFrame(pl.from_arrow(entity_rows)).with_row_index("n").sort("event_timestamp")
    for key in ("user", "item"):
        view = pl.read_parquet(folder / f"{key}.parquet").sort("event_timestamp")
        found = found.join_asof(view, on="event_timestamp", by=f"{key}_id", check_sortedness=False)
    return found.sort("n").drop("n").to_arrow()


def by_feast(store: Any, entity_rows: pa.Table, *, arrow: bool) -> pa.Table:
    """Through Feast, as its users call it; its own stores take pandas only."""
    rows = entity_rows if arrow else entity_rows.to_pandas()
    return store.get_historical_features(entity_df=rows, features=FEATURES).to_arrow()


def differing(found: pa.Table, expected: pa.Table) -> int:
    """Rows that are missing, surplus or different, compared as they stand; sorted by everything when counts agree."""
    if len(found) != len(expected):
        return abs(len(found) - len(expected))
    names = ["user_id", "item_id", "event_timestamp", *COLUMNS]
    one, other = (
        pl.DataFrame(pl.from_arrow(t.select(names))).with_columns(pl.col("event_timestamp").cast(pl.Int64))
        for t in (found, expected)
    )
    order = ["user_id", "item_id", "event_timestamp"]
    one, other = one.sort(order), other.sort(order)
    same = pl.all_horizontal([one[c].eq_missing(other[c]) for c in names])
    return int((~pl.select(same).to_series()).sum())


def timed(work: Callable[[], pa.Table], runs: int) -> tuple[list[float], pa.Table]:
    """Seconds of each run, and what the last one gave."""
    seconds: list[float] = []
    found = None
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    assert found is not None
    return seconds, found


def compare(folder: Path, rows: int, note: Callable[[str], None], *, ray_store: bool) -> list[dict[str, Any]]:
    """Every peer on the same rows."""
    from remora.features.point_in_time.store import TYPE

    entity_rows = slates(rows, SEED)
    expected = by_duckdb(folder, entity_rows)
    remora = feast_store(folder, {"type": TYPE})
    duck, dask = (feast_store(folder, {"type": kind}) for kind in ("duckdb", "file"))
    peers: list[tuple[str, int, int, Callable[[pa.Table], pa.Table]]] = [
        ("DuckDB ASOF JOIN", rows, RUNS, lambda a: by_duckdb(folder, a)),
        ("polars join_asof", rows, RUNS, lambda a: by_polars(folder, a)),
        ("Remora", rows, RUNS, lambda a: by_feast(remora, a, arrow=True)),
        ("Remora, pandas in", rows, RUNS, lambda a: by_feast(remora, a, arrow=False)),
        ("Feast, DuckDB store", rows, RUNS, lambda a: by_feast(duck, a, arrow=False)),
        ("Feast, file store", rows, RUNS, lambda a: by_feast(dask, a, arrow=False)),
    ]
    table = []
    for name, asked_rows, runs, work in peers:
        note(name)
        part = entity_rows.slice(0, asked_rows)
        seconds, found = timed(lambda part=part, work=work: work(part), runs)
        table.append(_row(name, asked_rows, seconds, found, expected.slice(0, asked_rows)))
    if not ray_store:
        return table
    note("Feast, Ray store")
    part = entity_rows.slice(0, RAY_SLICE)
    for name, options in {
        "Feast, Ray store": {},
        "Feast, Ray store, above its broadcast threshold": {"broadcast_join_threshold_mb": 1},
    }.items():
        try:
            store = feast_store(folder, {"type": "ray", "storage_path": str(folder / "ray"), **options})
            with _limit(RAY_LIMIT_SECONDS):
                seconds, found = timed(lambda store=store: by_feast(store, part, arrow=False), 1)
            table.append(_row(name, RAY_SLICE, seconds, found, expected.slice(0, RAY_SLICE)))
        except Exception as error:  # noqa: BLE001  what a peer fails with is a finding
            table.append({"peer": name, "rows": RAY_SLICE, "failed": f"{type(error).__name__}: {error}"[:300]})
    return table


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """TimeoutError in the main thread after that long."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _row(name: str, rows: int, seconds: list[float], found: pa.Table, expected: pa.Table) -> dict[str, Any]:
    middle = float(np.median(seconds))
    return {
        "peer": name,
        "rows": rows,
        "seconds": [round(s, 3) for s in seconds],
        "median_seconds": round(middle, 3),
        "rows_per_second": round(rows / middle),
        "rows_out": len(found),
        "different_rows": differing(found, expected),
    }


def scale(folder: Path, sizes: list[int], note: Callable[[str], None]) -> list[dict[str, Any]]:
    """Parquet in, Parquet out, at several sizes: seconds, memory of all processes, seconds per million rows."""
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    from remora.features.point_in_time.store import TYPE

    store = feast_store(folder, {"type": TYPE})
    table = []
    for rows in sizes:
        entity_rows = folder / f"asked_{rows}.parquet"
        with pq.ParquetWriter(entity_rows, slates(SLATE, 0).schema) as writer:
            for part in range(0, rows, 1_000_000):
                writer.write_table(slates(min(1_000_000, rows - part), SEED + part), row_group_size=250_000)
        runs = []
        peak = 0
        for run in range(RUNS):
            note(f"{rows:,} rows, run {run + 1}")
            out = folder / "out"
            shutil.rmtree(out, ignore_errors=True)
            gc.collect()
            with measured() as usage:
                job = store.get_historical_features(entity_df=str(entity_rows), features=FEATURES)
                job.persist(SavedDatasetFileStorage(path=str(out)))
            runs.append(usage.wall_seconds)
            peak = max(peak, usage.peak_bytes)
        assert job.report.rows_out == rows
        middle = float(np.median(runs))
        table.append(
            {
                "rows": rows,
                "seconds": [round(s, 2) for s in runs],
                "median_seconds": round(middle, 2),
                "seconds_per_million_rows": round(middle / rows * 1e6, 3),
                "peak_gib": round(peak / (1 << 30), 2),
                "different_rows": _different_on_disk(folder, entity_rows, out),
            }
        )
    return table


def _different_on_disk(folder: Path, entity_rows: Path, out: Path) -> int:
    """Rows of the output that DuckDB's own join does not give, counted by DuckDB."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    named = ", ".join(f"u.u{n}, i.i{n}" for n in range(4))
    expected = f"""SELECT a.user_id, a.item_id, a.event_timestamp, {named} FROM '{entity_rows}' a
        ASOF LEFT JOIN '{folder}/user.parquet' u ON a.user_id = u.user_id AND u.event_timestamp <= a.event_timestamp
        ASOF LEFT JOIN '{folder}/item.parquet' i ON a.item_id = i.item_id AND i.event_timestamp <= a.event_timestamp"""
    columns = ", ".join(f"u{n}, i{n}" for n in range(4))
    found = f"SELECT user_id, item_id, event_timestamp, {columns} FROM '{out}/*.parquet'"
    [(count,)] = connection.sql(f"SELECT count(*) FROM (({expected}) EXCEPT ALL ({found}))").fetchall()
    return int(count)


def main() -> None:
    """Run, print, and write benchmarks/results/point_in_time.json."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options.add_argument("--rows", type=int, default=ROWS)
    options.add_argument("--large", type=int, default=LARGE)
    options.add_argument("--no-ray-store", action="store_true", help="leave out Feast's Ray store, which takes minutes")
    chosen = options.parse_args()
    out = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="remora-pit-"))
    try:
        result = _run(
            folder, chosen.rows, chosen.large, lambda what: out.print(what), ray_store=not chosen.no_ray_store
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    target = Path("benchmarks/results/point_in_time.json")
    target.write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        print(target.read_text())
    else:
        _draw(Console(), result)


def _run(folder: Path, rows: int, large: int, note: Callable[[str], None], *, ray_store: bool) -> dict[str, Any]:
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()
    import ray

    for seed, (key, count) in enumerate({"user": USERS, "item": ITEMS}.items()):
        pq.write_table(daily(key, count, seed), folder / f"{key}.parquet")
    start = time.perf_counter()
    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=2 << 30)
    started = time.perf_counter() - start
    start = time.perf_counter()
    from remora.features.point_in_time.store import TYPE

    by_feast(feast_store(folder, {"type": TYPE}), slates(300_000, 1), arrow=True)
    warm = time.perf_counter() - start
    views = {"users": USERS, "items": ITEMS, "days": DAYS, "slate": SLATE, "seed": SEED, "runs": RUNS}
    return {
        "views": views,
        "ray_start_seconds": round(started, 2),
        "first_join_seconds": round(warm, 2),
        "scale": scale(folder, [rows, large], note),
        "peers": compare(folder, rows, note, ray_store=ray_store),
        "machine": machine(),
    }


def _draw(out: Console, result: dict[str, Any]) -> None:
    table = Table(title="Two daily views, medians of three", title_justify="left")
    for name in ("peer", "rows asked", "seconds", "rows/s", "rows back", "different rows"):
        table.add_column(name, justify="left" if name == "peer" else "right")
    for row in result["peers"]:
        if "failed" in row:
            table.add_row(row["peer"], f"{row['rows']:,}", row["failed"])
            continue
        numbers = [row[n] for n in ("rows", "median_seconds", "rows_per_second", "rows_out", "different_rows")]
        table.add_row(row["peer"], *(f"{number:,}" for number in numbers))
    out.print(table)
    sizes = Table(title="Remora, Parquet to Parquet", title_justify="left")
    for name in ("rows", "seconds", "per million rows", "peak GiB, all processes", "different rows"):
        sizes.add_column(name, justify="right")
    for row in result["scale"]:
        names = ("rows", "median_seconds", "seconds_per_million_rows", "peak_gib", "different_rows")
        sizes.add_row(*(f"{row[name]:,}" for name in names))
    out.print(sizes)
    out.print(f"Ray's start: {result['ray_start_seconds']} s; its first join: {result['first_join_seconds']} s.")


if __name__ == "__main__":
    main()
