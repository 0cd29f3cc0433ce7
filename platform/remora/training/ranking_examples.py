"""The step that makes the ranker's rows: slates as retrieval would have given them, with what was known then.

The artifact `slates` is named by all that the rows depend on, so that trying other models makes none again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from feast import FeatureStore
from pydantic import TypeAdapter

from remora.core.artifacts import Artifact
from remora.core.errors import DataError
from remora.core.parquet import read_parquet, write_parquet
from remora.core.tables import USER_ID
from remora.datasets.logged_features import LOGGED_BUNDLE, with_logged_features
from remora.datasets.logged_slates import logged_slates
from remora.datasets.queries import queries
from remora.datasets.ranking_rows import INSTANT, CandidateRows, ranking_rows
from remora.datasets.splits import Window, time_split
from remora.features.offline import historical
from remora.features.point_in_time.join_report import JoinReport
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import RETRIEVAL, SLATES
from remora.training import retrieval_models
from remora.training.unfound import why_unfound, without_target
from remora.wiring.bundle_columns import columns_of_bundles
from remora.wiring.replay_window import ReplayWindow

TRAIN, VALIDATION = "train", "validation"
BUNDLES = "logged_by.json"
"""File of the artifact: the columns of each bundle that logged features of these rows, by its id."""

log = logging.getLogger(__name__)


class RankingExamples(NamedTuple):
    """Rows of candidates with features, and the histories (user_id, instant, history of item rows) of their users.

    With ``ranking.candidates: logged`` rows also have the columns of :mod:`remora.datasets.logged_features`.
    """

    rows: pa.Table
    histories: pa.Table


@builds(SLATES, first=retrieval_models.train)
def make(build: Build) -> dict[str, Any]:
    """The rows of the ranking window and of the validation window; unchanged inputs reuse them.

    Of the ranking window only queries whose candidates led to something; of the validation window all, for it is where
    probabilities are calibrated.
    """
    settings, lake = build.settings, Lake.open(build.home)
    split, chosen = time_split(settings, lake), settings.ranking
    past = ExampleBuilder(settings=settings, lake=lake, retrieval=build.inputs[RETRIEVAL.artifact])
    windows = {
        TRAIN: past.slates(split.ranking, negatives=chosen.negatives_per_query, most=chosen.train_queries),
        VALIDATION: past.slates(
            split.validation, negatives=chosen.validation_negatives, most=chosen.validation_queries, every_query=True
        ),
    }
    for window, found in windows.items():
        for part, table in found._asdict().items():
            write_parquet(table, build.staging.at(f"{window}_{part}.parquet"), build.home.filesystem)
    served = {bundle for found in windows.values() for bundle in _bundles(found.rows)}
    known = {id: columns.model_dump() for id, columns in columns_of_bundles(settings, served).items()}
    build.home.write_bytes(f"{build.staging.folder}/{BUNDLES}", json.dumps(known).encode())
    reports = {window: one.model_dump() for window, one in zip(windows, past.reports, strict=True)}
    return {"rows": reports}


def read_bundles(artifact: Artifact) -> dict[str, RankerColumns]:
    """The columns of the bundles that logged features of the rows, by id; of bundles that were there."""
    if BUNDLES not in artifact.metadata["files"]:  # made when none were logged yet
        return {}
    return TypeAdapter(dict[str, RankerColumns]).validate_json(artifact.read_bytes(BUNDLES))


def read(artifact: Artifact, window: str) -> RankingExamples:
    """What :func:`make` wrote of one window."""
    tables = {
        part: read_parquet(artifact.at(f"{window}_{part}.parquet"), filesystem=artifact.home.filesystem)
        for part in RankingExamples._fields
    }
    return RankingExamples(**tables)


@dataclass(frozen=True, kw_only=True)
class ExampleBuilder:
    """What it takes to make rows of a window as they would have been served."""

    settings: Settings
    lake: Lake
    retrieval: Artifact
    reports: list[JoinReport] = field(default_factory=list)  # of each call of :meth:`slates`

    @cached_property
    def store(self) -> FeatureStore:
        """Where features come from."""
        return open_store(self.settings)

    @cached_property
    def towers(self) -> Towers:
        """What retrieves."""
        folder = self.retrieval.home.local_copy(self.retrieval.folder)
        return Towers.load(folder, self.settings.retrieval.history_encoder)

    def slates(self, window: Window, *, negatives: int, most: int, every_query: bool = False) -> RankingExamples:
        """Labelled candidates of at most so many queries, drawn evenly, with their features; queries together.

        ``every_query``: those that led to nothing too, as serving will meet them, and no easy negatives.
        DataError when the window has no such query, or retrieval found no outcome of any.
        """
        settings, lake = self.settings, self.lake
        objectives = settings.objectives
        source = queries if settings.ranking.candidates == "retrieved" else logged_slates
        query_rows = source(settings, lake, window, objectives=objectives, include_unlabelled=every_query)
        if len(query_rows) > most:
            draw = np.random.default_rng(settings.ranking.seed)
            query_rows = query_rows.take(np.sort(draw.choice(len(query_rows), most, replace=False)))
        if not len(query_rows):
            raise DataError(without_target(settings, window))
        past = ReplayWindow.prepare(settings, lake, self.store, window, query_rows, lake.vocabulary())
        candidates = ranking_rows(
            CandidateRows(
                vocabulary=past.vocabulary,
                pipeline_at=past.moments(self.towers, None).pipeline,
                objectives=tuple(objectives),
                negatives=negatives,
                easy=0 if every_query else settings.ranking.easy_negatives_per_query,
                every_query=every_query,
                seed=settings.ranking.seed,
            ),
            query_rows,
            parts=settings.features.partitions,
        )
        if not len(candidates):
            raise DataError(
                f"Of {len(query_rows):,} queries between {window.start} and {window.end}, retrieval found no positive "
                f"item. {why_unfound(query_rows, lake.items())}"
            )
        log.info(
            "%s to %s: %d queries, %d rows", window.start.date(), window.end.date(), len(query_rows), len(candidates)
        )
        rows = historical(self.store, candidates, "ranking", on_report=self.reports.append)
        if settings.ranking.candidates == "logged":
            rows = with_logged_features(lake.artifact.home, rows)
        return RankingExamples(rows, past.users.table.select([USER_ID, INSTANT, "history"]))


def _bundles(rows: pa.Table) -> list[str]:
    """Those that logged features of some row."""
    if LOGGED_BUNDLE not in rows.column_names:
        return []
    found: list[str] = rows[LOGGED_BUNDLE].drop_null().unique().to_pylist()
    return found
