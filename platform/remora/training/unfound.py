"""Why there is nothing to rank or to judge: no query of a window has a target, or retrieval found none of them."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID
from remora.datasets.queries import OUTCOMES
from remora.datasets.splits import Window
from remora.settings import Settings


def without_target(settings: Settings, window: Window) -> str:
    """What is the case, and what to do, when no query of a window has a target."""
    if not settings.ranked_surface.hide_seen:
        return (
            f"No query between {window.start} and {window.end} has a target: no positive event follows one. Bring more "
            f"events, change `split`, or lengthen evaluation.horizon_days."
        )
    return (
        f"No query between {window.start} and {window.end} has a target: no user has a positive event with an item "
        f"that is new to them. Bring more events, change `split`, lengthen evaluation.horizon_days, or, where the home "
        f"feed may show what a user has seen, set surfaces.home_feed.hide_seen to false."
    )


def why_unfound(queries: pa.Table, items: pa.Table) -> str:
    """What to do when no outcome of the queries ``queries`` was among the candidates; ``items`` are the lake's.
    Columns read: instant and outcomes of ``queries``, item_id and event_timestamp of ``items``.

    An item is a candidate from the time of its first version on, whatever the retrieval model and its limits are.
    """
    targets = pl.DataFrame(pl.from_arrow(queries.select(["instant", OUTCOMES]))).explode(OUTCOMES).drop_nulls()
    versions = pl.DataFrame(pl.from_arrow(items.select([ITEM_ID, EVENT_TIMESTAMP])))
    always = pl.col(EVENT_TIMESTAMP).is_null().any()
    since = versions.group_by(ITEM_ID).agg(pl.when(~always).then(pl.col(EVENT_TIMESTAMP).min()).alias("since"))
    early = targets.join(since, left_on=OUTCOMES, right_on=ITEM_ID).filter(pl.col("since") > pl.col("instant")).height
    if 2 * early > targets.height:
        return (
            f"{early:,} of the {targets.height:,} positive items were not in the catalogue yet: event_timestamp of "
            f"items is later than the queries. If it is the time of the export or of the last change, do not map it."
        )
    return "Raise the sources' limits in `surfaces`, or train the retrieval model on more events."
