"""What an entry of `degraded` may begin with: names of stages, and the words of the fallback chain."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from docs.reference_pages.markdown import attribute_docs, code, document, prose, table
from remora.pipeline import runner
from remora.pipeline.runner import stage_name
from remora.ranking.scorer import ObjectiveScorer
from remora.serving import cached_slate, phases, recommender
from remora.surfaces import home_feed, in_segment, similar_items

INTRODUCTION = """\
A slate that could not be made as usual says so: each entry of `degraded` is `CODE: REASON`. The code is stable and
is the label `reason` of `ray_remora_degraded_total`; the reason is for people. An empty list means that all went
well. [Deadlines and fallbacks](../explanation/deadlines_and_fallbacks.md) explains when which of them happens."""

STAGES_NAMED = """\
A stage that was not ready, or whose share of the request's time was spent before its turn, is named by its own name.
Filters and the backfill have no time limit."""

CODES = ((phases, "USER_UNKNOWN"), (phases, "USER_STORE"), (runner, "RETRIEVAL_ORDER"))

STAGES = {"find": "source", "allowed": "filter", "score": "scorer", "rerank": "reranker", "page": "backfill"}


def page() -> str:
    """The page."""
    return document(
        "Degraded codes",
        "the stages in `remora.surfaces` and the constants in `remora.serving`",
        INTRODUCTION,
        "## Codes of a request",
        table(("code", "what happened"), _codes()),
        "## Names of stages",
        STAGES_NAMED,
        table(("code", "stage", "what the stage does"), _stages()),
    )


def _codes() -> Iterator[tuple[str, str]]:
    for module, name in CODES:
        yield code(getattr(module, name)), attribute_docs(module)[name]
    cached = cached_slate.CachedSlate
    yield code(stage_name(object.__new__(cached))), _purpose(cached)
    for stage in (stage for kind, stage in _imported(in_segment)):
        segment = recommender.FALLBACK.format(stage_name(object.__new__(stage)))
        yield code(segment), attribute_docs(recommender)["FALLBACK"]
    yield code(recommender.POPULAR_FALLBACK), attribute_docs(recommender)["POPULAR_FALLBACK"]


def _stages() -> list[tuple[str, str, str]]:
    found: dict[str, tuple[str, str, str]] = {}
    for kind, stage in (
        *_imported(home_feed),
        *_imported(in_segment),
        *_imported(similar_items),
        ("scorer", ObjectiveScorer),
    ):
        name = stage_name(object.__new__(stage))
        found.setdefault(name, (code(name), kind, _purpose(stage)))
    order = list(STAGES.values())
    return sorted(found.values(), key=lambda row: (order.index(row[1]), row[0]))


def _imported(surface: ModuleType) -> Iterator[tuple[str, Any]]:
    """The stages that a surface's file names."""
    for stage in vars(surface).values():
        if inspect.isclass(stage):
            yield from ((kind, stage) for verb, kind in STAGES.items() if hasattr(stage, verb))


def _purpose(stage: type) -> str:
    """What the stage's file says that it is for."""
    return prose(sys.modules[stage.__module__].__doc__).partition("\n\n")[0]
