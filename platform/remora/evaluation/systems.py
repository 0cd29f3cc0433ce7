"""The systems of a comparison: the whole surface, and the same surface with stages taken away."""

from __future__ import annotations

from dataclasses import replace

from remora.pipeline import Pipeline
from remora.pipeline.runner import stage_name
from remora.pipeline.stages import Source

POPULARITY = "popularity"
CO_VISITATION = "co_visitation"
RETRIEVAL = "retrieval"
SURFACE = "surface"
WITHOUT = "without "
"""Retrieval without one of its sources is called this and the source's name."""


def systems(surface: Pipeline) -> dict[str, Pipeline]:
    """The rows of the report, simplest first; all share the surface's filters and backfill, so slates are full.

    ``popularity`` is the backfill alone, ``co_visitation`` that source alone, ``retrieval`` all sources by reciprocal
    rank fusion, ``surface`` everything; then retrieval without each of its sources, which tells what each adds.
    """
    retrieval = replace(surface, scorer=None, rerankers=())
    return {
        POPULARITY: replace(retrieval, sources=()),
        CO_VISITATION: replace(retrieval, sources=tuple(s for s in surface.sources if stage_name(s) == "co_visited")),
        RETRIEVAL: retrieval,
        SURFACE: surface,
        **{WITHOUT + stage_name(one): _without(retrieval, one) for one in surface.sources if len(surface.sources) > 1},
    }


def _without(retrieval: Pipeline, source: Source) -> Pipeline:
    return replace(retrieval, sources=tuple(s for s in retrieval.sources if s is not source))
