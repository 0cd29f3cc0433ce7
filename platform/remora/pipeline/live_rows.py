"""Rows of live items, which came after all that was learned: whom they are shown to, and whom not.

Rows from ``live_from`` on mean items that no model, list or index has a place for. A component that may be given them
says so with a class attribute (or a property) ``takes_live_rows = True``. Sources, scorers, rerankers, backfills and
ranking models that do not are asked as if there were no such items, so that nothing learned is read beyond its end.
Hydrators and filters are given all rows: they are made over the items as they are, and a filter has to judge each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import ItemCodes
from remora.pipeline.candidates import Candidates, Floats, Retrieved
from remora.pipeline.query import Query
from remora.pipeline.rows import spread
from remora.pipeline.scored_candidates import ScoredCandidates
from remora.pipeline.stages import Backfill, PredictingScorer, Reranker, Scorer, Scores, Source
from remora.pipeline.state import PipelineState

if TYPE_CHECKING:
    from torch import Tensor


def takes_live_rows(component: object) -> bool:
    """Does it say that it knows what to do with rows of live items?"""
    return bool(getattr(component, "takes_live_rows", False))


def known_query(query: Query, live_from: int | None) -> Query:
    """The query without live items; the query itself where it names none."""
    if live_from is None:
        return query
    named = {name: getattr(query, name) for name in ("history", "seen", "exclude")}
    changes = {name: rows[rows < live_from] for name, rows in named.items() if len(rows) and rows.max() >= live_from}
    is_live = query.seed_item is not None and query.seed_item >= live_from
    if not changes and not is_live:
        return query
    return replace(query, **changes, seed_item=None if is_live else query.seed_item)


def known_state(state: PipelineState, live_from: int) -> PipelineState:
    """A request on its way without live items."""
    kept = state.candidates.take(state.candidates.rows < live_from)
    return replace(state, query=known_query(state.query, live_from), candidates=kept)


def without_live(found: Retrieved, live_from: int) -> Retrieved:
    """What was found, without live items."""
    known = found.rows < live_from
    return found if known.all() else Retrieved(found.rows[known], found.scores[known], found.score_others)


def find(source: Source, query: Query, live_from: int | None) -> Retrieved:
    """What a source finds."""
    if live_from is None or takes_live_rows(source):
        return source.find(query)
    found = source.find(known_query(query, live_from))
    if found.score_others is None:
        return found
    return found._replace(score_others=partial(_scores_of_known, found.score_others, live_from))


def page(backfill: Backfill, query: Query, start: int, stop: int, live_from: int | None) -> Retrieved:
    """Some places of a backfill."""
    return backfill.page(query if takes_live_rows(backfill) else known_query(query, live_from), start, stop)


def score(scorer: Scorer, query: Query, candidates: Candidates, live_from: int | None) -> Scores | ScoredCandidates:
    """What a scorer says of the candidates (n,), in their order; NaN for live ones that it does not take."""
    ask = scorer.predict if isinstance(scorer, PredictingScorer) else scorer.score
    if live_from is None or takes_live_rows(scorer):
        return ask(query, candidates)
    known = candidates.rows < live_from
    query = known_query(query, live_from)
    if known.all():
        return ask(query, candidates)
    if not known.any():
        return np.full(len(known), np.nan, np.float32)
    said = ask(query, candidates.take(known))
    return said.spread(known) if isinstance(said, ScoredCandidates) else spread(said, known)


def rerank(reranker: Reranker, query: Query, candidates: Candidates, live_from: int | None) -> npt.NDArray[np.intp]:
    """The order (n,) of the candidates; live ones that the reranker does not take keep their places."""
    if live_from is None or takes_live_rows(reranker):
        return reranker.rerank(query, candidates)
    known, query = candidates.rows < live_from, known_query(query, live_from)
    if known.all():
        return reranker.rerank(query, candidates)
    order, places = np.arange(len(candidates)), np.flatnonzero(known)
    order[known] = places[reranker.rerank(query, candidates.take(known))]
    return order


def vectors_at(learned: Tensor, live: Tensor | None, rows: Tensor) -> Tensor:
    """The vectors (..., d) of item rows (...,): of ``learned`` (items, d), and behind its end of ``live`` (m, d)."""
    if live is None:
        return learned[rows]
    last = len(learned) - 1
    found, late = learned[rows.clamp(max=last)], rows > last
    if bool(late.any()):
        found[late] = live[rows[late] - len(learned)]
    return found


def _scores_of_known(score_others: Callable[[ItemCodes], Floats], live_from: int, rows: ItemCodes) -> Floats:
    """What a source says of rows (n,), NaN of live ones."""
    known = rows < live_from
    return score_others(rows) if known.all() else spread(score_others(rows[known]), known)
