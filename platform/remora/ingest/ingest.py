"""From a user's files to a version of the lake: inspect, scan, write, check, commit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from remora.core.artifacts import Artifact
from remora.core.errors import DataError
from remora.core.home import Home
from remora.core.redaction import without_credentials
from remora.core.tables import CONTRACT_VERSION, EVENT_TIMESTAMP, ITEM_ID, USER_ID
from remora.ingest.catalogue import Catalogue, read_catalogue
from remora.ingest.contract import RowValidator
from remora.ingest.doubtful_values import with_examples
from remora.ingest.doubts import Doubts
from remora.ingest.event_writer import WrittenFiles, write_events, write_table
from remora.ingest.facts import Check, Facts
from remora.ingest.file_fingerprints import fingerprints_of, write_fingerprints
from remora.ingest.findings import Finding, refuse
from remora.ingest.incremental import (
    UNKNOWN_ITEMS,
    FullRebuildRequired,
    PreviousLake,
    compare_with_current,
    duplicate_scope,
)
from remora.ingest.inspect import Located, TableSources, inspect_table, locate_table
from remora.ingest.lake import Lake, lake_artifacts
from remora.ingest.plausibility import CHECKS, WHEN_WRITTEN, findings
from remora.ingest.provenance import TABLES, config_fingerprint, lake_provenance
from remora.ingest.quarantine import check_limit
from remora.ingest.ray_failures import reraise_remora_errors
from remora.ingest.row_counts import RowCounts
from remora.ingest.rows import empty_rows
from remora.ingest.scan import EventScan, scan_events
from remora.ingest.schema import KEY_OF, check_named_columns
from remora.ingest.sent_events import with_sent_events
from remora.ingest.sent_updates import with_sent_updates
from remora.ingest.time_reading import time_reading
from remora.settings import DataSettings, Settings
from remora.settings.one_writer import writes
from remora.steps.path import INGEST
from remora.steps.provenance import KEY

log = logging.getLogger(__name__)


@writes(INGEST.command)
def ingest(settings: Settings, *, since_last: bool = False) -> Lake:
    """The lake that the settings' sources make; at once when that version is there already.

    Every row of every source is accepted or in the quarantine with its reason. With ``since_last`` only files that the
    current version was not made of are read, and the result is the same; where that cannot be, the log and the metadata
    say why, and all files are read. Raises DataError when a source cannot be read or too many rows are broken,
    SettingsError when the description of a source is wrong, StorageError when writing fails; the lake that was there
    before is then the current one still.
    """
    home, settings = Home(settings.home), INGEST.view(with_sent_updates(with_sent_events(settings)))
    found = {name: locate_table(getattr(settings.data, name), home) for name in TABLES}
    if not since_last:
        return _bring(settings, home, found, None, None)
    try:
        before = compare_with_current(home, config_fingerprint(settings), found)
        return _bring(settings, home, found, before, None)
    except FullRebuildRequired as reason:
        log.warning("all files are read: %s", reason)
        return _bring(settings, home, found, None, str(reason))


def _bring(
    settings: Settings, home: Home, found: Mapping[str, Located], before: PreviousLake | None, because: str | None
) -> Lake:
    data = settings.data
    for one in _table_versions(found):
        kind = one["format"].capitalize()
        log.info("%s: the %s table %s at version %s", one["table"], kind, one["path"], one["version"])
    tables = {name: _inspect(name, located, before) for name, located in found.items()}
    check_named_columns(data, tables["users"].types, tables["items"].types)
    fingerprints = [o for table in tables.values() for o in fingerprints_of(table, before.known if before else {})]
    provenance, artifacts = lake_provenance(settings, fingerprints), lake_artifacts(home)
    if (done := artifacts.select(provenance.version)) is not None:
        log.info("lake %s is unchanged", done.version)
        return Lake(done)
    if not tables["events"].rows:
        raise DataError(f"The events table is empty: no row in {', '.join(tables['events'].paths.values())}.")
    # One instant for the whole run: both passes must judge a row alike, however long the first one takes.
    latest = latest_instant(data)
    earliest = datetime.combine(data.earliest, time(), UTC)
    fresh = tables["events"] if before is None else tables["events"].select(before.is_new)
    # Before all rows are read: a wrong unit of time would send them to the quarantine, or accept them in a wrong year.
    refuse(time_reading(fresh, data, earliest, latest, tables["events"].rows))
    catalogues = _catalogues(tables, data, earliest, latest, before)
    log.info("%s rows of events in %s files to read", f"{fresh.rows:,}", len(fresh.paths))
    had = before.row_counts if before else RowCounts()
    with reraise_remora_errors():
        validators = _validators(fresh, data, catalogues["items"], earliest, latest)
        # What the lake before has of the same days is read too, so its rows count for how to read.
        empty, scope = empty_rows(tables["events"]), duplicate_scope(data, tables["events"])
        scan = scan_events(empty, fresh, validators, before, scope, _doubts(data, catalogues))
        doubtful = _check(scan, tables, catalogues, had, data)
        staging = artifacts.staging(provenance.version)
        unlisted = tuple(KEY_OF[name] for name in catalogues if _may_be_incomplete(name, data))
        written = write_events(staging, empty, fresh, validators, scan, unlisted, before)
    _check_row_counts(fresh, scan, written)
    row_counts = had + _written_counts(fresh, scan, written)
    doubtful += _examined(Facts(data, tables, catalogues, row_counts), WHEN_WRITTEN)
    counts = {"events": row_counts.counts()}
    for name, catalogue in catalogues.items():
        counts[name] = _write_catalogue(staging, tables[name], catalogue, row_counts.ids[KEY_OF[name]])
    write_fingerprints(staging, fingerprints)
    # The next incremental ingest asks whether the items table has one of them by then.
    write_table(staging, UNKNOWN_ITEMS, pa.table({ITEM_ID: pa.array(sorted(row_counts.unknown_items), pa.string())}))
    committed = artifacts.commit(
        staging,
        reused=_reuse(staging, scan, before),
        counts=counts,
        findings=[finding.model_dump(mode="json") for finding in doubtful],
        impression=data.impression,
        sources=_listing(tables),
        table_versions=_table_versions(found),
        contract_version=CONTRACT_VERSION,
        config_fingerprint=config_fingerprint(settings),
        build=_build(tables, scan, row_counts, before, because),
        **{KEY: provenance.as_json()},
        **row_counts.entries(),
    )
    return Lake(committed)


def latest_instant(data: DataSettings) -> datetime:
    """After this an event is in the future."""
    return datetime.now(UTC) + timedelta(seconds=data.max_clock_skew_seconds)


def _inspect(name: str, located: Located, before: PreviousLake | None) -> TableSources:
    if before is None:
        return inspect_table(name, located)
    return inspect_table(name, located, lambda file: before.file_schema(name, file))


def _catalogues(
    tables: Mapping[str, TableSources],
    data: DataSettings,
    earliest: datetime,
    latest: datetime,
    before: PreviousLake | None,
) -> dict[str, Catalogue]:
    """Users and items, those of the version before where their files are known."""
    found = {}
    for name in ("users", "items"):
        kept = before.catalogue(name, tables[name].types) if before else None
        if kept is None:
            refuse(time_reading(tables[name], data, earliest, latest, tables[name].rows))
        found[name] = kept or read_catalogue(tables[name], earliest, latest)
        check_limit(name, tables[name].rows, found[name].reasons(), data.quarantine_limit, found[name].examples)
    if before is not None:
        before.check_future(latest)
        if data.items:
            before.check_items(found["items"].rows)
    return found


def _validators(
    events: TableSources, data: DataSettings, items: Catalogue, earliest: datetime, latest: datetime
) -> list[RowValidator]:
    strict = bool(data.items) and data.unknown_items == "quarantine"
    catalogue = pl.Series(pl.from_arrow(items.rows[ITEM_ID].combine_chunks())).unique() if strict else None
    return [
        RowValidator(
            table="events",
            source=source,
            types=events.types,
            latest=latest,
            earliest=earliest,
            event_types=tuple(data.event_types),
            catalogue=catalogue,
            by_content=data.duplicates == "quarantine",
        )
        for source, _ in events.sources
    ]


def _doubts(data: DataSettings, catalogues: Mapping[str, Catalogue]) -> Doubts:
    """What events are compared with, in addition to what validates them."""
    users, items = (pl.DataFrame(pl.from_arrow(catalogues[name].rows)) for name in ("users", "items"))
    since = items.select(ITEM_ID, EVENT_TIMESTAMP).group_by(ITEM_ID).agg(pl.col(EVENT_TIMESTAMP).min().alias("since"))
    kept = bool(data.items) and data.unknown_items == "keep"
    return Doubts(
        users=users[USER_ID].unique() if data.users else None,
        items=items[ITEM_ID].unique() if kept else None,
        # A version without a time always held, and so did its item.
        since=since if items.height and not items[EVENT_TIMESTAMP].null_count() else None,
    )


def _check(
    scan: EventScan,
    tables: Mapping[str, TableSources],
    catalogues: Mapping[str, Catalogue],
    had: RowCounts,
    data: DataSettings,
) -> list[Finding]:
    """The findings; FullRebuildRequired, Implausible, QuarantineLimitExceeded or DataError where nothing is written."""
    if scan.superseded:
        raise FullRebuildRequired(f"{scan.superseded:,} events come again in new files that stand before their own")
    rows, row_counts = tables["events"].rows, had + _counted(scan, tables["events"].rows - had.rows)
    found = _examined(Facts(data, tables, catalogues, row_counts), CHECKS)
    check_limit("events", rows, row_counts.reasons, data.quarantine_limit, row_counts.examples)
    if not row_counts.days:
        raise DataError(
            f"No event is left of {rows:,} rows: {_listed(with_examples(row_counts.reasons, row_counts.examples))}."
        )
    log.info(
        "%s events to accept, on %s days; %s rows for the quarantine",
        f"{scan.accepted:,}",
        len(scan.days),
        f"{scan.rejected:,}",
    )
    return found


def _examined(facts: Facts, checks: Iterable[Check]) -> list[Finding]:
    """What the checks find, logged; Implausible when one of it is an error."""
    found = findings(facts, checks)
    for finding in found:
        log.log(logging.ERROR if finding.level == "error" else logging.WARNING, "%s", finding)
    refuse(found)
    return found


def _counted(scan: EventScan, rows: int) -> RowCounts:
    return RowCounts(
        rows=rows,
        reasons=scan.reasons,
        days=scan.days,
        first_future=scan.first_future,
        unknown_items=scan.unknown_items,
        doubts=scan.doubts,
        examples=scan.examples,
    )


def _check_row_counts(events: TableSources, scan: EventScan, written: WrittenFiles) -> None:
    """Rows in = accepted + quarantined, as planned; a source that changed while it was read is found out here."""
    planned = (events.rows, scan.accepted, scan.rejected)
    found = (written.accepted + written.quarantined, written.accepted, written.quarantined)
    if planned != found:
        raise DataError(
            f"The events do not add up: {planned[0]:,} rows in, {planned[1]:,} to accept and {planned[2]:,} to "
            f"quarantine, but {found[1]:,} and {found[2]:,} were written. A source changed meanwhile: run again."
        )


def _written_counts(events: TableSources, scan: EventScan, written: WrittenFiles) -> RowCounts:
    return replace(
        _counted(scan, events.rows),
        event_types=written.event_types,
        first=written.first,
        last=written.last,
        ids={key: frozenset(found) for key, found in written.ids.items()},
    )


def _reuse(staging: Artifact, scan: EventScan, before: PreviousLake | None) -> dict[str, Any]:
    """Bring the days without a new event, and the quarantine as it was."""
    if before is None:
        return {}
    days = [path for day in before.row_counts.days if day not in scan.days for path in before.files(day)]
    return staging.reuse(before.lake.artifact, [*days, *before.quarantine()])


def _may_be_incomplete(table: str, data: DataSettings) -> bool:
    """May events name users or items that the table does not have? Those get a row with their id alone."""
    return not getattr(data, table) or (table == "items" and data.unknown_items == "keep")


def _write_catalogue(
    staging: Artifact, sources: TableSources, catalogue: Catalogue, in_events: frozenset[str]
) -> dict[str, Any]:
    name, key = sources.table, KEY_OF[sources.table]
    alone = pa.table({key: pa.array(sorted(in_events - set(catalogue.rows[key].to_pylist())), pa.string())})
    rows = pa.concat_tables([catalogue.rows, alone], promote_options="default").cast(sources.types)
    write_table(staging, f"{name}/00000.parquet", rows)
    write_table(staging, f"quarantine/{name}.parquet", catalogue.quarantine)
    if sources.rows != catalogue.rows.num_rows + catalogue.quarantine.num_rows + catalogue.repeated:
        raise DataError(f"The {name} do not add up: a source changed while it was read. Run again.")
    row_counts = RowCounts(
        rows=sources.rows, reasons=catalogue.reasons(), doubts=catalogue.doubts, examples=catalogue.examples
    )
    return row_counts.counts() | {
        "accepted": catalogue.rows.num_rows,
        "repeated": catalogue.repeated,
        "from_events": rows.num_rows - catalogue.rows.num_rows,
    }


def _build(
    tables: Mapping[str, TableSources],
    scan: EventScan,
    row_counts: RowCounts,
    before: PreviousLake | None,
    because: str | None,
) -> dict[str, Any]:
    """How this version was made: what was read for it, and what it has of the version before."""
    file_schemas = [(name, file_schema) for name, table in tables.items() for file_schema in table.file_schemas()]
    read = [s for name, s in file_schemas if before is None or before.file_schema(name, s.file) is None]
    days = set(before.row_counts.days) if before else set()
    return {
        "of": before.lake.version if before else None,
        "full_rebuild_reason": because,
        "files": {"read": len(read), "known": len(file_schemas) - len(read)},
        "rows_read": sum(file_schema.rows for file_schema in read),
        "bytes_read": sum(file_schema.file.size for file_schema in read),
        "days": {
            "new": len(scan.days.keys() - days),
            "merged": len(scan.days.keys() & days),
            "reused": len(row_counts.days.keys() - scan.days.keys()),
        },
    }


def _listing(tables: Mapping[str, TableSources]) -> list[dict[str, Any]]:
    return [
        {"table": name, "path": file_schema.file.path, "rows": file_schema.rows, "bytes": file_schema.file.size}
        for name, sources in tables.items()
        for file_schema in sources.file_schemas()
    ]


def _table_versions(found: Mapping[str, Located]) -> list[dict[str, Any]]:
    """Which versions of Iceberg and Delta tables were read; ``source`` counts the sources of a table from 0."""
    return [
        {"table": name, "source": i, "path": without_credentials(source.path), "format": source.format}
        | asdict(files.version)
        for name, located in found.items()
        for i, (source, files) in enumerate(located)
        if files.version is not None
    ]


def _listed(reasons: dict[str, int]) -> str:
    return "; ".join(f"{rows:,} × {reason}" for reason, rows in sorted(reasons.items(), key=lambda r: -r[1]))
