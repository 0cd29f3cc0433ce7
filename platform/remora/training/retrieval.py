"""The step that trains the two towers and makes the artifact `retrieval`."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.data import ExecutionOptions
from ray.train import DataConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.home import Home
from remora.core.tables import ITEM_ID
from remora.core.vocabulary import Vocabulary
from remora.datasets.splits import time_split
from remora.fitting.checkpoints import read_state
from remora.fitting.progress import Report, followed
from remora.fitting.runs import forget, run_config
from remora.ingest.lake import Lake
from remora.retrieval.index import EXACT_LIMIT, ItemIndex
from remora.retrieval.index_selection import Budget, choose
from remora.retrieval.towers import TwoTower
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import INGEST, RETRIEVAL
from remora.training.retrieval_inputs import prepare
from remora.training.tracking import tracked
from remora.training.two_tower import RECALL, Inputs, Schedule, held_out_users, towers
from remora.training.two_tower_worker import STATE, TOWERS, train_worker

if TYPE_CHECKING:
    from ray.data import Dataset

NAME = RETRIEVAL.artifact
INDEX_QUESTIONS = 200

log = logging.getLogger(__name__)


def retrieval_artifacts(home: Home) -> ArtifactStore:
    """Where versions of the retrieval model are kept."""
    return RETRIEVAL.artifacts(home)


@builds(RETRIEVAL)
def train(build: Build, on_epoch: Callable[[Report], None] | None = None) -> dict[str, Any]:
    """Train the towers on what happened before the first cut; an unchanged version is reused.

    ``on_epoch`` is called in this process with ``epoch``, ``epochs``, ``loss`` and ``recall@100`` after each epoch;
    the default logs a line. The weights kept are those of the epoch of best recall among held-out users, whose
    examples end at the same cut: nothing is chosen on later events.
    """
    home, settings, name = build.home, build.settings, build.version
    lake = Lake(build.inputs[INGEST.artifact])
    split = time_split(settings, lake)
    vocabulary = lake.vocabulary()
    inputs, examples = prepare(settings, lake, vocabulary, split)
    params = settings.retrieval.model_dump() | {"lake": lake.version, "examples": examples.count()}
    with tracked(settings, NAME, name, params) as run:

        def report(epoch: Report) -> None:
            run.metrics(epoch, step=epoch["epoch"])
            (on_epoch or _log_epoch)(epoch)

        weights, metrics = fit(settings, home, name, inputs, examples, report)
        metrics |= _write(build.staging, settings, vocabulary, inputs, weights)
        home.write_json(f"{build.staging.folder}/metrics.json", metrics)
        run.metrics(metrics, step=metrics["epoch"])
    build.once_committed(lambda: forget(home, NAME, name))
    return {"cut": split.retrieval_end.isoformat(), "metrics": metrics}


def fit(
    settings: Settings,
    home: Home,
    version: str,
    inputs: Inputs,
    examples: Dataset,
    report: Callable[[Report], None],
    *,
    artifacts: str = NAME,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights and report of the best epoch, by Ray Train; an interrupted run ``version`` of ``artifacts`` continues.

    ``examples`` has the columns of :func:`~remora.training.retrieval_inputs.encoded_sequences`.
    """
    chosen = settings.retrieval
    with followed(report) as callback:
        result = TorchTrainer(
            train_worker,
            train_loop_config={
                "inputs": ray.put(inputs),
                "schedule": Schedule.of(chosen),
                # Rounded down: a worker with a step less than the others would leave them waiting for ever.
                "examples": examples.count() // chosen.workers,
            },
            datasets={"train": examples},
            dataset_config=DataConfig(
                # Else blocks come as they are finished, to the worker that is nearest, and a resumed run would meet the
                # examples in another order than the one that it continues.
                execution_options=ExecutionOptions(preserve_order=True),
                enable_shard_locality=False,
            ),
            scaling_config=ScalingConfig(num_workers=chosen.workers),
            run_config=run_config(
                home, artifacts, version, callback=callback, max_failures=chosen.max_failures, best=RECALL
            ),
        ).fit()
    best = result.get_best_checkpoint(RECALL, "max")
    assert best is not None
    with best.as_directory() as folder:
        return load_file(Path(folder) / TOWERS), read_state(Path(folder) / STATE)


def trained_towers(settings: Settings, inputs: Inputs, weights: dict[str, Any]) -> TwoTower:
    """The trained model over its catalogue."""
    model = towers(inputs, Schedule.of(settings.retrieval))
    model.load_state_dict(weights)
    return model


def _write(
    staging: Artifact, settings: Settings, vocabulary: Vocabulary, inputs: Inputs, weights: dict[str, Any]
) -> dict[str, Any]:
    """Write the files of the artifact; returns what was measured on the index."""
    model = trained_towers(settings, inputs, weights)
    vectors = model.item_vectors()
    index, report = _index(settings, model, vectors, inputs)
    asked = np.random.default_rng(settings.retrieval.seed).choice(len(vectors), min(200, len(vectors)), replace=False)
    recall = index.recall(vectors[asked], 100, exact=vectors)
    measured = {"index": index.kind, "index_recall@100": recall, "items": len(vectors)}
    measured |= {"trained_items": inputs.spec.trained}
    with tempfile.TemporaryDirectory() as folder:
        save_tensors(weights, Path(folder) / "towers.safetensors")
        save_file({"vectors": vectors}, Path(folder) / "item_vectors.safetensors")
        index.save(Path(folder) / "index.faiss")
        pq.write_table(
            pa.table({ITEM_ID: vocabulary.ids}), Path(folder) / "vocabulary.parquet", write_page_checksum=True
        )
        (Path(folder) / "index.json").write_text(json.dumps(report, indent=1))
        (Path(folder) / "towers.json").write_text(json.dumps(inputs.spec.to_json()))
        staging.add(Path(folder))
    return measured


def _index(settings: Settings, model: TwoTower, vectors: Any, inputs: Inputs) -> tuple[ItemIndex, list[dict[str, Any]]]:
    """Exact for a small catalogue, for a larger one what held-out users find fastest; and what was measured."""
    if len(vectors) <= EXACT_LIMIT or not len(inputs.held_out):
        return ItemIndex.build(vectors), []
    users = held_out_users(model, vectors, inputs.held_out.slice(0, INDEX_QUESTIONS))
    chosen = settings.retrieval
    budget = Budget(
        recall=chosen.min_index_recall, build_seconds=chosen.index_build_seconds, memory_mib=chosen.index_memory_mib
    )
    choice = choose(vectors, users, budget)
    return choice.index, [measured.as_row() for measured in choice.measured]


def _log_epoch(epoch: Report) -> None:
    log.info(
        "epoch %d of %d: loss %.4f, %s among held-out users %.4f",
        epoch["epoch"],
        epoch["epochs"],
        epoch["loss"],
        RECALL,
        epoch[RECALL],
    )
