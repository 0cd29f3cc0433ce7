"""What a bundle is made of in these tests, and what other processes do with one."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from remora.registry.aliases import Aliases
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.lineage import Lineage
from remora.settings import Settings

LINEAGE = Lineage(
    dataset="shop",
    artifacts={"lake": "0123", "ranking": "4567"},
    feature_services={"ranking": "89ab"},
    events=541_909,
    users=4_372,
    items=4_070,
    first_event=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
    last_event=datetime(2011, 12, 9, 12, 50, tzinfo=UTC),
    seeds={"retrieval": 7},
    remora="0.1.0",
)
METRICS = {
    "level": 0.95,
    "samples": 1000,
    "seed": 7,
    "estimates": [
        {"system": system, "metric": "ndcg", "cutoff": 10, "segment": segment, "mean": mean}
        | {"low": mean - 0.01, "high": mean + 0.01, "queries": 1234, "users": 500}
        for system, segment, mean in (
            ("surface", "all", 0.25),
            ("surface", "new_users", 0.125),
            ("popularity", "all", 0.0625),
        )
    ],
}


def build(bundles: Bundles, model: bytes = b"a booster") -> Bundle:
    files = {"ranker.ubj": model, "vocabulary.parquet": b"ids"}
    return bundles.build(files, lineage=LINEAGE, metrics=METRICS, surfaces=("home_feed",))


def promote_by_turns(settings: Settings, ids: tuple[str, ...], times: int, who: str) -> None:
    for n in range(times):
        Bundles(settings).promote(ids[n % len(ids)], by=who, why=f"turn {n}")


def build_one(settings: Settings) -> str:
    return build(Bundles(settings)).id


def die_before_the_alias_moves(settings: Settings, id: str) -> None:
    Aliases.point = lambda self, alias, version: os._exit(9)  # type: ignore[method-assign]
    Bundles(settings).promote(id, by="doomed", why="a crash")


def name_as_loading(settings: Settings, id: str) -> None:
    Bundles(settings).set_traffic(lambda now: now.model_copy(update={"loading": (*now.loading, id)}))
