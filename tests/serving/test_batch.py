"""Batch, replay and HTTP give the same slates, because all three run the same pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.serving.small_shop import INSTANT, USERS, SmallShop

from remora.core.artifacts import Artifact
from remora.core.errors import BadRequest, NotBuilt
from remora.core.home import Home
from remora.pipeline import Hydrator, Query, StageContext
from remora.serving.batch import SLATES, recommend_all, slates_artifacts

ASKED = pa.array([*USERS, "nobody"], pa.string())
N = 9


def slates(version: Artifact) -> dict[str, list[dict[str, Any]]]:
    table = pq.read_table(version.at("slates"))
    assert table.schema.equals(SLATES)
    by_user: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        by_user.setdefault(row["user_id"], []).append(row)
    return {user: sorted(rows, key=lambda row: row["position"]) for user, rows in by_user.items()}


@pytest.fixture(scope="module")
def batch(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = Home(str(tmp_path_factory.mktemp("out")))
    return recommend_all(SmallShop(), ASKED, out, n=N)


def test_a_batch_is_what_the_server_answers(batch: Artifact, served: str) -> None:
    found = slates(batch)
    assert set(found) == set(ASKED.to_pylist())
    for user, rows in found.items():
        answer = httpx.get(f"{served}/fused/v1/recommend/{user}", params={"n": N}, timeout=60).json()
        assert [row["item_id"] for row in rows] == [item["item_id"] for item in answer["items"]]
        assert [row["score"] for row in rows] == [item["score"] for item in answer["items"]]
        assert [row["sources"] for row in rows] == [item["sources"] for item in answer["items"]]
        assert all(row["degraded"] == answer["degraded"] for row in rows)


def test_a_batch_is_what_the_pipeline_replays(batch: Artifact) -> None:
    loaded = SmallShop().load()
    for user, rows in slates(batch).items():
        query = Query(request_id="replay", surface="home_feed", n=N, instant=INSTANT, user_id=user)
        slate = loaded.run(query)
        assert [row["item_id"] for row in rows] == loaded.context.vocabulary.to_ids(slate.candidates.rows)
        np.testing.assert_array_equal(np.array([row["score"] for row in rows], np.float32), slate.candidates.scores)


def test_a_batch_that_was_made_is_not_made_again(batch: Artifact) -> None:
    advanced: list[int] = []
    again = recommend_all(SmallShop(), ASKED, batch.home, n=N, advanced=advanced.append)
    assert again.version == batch.version
    assert again.metadata["created_at"] == batch.metadata["created_at"]
    assert advanced == []


def test_progress_adds_up_to_all_users(ray_cluster: None, tmp_path: Path) -> None:
    advanced: list[int] = []
    made = recommend_all(SmallShop(), ASKED, Home(str(tmp_path)), n=2, advanced=advanced.append)
    assert sum(advanced) == len(ASKED) == made.metadata["users"]


class WithoutUsers(SmallShop):
    """The shop, whose actors break."""

    def users(self, context: StageContext) -> Hydrator:
        raise ValueError("the store of users is broken")


@pytest.mark.parametrize(
    ("surface", "says"),
    [
        ("no_such_surface", "There is no surface 'no_such_surface'. There are: home_feed, similar_items"),
        ("similar_items", "The surface similar_items needs context.seed_item_id"),
    ],
)
def test_a_surface_that_cannot_be_recommended_to_all_is_refused_before_anything_runs(
    tmp_path: Path, surface: str, says: str
) -> None:
    with pytest.raises(BadRequest, match=says):
        recommend_all(SmallShop(), ASKED, Home(str(tmp_path)), surface=surface)


def test_a_batch_that_fails_commits_nothing_and_the_next_one_succeeds(ray_cluster: None, tmp_path: Path) -> None:
    out = Home(str(tmp_path))
    with pytest.raises(Exception, match="the store of users is broken"):
        recommend_all(WithoutUsers(), ASKED, out)
    with pytest.raises(NotBuilt):
        slates_artifacts(out).current()
    assert slates(recommend_all(SmallShop(), ASKED, out, n=1)).keys() == set(ASKED.to_pylist())
