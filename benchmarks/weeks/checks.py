"""What must hold whatever the models are worth: events once in the lake, features as they were served, no leak."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, KNOWN_TIMESTAMP, USER_ID
from remora.events.tables import FEATURE_INSTANT, SLATES
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.training.ranking import REPORT, ranking_artifacts
from remora.wiring.logged_requests import latest_logged, logged_parity

MOST_REQUESTS = 1_000_000
REQUEST = "request_id"


def lake_events(settings: Settings) -> pl.DataFrame:
    """Ids, users and both times of all events of the lake."""
    lake = Lake.open(Home(settings.home))
    columns = [EVENT_ID, USER_ID, EVENT_TIMESTAMP, KNOWN_TIMESTAMP]
    return pl.concat([pl.DataFrame(table) for table in lake.tables(since=lake.first, columns=columns)])


def exactly_once(settings: Settings, past: Collection[str], accepted: Collection[str]) -> dict[str, int]:
    """Are the events of the lake those of the tables and those that were acknowledged, each once?"""
    found = Counter(lake_events(settings)[EVENT_ID].to_list())
    wanted = {*past, *accepted}
    return {
        "acknowledged": len(accepted),
        "acknowledged_twice": len(accepted) - len({*accepted}),
        "in_lake": found.total(),
        "missing": len(wanted - found.keys()),
        "twice": sum(count > 1 for count in found.values()),
        "unknown": len(found.keys() - wanted),
    }


def slates_once(settings: Settings, requests: Collection[str]) -> dict[str, int]:
    """The same of the slates that were served."""
    home = Home(settings.home)
    files = (read_parquet(home.at(f"{SLATES}/{name}"), [REQUEST], home.filesystem) for name in home.files(SLATES))
    found = Counter(one for table in files for one in table[REQUEST].to_pylist())
    return {
        "served": len(requests),
        "logged": found.total(),
        "missing": len({*requests} - found.keys()),
        "twice": sum(count > 1 for count in found.values()),
    }


def parity_of_requests(settings: Settings, since: datetime) -> dict[str, Any]:
    """The features of requests since then, as they were logged and as they are computed again of the lake; apart those
    of users of whom an event had happened that arrived only later, which serving could not know."""
    lake, store = Lake.open(Home(settings.home)), open_store(settings)
    logged = latest_logged(Home(settings.home), MOST_REQUESTS)
    logged = logged.filter(pc.greater_equal(logged["served_at"], pa.scalar(since, logged["served_at"].type)))
    late = pl.Series(_under_way(lake_events(settings), logged))
    parts = {"": ~late, "event_under_way_": late}
    found: dict[str, Any] = {}
    for name, chosen in parts.items():
        requests = logged.filter(pa.array(chosen.to_list(), pa.bool_()))
        if not len(requests):
            found |= {f"{name}requests": 0, f"{name}differences": []}
            continue
        report = logged_parity(settings, lake, store, requests)
        found |= {
            f"{name}requests": report.requests,
            f"{name}rows": report.rows,
            f"{name}columns": report.columns,
            f"{name}left_out": report.left_out,
            f"{name}differences": [one.model_dump() for one in report.differences],
        }
    return found


def _under_way(events: pl.DataFrame, requests: pa.Table) -> list[bool]:
    """Of each request: had its user done something that the server learned only after it?"""
    late = events.filter(pl.col(KNOWN_TIMESTAMP) > pl.col(EVENT_TIMESTAMP))
    asked = pl.DataFrame(requests.select([REQUEST, USER_ID, FEATURE_INSTANT]))
    hit = asked.join(late, on=USER_ID).filter(
        (pl.col(EVENT_TIMESTAMP) < pl.col(FEATURE_INSTANT)) & (pl.col(KNOWN_TIMESTAMP) > pl.col(FEATURE_INSTANT))
    )
    return asked[REQUEST].is_in(hit[REQUEST].unique().to_list()).to_list()


def suspected_leaks(settings: Settings) -> list[dict[str, Any]]:
    """Features of the current ranker that look as if they knew the future, also those that settings trust."""
    home = Home(settings.home)
    report = json.loads(home.read_bytes(f"{ranking_artifacts(home).current().folder}/{REPORT}"))
    return list(report["leaks"])
