"""What the lake holds and how good it is: one pass over events with Ray Data, kept as JSON beside the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from remora.core.json_document import read_document
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.ingest.concentration import concentration
from remora.ingest.contract import DUPLICATE, FILTER, UNKNOWN_ITEM
from remora.ingest.findings import Finding
from remora.ingest.lake import Lake
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
PARTITIONS = 8

_TALLY = pa.schema([("kind", pa.string()), ("name", pa.string()), ("rows", pa.int64())])


class TableQuality(BaseModel):
    """One table's row counts: ``rows`` = ``accepted`` + ``quarantined`` + ``repeated``.

    ``declared`` of the quarantined ones are so by the user's filters; ``repeated`` are rows of `distinct` sources that
    another row of their id stands for.
    """

    rows: int
    accepted: int
    quarantined: int
    repeated: int
    declared: int
    reasons: dict[str, int]


class QualityReport(BaseModel):
    """Figures of one version of the lake."""

    lake: str
    events: int
    users: int
    items: int
    density: float
    """Events per cell of the user x item matrix."""
    first: datetime
    last: datetime
    days_with_events: int
    events_per_day: dict[str, float]
    event_types: dict[str, int]
    events_by_month: dict[str, dict[str, int]]
    """Month (2011-03) -> event type -> events."""
    nulls: dict[str, dict[str, float]]
    """Table -> column -> share of nulls, in [0, 1]."""
    history_length: dict[str, float]
    """Quantiles of events per user who has any."""
    popularity_gini: float
    """Gini coefficient of events per item of the catalogue: 0 all alike, towards 1 all on one item."""
    top_percent_share: float
    """Share of events on the most popular 1% of items."""
    cold_items: int
    """Items of the catalogue without an event."""
    users_without_events: int
    """Users of the users table without an event."""
    duplicates: int
    unknown_items: int
    tables: dict[str, TableQuality]
    findings: list[Finding]
    """What is doubtful, as the ingest found it, and about how events spread over users and items."""


def report(lake: Lake, settings: Settings) -> QualityReport:
    """Compute the report, and write it to ``lake/reports/<version>.json`` of the home, where it is looked up next time.

    Event types that the settings declare and no event has are there with 0.
    """
    home, kept = lake.artifact.home, report_path(lake.version)
    if not home.exists(kept):
        home.write_json(kept, _examine(lake, settings).model_dump(mode="json"))
    return read_document(home, kept, QualityReport, "Remove the file; the report is computed again.")


def report_path(lake: str) -> str:
    """Where the report on that version of the lake is kept."""
    return f"lake/reports/{lake}.json"


def _examine(lake: Lake, settings: Settings) -> QualityReport:
    tallies = _tallies(lake)
    per_user, per_item = tallies["user"], tallies["item"]
    # "2011-03-01 purchase": the day, then the event type.
    per_day = _summed((name[:10], rows) for name, rows in tallies["type"].items())
    months = sorted({day[:7] for day in per_day})
    catalogue = set(lake.items()[ITEM_ID].to_pylist())
    known_users = set(lake.users()[USER_ID].to_pylist())
    popularity = np.array([per_item.get(item, 0) for item in catalogue], np.int64)
    metadata, events = lake.artifact.metadata, sum(per_user.values())
    return QualityReport(
        lake=lake.version,
        events=events,
        users=len(per_user),
        items=len(catalogue),
        density=_pairs(lake) / (len(per_user) * len(catalogue)),
        first=lake.first,
        last=lake.last,
        days_with_events=len(per_day),
        events_per_day=quantiles(per_day.values()),
        event_types=dict.fromkeys(settings.data.event_types, 0)
        | _summed((name[11:], rows) for name, rows in tallies["type"].items()),
        events_by_month={
            month: _summed((name[11:], rows) for name, rows in tallies["type"].items() if name[:7] == month)
            for month in months
        },
        nulls={
            "events": {name: rows / events for name, rows in sorted(tallies["null"].items())},
            "users": _null_shares(lake.users()),
            "items": _null_shares(lake.items()),
        },
        history_length=quantiles(per_user.values()),
        popularity_gini=gini(popularity),
        top_percent_share=top_share(popularity, 0.01),
        cold_items=int((popularity == 0).sum()),
        users_without_events=len(known_users - per_user.keys()),
        duplicates=metadata["counts"]["events"]["reasons"].get(DUPLICATE, 0),
        unknown_items=metadata["counts"]["events"]["reasons"].get(UNKNOWN_ITEM, 0),
        tables={name: _table_quality(counts) for name, counts in metadata["counts"].items()},
        findings=[*lake.findings, *concentration(per_user, per_item)],
    )


def quantiles(values: Iterable[int]) -> dict[str, float]:
    """QUANTILES of some counts, by name (`0.5`), by linear interpolation; and their mean."""
    counts = np.fromiter(values, np.float64)
    return {str(q): float(np.quantile(counts, q)) for q in QUANTILES} | {"mean": float(counts.mean())}


def gini(counts: npt.NDArray[np.int64]) -> float:
    """Gini coefficient of non-negative counts, shape (n,), in [0, 1 - 1/n]; 0 when all are alike.

    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    ordered, n = np.sort(counts).astype(np.float64), len(counts)
    total = ordered.sum()
    if total == 0:
        return 0.0
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n)


