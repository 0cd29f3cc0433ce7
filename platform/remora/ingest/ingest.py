"""From a user's files to a version of the lake: survey, census, write, check, publish."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from remora import __version__
from remora.contracts.artifacts import Artifact, fingerprint
from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.contracts.tables import CONTRACT_VERSION, ITEM_ID
from remora.ingest.catalogue import Catalogue, read_catalogue
from remora.ingest.census import Census, take_census
from remora.ingest.contract import Judge
from remora.ingest.events import Written, write_events, write_table
from remora.ingest.lake import Lake, lake_shelf
from remora.ingest.layout import KEY_OF, check_named_columns
from remora.ingest.quarantine import check_limit
from remora.ingest.ray_failures import own_errors
from remora.ingest.survey import TableSources, survey_table
from remora.settings import DataSettings, Settings

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(days=1)
"""An event later than now by more than this is in the future."""


def ingest(settings: Settings) -> Lake:
    """The lake that the settings' sources make; at once when that version is there already.

    Every row of every source is accepted or in the quarantine with its reason. Raises DataError when a source cannot
    be read or too many rows are broken, SettingsError when the description of a source is wrong, StorageError when
    writing fails; the lake that was there before is then the current one still.
    """
    home, data = Home(settings.home), settings.data
    tables = {name: survey_table(name, getattr(data, name), home) for name in ("events", "users", "items")}
    check_named_columns(data, tables["users"].types, tables["items"].types)
    version = _version(settings, tables)
    shelf = lake_shelf(home)
    if (found := shelf.find(version)) is not None:
        shelf.point(version)
        log.info("lake %s is unchanged", version)
        return Lake(found)
    if not tables["events"].rows:
        raise DataError(f"The events table is empty: no row in {', '.join(tables['events'].paths)}.")
    log.info("%s rows of events in %s files", f"{tables['events'].rows:,}", len(tables["events"].paths))
    latest = datetime.now(UTC) + CLOCK_SKEW
    catalogues = {name: read_catalogue(tables[name], latest) for name in ("users", "items")}
    for name, catalogue in catalogues.items():
        check_limit(name, tables[name].rows, catalogue.reasons(), data.quarantine_limit)
    with own_errors():
        judges = _judges(tables["events"], data, catalogues["items"], latest)
        census = take_census(tables["events"], judges)
        check_limit("events", tables["events"].rows, census.reasons, data.quarantine_limit)
        if not census.days:
            raise DataError(f"No event is left of {tables['events'].rows:,} rows: {_listed(census.reasons)}.")
        log.info(
            "%s events to accept, on %s days; %s rows for the quarantine",
            f"{census.accepted:,}",
            len(census.days),
            f"{census.rejected:,}",
        )
        draft = shelf.draft(version)
        unlisted = tuple(KEY_OF[name] for name in catalogues if _may_be_incomplete(name, data))
        written = write_events(draft, tables["events"], judges, census, unlisted)
    _check_books(tables["events"], census, written)
    counts = {"events": _counts(tables["events"].rows, written.accepted, census.reasons)}
    for name, catalogue in catalogues.items():
        counts[name] = _write_catalogue(draft, tables[name], catalogue, written.ids[KEY_OF[name]])
    published = shelf.publish(
        draft,
        counts=counts,
        first=_iso(written.first),
        last=_iso(written.last),
        event_types=dict(sorted(written.event_types.items())),
        impression=data.impression,
        sources=_listing(tables),
        contract_version=CONTRACT_VERSION,
    )
    return Lake(published)


def _version(settings: Settings, tables: dict[str, TableSources]) -> str:
    return fingerprint(
        step="lake",
        remora=__version__,
        contract=CONTRACT_VERSION,
        data=settings.data.model_dump(mode="json"),
        files={name: sources.hashes() for name, sources in tables.items()},
    )


def _judges(events: TableSources, data: DataSettings, items: Catalogue, latest: datetime) -> list[Judge]:
    strict = bool(data.items) and data.unknown_items == "quarantine"
    catalogue = pl.Series(pl.from_arrow(items.rows[ITEM_ID].combine_chunks())).unique() if strict else None
    return [
        Judge(
            table="events",
            source=source,
            types=events.types,
            latest=latest,
            event_types=tuple(data.event_types),
            catalogue=catalogue,
            by_content=data.duplicates == "quarantine",
        )
        for source, _ in events.sources
    ]


def _check_books(events: TableSources, census: Census, written: Written) -> None:
    """Rows in = accepted + quarantined, as planned; a source that changed while it was read is found out here."""
    planned = (events.rows, census.accepted, census.rejected)
    found = (written.accepted + written.quarantined, written.accepted, written.quarantined)
    if planned != found:
        raise DataError(
            f"The events do not add up: {planned[0]:,} rows in, {planned[1]:,} to accept and {planned[2]:,} to "
            f"quarantine, but {found[1]:,} and {found[2]:,} were written. A source changed meanwhile: run again."
        )


def _may_be_incomplete(table: str, data: DataSettings) -> bool:
    """May events name users or items that the table does not have? Those get a row with their id alone."""
    return not getattr(data, table) or (table == "items" and data.unknown_items == "keep")


def _write_catalogue(
    draft: Artifact, sources: TableSources, catalogue: Catalogue, in_events: set[str]
) -> dict[str, Any]:
    name, key = sources.table, KEY_OF[sources.table]
    alone = pa.table({key: pa.array(sorted(in_events - set(catalogue.rows[key].to_pylist())), pa.string())})
    rows = pa.concat_tables([catalogue.rows, alone], promote_options="default").cast(sources.types)
    write_table(draft, f"{name}/00000.parquet", rows)
    write_table(draft, f"quarantine/{name}.parquet", catalogue.quarantine)
    if sources.rows != catalogue.rows.num_rows + catalogue.quarantine.num_rows:
        raise DataError(f"The {name} do not add up: a source changed while it was read. Run again.")
    return _counts(sources.rows, catalogue.rows.num_rows, catalogue.reasons()) | {
        "from_events": rows.num_rows - catalogue.rows.num_rows
    }


def _counts(rows: int, accepted: int, reasons: dict[str, int]) -> dict[str, Any]:
    return {"rows": rows, "accepted": accepted, "quarantined": sum(reasons.values()), "reasons": reasons}


def _listing(tables: dict[str, TableSources]) -> list[dict[str, Any]]:
    return [
        {"table": name, "path": survey.file.path, "rows": survey.rows, "bytes": survey.file.size}
        for name, sources in tables.items()
        for survey in sources.surveys()
    ]


def _listed(reasons: dict[str, int]) -> str:
    return "; ".join(f"{rows:,} × {reason}" for reason, rows in sorted(reasons.items(), key=lambda r: -r[1]))


def _iso(instant: datetime | None) -> str:
    assert instant is not None
    return instant.astimezone(UTC).isoformat()
