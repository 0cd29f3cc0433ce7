"""Why is this item shown to this user, or why not: the request taken through the stages, with what each said."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from remora.contracts.errors import NotFound
from remora.pipeline import Candidates, Hydrator, Query
from remora.pipeline.runner import stage_name
from remora.ranking.ranker import TREES
from remora.ranking.scorer import ObjectiveScorer
from remora.ranking.trees import Trees
from remora.serving.release import Release

SHOWN = 8


class FoundBy(BaseModel):
    """A source, the rank it gave the item, from 1, and its score."""

    model_config = ConfigDict(frozen=True)

    source: str
    rank: int
    score: float


class Part(BaseModel):
    """What one feature adds to the margin of an objective's trees; ``value`` None where it is missing."""

    model_config = ConfigDict(frozen=True)

    feature: str
    value: float | str | None
    adds: float


class Foretold(BaseModel):
    """One objective: the prediction, its weight, and the trees' margin as a base and what each feature adds (TreeSHAP).

    ``parts`` has the largest; ``others`` is the sum of the rest. Without trees in the ranker there are none.
    """

    model_config = ConfigDict(frozen=True)

    objective: str
    prediction: float
    weight: float
    base: float | None = None
    parts: tuple[Part, ...] = ()
    others: float = 0.0


class Why(BaseModel):
    """``place`` of the item among the ranked candidates, from 1, or ``removed_by``: `retrieval`, or a filter's name."""

    model_config = ConfigDict(frozen=True)

    user: str
    item: str
    title: str | None
    bundle: str
    removed_by: str | None
    place: int | None
    candidates: int
    sources: tuple[FoundBy, ...]
    value: float | None
    foretold: tuple[Foretold, ...]


def why(release: Release, users: Hydrator, user: str, item: str, surface: str = "home_feed") -> Why:
    """NotFound for an item that the bundle does not know, or a surface that it does not have."""
    row = release.parts.vocabulary.row(item)
    if row is None:
        raise NotFound("item", item)
    if surface not in release.surfaces:
        raise NotFound("surface", surface, f"There are: {', '.join(release.surfaces)}.")
    pipeline = release.surfaces[surface]
    query = users.hydrate(
        Query(request_id="why", surface=surface, n=1, instant=release.instant(), user_id=user)  # no backfill
    )
    retrieved = pipeline.retrieve(query)
    said = partial(Why, user=user, item=item, title=release.parts.snapshot.titles[row], bundle=release.bundle)
    none: dict[str, Any] = {"removed_by": None, "place": None, "sources": (), "value": None, "foretold": ()}
    at = np.flatnonzero(retrieved.candidates.rows == row)
    count = len(retrieved.candidates)
    if not len(at):
        return said(**none | {"removed_by": "retrieval"}, candidates=count)
    none["sources"] = tuple(
        FoundBy(source=name, rank=int(rank), score=float(score))
        for name, rank, score in zip(
            retrieved.candidates.sources,
            retrieved.candidates.source_ranks[at[0]],
            retrieved.candidates.source_scores[at[0]],
            strict=True,
        )
        if not np.isnan(rank)
    )
    for rule in pipeline.filters:
        if not rule.allowed(query, retrieved.candidates)[at[0]]:
            return said(**none | {"removed_by": stage_name(rule)}, candidates=count)
    passage = pipeline.filter(query, retrieved)
    allowed = passage.candidates
    slate = pipeline.rank(replace(query, n=len(allowed)), passage).candidates
    place = int(np.flatnonzero(slate.rows == row)[0])
    found = none | {"place": place + 1, "value": float(slate.scores[place])}
    if isinstance(pipeline.scorer, ObjectiveScorer):
        found["foretold"] = _foretold(pipeline.scorer, query, allowed, int(np.flatnonzero(allowed.rows == row)[0]))
    return said(**found, candidates=len(allowed))


def _foretold(scorer: ObjectiveScorer, query: Query, candidates: Candidates, at: int) -> tuple[Foretold, ...]:
    batch, columns = scorer.batch(query, candidates), scorer.ranker.columns.columns
    trees = scorer.ranker.models.get(TREES)
    found = []
    for objective, column in scorer.ranker.score(batch).items():
        one = Foretold(objective=objective, prediction=float(column[at]), weight=scorer.weights.get(objective, 0.0))
        if isinstance(trees, Trees):
            *adds, base = trees.contributions(batch, objective)[at].tolist()
            order = sorted(range(len(adds)), key=lambda n: -abs(adds[n]))
            parts = tuple(
                Part(feature=columns[n].name, value=_value(batch.features[at, n], columns[n].categories), adds=adds[n])
                for n in order[:SHOWN]
            )
            others = sum(adds[n] for n in order[SHOWN:])
            one = one.model_copy(update={"base": base, "parts": parts, "others": others})
        found.append(one)
    return tuple(found)


def _value(value: np.floating, categories: tuple[str, ...] | None) -> float | str | None:
    if np.isnan(value):
        return None
    return categories[int(value)] if categories else float(value)