def top_share(counts: npt.NDArray[np.int64], share: float) -> float:
    """What part of the sum, in [0, 1], the largest ``share`` of the counts (n,) has; at least one count.

    >>> top_share(np.array([1, 1, 2, 4]), 0.25)
    0.5
    """
    top = max(1, round(len(counts) * share))
    return float(np.sort(counts)[-top:].sum() / max(counts.sum(), 1))


def tally(events: pa.Table) -> pa.Table:
    """One batch counted: per user, per item, per day and type, and nulls per column.

    Columns ``kind`` (user, item, type or null), ``name`` and ``rows`` (int64).
    """
    frame = pl.DataFrame(pl.from_arrow(events))
    day_and_type = pl.concat_str(pl.col(EVENT_TIMESTAMP).dt.date().cast(pl.String), EVENT_TYPE, separator=" ")
    names = {"user": pl.col(USER_ID), "item": pl.col(ITEM_ID), "type": day_and_type}
    lines = [
        frame.group_by(name.alias("name")).len("rows").with_columns(kind=pl.lit(kind)) for kind, name in names.items()
    ]
    nulls = frame.null_count().unpivot(variable_name="name", value_name="rows").with_columns(kind=pl.lit("null"))
    return _as_tally(pl.concat([*lines, nulls], how="diagonal_relaxed"))


def add_up(tallies: pa.Table) -> pa.Table:
    """The columns of :func:`tally`: rows of the same kind and name become one, their ``rows`` added."""
    frame = pl.DataFrame(pl.from_arrow(tallies))
    return _as_tally(frame.group_by("kind", "name").agg(pl.col("rows").sum()))


def _events(lake: Lake) -> Dataset:
    return lake.events() if lake.impression is None else lake.events().union(lake.impressions())


def _pairs(lake: Lake) -> int:
    """How many cells of the user x item matrix have an event; a user buys some items again."""

    def pairs(of_users: pa.Table) -> pa.Table:
        return pa.table({"pairs": [pl.DataFrame(pl.from_arrow(of_users)).n_unique() if len(of_users) else 0]})

    by_user = _events(lake).select_columns([USER_ID, ITEM_ID]).repartition(PARTITIONS, keys=[USER_ID])
    counts = by_user.map_batches(pairs, batch_size=None, batch_format="pyarrow")
    return sum(row["pairs"] for row in counts.take_all())


def _tallies(lake: Lake) -> dict[str, dict[str, int]]:
    batches = _events(lake).map_batches(tally, batch_size=None, batch_format="pyarrow")
    added = batches.repartition(PARTITIONS, keys=["name"]).map_batches(add_up, batch_size=None, batch_format="pyarrow")
    found: dict[str, dict[str, int]] = {"user": {}, "item": {}, "type": {}, "null": {}}
    for batch in added.iter_batches(batch_size=None, batch_format="pyarrow"):
        for kind, name, rows in pl.DataFrame(pl.from_arrow(batch)).iter_rows():
            found[kind][name] = rows
    return found


def _as_tally(frame: pl.DataFrame) -> pa.Table:
    return frame.select(_TALLY.names).to_arrow().cast(_TALLY)


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for name, rows in pairs:
        total[name] += rows
    return dict(sorted(total.items()))


def _null_shares(table: pa.Table) -> dict[str, float]:
    return {name: table[name].null_count / max(table.num_rows, 1) for name in table.column_names}


def _table_quality(counts: dict) -> TableQuality:
    declared = sum(rows for reason, rows in counts["reasons"].items() if reason.startswith(FILTER))
    known = ("rows", "accepted", "quarantined", "repeated", "reasons")
    return TableQuality(declared=declared, **{key: counts[key] for key in known if key in counts})
