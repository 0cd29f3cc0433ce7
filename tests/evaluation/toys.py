"""A small world that is known to the last item: twelve items, users who want the items of one parity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from remora.core.errors import NotReady
from remora.core.tables import TIMESTAMP
from remora.core.vocabulary import Vocabulary
from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics import metrics_at
from remora.evaluation.replay import Replay, ReplayState
from remora.pipeline import Candidates, Pipeline, Query, Retrieved, Scores
from remora.pipeline.runner import named
from remora.settings import EvaluationSettings

ITEMS = 12
START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = EvaluationSettings(cutoffs=(2, 5), bootstrap_samples=200, new_user_events=2, heavy_user_events=10)
VOCABULARY = Vocabulary([f"item-{n:02}" for n in range(ITEMS)])
CATALOGUE = ItemStatistics(
    popularity=np.arange(ITEMS, 0, -1).astype(float), categories=(np.arange(ITEMS, dtype=np.int32) % 3)[:, None]
)


class Everything:
    """The whole catalogue, most popular first."""

    def find(self, query: Query) -> Retrieved:
        return self.page(query, 0, ITEMS)

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        return Retrieved(
            np.arange(ITEMS, dtype=np.int32)[start:stop], np.arange(ITEMS, 0, -1).astype(np.float32)[start:stop]
        )


class Broken:
    """A source that is never there."""

    def find(self, query: Query) -> Retrieved:
        raise NotReady("the index is not built")


class KnowsParity:
    """Likes what has the parity that the user likes."""

    def score(self, query: Query, candidates: Candidates) -> Scores:
        return (candidates.rows % 2 == query.user["parity"]).astype(np.float32)


class Parities:
    """Users with an even number want even items."""

    def hydrate(self, query: Query) -> Query:
        assert query.user_id is not None
        return replace(query, user_found=True, user={"parity": int(query.user_id[1:]) % 2})


@dataclass(frozen=True)
class Days:
    """Items grow older: each has ten events more a day than the one after it, and none on the first day."""

    def __call__(self, day: datetime) -> ReplayState:
        age = (day - START.replace(hour=0)).days
        pipelines = {
            "popularity": Pipeline(hydrators=named(Parities()), sources=named(Everything())),
            "surface": Pipeline(
                hydrators=named(Parities()), sources=named(Everything(), Broken()), scorer=KnowsParity()
            ),
        }
        return ReplayState(pipelines=pipelines, item_events=np.arange(ITEMS, 0, -1) * age)


def replay() -> Replay:
    return Replay(
        vocabulary=VOCABULARY,
        moment_at=Days(),
        metrics=metrics_at(SETTINGS.cutoffs, CATALOGUE, SETTINGS.metrics),
        settings=SETTINGS,
    )


def queries(days: int = 4, users: Sequence[int] = range(10)) -> pa.Table:
    """Each user asks once a day and continues to want two items of the parity."""
    random = np.random.default_rng(7)
    rows = []
    for day in range(days):
        for user in users:
            wanted = 2 * random.choice(ITEMS // 2, 2, replace=False) + user % 2
            rows.append(
                {
                    "query_id": f"u{user}@{day}",
                    "user_id": f"u{user}",
                    "instant": START + timedelta(days=day, hours=user),
                    "targets": VOCABULARY.to_ids(wanted),
                    "weights": [1.0, 0.5],
                    "history_events": day * 6,
                }
            )
    schema = pa.schema(
        {
            "query_id": pa.string(),
            "user_id": pa.string(),
            "instant": TIMESTAMP,
            "targets": pa.list_(pa.string()),
            "weights": pa.list_(pa.float64()),
            "history_events": pa.int64(),
        }
    )
    return pa.Table.from_pylist(rows, schema)
