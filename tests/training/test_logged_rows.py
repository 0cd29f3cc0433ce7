"""A ranker learns from what was shown: impressions in the lake, rows in their order, trees that allow for position, and
the features that were logged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users
from tests.feedback.slates import AT, slate
from tests.registry.releases import LINEAGE, METRICS

from remora.core.home import Home
from remora.core.parquet import parquet_bytes
from remora.datasets.logged_features import LOGGED, NOT_LOGGED
from remora.events.slate_log import encoded
from remora.events.tables import SLATES as COLLECTED
from remora.events.tables import slate_tables
from remora.features.build import build
from remora.features.store import apply
from remora.feedback.served_slate import ServedItem
from remora.ingest.lake import Lake
from remora.pipeline import FeatureRows
from remora.ranking.ranker import SPEC
from remora.ranking.windows import RankingWindows
from remora.registry.bundles import Bundles
from remora.steps.path import SLATES
from remora.training import ranking, ranking_examples, retrieval
from remora.training.ranking_data import read_windows

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

ITEMS, SHOWN = 48, 6


def test_rows_are_what_was_shown_in_its_order(home_folder: Path) -> None:
    data = settings_for(home_folder).data.model_dump()
    data |= {"event_types": data["event_types"] | {"shown": {"weight": 0.0, "sign": 0}}, "impression": "shown"}
    settings = settings_for(
        home_folder,
        data=data,
        features={"partitions": 2},
        retrieval={"epochs": 1, "dimension": 8, "workers": 1, "validation_user_fraction": 0.1},
        ranking={
            "candidates": "logged",
            "models": {"trees": {"num_boost_round": 10, "position_debiasing": True}},
            "workers": 1,
            "negatives_per_query": 2,  # of no consequence: nothing that was shown is left out
        },
    )
    draw = np.random.default_rng(5)
    acts = clustered_events(users=60, items=ITEMS, clusters=2, days=80, per_user=20)
    rows, places, requests, shown = [], [], [], {}
    for number, (user, item, kind, at) in enumerate(acts):
        others = [f"i{n:03d}" for n in draw.choice(ITEMS, SHOWN, replace=False) if f"i{n:03d}" != item]
        shown[f"{user}@r{number}"] = listed = draw.permutation([item, *others]).tolist()
        rows += [(user, one, "shown", at - timedelta(minutes=1)) for one in reversed(listed)]
        places += [*range(len(listed), 0, -1), None]
        requests += [f"r{number}"] * (len(listed) + 1)
        rows.append((user, item, kind, at))
    make_lake(
        home_folder,
        rows,
        items=clustered_items(ITEMS, 2),
        users=some_users(60),
        more={"request_id": requests, "position": places},
        impression="shown",
    )
    build(settings)
    apply(settings)
    retrieval.train(settings)

    artifact = ranking.train(settings)

    home = Home(settings.home)
    table = ranking_examples.read(SLATES.artifacts(home).current(), ranking_examples.TRAIN).rows
    found: dict[str, list[str]] = {}
    for query, item in zip(table["query_id"].to_pylist(), table["item_id"].to_pylist(), strict=True):
        found.setdefault(query, []).append(item)
    assert len(found) > 100
    assert all(listed == shown[query] for query, listed in found.items())
    assert set(table["sampled"].to_pylist()) == {1.0}
    took = {f"{user}@r{number}": item for number, (user, item, *_) in enumerate(acts)}
    wanted = [
        took[query] == item
        for query, item in zip(table["query_id"].to_pylist(), table["item_id"].to_pylist(), strict=True)
    ]
    assert [label > 0 for label in table["label:like_or_view"].to_pylist()] == wanted
    assert np.isnan(table["candidate__place"].to_numpy()).any()  # shown, though retrieval would not have found it
    assert artifact.metadata["metrics"]["queries"] == len(found)
    assert artifact.metadata["metrics"]["rows_logged"] == 0

    before = read_windows(SLATES.artifacts(home).current(), Lake.open(home))
    ranker = {SPEC: artifact.read_bytes(SPEC)}
    bundle = Bundles(settings).build(ranker, lineage=LINEAGE, metrics=METRICS, surfaces=("home_feed",))
    log_every_second(home, table, before, bundle.id)
    # Another seed makes the rows again; so few queries are all taken whatever it is.
    again = settings.model_copy(update={"ranking": settings.ranking.model_copy(update={"seed": 8})})
    now = read_windows(ranking_examples.make(again), Lake.open(home))
    logged, rows = now.origins["train"][LOGGED], len(now.train.batch)
    assert logged + now.origins["train"][NOT_LOGGED] == rows
    assert 0.4 < logged / rows < 0.6
    np.testing.assert_array_equal(now.train.batch.features, before.train.batch.features)


def log_every_second(home: Home, rows: pa.Table, windows: RankingWindows, bundle: str) -> None:
    """Collected slates of every second query, with the features that the ranker was trained on."""
    features, schema, slates = windows.train.batch.features, windows.columns.schema_hash, []
    begins = windows.train.batch.begins
    for start, end in zip(begins[:-1:2], begins[1::2], strict=False):
        user, request = rows["query_id"][int(start)].as_py().split("@")
        items = rows["item_id"][int(start) : int(end)].to_pylist()
        read = FeatureRows(schema=schema, instant=AT, values=features[start:end])
        served = tuple(ServedItem(item, place, None, 1.0, ()) for place, item in enumerate(items, 1))
        slates.append(slate(request_id=request, user_id=user, bundle=bundle, items=served, features=read))
    found = slate_tables([encoded(one) for one in slates], as_events=False)[COLLECTED]
    home.write_bytes(f"{COLLECTED}/00000000.parquet", parquet_bytes(found))
