"""Production of an earlier catalogue is replayed over its own items, on the same queries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from remora.core.vocabulary import Vocabulary
from remora.evaluation.segments import ALL
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.registry.bundle import Bundle
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.evidence.replays import CANDIDATE, PRODUCTION, covered, offline, replayed
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.models.item_vectors import ItemVectors
from remora.retrieval.models.trained_vectors import TrainedVectors
from remora.retrieval.two_tower import Towers
from remora.settings import Settings

GONE = 40
"""Items at the end of the vocabulary that production does not know."""


def of_fewer_items(loaded: BundleUnderTest) -> BundleUnderTest:
    contents = loaded.contents
    n = len(loaded.vocabulary) - GONE
    table = contents.snapshot.table.slice(0, n)
    snapshot = replace(contents.snapshot, vocabulary=Vocabulary(table["item_id"].to_pylist()), table=table)
    encoder = contents.towers.encoder
    fewer = UserEncoder(encoder.spec, encoder.tower, encoder.item_vectors[:n])
    towers = Towers(fewer, ItemIndex.build(fewer.item_vectors.numpy()))
    models = {name: trained_on(n, model) for name, model in contents.models.items()}
    contents = replace(contents, snapshot=snapshot, towers=towers, models=models)
    return replace(loaded, contents=contents, context=replace(loaded.context, vocabulary=snapshot.vocabulary))


def trained_on(items: int, model: Any) -> Any:
    """A trained model as one of the first so many items; other models are made again for each window."""
    if not isinstance(model, TrainedVectors):
        return model
    kept = model.items.rows < items
    vectors = model.items.vectors[kept]
    return replace(model, items=ItemVectors.build(model.items.rows[kept], vectors, vectors))


def test_both_are_asked_the_same_queries_each_in_its_own_rows(
    settings: Settings, lake: Lake, production: Bundle
) -> None:
    loaded = BundleUnderTest.load(production, settings)
    found = replayed(settings, lake, open_store(settings), loaded, of_fewer_items(loaded))
    both = offline(found, settings.gates, settings.evaluation).compared[0]
    assert both.production is not None
    assert both.candidate > both.production > 0  # a fifth of what is wanted is not in production's catalogue
    counts = {column.system: found.sums.mean(column).count for column in found.sums.columns if column.segment == ALL}
    assert counts[CANDIDATE] == counts[PRODUCTION] == found.queries
    others = {one.surface: one for one in offline(found, settings.gates, settings.evaluation).compared if one.surface}
    assert others.keys() == set(settings.surfaces) - {settings.ranking.surface}
    about_items = others["similar_items"]
    assert about_items.production is not None
    assert about_items.candidate > about_items.production > 0
    shown = next(rows for column, rows in found.sums.covered.items() if column.system == PRODUCTION).rows
    assert int(np.max(shown)) < len(loaded.vocabulary) - GONE
    assert covered(found).production == len(shown)
