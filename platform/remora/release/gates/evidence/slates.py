"""Faults of slates, looked for in what came out: by the query and the snapshot, not by the filters of Remora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from remora.core.errors import NotReady
from remora.features.hydrators.user_features import USER_UNKNOWN
from remora.pipeline import Candidates, Pipeline, PipelineState, Query, Retrieved, Slate, StageContext
from remora.pipeline.degradation import code_of
from remora.pipeline.runner import BACKFILL
from remora.policies.filters.seed_item import SeedItem
from remora.policies.filters.seen_items import SeenItems
from remora.policies.filters.unavailable_items import UnavailableItems
from remora.policies.scorers.reciprocal_rank_fusion import ReciprocalRankFusion
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.slate_validity import SHOWN, Offender, SlateValidity
from remora.surfaces.responses import response_to

RAISED = "ends in an error"
NOT_SHOWN = "seen, unavailable, excluded, the item asked about, or hidden by a filter of the surface"
KNOWN = (SeedItem, SeenItems, UnavailableItems)
"""Filters whose rules :func:`eligible` checks by itself. What other filters hide, they alone can tell."""

Faults = list[tuple[str, str]]
"""Kind of fault, and what is wrong."""


def slate_validity(loaded: BundleUnderTest, hydrated: Sequence[PipelineState]) -> SlateValidity:
    """Ask every request of the bundle's own pipelines, and look at the slate that comes out and at its response."""
    kinds: Counter[str] = Counter()
    offenders: list[Offender] = []
    invalid = 0
    for state in hydrated:
        query = state.query
        faults = answered(loaded.surfaces[query.surface], state, loaded.context)
        kinds.update({kind for kind, _ in faults})
        invalid += bool(faults)
        if faults and len(offenders) < SHOWN:
            offenders.append(
                Offender(
                    surface=query.surface,
                    user=query.user_id,
                    item=None if query.seed_item is None else loaded.vocabulary.id(query.seed_item),
                    faults=tuple(f"{kind}: {what}" for kind, what in faults),
                )
            )
    return SlateValidity(
        requests=len(hydrated),
        invalid=invalid,
        raised=kinds[RAISED],
        kinds=dict(kinds),
        offenders=tuple(offenders),
    )


def answered(pipeline: Pipeline, state: PipelineState, context: StageContext) -> Faults:
    """What is wrong with the answer to a hydrated query; nothing for one that may be sent."""
    query = state.query
    try:
        slate = pipeline.slate(state)
        response_to(query, slate, context, bundle="gated", variant="candidate").model_dump_json()
    except Exception as error:  # noqa: BLE001 whatever a bundle's pipelines raise is what is looked for
        return [(RAISED, f"{type(error).__name__}: {error}")]
    return list(faults_of(slate, query, pipeline, context))


def faults_of(slate: Slate, query: Query, pipeline: Pipeline, context: StageContext) -> Iterator[tuple[str, str]]:
    """What is wrong with a slate; nothing for one that may be shown."""
    rows, scores = slate.candidates.rows, slate.candidates.scores
    may = allowed_by_others(pipeline, query, eligible(query, context))
    wanted = min(query.n, int(may.sum()))
    if len(rows) != wanted:
        yield "length", f"{len(rows)} items, {wanted} could be shown"
    if len(np.unique(rows)) != len(rows):
        yield "repeated item", f"{len(rows) - len(np.unique(rows))} of {len(rows)} items"
    forbidden = rows[~may[rows]]
    if len(forbidden):
        yield "item that may not be shown", f"row {forbidden[0]}: {NOT_SHOWN}"
    unscored = np.isnan(scores) & must_be_scored(slate, pipeline)
    if unscored.any():
        yield "unscored item", f"{int(unscored.sum())} of {len(scores)} items"
    if np.isinf(scores).any():
        yield "infinite score", f"{int(np.isinf(scores).sum())} of {len(scores)} items"
    if reasons := [reason for reason in slate.degraded if code_of(reason) != USER_UNKNOWN]:
        yield "degraded", "; ".join(reasons)


def must_be_scored(slate: Slate, pipeline: Pipeline) -> npt.NDArray[np.bool_]:
    """Must the surface's scorer tell something of each item? Shape (n,).

    What fuses ranks has no rank of an item that only the backfill found.
    """
    if pipeline.scorer is None:
        return np.zeros(len(slate.candidates), bool)
    if not isinstance(pipeline.scorer, ReciprocalRankFusion):
        return np.ones(len(slate.candidates), bool)
    sources = [source != BACKFILL for source in slate.candidates.sources]
    found: npt.NDArray[np.bool_] = np.any(~np.isnan(slate.candidates.source_ranks[:, sources]), axis=1)
    return found


def eligible(query: Query, context: StageContext) -> npt.NDArray[np.bool_]:
    """May each item be shown in answer to the query? Shape (n items,)."""
    may: npt.NDArray[np.bool_] = np.array(context.snapshot.available)
    if context.settings.surfaces[query.surface].hide_seen:
        may[query.seen] = False
    may[query.exclude] = False
    if query.seed_item is not None:
        may[query.seed_item] = False
    return may


def allowed_by_others(pipeline: Pipeline, query: Query, may: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """``may`` (n items,) without what the surface's filters hide, but for those of :data:`KNOWN`."""
    others = [rule for rule in pipeline.filters.values() if not isinstance(rule, KNOWN)]
    if not others:
        return may
    rows = np.flatnonzero(may).astype(np.int32)
    candidates = Candidates.merge([("eligible", Retrieved(rows, np.ones(len(rows), np.float32)))])
    found = may.copy()
    for rule in others:
        with suppress(NotReady):  # it hid nothing, as ``degraded`` says
            found[candidates.rows] &= rule.allowed(query, candidates)
    return found
