"""The systems of a comparison: the whole surface, and the same surface with stages taken away."""

from __future__ import annotations

from dataclasses import replace

from remora.pipeline import Pipeline

POPULARITY = "popularity"
CO_VISITATION, CO_VISITED = "co_visitation", "co_visited"
RETRIEVAL = "retrieval"
SURFACE = "surface"
WITHOUT = "without "
"""Retrieval without one of its sources is called this and the source's name."""


def systems(surface: Pipeline) -> dict[str, Pipeline]:
    """The rows of the report, simplest first; all share the surface's filters and backfill, so slates are full.

    ``popularity`` is the backfill alone, ``co_visitation`` the source ``co_visited`` alone where there is one,
    ``retrieval`` all sources by reciprocal rank fusion, ``surface`` everything; then retrieval without each of its
    sources, which tells what each adds.
    """
    retrieval = replace(surface, scorer=None, rerankers={})
    co_visited = {name: one for name, one in surface.sources.items() if name == CO_VISITED}
    return {
        POPULARITY: replace(retrieval, sources={}),
        **({CO_VISITATION: replace(retrieval, sources=co_visited)} if co_visited else {}),
        RETRIEVAL: retrieval,
        SURFACE: surface,
        **{WITHOUT + name: _without(retrieval, name) for name in surface.sources if len(surface.sources) > 1},
    }


def _without(retrieval: Pipeline, name: str) -> Pipeline:
    return replace(retrieval, sources={other: one for other, one in retrieval.sources.items() if other != name})
