"""What the peer serves from: the same trained models, and features that a nightly job would have written for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remora.pipeline import Query
from remora.ranking.columns import RankerColumn
from remora.ranking.scorer import ObjectiveScorer
from remora.retrieval.two_tower import Towers
from remora.serving.loaded_bundle import LoadedBundle
from remora.settings.retrieval import TWO_TOWER


def exported(loaded: LoadedBundle, ids: Sequence[str], folder: Path) -> None:
    """``about.json``, ``users.npz``, ``items.npz``, ``items.json`` and the boosters, for ``fastapi_service.py``."""
    context, towers = loaded.context, loaded.context.model(TWO_TOWER, Towers)
    scorer = context.scorer
    assert isinstance(scorer, ObjectiveScorer), "the bundle has no ranker"
    columns = scorer.ranker.columns.columns
    of_users = [place for place, one in enumerate(columns) if one.name.startswith("user_") and "item__" not in one.name]
    of_items = [place for place, one in enumerate(columns) if one.name.startswith("item_")]
    known = [loaded.surfaces["home_feed"].hydrate(_query(loaded, user)).query for user in ids]
    np.savez(
        folder / "users.npz",
        ids=np.array(ids),
        vectors=np.stack([towers.encoder.encode(query) for query in known]),
        features=np.array([[_encoded(columns[p], q.user.get(columns[p].name)) for p in of_users] for q in known]),
        seen_starts=np.cumsum([0, *(len(query.seen) for query in known)]),
        seen=np.concatenate([query.seen for query in known]),
    )
    items = [columns[place].encode(context.snapshot.column(columns[place].name)) for place in of_items]
    np.savez(
        folder / "items.npz",
        vectors=towers.encoder.item_vectors.numpy(),
        features=np.stack(items, axis=1),
        available=context.snapshot.available,
    )
    (folder / "items.json").write_text(
        json.dumps({"ids": context.vocabulary.ids.to_pylist(), "titles": context.snapshot.titles})
    )
    scorer.ranker.models["trees"].save(folder)
    names = [one.name for one in columns]
    weights = {name: weight for name, weight in scorer.weights.items() if weight}
    about = {
        "features": len(columns),
        "of_users": of_users,
        "of_items": of_items,
        "score": names.index("candidate__nearest_items_score"),
        "rank": names.index("candidate__nearest_items_rank"),
        "weights": weights,
        "calibrators": {name: scorer.ranker.spec.calibrators[name].model_dump() for name in weights},
    }
    (folder / "about.json").write_text(json.dumps(about))


def _query(loaded: LoadedBundle, user: str) -> Query:
    return Query(request_id="export", surface="home_feed", n=10, instant=loaded.context.instant(), user_id=user)


def _encoded(column: RankerColumn, value: Any) -> float:
    return float(column.encode(np.array([value], object if column.categories else np.float64))[0])
