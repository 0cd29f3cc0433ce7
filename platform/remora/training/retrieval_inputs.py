"""What the two towers are trained on: inputs that all workers share, and encoded examples in an order."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from remora.core.errors import DataError, SettingsError
from remora.core.tables import USER_ID
from remora.core.vocabulary import Vocabulary
from remora.datasets.catalogue import items_as_of, users_as_of
from remora.datasets.examples import encoded, held_out, target_counts, training_only
from remora.datasets.holdout_items import Hidden, without
from remora.datasets.sequences import sequences
from remora.datasets.splits import TimeSplit
from remora.ingest.lake import Lake
from remora.retrieval.content import Content
from remora.retrieval.losses.loss import loss_of
from remora.retrieval.towers import TowerSpec
from remora.settings import RetrievalSettings, Settings
from remora.settings.components import LossChoice
from remora.training.two_tower import Inputs

if TYPE_CHECKING:
    from ray.data import Dataset

log = logging.getLogger(__name__)

MOST_WHOLE = 20_000
"""Most items whose vectors are computed in every step, as their loss asks."""


def prepare(
    settings: Settings, lake: Lake, vocabulary: Vocabulary, split: TimeSplit, *, hidden: Hidden | None = None
) -> tuple[Inputs, Dataset]:
    """What the workers share, and the encoded training examples; both from before the first cut only.

    Items that are ``hidden`` (items,) are trained on as if no user had ever touched them.
    """
    chosen = settings.retrieval
    catalogue, is_known = items_as_of(lake, vocabulary, split.retrieval_end)
    known = catalogue.filter(pa.array(is_known))
    columns = [c for c in dict.fromkeys([*settings.data.item_columns, settings.data.category]) if c is not None]
    item_content = Content.fit(
        known, _there(known, columns), text=_there(known, settings.data.text_columns), buckets=chosen.text_hash_buckets
    )
    users = users_as_of(lake, split.retrieval_end)
    user_content = Content.fit(users, _there(users, settings.data.user_columns))
    every = encoded_sequences(settings, lake, split, user_content)
    if hidden is not None:
        every = every.map_batches(without, batch_format="pyarrow", batch_size=None, fn_kwargs={"hidden": hidden})  # type: ignore[arg-type]
    every = every.materialize()
    counts, judged = target_counts(every, len(vocabulary)), held_out(every, settings.features.partitions)
    check_examples(int(counts.sum()), len(judged), settings, split)
    trained = counts > 0
    identity = np.where(trained, np.cumsum(trained), 0)
    spec = TowerSpec(
        dimension=chosen.dimension,
        history_length=settings.features.history_length,
        encoder=chosen.history_encoder,
        trained=int(trained.sum()),
        item_content=item_content,
        user_content=user_content,
    )
    # Items without an example would only ever be negatives, and teach that items without an identity are bad ones.
    drawable = np.flatnonzero(trained).astype(np.int64)
    check_loss(chosen.loss, len(drawable))
    inputs = Inputs(
        spec=spec,
        identity=identity.astype(np.int64),
        content=item_content.encode(catalogue),
        share=counts / counts.sum(),
        examples=int(counts.sum()),
        drawable=drawable,
        held_out=judged,
        repeats=not settings.ranked_surface.hide_seen,
    )
    return inputs, in_order(every.map_batches(training_only, batch_format="pyarrow", batch_size=None))


def check_examples(learned: int, held_out: int, settings: Settings, split: TimeSplit) -> None:
    """DataError where the workers would have nothing to learn from: ``learned`` examples, and those ``held_out``."""
    chosen, until = settings.retrieval, f"{split.retrieval_end:%Y-%m-%d %H:%M}"
    if held_out and not learned:
        raise DataError(
            f"All positive events before {until} are of held-out users (retrieval.validation_user_fraction is "
            f"{chosen.validation_user_fraction:g}), so none is left to learn from. Bring events of more users, or set "
            f"retrieval.validation_user_fraction to 0."
        )
    if not learned:
        raise DataError(
            f"There is no event of the positive types {', '.join(settings.data.positive_types)} before {until}, so "
            f"there is nothing to learn from. Check event_types and their signs, bring events of a longer time, or "
            f"change `split`."
        )
    if learned < chosen.workers:
        raise DataError(
            f"The {learned:,} positive events before {until} are fewer than the {chosen.workers} workers that share "
            f"them. Set retrieval.workers to {learned}, or bring more events."
        )
    if not held_out:
        log.warning(
            "No user with a positive event before %s is held out (retrieval.validation_user_fraction is %g): recall "
            "is not measured, and the last epoch is kept.",
            until,
            chosen.validation_user_fraction,
        )


def check_comparable(held_out: int, chosen: RetrievalSettings) -> None:
    """DataError without ``held_out`` examples: no trial of a search could be told from another."""
    if not held_out:
        raise DataError(
            f"No user is held out (retrieval.validation_user_fraction is {chosen.validation_user_fraction:g}), so "
            f"trials cannot be compared. Raise it, or bring events of more users."
        )


def check_loss(loss: LossChoice, items: int) -> None:
    """SettingsError for one that is not for so many items."""
    if items > MOST_WHOLE and not loss_of(loss).needs_negatives:
        raise SettingsError(
            f"retrieval.loss is {loss.type}, which compares with all {items:,} items in every step; that is for "
            f"{MOST_WHOLE:,} items at the most. Choose one that draws negatives: sampled_softmax, bilateral_softmax "
            f"or gbce."
        )


def spec_of(chosen: RetrievalSettings, shape: TowerSpec) -> TowerSpec:
    """The towers of these settings over the same data."""
    return replace(shape, dimension=chosen.dimension, encoder=chosen.history_encoder)


def encoded_sequences(settings: Settings, lake: Lake, split: TimeSplit, user_content: Content) -> Dataset:
    """Rows as :func:`~remora.datasets.examples.encoded` gives, of all users before the first cut; not yet computed."""
    share = settings.retrieval.validation_user_fraction
    every = sequences(settings, lake, lake.vocabulary(), before=split.retrieval_end, held_out=share)
    return every.map_batches(encoded, batch_format="pyarrow", batch_size=None, fn_kwargs={"content": user_content})  # type: ignore[arg-type]


def in_order(examples: Dataset) -> Dataset:
    """The same blocks of rows, ordered by their first user, in Ray's object store.

    Blocks come in the order in which their tasks end. A resumed training must see them as the one it continues with
    did.
    """
    blocks = [b for b in examples.materialize().to_arrow_refs() if b is not None]
    users = ray.get([_first_user.remote(block) for block in blocks])
    order = sorted((user, index) for index, user in enumerate(users) if user is not None)
    return ray.data.from_arrow_refs([blocks[index] for _, index in order])


@ray.remote(num_cpus=0)
def _first_user(block: pa.Table) -> str | None:
    """The least user id of a block, None without rows; no two blocks share a user."""
    return pc.min(block[USER_ID]).as_py()


def _there(table: pa.Table, columns: Any) -> list[str]:
    """Those of the columns that the table has; a lake without a users source has none."""
    return [c for c in columns if c in table.column_names]
