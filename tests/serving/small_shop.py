"""A shop of sixty items that fits on a page: real stages over real arrays, without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import Traffic, TrafficStore
from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.vocabulary import Vocabulary
from remora.features.snapshot import ItemSnapshot
from remora.features.transforms.cross import CATEGORIES
from remora.pipeline import Candidates, FeatureRows, Hydrator, Query, ScoredCandidates, Scores, StageContext
from remora.pipeline.cache import Cache
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves
from remora.retrieval.index import ItemIndex
from remora.retrieval.models.co_visitation import CoVisitation
from remora.retrieval.models.linear import LinearLists
from remora.retrieval.models.segment_popularity import SegmentPopularity
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.segments import Segments
from remora.retrieval.two_tower import Towers
from remora.serving.load_guard import LoadGuard
from remora.serving.loaded_bundle import ItemStates, LoadedBundle
from remora.settings import Settings

N_ITEMS = 60
DIMENSION = 8
INSTANT = datetime(2026, 3, 1, tzinfo=UTC)
UNAVAILABLE = (7, 11)
USERS = tuple(f"u{number}" for number in range(12))


NOWHERE = "/nowhere"


def settings(home: str = NOWHERE, *, log: str | None = None, **serving: Any) -> Settings:
    """Settings whose timeout is so long that a busy machine changes no slate. Without a folder ``log`` no events are
    taken."""
    return Settings(
        name="small-shop",
        home=home,
        events={"intake": log is not None, "log_slates": log is not None, "folder": log, "log_features_share": 0.5},
        data={
            "clock": "data",
            "events": [{"path": "events", "format": "parquet", "columns": {}, "event_type": "buy"}],
            "event_types": {"buy": {"weight": 1.0, "sign": 1}},
            "user_columns": ["country"],
        },
        retrieval={"models": {"segment_popularity": {"column": "country"}}},
        surfaces={
            "home_feed": {
                "sources": {"nearest_items": {"limit": 20}, "co_visited": {"limit": 10}, "trending": {"limit": 5}}
            },
            "similar_items": {"sources": {"similar_vectors": {"limit": 20}, "co_visited_with": {"limit": 10}}},
        },
        serving={"timeout_ms": 60_000, "max_timeout_ms": 60_000, "cpus_per_replica": 0.25, "max_replicas": 1} | serving,
    )


def shelves(random: np.random.Generator) -> ItemSnapshot:
    """What is known of the items: four categories in turn, a title for all but one."""
    rows = np.arange(N_ITEMS)
    table = pa.table(
        {
            "item_id": [f"i{row:02}" for row in rows],
            "item_activity__popularity": random.integers(0, 50, N_ITEMS).astype(np.float32),
            "item_activity__trend": random.random(N_ITEMS).astype(np.float32),
            "item_activity__first_event_at": INSTANT.timestamp() - 86_400.0 * (rows + 1),
            "item_catalogue__in_catalogue": [True] * N_ITEMS,
            "item_catalogue__entered_at": [None if row % 2 else INSTANT.timestamp() - 3_600.0 * row for row in rows],
            "item_profile__in_stock": ~np.isin(rows, UNAVAILABLE),
            "item_profile__title": [None if row == 5 else f"Thing {row}" for row in rows],
            CATEGORIES: pa.array([[row % 4] for row in rows], pa.list_(pa.int32())),
        }
    )
    return ItemSnapshot(
        vocabulary=Vocabulary(table["item_id"].to_pylist()),
        instant=INSTANT,
        table=table,
        category_names=("tools", "toys", "tea", "twine"),
        title_column="item_profile__title",
        available_column="item_profile__in_stock",
    )


@dataclass(frozen=True)
class MeanOfHistory:
    """A user tower without a tower."""

    vectors: np.ndarray
    cache: Cache[np.ndarray] = field(default_factory=lambda: Cache("vectors", 10))

    def encode(self, query: Query) -> np.ndarray:
        return self.vectors[query.history].mean(axis=0)

    def scores(self, vector: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self.vectors[rows] @ vector


def next_ones() -> Neighbours:
    """The five items that come next on the shelf go with each item."""
    rows = (np.arange(N_ITEMS)[:, None] + np.arange(1, 6)) % N_ITEMS
    scores = np.tile(np.linspace(1, 0.2, 5, dtype=np.float32), N_ITEMS)
    return Neighbours(np.arange(0, 5 * N_ITEMS + 1, 5), rows.ravel().astype(np.int32), scores)


def segments() -> Segments:
    """In one country people want the last four items of the shelf, one of which is not available in the shop."""
    rows = np.array([*range(N_ITEMS - 1, N_ITEMS - 4, -1), UNAVAILABLE[0]], np.int32)
    return Segments.of_lists({"at": (rows, np.linspace(0.4, 0.1, len(rows), dtype=np.float32))})


@dataclass(frozen=True)
class Taste:
    """Scores by closeness to the last positive item; nothing to tell of the first three items."""

    vectors: np.ndarray

    def score(self, query: Query, candidates: Candidates) -> Scores:
        return self.predict(query, candidates).scores

    def predict(self, query: Query, candidates: Candidates) -> ScoredCandidates:
        """What it reads of a candidate: its row, and the closeness of the two vectors."""
        last = query.history[-1] if len(query.history) else 0
        close = self.vectors[candidates.rows] @ self.vectors[last]
        close[candidates.rows < 3] = np.nan
        values = np.stack([candidates.rows, close], axis=1).astype(np.float32)
        return ScoredCandidates(
            scores=close.astype(np.float32),
            predictions={"bought": np.nan_to_num(close).astype(np.float64)},
            features=FeatureRows(schema="row, closeness", instant=query.instant, values=values),
        )


@dataclass(frozen=True)
class Regulars:
    """Knows the users of the shop; closed, it is not ready."""

    histories: dict[str, np.ndarray]
    closed: bool = False

    def hydrate(self, query: Query) -> Query:
        if self.closed:
            raise NotReady("the online store does not answer")
        if query.user_id not in self.histories:
            return query
        history = self.histories[query.user_id]
        return replace(query, user_found=True, history=history, seen=np.unique(history))


def context(of: Settings) -> StageContext:
    """What the stages of the shop are made from, the same in every process."""
    random = np.random.default_rng(11)
    vectors = random.normal(size=(N_ITEMS, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    snapshot = shelves(random)
    return StageContext(
        settings=of,
        vocabulary=snapshot.vocabulary,
        snapshot=snapshot,
        models={
            "two_tower": Towers(cast(Any, MeanOfHistory(vectors)), ItemIndex.build(vectors)),
            "co_visitation": CoVisitation(neighbours=next_ones()),
            "linear": LinearLists(neighbours=next_ones(), step_decay=0.8),
            "segment_popularity": SegmentPopularity(segments=segments(), column="country"),
        },
        scorer=Taste(vectors),
    )


def regulars(closed: bool = False) -> Regulars:
    """Twelve users with one to twelve positive items."""
    random = np.random.default_rng(12)
    return Regulars(
        {user: random.permutation(N_ITEMS)[: number + 1].astype(np.int32) for number, user in enumerate(USERS)}, closed
    )


@dataclass(frozen=True)
class SmallShop:
    """A loader, as a bundle would be one. With a home it follows its traffic; all its bundles are alike."""

    settings: Settings = field(default_factory=settings)
    closed: bool = False
    bundle: str = "small"
    variant: str = "production"

    @property
    def follows(self) -> bool:
        return self.settings.home != NOWHERE

    @property
    def live(self) -> bool:
        return False

    def traffic(self) -> Traffic:
        return (self.follows and TrafficStore(Home(self.settings.home)).read()) or Traffic(production=self.bundle)

    def first_traffic(self) -> Traffic:
        return self.traffic()

    def report(self, report: ReplicaStatus) -> None:
        ReplicaStatuses(Home(self.settings.home)).write(report)

    def unrecorded_moves(self) -> Sequence[UnrecordedMove]:
        return UnrecordedMoves(Home(self.settings.home)).read() if self.follows else ()

    def opening(self, bundle: str) -> AbstractContextManager[None]:
        if not self.follows:
            return nullcontext()
        return LoadGuard(Home(self.settings.home)).opening(bundle, revision=self.traffic().revision)

    def context(self, bundle: str) -> StageContext:
        return context(self.settings)

    def users(self, context: StageContext) -> Hydrator:
        return regulars(self.closed)

    def items(self) -> ItemStates | None:
        return None

    def load(self, bundle: str = "", *, with_users: bool = True) -> LoadedBundle:
        return LoadedBundle.load(self, bundle or self.bundle, with_users=with_users)
