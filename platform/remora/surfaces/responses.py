"""A slate as the API sends it: the response's own model, which gates and replicas build before a caller gets one."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from remora.pipeline import Candidates, Query, Slate, StageContext


class RecommendedItem(BaseModel):
    """One place of a slate."""

    item_id: str
    position: int = Field(description="1 is the first")
    score: float | None = Field(description="of the last scorer that ran, unbounded; null is unscored")
    sources: list[str] = Field(description="who found it")
    title: str | None = None


class RecommendResponse(BaseModel):
    """A slate, and what happened on the way to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
                    "surface": "home_feed",
                    "bundle": "4f1c0e9a2b7d6c31",
                    "variant": "production",
                    "items": [
                        {
                            "item_id": "50",
                            "position": 1,
                            "score": 2.31,
                            "sources": ["nearest_items", "co_visited"],
                            "title": "Star Wars",
                        }
                    ],
                    "degraded": [],
                    "timings_ms": {"user": 0.9, "nearest_items": 0.6, "tree_scorer": 2.8, "total": 6.1},
                }
            ]
        }
    )

    request_id: str
    surface: str
    bundle: str = Field(description="id of the artifacts that answered, one for all stages")
    variant: str = Field(description="the alias or id that the app was asked to serve")
    items: list[RecommendedItem]
    degraded: list[str] = Field(description="what was skipped and why; empty when all went well")
    timings_ms: dict[str, float] = Field(description="milliseconds per stage, and in total")


def response_to(query: Query, slate: Slate, context: StageContext, *, bundle: str, variant: str) -> RecommendResponse:
    """The answer to a query; ValidationError where the bundle holds what the API cannot send."""
    return RecommendResponse(
        request_id=query.request_id,
        surface=query.surface,
        bundle=bundle,
        variant=variant,
        items=_items(slate.candidates, context),
        degraded=list(slate.degraded),
        timings_ms={name: round(ms, 3) for name, ms in slate.timings_ms.items()},
    )


def _items(candidates: Candidates, context: StageContext) -> list[RecommendedItem]:
    return [
        RecommendedItem(
            item_id=context.vocabulary.id(row),
            position=position + 1,
            score=None if math.isnan(score) else score,
            sources=list(candidates.found_by(position)),
            title=context.snapshot.titles[row],
        )
        for position, (row, score) in enumerate(zip(candidates.rows.tolist(), candidates.scores.tolist(), strict=True))
    ]
