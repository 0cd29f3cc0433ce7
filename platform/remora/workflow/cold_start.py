"""The step that hides items from the towers' training and looks for them by their content alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from remora.core.errors import DataError
from remora.core.home import Home
from remora.core.tables import USER_ID
from remora.datasets.holdout_items import hidden_items, select
from remora.datasets.splits import TimeSplit, time_split
from remora.evaluation.cold_start import ColdStart, HoldoutRanks, cold_start
from remora.fitting.progress import Report
from remora.fitting.runs import forget
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import COLD_START, INGEST
from remora.training import retrieval, retrieval_inputs
from remora.training.two_tower import Inputs, ranks_of_targets

NAME, REPORT = COLD_START.artifact, "report.json"
MOST_EXAMPLES = 5_000

log = logging.getLogger(__name__)


def measure(settings: Settings, on_epoch: Callable[[Report], None] | None = None) -> ColdStart:
    """Train the towers without ``evaluation.cold_start_holdout_fraction`` of the catalogue, and ask for these. Where
    nothing has changed, the earlier result is returned."""
    made = record(settings, on_epoch)
    return made.read_document(REPORT, ColdStart)


@builds(COLD_START)
def record(build: Build, on_epoch: Callable[[Report], None] | None = None) -> dict[str, Any]:
    """As :func:`measure`; gives the artifact."""
    home, lake = build.home, Lake(build.inputs[INGEST.artifact])
    found = _measured(build.settings, home, lake, build.version, on_epoch or _log_epoch)
    home.write_json(f"{build.staging.folder}/{REPORT}", found.model_dump())
    build.once_committed(lambda: forget(home, NAME, build.version))
    return {}


def _measured(settings: Settings, home: Home, lake: Lake, name: str, report: Callable[[Report], None]) -> ColdStart:
    chosen, vocabulary, split = settings.evaluation, lake.vocabulary(), time_split(settings, lake)
    hidden = hidden_items(vocabulary, chosen.cold_start_holdout_fraction)
    inputs, examples = retrieval_inputs.prepare(settings, lake, vocabulary, split, hidden=hidden)
    query_rows = _query_rows(settings, lake, split, inputs, hidden)
    if not len(query_rows):
        raise DataError(
            f"Of {int(hidden.sum()):,} hidden items none was wanted before {split.retrieval_end:%Y-%m-%d}: cold start "
            f"cannot be measured. Raise evaluation.cold_start_holdout_fraction, or set it to 0."
        )
    few = settings.model_copy(
        update={"retrieval": settings.retrieval.model_copy(update={"epochs": chosen.cold_start_epochs})}
    )
    weights, _ = retrieval.fit(few, home, name, inputs, examples, report, artifacts=NAME)
    model = retrieval.trained_towers(few, inputs, weights)
    counts = np.round(inputs.share * inputs.examples).astype(np.int64)
    vectors, untouched = torch.as_tensor(model.item_vectors()), torch.as_tensor(counts == 0)
    among_all, had = ranks_of_targets(model, vectors, query_rows, repeats=inputs.repeats)
    among_new, _ = ranks_of_targets(model, vectors, query_rows, among=untouched, repeats=inputs.repeats)
    users = query_rows[USER_ID].to_numpy().astype(str)
    return cold_start(
        HoldoutRanks(among_all=among_all, among_new=among_new, had=had, users=users),
        counts,
        quota=chosen.cold_start_quota,
        hidden=int(hidden.sum()),
        samples=chosen.bootstrap_samples,
        seed=chosen.seed,
    )


def _query_rows(settings: Settings, lake: Lake, split: TimeSplit, inputs: Inputs, hidden: np.ndarray) -> pa.Table:
    """At most so many of the examples that want a hidden item, spread evenly, in order of user and item."""
    every = retrieval_inputs.encoded_sequences(settings, lake, split, inputs.spec.user_content)
    positives = every.map_batches(select, batch_format="pyarrow", batch_size=None, fn_kwargs={"hidden": hidden})  # type: ignore[arg-type]
    parts = [t for t in positives.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not parts:
        return pa.table({USER_ID: pa.array([], pa.string())})
    table = pa.concat_tables(parts).sort_by([(USER_ID, "ascending"), ("target", "ascending")])
    if len(table) <= MOST_EXAMPLES:
        return table
    return table.take(np.linspace(0, len(table) - 1, MOST_EXAMPLES).astype(np.int64))


def _log_epoch(epoch: Report) -> None:
    log.info("without hidden items, epoch %d of %d: loss %.4f", epoch["epoch"], epoch["epochs"], epoch["loss"])
