"""What an entry of `degraded` may begin with: names of stages, and the words of the fallback chain."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from docs.reference_pages.markdown import attribute_docs, code, document, prose, table
from remora.extensions import find
from remora.extensions.kinds import FILTER, HYDRATOR, RERANKER, SCORER, SOURCE
from remora.features.hydrators import user_features
from remora.pipeline import runner
from remora.pipeline.runner import stage_name
from remora.retrieval.sources.popular_in_segment import PopularInSegment
from remora.serving import fallback_chain
from remora.settings.presets import PRESETS, preset_of
from remora.settings.surfaces import STAGES

INTRODUCTION = """\
A slate that could not be made as usual says so: each entry of `degraded` is `CODE: REASON`. The code is stable and
is the label `reason` of `ray_remora_degraded_total`; the reason is for people. An empty list means that all went
well. [Deadlines and fallbacks](../explanation/deadlines_and_fallbacks.md) explains when which of them happens."""

STAGES_NAMED = """\
A stage that was not ready, or whose share of the request's time was spent before its turn, is named by the name that
the surface's settings give it; these are the names of the presets. Hydrators, filters and the backfill have no time
limit."""

CODES = ((user_features, "USER_UNKNOWN"), (user_features, "USER_STORE"), (runner, "RETRIEVAL_ORDER"))

KINDS = {"hydrators": HYDRATOR, "sources": SOURCE, "filters": FILTER, "scorer": SCORER, "rerankers": RERANKER}


def page() -> str:
    """The page."""
    return document(
        "Degraded codes",
        "the presets in `remora.settings` and the constants of the stages, the runner and the fallback chain",
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
    segment = fallback_chain.SOURCE_FALLBACK.format(stage_name(object.__new__(PopularInSegment)))
    yield code(fallback_chain.CACHED_SLATE), attribute_docs(fallback_chain)["CACHED_SLATE"]
    yield code(segment), attribute_docs(fallback_chain)["SOURCE_FALLBACK"]
    yield code(fallback_chain.POPULAR_FALLBACK), attribute_docs(fallback_chain)["POPULAR_FALLBACK"]


def _stages() -> list[tuple[str, str, str]]:
    """The stages of the presets, under the names that they have there."""
    found: dict[str, tuple[str, str, str]] = {}
    for field, kind in KINDS.items():
        for preset in PRESETS:
            stages = preset_of(preset, hide_seen=False).get(field, {})
            for name, settings in (stages if field in STAGES else {"": stages} if stages else {}).items():
                cls = find(kind, settings.get("type", name)).cls
                name = name or stage_name(object.__new__(cls))
                found.setdefault(name, (code(name), kind.name, _purpose(cls)))
    order = [kind.name for kind in KINDS.values()]
    return sorted(found.values(), key=lambda row: (order.index(row[1]), row[0]))


def _purpose(stage: type) -> str:
    """What the stage's file says that it is for."""
    return prose(sys.modules[stage.__module__].__doc__).partition("\n\n")[0]
