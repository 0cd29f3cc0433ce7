"""The systems of a comparison: the whole surface, and the same surface with stages taken away."""

from __future__ import annotations

from dataclasses import replace

from remora.pipeline import Pipeline
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
    retrieval = replace(surface, scorer=None, rerankers={})
    return {
        POPULARITY: replace(retrieval, sources={}),
        CO_VISITATION: replace(retrieval, sources=_only(surface, "co_visited")),
        RETRIEVAL: retrieval,
        SURFACE: surface,
        **{WITHOUT + name: _without(retrieval, name) for name in surface.sources if len(surface.sources) > 1},
    }


def _only(surface: Pipeline, name: str) -> dict[str, Source]:
    return {name: surface.sources[name]} if name in surface.sources else {}


def _without(retrieval: Pipeline, name: str) -> Pipeline:
    return replace(retrieval, sources={other: one for other, one in retrieval.sources.items() if other != name})
