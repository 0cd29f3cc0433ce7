"""A hydrator of one's own is a stage like any other: whatever runs a surface asks it, and null takes one away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.extensions.packages import install, on_the_path
from tests.serving.small_shop import INSTANT, SmallShop, settings
from tests.serving.test_routes import Front, asking

from remora.core.home import Home
from remora.core.tables import TIMESTAMP
from remora.datasets.ranking_rows import CandidateRows
from remora.evaluation.accumulator import Column
from remora.evaluation.metrics.recall import Recall
from remora.evaluation.replay import Replay, ReplayState
from remora.evaluation.segments import ALL
from remora.pipeline import Query
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.evidence.requests import Request, hydrated
from remora.serving.batch import SlateWriter, slates_artifacts
from remora.serving.explanation import explain
from remora.serving.loaded_bundle import LoadedBundle
from remora.settings import EvaluationSettings, Settings

N = 5
GUEST, SEEN = "guest", ["i20", "i21", "i22"]
MODULE = """
    from dataclasses import dataclass, replace
    from remora.core.errors import NotReady
    from remora.extensions import ComponentConfig

    class Guests:
        class Config(ComponentConfig):
            user: str
            items: list[str]

        def __init__(self, user, rows):
            self.user, self.rows = user, rows

        @classmethod
        def from_config(cls, config, context):
            return cls(config.user, context.vocabulary.rows(config.items))

        def hydrate(self, query):
            if query.user_id != self.user:
                raise NotReady("it is no guest")
            return replace(query, user_found=True, history=self.rows, seen=self.rows)
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "my_guests", raising=False)
    install(tmp_path, "my-guests", modules={"my_guests": MODULE}, groups={})
    with on_the_path(tmp_path):
        yield


@pytest.fixture
def shop(module: None) -> SmallShop:
    """The small shop, whose home feed knows one guest, and no one else."""
    guests = {"type": "my_guests:Guests", "user": GUEST, "items": SEEN}
    whole = settings().model_dump()
    whole["surfaces"]["home_feed"]["hydrators"] = {"user": None, "guests": guests}
    return SmallShop(Settings.model_validate(whole))


@pytest.fixture
def served(shop: SmallShop) -> list[str]:
    """The guest's slate over HTTP."""
    answer = asking(Front(shop))("POST", "/v1/recommend", json={"user_id": GUEST, "n": N}).json()
    assert answer["degraded"] == []
    assert "guests" in answer["timings_ms"]
    return [item["item_id"] for item in answer["items"]]


def asked(loaded: LoadedBundle, user: str = GUEST) -> Query:
    return Query(request_id="r", surface="home_feed", n=N, instant=loaded.context.instant(), user_id=user)


def test_one_that_is_not_ready_is_named_and_null_takes_one_away(shop: SmallShop, served: list[str]) -> None:
    answer = asking(Front(shop))("POST", "/v1/recommend", json={"user_id": "u5", "n": N}).json()
    assert answer["degraded"] == ["guests: it is no guest"]
    assert len(answer["items"]) == N
    assert [item["item_id"] for item in answer["items"]] != served
    assert "user" not in answer["timings_ms"]


def test_a_replay_of_the_past_asks_it(shop: SmallShop, served: list[str]) -> None:
    loaded = shop.load()
    state = ReplayState(pipelines={"surface": loaded.surfaces["home_feed"]}, item_events=[0] * 60)  # type: ignore[arg-type]
    replay = Replay(
        vocabulary=loaded.context.vocabulary,
        moment_at=lambda day: state,
        metrics=(Recall(k=N),),
        settings=EvaluationSettings(),
    )
    sums = replay.run(queries(targets=served))
    assert sums.mean(Column("surface", "recall", N, ALL)).value == 1.0
    assert sums.degraded == {"surface": 0}


def test_the_ranker_s_rows_are_of_candidates_found_with_it(shop: SmallShop, served: list[str]) -> None:
    loaded = shop.load()
    rows = CandidateRows(
        vocabulary=loaded.context.vocabulary,
        pipeline_at=lambda day: loaded.surfaces["home_feed"],
        objectives=("bought",),
        negatives=60,
        seed=1,
    )
    found = rows(queries(outcomes=served, **{"label:bought": [1.0] * N}))["item_id"].to_pylist()
    assert set(served) <= set(found)
    assert not set(found) & set(SEEN)


def test_a_batch_asks_it(shop: SmallShop, served: list[str], tmp_path: Path) -> None:
    staging = slates_artifacts(Home(str(tmp_path / "out"))).staging("v")
    writer = SlateWriter(shop, staging, "home_feed", N, INSTANT)
    writer(pa.table({"index": [0], "user_id": [GUEST]}))
    assert pq.read_table(staging.at("slates"))["item_id"].to_pylist() == served


def test_gates_measure_with_it(shop: SmallShop) -> None:
    loaded = shop.load()
    bundle = SimpleNamespace(**vars(loaded), vocabulary=loaded.context.vocabulary)
    requests = [Request(number=1, surface="home_feed", n=N, user=GUEST, item="i30")]
    (state,) = hydrated(cast(BundleUnderTest, bundle), requests)
    assert state.query.history.tolist() == [20, 21, 22]


def test_an_explanation_asks_it(shop: SmallShop, served: list[str]) -> None:
    loaded = shop.load()
    assert explain(loaded, asked(loaded), 20).removed_by == "seen_items"
    best = loaded.context.vocabulary.row(served[0])
    assert best is not None
    assert explain(loaded, asked(loaded), best).rank == 1


def queries(**lists: list[Any]) -> pa.Table:
    """One query of the guest."""
    row = {"query_id": "q", "user_id": GUEST, "instant": INSTANT, "history_events": 3, "targets": [], "outcomes": []}
    row |= {"weights": [1.0] * len(lists.get("targets", [])), **lists}
    table = pa.Table.from_pylist([row])
    return table.set_column(table.column_names.index("instant"), "instant", table["instant"].cast(TIMESTAMP))
