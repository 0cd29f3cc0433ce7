"""Why an item is shown to a user, or why not: the request replayed stage by stage, with the result of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import NotReady
from remora.pipeline import Candidates, Pipeline, Query, Retrieved, live_rows
from remora.pipeline.deadline import NEVER
from remora.ranking.scorer import ObjectiveScorer
from remora.serving.loaded_bundle import LoadedBundle

SHOWN_PARTS = 8
FURTHER = 5_000
"""Down to this rank of a source it is looked for an item that the source's limit left out."""

EXCLUDED, DELETED, NOT_FOUND = "exclude", "deleted", "retrieval"


class ResponseModel(BaseModel):
    """A part of an explanation."""

    model_config = ConfigDict(frozen=True)


class FoundBy(ResponseModel):
    """A source, the rank it gave the item, from 1, and its score."""

    source: str
    rank: int
    score: float | None


class Contribution(ResponseModel):
    """What one feature adds to a model's margin of an objective; ``value`` None where it is missing."""

    feature: str
    value: float | str | None
    contribution: float


class Prediction(ResponseModel):
    """One objective: the prediction, its weight, and a model's margin as a base and what each feature adds (of trees by
    TreeSHAP).

    Of the models that explain themselves it is the one with the largest share in the objective; without one there are
    no contributions. ``contributions`` has the largest; ``other_contributions`` is the sum of the rest.
    """

    objective: str
    prediction: float
    weight: float
    base_value: float | None = None
    contributions: tuple[Contribution, ...] = ()
    other_contributions: float = 0.0


class Explanation(ResponseModel):
    """The answer: shown, or not and by whose doing."""

    user_id: str | None
    surface: str
    n: int
    item_id: str
    title: str | None
    bundle: str
    shown: bool
    removed_by: str | None = Field(
        None,
        description="`retrieval` where no source found it, `exclude`, `deleted`, or the name of a rule; null: it was "
        "ranked",
    )
    rank: int | None = Field(None, description="among the ranked candidates, from 1; up to n are shown")
    rank_before_reranking: int | None = Field(None, description="before the rerankers")
    candidates: int = Field(description="that were ranked")
    sources: tuple[FoundBy, ...] = Field((), description="who found it")
    below_limit_in: tuple[FoundBy, ...] = Field(
        (), description="who would have found it below its limit, and at which rank"
    )
    score: float | None = Field(None, description="what the scorer said; null is unscored")
    predictions: tuple[Prediction, ...] = ()
    degraded: tuple[str, ...] = Field((), description="as in a slate")


def explain(loaded: LoadedBundle, query: Query, row: int) -> Explanation:
    """Replay ``query`` for the item of ``row``; a request's time does not end it."""
    pipeline = loaded.surfaces[query.surface]
    query = replace(query, retrieval_deadline=NEVER, ranking_deadline=NEVER)
    allowed = pipeline.filter(pipeline.retrieve(pipeline.hydrate(query)))
    query, ordered = allowed.query, pipeline.order(allowed)
    index = _index(ordered.candidates, row)
    said: dict[str, Any] = {}
    if index is None:
        said["removed_by"] = next(_forbidding(pipeline, query, row), NOT_FOUND)
        found = tuple(_found(pipeline, query, row, limited=True))
        if not found and said["removed_by"] == NOT_FOUND:
            said["below_limit_in"] = tuple(_found(pipeline, query, row, limited=False))
    else:
        found = tuple(_sources(ordered.candidates, index))
        value = float(ordered.candidates.scores[index])
        said["rank"] = index + 1
        said["rank_before_reranking"] = (_index(ordered.candidates.by_score(), row) or 0) + 1
        said["score"] = None if math.isnan(value) else value
        if isinstance(pipeline.scorer, ObjectiveScorer):
            said["predictions"] = _predictions(pipeline.scorer, query, allowed.candidates, row)
    return Explanation(
        user_id=query.user_id,
        surface=query.surface,
        n=query.n,
        item_id=loaded.context.vocabulary.id(row),
        title=loaded.context.snapshot.titles[row],
        bundle=loaded.bundle,
        shown=index is not None and index < query.n,
        candidates=len(ordered.candidates),
        sources=found,
        degraded=tuple(dict.fromkeys(ordered.degraded)),
        **said,
    )


def _index(candidates: Candidates, row: int) -> int | None:
    at = np.flatnonzero(candidates.rows == row)
    return int(at[0]) if len(at) else None


def _forbidding(pipeline: Pipeline, query: Query, row: int) -> Iterator[str]:
    """Rules that the item breaks, found or not: sources leave out by themselves what a rule would remove anyway."""
    if row in query.exclude:
        yield EXCLUDED
    if pipeline.deleted is not None and pipeline.deleted[row]:
        yield DELETED
    alone = Candidates.merge([("asked", Retrieved(np.array([row], np.int32), np.array([np.nan], np.float32)))])
    for name, rule in pipeline.filters.items():
        try:
            if not rule.allowed(query, alone)[0]:
                yield name
        except NotReady:
            continue  # it removed nothing, as ``degraded`` says


def _found(pipeline: Pipeline, query: Query, row: int, *, limited: bool) -> Iterator[FoundBy]:
    """Who finds the item within its limit, or further down."""
    for name, source in pipeline.sources.items():
        searched: Any = source
        if not limited and is_dataclass(source) and getattr(source, "limit", None) is not None:
            searched = replace(searched, limit=FURTHER)
        try:
            found = live_rows.find(searched, query, pipeline.live_from)
        except NotReady:
            continue
        at = np.flatnonzero(found.rows == row)
        if len(at):
            yield FoundBy(source=name, rank=int(at[0]) + 1, score=_number(found.scores[at[0]]))


def _sources(candidates: Candidates, index: int) -> Iterator[FoundBy]:
    for column, (name, rank) in enumerate(
        zip(candidates.sources, candidates.source_ranks[index].tolist(), strict=True)
    ):
        if not math.isnan(rank):
            yield FoundBy(source=name, rank=int(rank), score=_number(candidates.source_scores[index, column]))


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)


def _predictions(scorer: ObjectiveScorer, query: Query, candidates: Candidates, row: int) -> tuple[Prediction, ...]:
    batch, columns = scorer.batch(query, candidates), scorer.ranker.columns.columns
    at = _index(candidates, row) or 0
    one = batch.one(at)
    found = []
    for objective, predicted in scorer.ranker.score(batch).items():
        if math.isnan(predicted[at]):  # of an item that came after what predicts it
            continue
        said = Prediction(
            objective=objective, prediction=float(predicted[at]), weight=scorer.weights.get(objective, 0.0)
        )
        explained = scorer.ranker.contributions(one, objective)
        if explained is not None:
            *adds, base = explained[0].tolist()
            order = sorted(range(len(adds)), key=lambda n: -abs(adds[n]))
            parts = tuple(
                Contribution(
                    feature=columns[n].name,
                    value=_value(one.features[0, n], columns[n].categories),
                    contribution=adds[n],
                )
                for n in order[:SHOWN_PARTS]
            )
            others = sum(adds[n] for n in order[SHOWN_PARTS:])
            said = said.model_copy(update={"base_value": base, "contributions": parts, "other_contributions": others})
        found.append(said)
    return tuple(found)


def _value(value: np.floating, categories: tuple[str, ...] | None) -> float | str | None:
    if np.isnan(value):
        return None
    return categories[int(value)] if categories else float(value)
