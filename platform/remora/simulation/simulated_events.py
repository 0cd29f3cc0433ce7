"""What users of a world did, as events of Remora's contract; delivered late, twice, or with faults."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import numpy as np
import polars as pl

from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID, VALUE
from remora.events.contract import FIELDS
from remora.simulation.behaviour import Floats, Mask
from remora.simulation.visits import Interactions
from remora.simulation.world import World
from remora.simulation.world_settings import PlantedFault

CLICK, IMPRESSION = "click", "impression"
SURFACE = "home_feed"
READING_SECONDS = 0.5
"""From a place of a slate to the next."""
ZONE_SHIFT = pl.duration(hours=1)
US_PER_DAY = 86_400_000_000
INSTANT = pl.Datetime("us", "UTC")


class SimulatedEvents:
    """Turns interactions into rows: the contract's columns, when each is delivered as ``known_timestamp``.

    A type that is None makes no events. The value of a conversion is its item's price, if ``priced``.
    """

    def __init__(
        self,
        world: World,
        *,
        click: str = CLICK,
        conversion: str | None = None,
        impression: str | None = None,
        priced: bool = True,
    ) -> None:
        self._world, self._priced = world, priced
        self._click, self._impression = click, impression
        self._conversion = conversion
        # One each, so that what is delivered late or wrong changes nothing of what happens.
        self._delays, self._delivery, self._faults = (
            np.random.default_rng([world.settings.seed, 5, n]) for n in range(3)
        )

    def rows(
        self, done: Interactions, requests: list[str], sessions: list[str], surface: str = SURFACE
    ) -> pl.DataFrame:
        """Events of requests (r,) with the names that they and their visits have, sorted by delivery."""
        it = self._world.settings
        seen = done.at[:, None] + np.arange(done.slates.shape[1]) * READING_SECONDS / 86_400
        kinds = [(self._click, done.clicked, seen)]
        if self._impression:
            kinds.insert(0, (self._impression, done.slates >= 0, seen))
        if self._conversion:
            delay = self._delays.exponential(it.conversion_hours / 24, seen.shape)
            kinds.append((self._conversion, done.converts, seen + delay))
        names = np.array(requests, object), np.array(sessions, object)
        parts = [self._of_type(kind, where, at, done, *names) for kind, where, at in kinds]
        return self._delivered(pl.concat(parts).with_columns(surface=pl.lit(surface)))

    def _of_type(
        self, kind: str, where: Mask, at: Floats, done: Interactions, requests: Any, sessions: Any
    ) -> pl.DataFrame:
        row, place = np.nonzero(where)
        world, items = self._world, done.slates[row, place]
        value = world.price[items] if self._priced and kind == self._conversion else np.full(len(row), np.nan)
        rows = pl.DataFrame(
            {
                USER_ID: pl.Series(world.user_ids[done.users[row]].tolist(), dtype=pl.String),
                ITEM_ID: pl.Series(world.item_ids[items].tolist(), dtype=pl.String),
                EVENT_TIMESTAMP: self.instants(at[row, place]),
                VALUE: pl.Series(value).fill_nan(None),
                "session_id": pl.Series(sessions[row].tolist(), dtype=pl.String),
                "request_id": pl.Series(requests[row].tolist(), dtype=pl.String),
                "position": (place + 1).astype(np.int64),
                "propensity": done.propensities[row, place],
            }
        )
        named = pl.concat_str(pl.col("request_id"), pl.lit("-"), pl.col("position"), pl.lit(f"-{kind}"))
        return rows.with_columns(named.alias(EVENT_ID), pl.lit(kind).alias(EVENT_TYPE))

    def instants(self, days: Floats) -> pl.Series:
        """Times of the world (k,) as instants."""
        start = datetime.combine(self._world.settings.start, time(), UTC)
        micros = int(start.timestamp() * 1e6) + np.rint(days * US_PER_DAY).astype(np.int64)
        return pl.Series(micros).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

    def _delivered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Faulty, late and twice, as the settings say."""
        it, draw = self._world.settings, self._delivery
        for fault in it.faults:
            rows = self._with_fault(rows, fault)
        late = draw.random(rows.height) < it.late_fraction
        lateness = np.where(late, draw.exponential(it.late_hours / 24, rows.height) * US_PER_DAY, 0).astype(np.int64)
        known = pl.col(EVENT_TIMESTAMP) + pl.Series(lateness).cast(pl.Duration("us"))
        rows = rows.with_columns(known.alias(KNOWN_TIMESTAMP))
        again = rows.filter(pl.Series(draw.random(rows.height) < it.duplicate_fraction, dtype=pl.Boolean))
        later = pl.Series(draw.exponential(60e6, again.height).astype(np.int64)).cast(pl.Duration("us"))
        again = again.with_columns(pl.col(KNOWN_TIMESTAMP) + later)
        return pl.concat([rows, again]).sort(KNOWN_TIMESTAMP, EVENT_ID)

    def _with_fault(self, rows: pl.DataFrame, fault: PlantedFault) -> pl.DataFrame:
        begins = self.instants(np.array([fault.from_day]))[0]
        drawn = pl.Series(self._faults.random(rows.height) < fault.fraction, dtype=pl.Boolean)
        hit = drawn & (rows[EVENT_TIMESTAMP] >= begins)
        if fault.kind == "column":
            return rows.with_columns(pl.when(hit).then(None).otherwise(pl.col(VALUE)).alias(VALUE))
        if fault.kind == "time":
            ahead = pl.col(EVENT_TIMESTAMP) + ZONE_SHIFT
            return rows.with_columns(pl.when(hit).then(ahead).otherwise(pl.col(EVENT_TIMESTAMP)).alias(EVENT_TIMESTAMP))
        return pl.concat([rows, rows.filter(hit).with_columns(pl.col(EVENT_ID) + "-again")])


def as_json(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as ``POST /v1/events`` takes them; what they lack is left out."""
    names = [name for name in rows.columns if name in FIELDS]
    times = pl.col(EVENT_TIMESTAMP).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    found = rows.select(names).with_columns(times).to_dicts()
    return [{name: value for name, value in row.items() if value is not None} for row in found]
