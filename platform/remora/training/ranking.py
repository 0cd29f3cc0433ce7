"""The step that trains the ranker on what retrieval would have found, and makes the artifact `ranking`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from feast import FeatureStore

import remora
from remora.contracts.artifacts import Artifact, Shelf, fingerprint
from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.datasets.cuts import Window, time_cuts
from remora.datasets.queries import queries
from remora.datasets.ranking_rows import LABEL, QUERY_ID, CandidateRows, ranking_rows
from remora.features.offline import historical
from remora.features.point_in_time.receipt import Receipt
from remora.features.replay import ReplayUsers
from remora.features.store import open_store
from remora.features.tables import features_shelf
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.settings import Settings
from remora.training.boosting import METRIC, Groups, boost
from remora.training.progress import Report
from remora.training.retrieval import retrieval_shelf
from remora.training.runs import forget
from remora.training.tracking import tracked
from remora.wiring.moments import Moments, snapshots
from remora.wiring.parts import COLUMNS, TREES, ItemLists, Towers

NAME = "ranking"

log = logging.getLogger(__name__)


def ranking_shelf(home: Home) -> Shelf:
    """Where versions of the ranker are kept."""
    return Shelf(home, NAME, "remora train ranking")


def train(settings: Settings, on_report: Callable[[Report], None] | None = None) -> Artifact:
    """Train on the ranking window, stop early on the validation window; an unchanged version is a look-up.

    ``on_report`` is called with ``round``, ``rounds`` and ``ndcg@10`` of the validation window now and then; the
    default logs a line.
    """
    home = Home(settings.home)
    lake = Lake.open(home)
    retrieval, features = retrieval_shelf(home).current(), features_shelf(home).current()
    name = version(settings, retrieval, features)
    shelf = ranking_shelf(home)
    if (done := shelf.find(name)) is not None:
        shelf.point(name)
        return done
    cuts = time_cuts(settings, lake)
    past = Past(settings=settings, lake=lake, retrieval=retrieval)
    chosen = settings.ranking
    train_rows = past.rows(cuts.ranking, negatives=chosen.negatives_per_query, most=chosen.train_queries)
    held_out = past.rows(cuts.validation, negatives=chosen.validation_negatives, most=chosen.validation_queries)
    columns = RankerColumns.fit(train_rows)
    params = chosen.model_dump() | {"retrieval": retrieval.version, "rows": len(train_rows)}
    with tracked(settings, NAME, name, params) as run:

        def report(values: Report) -> None:
            run.metrics(values, step=values["round"])
            (on_report or _log_rounds)(values)

        boosted = boost(
            chosen, home, name, train=_groups(train_rows, columns), validation=_groups(held_out, columns), report=report
        )
        gain = boosted.booster.get_score(importance_type="total_gain")
        metrics = {
            "rounds": boosted.booster.num_boosted_rounds(),
            f"validation_{METRIC}": max(boosted.history),
            "queries": len(train_rows[QUERY_ID].unique()),
            "rows": len(train_rows),
        }
        run.metrics(metrics)
    draft = shelf.draft(name)
    with tempfile.TemporaryDirectory() as folder:
        boosted.booster.save_model(str(Path(folder) / TREES))
        home.write_bytes(f"{draft.folder}/{TREES}", (Path(folder) / TREES).read_bytes())
    home.write_bytes(f"{draft.folder}/{COLUMNS}", columns.model_dump_json(indent=1).encode())
    importance = {n: gain.get(f"f{place}", 0.0) for place, n in enumerate(columns.names)}
    home.write_json(f"{draft.folder}/importance.json", importance)
    rows = {name: one.model_dump() for name, one in zip(("train", "validation"), past.receipts, strict=True)}
    artifact = shelf.publish(draft, retrieval=retrieval.version, metrics=metrics, run=run.run_id, rows=rows)
    forget(home, NAME, name)
    return artifact


def version(settings: Settings, retrieval: Artifact, features: Artifact) -> str:
    """Fingerprint of everything that the ranker is made from."""
    asked = ("every_events", "queries_per_user", "horizon_days", "snapshots")
    return fingerprint(
        retrieval=retrieval.version,
        features=features.version,
        split=settings.split.model_dump(),
        sources=settings.retrieval.model_dump(),
        surface=settings.surfaces.home_feed.model_dump(),
        queries=settings.evaluation.model_dump(include=set(asked)),
        ranking=settings.ranking.model_dump(),
        code=remora.__version__,
    )


@dataclass(frozen=True, kw_only=True)
class Past:
    """What it takes to make rows of a window as they would have been served."""

    settings: Settings
    lake: Lake
    retrieval: Artifact
    receipts: list[Receipt] = field(default_factory=list)  # of each call of :meth:`rows`

    @cached_property
    def store(self) -> FeatureStore:
        """Where features come from."""
        return open_store(self.settings)

    @cached_property
    def towers(self) -> Towers:
        """What retrieves."""
        return Towers.load(self.retrieval.home.local_copy(self.retrieval.folder))

    def rows(self, window: Window, *, negatives: int, most: int) -> pa.Table:
        """Labelled candidates of at most so many queries, drawn evenly, with their features; queries together."""
        settings, lake = self.settings, self.lake
        asked = queries(settings, lake, window)
        if len(asked) > most:
            draw = np.random.default_rng(settings.ranking.seed)
            asked = asked.take(np.sort(draw.choice(len(asked), most, replace=False)))
        if not len(asked):
            raise DataError(
                f"Nobody wanted anything new between {window.start} and {window.end}: there is nothing to rank. Bring "
                f"more events, change `split`, or lengthen evaluation.horizon_days."
            )
        vocabulary = lake.vocabulary()
        moments = Moments(
            settings=settings,
            towers=self.towers,
            lists=ItemLists.learn(lake, vocabulary, settings, window.start),
            ranker=None,
            snapshots=snapshots(settings, lake, self.store, asked),
        )
        candidates = ranking_rows(
            CandidateRows(
                vocabulary=vocabulary,
                hydrator=ReplayUsers.prepare(self.store, lake, vocabulary, settings, asked),
                pipeline_at=moments.home_feed,
                negatives=negatives,
                seed=settings.ranking.seed,
            ),
            asked,
            parts=settings.features.partitions,
        )
        if not len(candidates):
            raise DataError(
                f"Of {len(asked):,} queries between {window.start} and {window.end}, retrieval found no wanted item. "
                f"Raise retrieval.nearest_limit, or train the retrieval model on more events."
            )
        log.info("%s to %s: %d queries, %d rows", window.start.date(), window.end.date(), len(asked), len(candidates))
        return historical(self.store, candidates, "ranking", noted=self.receipts.append)


def _groups(rows: pa.Table, columns: RankerColumns) -> Groups:
    """A group is a query; its number is its place in time."""
    encoded = rows[QUERY_ID].combine_chunks().dictionary_encode()
    return Groups(
        features=columns.matrix_of(rows),
        labels=rows[LABEL].to_numpy().astype(np.float32),
        groups=np.asarray(encoded.indices).astype(np.int64),
    )


def _log_rounds(values: Report) -> None:
    log.info("round %d of %d: %s on validation %.4f", values["round"], values["rounds"], METRIC, values[METRIC])
