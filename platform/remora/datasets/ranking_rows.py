"""The ranker's training rows: the candidates that retrieval would have given, with what was known at the instant."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from remora.core.tables import ITEM_ID, TIMESTAMP, USER_ID
from remora.core.vocabulary import ItemCodes, Vocabulary
from remora.datasets.days import by_days, each_day
from remora.datasets.logged_slates import SHOWN
from remora.datasets.queries import LABEL, OUTCOMES
from remora.pipeline import Candidates, Pipeline, PipelineState, Query
from remora.pipeline.candidates import Floats
from remora.ranking.candidate_columns import columns_of_rows

QUERY_ID, INSTANT, PLACE, SAMPLED, HISTORY_EVENTS = "query_id", "instant", "place", "sampled", "history_events"


@dataclass(frozen=True, kw_only=True)
class CandidateRows:
    """Queries in, labelled candidates out; plain objects that pickle, so that Ray Data can run it anywhere.

    ``pipeline_at`` gives the surface as it was at a day's midnight. Of each query every candidate with an outcome stays
    and at most ``negatives`` others, drawn evenly, seeded by the query. (Drawing more of those that retrieval put first
    would teach that its first places are bad ones.) ``easy`` more are drawn from what the surface might have shown and
    retrieval did not find. With ``every_query`` false, queries without an outcome among their candidates give no rows:
    no order can be learned from them. A query with ``shown`` items has those for candidates, in their order, whether
    retrieval finds them or not.
    """

    vocabulary: Vocabulary
    pipeline_at: Callable[[datetime], Pipeline]
    objectives: tuple[str, ...]
    negatives: int
    seed: int
    easy: int = 0
    every_query: bool = False
    surface: str = "home_feed"

    def __call__(self, queries: pa.Table) -> pa.Table:
        """Columns query_id, user_id, item_id, instant, history_events, place (its order in the slate),
        ``label:<objective>``, sampled (how probable it was that a row like this is here), and ``candidate__*``."""
        parts = []
        for midnight, of_day in each_day(queries):
            pipeline = self.pipeline_at(midnight)
            parts += [rows for one in of_day if (rows := self._rows(one, pipeline)) is not None]
        return pa.concat_tables(parts) if parts else self._nothing()

    def _rows(self, query_row: dict[str, Any], pipeline: Pipeline) -> pa.Table | None:
        query = Query(
            request_id=query_row[QUERY_ID],
            surface=self.surface,
            n=1,  # the backfill is no candidate to learn from
            instant=query_row["instant"],
            user_id=query_row[USER_ID],
        )
        hydrated = pipeline.hydrate(query)
        candidates = pipeline.filter(pipeline.retrieve(hydrated)).candidates
        shown = query_row.get(SHOWN)
        rows = candidates.rows if shown is None else self.vocabulary.rows(shown)
        labels = self._labels(query_row, rows)
        if not len(rows) or not (self.every_query or any(column.any() for column in labels.values())):
            return None
        sampled = np.ones(len(rows), np.float32)
        if shown is None:
            rows, sampled = self._sample(hydrated, pipeline, rows, labels)
        n = len(rows)
        return pa.table(
            {
                QUERY_ID: pa.array([query_row[QUERY_ID]] * n, pa.string()),
                USER_ID: pa.array([query_row[USER_ID]] * n, pa.string()),
                ITEM_ID: pa.array(self.vocabulary.to_ids(rows), pa.string()),
                INSTANT: pa.array([query_row["instant"]] * n, TIMESTAMP),
                HISTORY_EVENTS: pa.array([query_row[HISTORY_EVENTS]] * n, pa.int64()),
                PLACE: np.arange(n, dtype=np.int32),
                **self._labels(query_row, rows),
                SAMPLED: sampled,
                **columns_of_rows(candidates, rows),  # before any was left out, as serving will see them
            }
        )

    def _labels(self, query_row: dict[str, Any], rows: ItemCodes) -> dict[str, Floats]:
        """Each objective's label, shape (n,): 0 where nothing followed."""
        labels = {}
        for name in (LABEL + objective for objective in self.objectives):
            known = [(self.vocabulary.row(i), v) for i, v in zip(query_row[OUTCOMES], query_row[name], strict=True)]
            at = {row: value for row, value in known if row is not None}
            labels[name] = np.zeros(len(rows), np.float32)
            for index in np.flatnonzero(np.isin(rows, list(at))):
                labels[name][index] = at[int(rows[index])]
        return labels

    def _sample(
        self, hydrated: PipelineState, pipeline: Pipeline, rows: ItemCodes, labels: dict[str, Floats]
    ) -> tuple[ItemCodes, Floats]:
        """The candidates that stay, in retrieval order, and the easy ones; and with what probability each is there."""
        # By the query's own id, so that the draw is the same however queries are divided among tasks.
        draw = np.random.default_rng([self.seed, zlib.crc32(hydrated.query.request_id.encode())])
        positive = np.any([column > 0 for column in labels.values()], axis=0)
        others = np.flatnonzero(~positive)
        share = min(1.0, self.negatives / max(1, len(others)))
        if share < 1:
            others = draw.choice(others, self.negatives, replace=False)
        keep = np.sort(np.concatenate([np.flatnonzero(positive), others]))
        sampled = np.where(positive[keep], 1.0, share).astype(np.float32)
        if not self.easy:
            return rows[keep], sampled
        # What the surface might have shown and retrieval did not find.
        everything = Candidates.unfound(np.arange(len(self.vocabulary), dtype=np.int32))
        may = pipeline.filter(replace(hydrated, candidates=everything)).candidates.rows
        rest = np.setdiff1d(may, rows, assume_unique=True)
        easy = draw.choice(rest, min(self.easy, len(rest)), replace=False).astype(np.int32)
        share = len(easy) / max(1, len(rest))
        return np.concatenate([rows[keep], easy]), np.append(sampled, np.full(len(easy), share, np.float32))

    def _nothing(self) -> pa.Table:
        empty = pa.table({name: pa.array([], pa.string()) for name in (QUERY_ID, USER_ID, ITEM_ID)})
        empty = empty.append_column(INSTANT, pa.array([], TIMESTAMP))
        empty = empty.append_column(HISTORY_EVENTS, pa.array([], pa.int64()))
        empty = empty.append_column(PLACE, pa.array([], pa.int32()))
        for name in (*(LABEL + o for o in self.objectives), SAMPLED):
            empty = empty.append_column(name, pa.array([], pa.float32()))
        return empty


def ranking_rows(rows: CandidateRows, queries: pa.Table, *, parts: int) -> pa.Table:
    """Run ``rows`` over ``queries`` as one Ray Data pass, whole days together; in order of instant and query."""
    import ray.data

    if not len(queries):
        return rows(queries)
    shared = ray.put(rows)  # of a large catalogue it is a gigabyte, too much for a function
    found = ray.data.from_arrow(by_days(queries, parts)).map_batches(
        lambda queries: ray.get(shared)(queries), batch_format="pyarrow", batch_size=None, zero_copy_batch=True
    )
    tables = [t for t in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not tables:
        return rows(queries.slice(0, 0))
    table = pa.concat_tables(tables, promote_options="default")
    return table.sort_by([(INSTANT, "ascending"), (QUERY_ID, "ascending"), (PLACE, "ascending")])
