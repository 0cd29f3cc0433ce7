"""How much the index finds of what the item vectors beside it say, for vectors of users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remora.pipeline import Query
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.index_recall import IndexRecall
from remora.retrieval.two_tower import Towers
from remora.settings.retrieval import TWO_TOWER

MOST = 200
"""Questions."""


def index_recall(loaded: BundleUnderTest, queries: Sequence[Query], k: int) -> IndexRecall:
    """Over the users of ``queries`` that have a history; all of them where none has."""
    towers = loaded.context.model(TWO_TOWER, Towers)
    encoder, index = towers.encoder, towers.index
    known = [query for query in queries if len(query.history)] or list(queries)
    questions = np.stack([encoder.encode(query) for query in known[:MOST]])
    exact = encoder.item_vectors.numpy()
    k = min(k, len(exact))
    return IndexRecall(
        recall=index.recall(questions, k, exact), k=k, questions=len(questions), items=len(exact), kind=index.kind
    )
