"""The step that hides items from the towers' training and looks for them by their content alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch

import remora
from remora.contracts.artifacts import Artifact, ArtifactStore, fingerprint
from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.contracts.tables import USER_ID
from remora.datasets.holdout_items import hidden_items, select
from remora.datasets.splits import TimeSplit, time_split
from remora.evaluation.cold_start import ColdStart, HoldoutRanks, cold_start
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.settings.one_writer import writes
from remora.training import retrieval, retrieval_inputs
from remora.training.progress import Report
from remora.training.runs import forget
from remora.training.two_tower import Inputs, ranks_of_targets

NAME, REPORT = "cold_start", "report.json"
MOST_EXAMPLES = 5_000

log = logging.getLogger(__name__)


def cold_start_artifacts(home: Home) -> ArtifactStore:
    """Where measurements are kept."""
    return ArtifactStore(home, NAME, "remora evaluate")


def measure(settings: Settings, on_epoch: Callable[[Report], None] | None = None) -> ColdStart:
    """Train the towers without ``evaluation.cold_start_holdout_fraction`` of the catalogue, and ask for these. Where
    nothing has changed, the earlier result is returned."""
    made = record(settings, on_epoch)
    return made.read_document(REPORT, ColdStart)


@writes("remora evaluate")
def record(settings: Settings, on_epoch: Callable[[Report], None] | None = None) -> Artifact:
    """As :func:`measure`; gives the artifact."""
    home = Home(settings.home)
    lake = Lake.open(home)
    chosen = settings.evaluation
    name = fingerprint(
        towers=retrieval.version(settings, lake),
        hidden=chosen.cold_start_holdout_fraction,
        epochs=chosen.cold_start_epochs,
        quota=settings.retrieval.newest_limit,
        samples=(chosen.bootstrap_samples, chosen.seed),
        code=remora.__version__,
    )
    artifacts = cold_start_artifacts(home)
    if (done := artifacts.find(name)) is not None:
        artifacts.set_current(name)
        return done
    found = _measured(settings, home, lake, name, on_epoch or _log_epoch)
    staging = artifacts.staging(name)
    home.write_json(f"{staging.folder}/{REPORT}", found.model_dump())
    artifact = artifacts.commit(staging, lake=lake.version)
    forget(home, NAME, name)
    return artifact


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
        quota=settings.retrieval.newest_limit,
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
