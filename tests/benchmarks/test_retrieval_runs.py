"""Both protocols from a folder to figures, on data whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.retrieval import leave_last_out, over_time, split
from tests.datasets.worlds import clustered_events

pytestmark = pytest.mark.slow


def test_the_split_protocol_finds_the_kinds_that_users_are_of(ray_cluster: None, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    alike = np.arange(80)[:, None] % 4 == np.arange(60) % 4
    user, item = np.nonzero(draw.random(alike.shape) < np.where(alike, 0.8, 0.03))
    marks = np.where(draw.random(len(user)) < 0.25, "test", "train")
    pl.DataFrame({"user_id": user, "item_id": item, "split": marks}).write_parquet(tmp_path / "events.parquet")
    found = split.run(
        tmp_path, tmp_path / "work", seed=1, seconds=60.0, workers=1, changes={"epochs": 3}, note=lambda what: None
    )
    assert found["recall@20"] > 0.8 > 1.5 * found["members"]["popularity"]["recall@20"]
    assert set(found["members"]) == {"popularity", "graph_filter", "ease", "matrix_factorization", "merged"}
    assert found["recall@20"] == found["members"]["merged"]["recall@20"]
    assert found["epochs"] == len(found["training"]) <= 3


def test_the_next_item_protocol_finds_what_follows(ray_cluster: None, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    walks = [(draw.integers(30) + 7 * np.arange(draw.integers(1, 12))) % 30 for _ in range(120)]
    rows = [(user, item, place) for user, walk in enumerate(walks) for place, item in enumerate(walk)]
    pl.DataFrame(rows, schema=["user_id", "item_id", "pos"], orient="row").write_parquet(tmp_path / "events.parquet")
    found = leave_last_out.run(
        tmp_path, tmp_path / "work", seed=1, seconds=60.0, workers=1, changes={"epochs": 2}, note=lambda what: None
    )
    assert found["hr@10"] > 0.95
    assert found["like_for_like"]["hr@10"] > 0.9
    assert set(found["like_for_like"]["members"]) == set(found["members"])
    assert found["intervals"]["hr@10"][0] <= found["hr@10"] <= found["intervals"]["hr@10"][1]
    assert found["data"]["asked"] == sum(len(walk) >= 3 for walk in walks)
    assert found["plan"]["spec"]["encoder"]["type"] == "causal_transformer"


def test_the_platforms_own_steps_train_every_member_and_its_replay_asks_them(ray_cluster: None, tmp_path: Path) -> None:
    events = clustered_events(users=80, items=60, clusters=4, days=60, per_user=12)
    columns = ("user_id", "item_id", "event_type", "event_timestamp")
    pl.DataFrame(events, schema=columns, orient="row").write_parquet(tmp_path / "events.parquet")
    few = {"dimension": 16, "epochs": 2, "encoder": {"type": "ligr", "layers": 1}}
    factors = {"matrix_factorization": {"dimension": 16, "epochs": 2}}
    found = over_time.run(
        tmp_path, tmp_path / "work", seed=1, seconds=60.0, workers=1,
        changes={"sequential_tower": few, "ligr": few, **factors}, note=lambda what: None,
    )  # fmt: skip
    assert set(found["members"]) == {*over_time.SOURCES, "merged"}
    assert all(set(values) == {"recall@20", "ndcg@20"} for values in found["members"].values())
    assert found["recall@20"] == found["members"]["merged"]["recall@20"] > 0.5
    assert found["data"]["queries"] > 20
