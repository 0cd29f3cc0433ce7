"""What live state gains over state frozen at midnight, NDCG@10: python -m benchmarks.live_gain (after `make demo`).

The test window is replayed by the models of the home, several queries of a user a day, each judged by what the user
wanted next. The same queries are asked three times: with the user as of the query's instant, as of the midnight (UTC)
before it, and as of midnight with the items seen since then hidden. Differences are paired, with intervals over users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from benchmarks.command import Note, carried_out, common_options
from rich.console import Console
from rich.table import Table

from remora.core.home import Home
from remora.datasets.queries import queries, sampled
from remora.datasets.splits import time_split
from remora.evaluation.accumulator import Column, ReplaySums
from remora.evaluation.bootstrap import Bootstrap, Interval
from remora.evaluation.metrics.chosen import metrics_at
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.replay import ReplayState
from remora.evaluation.segments import SEGMENTS
from remora.features.replay import ReplayUsers
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.pipeline import Hydrator, Query
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import Settings, load
from remora.steps.path import MERGE
from remora.training.merge import read_weights
from remora.training.ranking import ranking_artifacts
from remora.training.retrieval import retrieval_artifacts
from remora.wiring.cluster import connect
from remora.wiring.replay_state import ReplayStates
from remora.wiring.replay_window import ReplayWindow

LIVE, FROZEN, HIDDEN = "live", "frozen at midnight", "frozen, what was seen since is hidden"
METRICS = ("ndcg", "recall")
CUTOFF = 10


@dataclass(frozen=True)
class UsersAtMidnight:
    """Who the user was at the midnight before the query; with ``hide_seen``, what was seen since is known too."""

    users: ReplayUsers
    hide_seen: bool = False

    def hydrate(self, query: Query) -> Query:
        """The query with the user of midnight."""
        then = self.users.hydrate(replace(query, instant=midnight(query.instant)))
        found = replace(then, instant=query.instant)
        return replace(found, seen=self.users.hydrate(query).seen) if self.hide_seen else found


@dataclass(frozen=True)
class Arms:
    """The surface with each of the states; pickles."""

    moments: ReplayStates
    users: dict[str, Hydrator]

    def __call__(self, instant: datetime) -> ReplayState:
        """As it was."""
        found = {arm: replace(self.moments, users=users).alone(arm, instant) for arm, users in self.users.items()}
        pipelines = {arm: state.pipelines[arm] for arm, state in found.items()}
        return ReplayState(pipelines=pipelines, item_events=found[LIVE].item_events)


def midnight(instant: datetime) -> datetime:
    """The last one, UTC."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def main() -> None:
    """Run, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--config", type=Path, help="settings; default: the active home's")
    options.add_argument("--queries", type=int, default=3_000, help="at most, drawn evenly from the test window")
    options.add_argument("--between", type=int, default=5, help="events of a user between two queries")
    options.add_argument("--a-user", type=int, default=20, help="most queries of one user")
    chosen = options.parse_args()
    facts = {"queries_at_most": chosen.queries, "events_between_queries": chosen.between, "a_user": chosen.a_user}
    carried_out(
        "live_gain",
        lambda folder, note: measured(load(chosen.config), chosen.queries, chosen.between, chosen.a_user, note),
        facts=facts,
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def measured(settings: Settings, most: int, between: int, a_user: int, note: Note) -> dict[str, Any]:
    """Means of each arm and differences from the frozen one, by segment."""
    evaluation = settings.evaluation.model_copy(update={"events_between_queries": between, "queries_per_user": a_user})
    settings = settings.model_copy(update={"evaluation": evaluation})
    home = Home(settings.home)
    lake, retrieval = Lake.open(home), retrieval_artifacts(home).current()
    towers = Towers.load(home.local_copy(retrieval.folder), settings.retrieval.history_encoder)
    ranking = home.local_copy(ranking_artifacts(home).current().folder)
    ranker = Ranker.load(ranking, settings.ranking.learned, towers.encoder.item_vectors)
    weights = read_weights(MERGE.artifacts(home).current())
    connect(settings)
    window, vocabulary = time_split(settings, lake).test, lake.vocabulary()
    asked = sampled(queries(settings, lake, window), most, evaluation.seed)
    note(f"{len(asked)} queries between {window.start.date()} and {window.end.date()}")
    store = open_store(settings)
    prepared = ReplayWindow.prepare(settings, lake, store, window, both_instants(asked), vocabulary)
    users: dict[str, Hydrator] = {
        LIVE: prepared.users,
        FROZEN: UsersAtMidnight(prepared.users),
        HIDDEN: UsersAtMidnight(prepared.users, hide_seen=True),
    }
    arms = Arms(prepared.moments(towers, ranker, merge_weights=weights), users)
    metrics = metrics_at((CUTOFF,), prepared.catalogue, evaluation.metrics)
    sums = replay_on_ray(prepared.replay(arms, metrics), asked, tasks=settings.features.partitions)
    same_day = [midnight(one["instant"]) for one in asked.select(["instant"]).to_pylist()]
    return {
        "dataset": Path(settings.home).name,
        "surface": settings.ranking.surface,
        "queries": len(asked),
        "users": len(sums.users),
        "days": len(set(same_day)),
        "seed": evaluation.seed,
        "bootstrap_samples": evaluation.bootstrap_samples,
        "results": [row for segment in SEGMENTS for row in compared(sums, segment, settings)],
    }


def both_instants(asked: pa.Table) -> pa.Table:
    """Users and instants: of the queries, and of the midnights before them."""
    rows = asked.select(["user_id", "instant"])
    floored = pc.floor_temporal(rows["instant"], unit="day").cast(rows["instant"].type)
    return pa.concat_tables([rows, rows.set_column(1, rows.schema.field(1), floored)])


def compared(sums: ReplaySums, segment: str, settings: Settings) -> list[dict[str, Any]]:
    """Of each metric: the mean of each arm, and how the others differ from the frozen one."""
    evaluation, found = settings.evaluation, []
    for metric in METRICS:
        columns = {arm: Column(arm, metric, CUTOFF, segment) for arm in (LIVE, FROZEN, HIDDEN)}
        if any(column not in sums.columns for column in columns.values()):
            continue
        at = [sums.columns.index(column) for column in columns.values()]
        means = Bootstrap.over_users(
            sums.totals[:, at],
            sums.counts[:, at],
            samples=evaluation.bootstrap_samples,
            seed=evaluation.seed,
        )
        found.append(
            {
                "segment": segment,
                "metric": f"{metric}@{CUTOFF}",
                "queries": int(sums.counts[:, at[0]].sum()),
                "means": {arm: said(means.interval(n)) for n, arm in enumerate(columns)},
                "live_less_frozen": said(means.difference(0, 1)),
                "live_less_frozen_with_seen_hidden": said(means.difference(0, 2)),
            }
        )
    return found


def said(interval: Interval) -> list[float]:
    """Mean, low, high."""
    return [round(one, 4) for one in (interval.mean, interval.low, interval.high)]


def drawn(console: Console, result: dict[str, Any]) -> None:
    """A table."""
    table = Table("segment", "metric", "queries", LIVE, FROZEN, HIDDEN, "live less frozen", "live less hidden")
    for row in result["results"]:
        means = [f"{row['means'][arm][0]:.4f}" for arm in (LIVE, FROZEN, HIDDEN)]
        names = ("live_less_frozen", "live_less_frozen_with_seen_hidden")
        gains = ["{:+.4f} [{:+.4f}, {:+.4f}]".format(*row[name]) for name in names]
        table.add_row(row["segment"], row["metric"], f"{row['queries']:,}", *means, *gains)
    console.print(table)
