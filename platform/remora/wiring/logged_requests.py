"""Requests whose features were logged, and the same features computed again: users as the offline store has them at the
request's instant, items as in the snapshot of the bundle that answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.errors import NotFound
from remora.core.home import Home
from remora.core.tables import ITEM_ID, USER_ID
from remora.events.collected_slates import slates_with_features
from remora.events.tables import FEATURE_INSTANT, FEATURE_SCHEMA, FEATURES, SLATE
from remora.features.hydrators.user_features import USER_STORE
from remora.features.logged_parity import ComparedRows, LoggedParityReport
from remora.features.offline import INSTANT
from remora.features.parity import ParityDifference
from remora.features.replay import ReplayUsers
from remora.ingest.lake import Lake
from remora.pipeline import Candidates, Query
from remora.pipeline.degradation import code_of
from remora.ranking.scorer import ObjectiveScorer
from remora.registry.store import BundleStore
from remora.settings import Settings
from remora.wiring.bundle_contents import BundleContents

if TYPE_CHECKING:
    from feast import FeatureStore

COLUMNS = ("request_id", "served_at", USER_ID, "surface", "bundle", "items", "degraded", FEATURE_SCHEMA,
           FEATURE_INSTANT, FEATURES)  # fmt: skip
CANDIDATE = "candidate__"
"""Before the names of columns that retrieval made of the request: no store has them."""

BUNDLE_GONE = "the bundle that answered was removed"
OTHER_SCHEMA = "its features have another schema than the bundle that it names"
WITHOUT_USER = "the store of users did not answer"


def latest_logged(home: Home, most: int) -> pa.Table:
    """The last ``most`` requests whose features were logged and collected, in order of time: :data:`COLUMNS`."""
    empty = pa.schema([SLATE.field(name) for name in COLUMNS]).empty_table()
    found = pa.concat_tables([empty, *slates_with_features(home, COLUMNS)]).sort_by([("served_at", "ascending")])
    return found.slice(max(0, len(found) - most))


def logged_parity(settings: Settings, lake: Lake, store: FeatureStore, requests: pa.Table) -> LoggedParityReport:
    """Compute the features of ``requests`` (:data:`COLUMNS`) again and compare, all columns but those of candidates.

    One point-in-time join. Needs a Ray cluster.
    """
    counts, named = Counter[str](), requests.filter(requests[USER_ID].is_valid())
    entity_rows = pa.table({USER_ID: named[USER_ID], INSTANT: named[FEATURE_INSTANT]})
    users = ReplayUsers.prepare(store, lake, lake.vocabulary(), settings, entity_rows)
    compared: list[ComparedRows] = []
    differences: list[ParityDifference] = []
    for bundle in pc.unique(requests["bundle"]).to_pylist():
        of_bundle = requests.filter(pc.equal(requests["bundle"], bundle))
        try:
            contents = BundleContents.load(BundleStore(Home(settings.home)).read(bundle), settings)
        except NotFound:
            counts[BUNDLE_GONE] += len(of_bundle)
            continue
        rows = _compared(contents, of_bundle, users, counts)
        compared.append(rows)
        differences += rows.differences()
    return LoggedParityReport(
        requests=len(requests) - counts.total(),
        rows=sum(len(rows.keys) for rows in compared),
        columns=len({name for rows in compared for name in rows.names}),
        left_out=dict(counts),
        differences=tuple(differences),
    )


def _compared(contents: BundleContents, requests: pa.Table, users: ReplayUsers, counts: Counter[str]) -> ComparedRows:
    """The rows of one bundle's requests, logged and computed again."""
    scorer = contents.context.scorer
    assert isinstance(scorer, ObjectiveScorer)
    columns = scorer.ranker.columns
    keep = [index for index, name in enumerate(columns.names) if not name.startswith(CANDIDATE)]
    keys, logged, recomputed = [], [np.empty((0, len(keep)), np.float32)], [np.empty((0, len(keep)), np.float32)]
    for request in _usable(requests, columns.schema_hash, counts):
        items = [item[ITEM_ID] for item in request["items"]][: len(request[FEATURES])]
        query = Query(
            request_id=request["request_id"],
            surface=request["surface"],
            n=len(items),
            instant=request[FEATURE_INSTANT].astimezone(UTC),
            user_id=request[USER_ID],
        )
        batch = scorer.batch(users.hydrate(query), Candidates.unfound(contents.snapshot.vocabulary.rows(items)))
        keys += [f"item {item} of request {query.request_id}" for item in items]
        logged.append(np.array(request[FEATURES], np.float32).reshape(len(items), -1)[:, keep])
        recomputed.append(batch.features[:, keep])
    return ComparedRows(
        names=[columns.names[index] for index in keep],
        categories=[columns.columns[index].categories for index in keep],
        keys=keys,
        logged=np.concatenate(logged),
        recomputed=np.concatenate(recomputed),
    )


def _usable(requests: pa.Table, schema: str, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """Those that were served with all that the bundle reads."""
    for request in requests.to_pylist():
        if request[FEATURE_SCHEMA] != schema:
            counts[OTHER_SCHEMA] += 1
        elif USER_STORE in map(code_of, request["degraded"]):
            counts[WITHOUT_USER] += 1
        else:
            yield request
