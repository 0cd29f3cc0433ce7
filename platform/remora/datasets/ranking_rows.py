"""The ranker's training rows: the candidates that retrieval would have given, with what was known at the instant."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from remora.contracts.tables import ITEM_ID, TIMESTAMP, USER_ID
from remora.contracts.vocabulary import Vocabulary
from remora.datasets.days import by_days, each_day
from remora.pipeline import Candidates, Hydrator, Pipeline, Query
from remora.ranking.candidate_columns import candidate_columns

QUERY_ID, INSTANT, LABEL = "query_id", "instant", "label"


@dataclass(frozen=True, kw_only=True)
class CandidateRows:
    """Queries in, labelled candidates out; plain objects that pickle, so that Ray Data can run it anywhere.

    ``pipeline_at`` gives the surface as it was at a day's midnight. Of each query every wanted candidate stays and at
    most ``negatives`` others, drawn evenly, seeded by the query. (Drawing more of those that retrieval put first would
    teach that its first places are bad ones.) Queries without a wanted candidate teach nothing and give no rows.
    """

    vocabulary: Vocabulary
    hydrator: Hydrator
    pipeline_at: Callable[[datetime], Pipeline]
    negatives: int
    seed: int
    surface: str = "home_feed"

    def __call__(self, queries: pa.Table) -> pa.Table:
        """Columns query_id, user_id, item_id, instant, label and ``candidate__*``."""
        parts = []
        for midnight, asked in each_day(queries):
            pipeline = self.pipeline_at(midnight)
            parts += [rows for one in asked if (rows := self._rows(one, pipeline)) is not None]
        return pa.concat_tables(parts) if parts else self._nothing(queries)

    def _rows(self, asked: dict[str, Any], pipeline: Pipeline) -> pa.Table | None:
        query = self.hydrator.hydrate(
            Query(
                request_id=asked[QUERY_ID],
                surface=self.surface,
                n=1,  # the backfill is no candidate to learn from
                instant=asked["instant"],
                user_id=asked[USER_ID],
            )
        )
        candidates = pipeline.filter(query, pipeline.retrieve(query)).candidates
        labels = self._labels(asked, candidates)
        if not labels.any():
            return None
        keep = self._sample(asked[QUERY_ID], labels)
        columns = {name: values[keep] for name, values in candidate_columns(candidates).items()}
        n = len(keep)
        return pa.table(
            {
                QUERY_ID: pa.array([asked[QUERY_ID]] * n, pa.string()),
                USER_ID: pa.array([asked[USER_ID]] * n, pa.string()),
                ITEM_ID: pa.array(self.vocabulary.to_ids(candidates.rows[keep]), pa.string()),
                INSTANT: pa.array([asked["instant"]] * n, TIMESTAMP),
                LABEL: labels[keep],
                **columns,
            }
        )

    def _labels(self, asked: dict[str, Any], candidates: Candidates) -> np.ndarray:
        """Weight of each candidate among the targets, 0 where it is none; shape (n,) float32."""
        known = [(self.vocabulary.row(t), w) for t, w in zip(asked["targets"], asked["weights"], strict=True)]
        gains = {row: weight for row, weight in known if row is not None}
        labels = np.zeros(len(candidates), np.float32)
        for place in np.flatnonzero(np.isin(candidates.rows, list(gains))):
            labels[place] = gains[int(candidates.rows[place])]
        return labels

    def _sample(self, query_id: str, labels: np.ndarray) -> np.ndarray:
        """Positions of the candidates that stay, in retrieval order."""
        others = np.flatnonzero(labels == 0)
        if len(others) > self.negatives:
            draw = np.random.default_rng([self.seed, zlib.crc32(query_id.encode())])
            others = draw.choice(others, self.negatives, replace=False)
        return np.sort(np.concatenate([np.flatnonzero(labels > 0), others]))

    def _nothing(self, queries: pa.Table) -> pa.Table:
        empty = pa.table({name: pa.array([], pa.string()) for name in (QUERY_ID, USER_ID, ITEM_ID)})
        return empty.append_column(INSTANT, pa.array([], TIMESTAMP)).append_column(LABEL, pa.array([], pa.float32()))


def ranking_rows(rows: CandidateRows, queries: pa.Table, *, parts: int) -> pa.Table:
    """Run ``rows`` over ``queries`` as one Ray Data pass, whole days together; in order of instant and query."""
    import ray.data

    if not len(queries):
        return rows(queries)
    found = ray.data.from_arrow(by_days(queries, parts)).map_batches(
        rows, batch_format="pyarrow", batch_size=None, zero_copy_batch=True
    )
    tables = [t for t in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not tables:
        return rows(queries.slice(0, 0))
    table = pa.concat_tables(tables, promote_options="default")
    return table.sort_by([(INSTANT, "ascending"), (QUERY_ID, "ascending"), ("candidate__place", "ascending")])
