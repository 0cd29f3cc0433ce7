"""The windows of the ranker, from the rows that were made for it."""

from __future__ import annotations

from remora.core.artifacts import Artifact
from remora.datasets.labelled_slates import slates_of
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.windows import RankingWindows
from remora.training import ranking_examples


def read_windows(rows: Artifact, lake: Lake) -> RankingWindows:
    """The columns are those that say something in the ranking window."""
    vocabulary = lake.vocabulary()
    train, validation = (
        ranking_examples.read(rows, window) for window in (ranking_examples.TRAIN, ranking_examples.VALIDATION)
    )
    columns = RankerColumns.fit(train.rows)
    return RankingWindows(
        columns=columns,
        train=slates_of(*train, columns, vocabulary),
        validation=slates_of(*validation, columns, vocabulary),
    )
