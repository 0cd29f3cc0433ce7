"""Are features the same in serving and in training? What serves is read back and computed again offline, as of then."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from remora.core.home import Home
from remora.core.tables import ITEM_ID, TIMESTAMP, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.features.offline import INSTANT, historical
from remora.features.online import HISTORY, SEEN
from remora.features.replay import ReplayUsers
from remora.features.services import user_features
from remora.features.snapshot import ItemSnapshot
from remora.features.tables import FeatureTables
from remora.ingest.lake import Lake
from remora.pipeline import Query
from remora.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

MOST_USERS = 200
BATCH = 50
QUARTER_HOUR, HALF_DAY_AND_MORE = 900.0, 14 * 3600.0
SAME = 1e-6
"""Relative: what a float32 cannot hold is no difference."""


class ParityDifference(BaseModel):
    """A column whose served values are not those that are computed offline. ``likely_cause`` is a guess at why."""

    model_config = ConfigDict(frozen=True)

    column: str
    rows: int
    example: str
    served: str
    recomputed: str
    likely_cause: str


class ParityReport(BaseModel):
    """What was compared, and what differs."""

    model_config = ConfigDict(frozen=True)

    users: int
    users_at: str
    items: int
    items_at: str
    columns: int
    differences: tuple[ParityDifference, ...]


@dataclass(frozen=True, eq=False)
class ServedFeatures:
    """Rows as they serve: ``users`` from the online store, with ``user_id``; ``items`` from the snapshot."""

    users: pa.Table
    users_at: datetime
    snapshot: ItemSnapshot


def served(
    settings: Settings, store: FeatureStore, snapshot: ItemSnapshot, most_users: int = MOST_USERS
) -> ServedFeatures:
    """What serves now: some users, spread evenly over all, and every item of ``snapshot``."""
    tables = FeatureTables.open(Home(settings.home))
    names = tables.some_users(most_users)
    features = user_features(store)
    columns: dict[str, list[Any]] = {}
    for start in range(0, len(names), BATCH):
        rows = [{USER_ID: name} for name in names[start : start + BATCH]]
        answer = store.get_online_features(features=features, entity_rows=rows, full_feature_names=True).to_dict()
        for name, values in answer.items():
            columns.setdefault(name, []).extend(values)
    end = datetime.fromisoformat(tables.artifact.metadata["end"])
    return ServedFeatures(pa.table({name: pa.array(values) for name, values in columns.items()}), end, snapshot)


def parity(
    settings: Settings, lake: Lake, store: FeatureStore, found: ServedFeatures, max_items: int | None = None
) -> ParityReport:
    """Compare what serves with what the offline store and the events say of the same instant, column by column.

    Of the items at most so many are compared, spread evenly over all.
    """
    shown = _some_items(found.snapshot, max_items or len(found.snapshot.vocabulary))
    items = ItemSnapshot.take(store, lake, shown.vocabulary, settings, shown.instant).table
    users = _users(settings, lake, store, found)
    differences = [
        *differing(found.users, users, USER_ID, same_type=_same_kind),
        *differing(shown.table, items, ITEM_ID, same_type=operator.eq),
    ]
    return ParityReport(
        users=len(users),
        users_at=found.users_at.isoformat(),
        items=len(items),
        items_at=shown.instant.isoformat(),
        columns=users.num_columns + items.num_columns - 2,
        differences=tuple(differences),
    )


def differing(
    served: pa.Table, recomputed: pa.Table, key: str, *, same_type: Callable[[pa.DataType, pa.DataType], bool]
) -> list[ParityDifference]:
    """Columns of two tables with the same rows in the same order that do not agree; a null is a NaN."""
    found = []
    for name in dict.fromkeys([*served.column_names, *recomputed.column_names]):
        if name == key:
            continue
        if name not in served.column_names or name not in recomputed.column_names:
            absent = "served" if name not in served.column_names else "offline"
            found.append(_missing(name, len(recomputed), absent))
            continue
        one, other = served[name], recomputed[name]
        if not same_type(one.type, other.type):
            found.append(_of_type(name, len(recomputed), one.type, other.type))
            continue
        left, right = (_plain(column) for column in (one, other))
        indices = [n for n, (a, b) in enumerate(zip(left, right, strict=True)) if not _same(a, b)]
        if indices:
            pairs = [(left[n], right[n]) for n in indices]
            found.append(
                ParityDifference(
                    column=name,
                    rows=len(indices),
                    example=str(recomputed[key][indices[0]].as_py()),
                    served=str(pairs[0][0]),
                    recomputed=str(pairs[0][1]),
                    likely_cause=likely_cause(pairs),
                )
            )
    return found


def likely_cause(pairs: Sequence[tuple[Any, Any]]) -> str:
    """A guess at why served values differ from recomputed ones.

    >>> likely_cause([(1000.0, 1.0), (2500.0, 2.5)]), likely_cause([(0.0, None), (0.0, None)])
    ('a unit: served is 1000 times as much', 'a default for missing: served is 0.0 where offline has nothing')
    >>> likely_cause([(7200.0, 3600.0), (9000.0, 5400.0)]), likely_cause([(3.0, 4.0), (7.0, 7.5)])
    ('a time zone: served is 3600 s later', 'values, as of another window or instant')
    """
    for which, (absent, present) in {"offline": (1, 0), "served": (0, 1)}.items():
        if all(pair[absent] is None and pair[present] is not None for pair in pairs):
            values = {str(pair[present]) for pair in pairs}
            if len(values) == 1:
                other = "served" if which == "offline" else "offline"
                return f"a default for missing: {other} is {values.pop()} where {which} has nothing"
            return f"missing {'offline' if which == 'offline' else 'in serving'}"
    numbers = [(a, b) for a, b in pairs if isinstance(a, int | float) and isinstance(b, int | float)]
    if len(numbers) == len(pairs) and len(pairs) > 1:
        shifts = {round(a - b, 3) for a, b in numbers}
        if len(shifts) == 1 and (shift := shifts.pop()) % QUARTER_HOUR == 0 and abs(shift) <= HALF_DAY_AND_MORE:
            return f"a time zone: served is {abs(shift):.0f} s {'later' if shift > 0 else 'earlier'}"
        ratios = [a / b for a, b in numbers if b]
        if len(ratios) == len(numbers) and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
            return f"a unit: served is {ratios[0]:.6g} times as much"
    return "values, as of another window or instant"


def _some_items(snapshot: ItemSnapshot, most: int) -> ItemSnapshot:
    n = len(snapshot.vocabulary)
    if most >= n:
        return snapshot
    table = snapshot.table.take(np.unique(np.linspace(0, n - 1, most).astype(int)))
    return replace(snapshot, vocabulary=Vocabulary(table[ITEM_ID]), table=table)


def _users(settings: Settings, lake: Lake, store: FeatureStore, found: ServedFeatures) -> pa.Table:
    """The same users, offline: their views at the instant, and their histories from the events."""
    n = len(found.users)
    entity_rows = pa.table({USER_ID: found.users[USER_ID], INSTANT: pa.array([found.users_at] * n, TIMESTAMP)})
    table = historical(store, entity_rows, "user").drop_columns([INSTANT])
    vocabulary = lake.vocabulary()  # that of the snapshot may be of an earlier lake
    replayed = ReplayUsers.prepare(store, lake, vocabulary, settings, entity_rows)
    queries = [
        replayed.hydrate(Query(request_id=user, surface="parity", n=1, instant=found.users_at, user_id=user))
        for user in entity_rows[USER_ID].to_pylist()
    ]
    kinds = pa.list_(pa.string())
    for name, rows in ((HISTORY, [q.history for q in queries]), (SEEN, [q.seen for q in queries])):
        table = table.append_column(name, pa.array([vocabulary.to_ids(one) for one in rows], kinds))
    return table


def _same_kind(one: pa.DataType, other: pa.DataType) -> bool:
    """The online store answers in Python's types, which have one width."""
    return _kind(one) == _kind(other) or "nothing" in (_kind(one), _kind(other))


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {_kind(kind.value_type)}"
    tests = {
        "nothing": pa.types.is_null,
        "truth": pa.types.is_boolean,
        "whole number": pa.types.is_integer,
        "number": pa.types.is_floating,
        "time": pa.types.is_timestamp,
    }
    return next((name for name, test in tests.items() if test(kind)), "text")


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Python values; instants as seconds since 1970, so that a shift can be seen."""
    if pa.types.is_timestamp(column.type):
        return [None if v is None else v / 1e6 for v in column.cast(TIMESTAMP).cast(pa.int64()).to_pylist()]
    return [None if isinstance(v, float) and math.isnan(v) else v for v in column.to_pylist()]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=SAME)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _missing(name: str, rows: int, absent: str) -> ParityDifference:
    return ParityDifference(
        column=name,
        rows=rows,
        example="",
        served="no such column" if absent == "served" else "a column",
        recomputed="no such column" if absent == "offline" else "a column",
        likely_cause="another version of the features: materialize, or build the bundle, again",
    )


def _of_type(name: str, rows: int, one: pa.DataType, other: pa.DataType) -> ParityDifference:
    return ParityDifference(
        column=name,
        rows=rows,
        example="",
        served=str(one),
        recomputed=str(other),
        likely_cause="a type",
    )
