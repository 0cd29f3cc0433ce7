"""The systems of a comparison: the whole surface, and the same surface with stages taken away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from remora.pipeline import Pipeline, Query, Retrieved, Source

POPULARITY = "popularity"
CO_VISITATION, CO_VISITED = "co_visitation", "co_visited"
RETRIEVAL = "retrieval"
SURFACE = "surface"
WITHOUT, ONLY = "without ", "only "
"""Retrieval without one of its sources, and that source alone, are called this and the source's name."""


def systems(surface: Pipeline) -> dict[str, Pipeline]:
    """The rows of the report, simplest first; all share the surface's filters and backfill, so slates are full.

    ``popularity`` is the backfill alone, ``co_visitation`` the source ``co_visited`` alone where there is one,
    ``retrieval`` all sources by weighted reciprocal rank fusion, ``surface`` everything; then retrieval without each of
    its sources, which tells what each adds, and each source alone.
    """
    surface = replace(surface, sources={name: AskedOnce(one) for name, one in surface.sources.items()})
    retrieval = replace(surface, scorer=None, rerankers={})
    co_visited = {name: one for name, one in surface.sources.items() if name == CO_VISITED}
    return {
        POPULARITY: replace(retrieval, sources={}),
        **({CO_VISITATION: replace(retrieval, sources=co_visited)} if co_visited else {}),
        RETRIEVAL: retrieval,
        SURFACE: surface,
        **(_apart(retrieval) if len(surface.sources) > 1 else {}),
    }


def _apart(retrieval: Pipeline) -> dict[str, Pipeline]:
    """Without each source, and each alone; :data:`CO_VISITED` alone is a row of its own already."""
    sources = retrieval.sources
    rest = {name: {other: one for other, one in sources.items() if other != name} for name in sources}
    return {
        **{WITHOUT + name: replace(retrieval, sources=others) for name, others in rest.items()},
        **{ONLY + name: replace(retrieval, sources={name: sources[name]}) for name in sources if name != CO_VISITED},
    }


@dataclass
class AskedOnce:
    """A source that all systems of a comparison share: it is asked once for each query."""

    source: Source
    last: tuple[Query, Retrieved] | None = field(default=None, repr=False)

    def find(self, query: Query) -> Retrieved:
        """What the source finds; for the very same query as before, what it found then."""
        if self.last is None or self.last[0] is not query:
            self.last = query, self.source.find(query)
        return self.last[1]
