"""The windows of the ranker, from the rows that were made for it."""

from __future__ import annotations

from remora.core.artifacts import Artifact
from remora.datasets.labelled_slates import slates_of
from remora.datasets.logged_features import as_logged
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.windows import RankingWindows
from remora.training import ranking_examples


def read_windows(rows: Artifact, lake: Lake) -> RankingWindows:
    """The columns are those that say something in the ranking window, as the join has its rows; where features were
    logged at serving with the schema of these columns, the rows have what was logged."""
    vocabulary, by_bundle = lake.vocabulary(), ranking_examples.read_bundles(rows)
    examples = {
        window: ranking_examples.read(rows, window) for window in (ranking_examples.TRAIN, ranking_examples.VALIDATION)
    }
    columns = RankerColumns.fit(examples[ranking_examples.TRAIN].rows)
    found = {
        window: as_logged(slates_of(*one, columns, vocabulary), one.rows, columns, by_bundle)
        for window, one in examples.items()
    }
    return RankingWindows(
        columns=columns,
        train=found[ranking_examples.TRAIN][0],
        validation=found[ranking_examples.VALIDATION][0],
        origins={window: origins for window, (_, origins) in found.items()},
    )
