"""The step that trains models of `retrieval.models` once, and makes the artifact `models`: a folder of each."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import DataError
from remora.core.home import Home
from remora.datasets.splits import time_split
from remora.extensions import ComponentChoice
from remora.fitting.progress import Report
from remora.fitting.torch_runs import Resources, described
from remora.ingest.lake import Lake
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.matrix_factorization import MatrixFactorization
from remora.retrieval.models.training import TrainingData
from remora.retrieval.positive_events import positive_histories
from remora.retrieval.sequential_tower import SequentialTower
from remora.retrieval.training_inputs import PairInputs, PairSchedule, SequenceInputs, SequenceSchedule
from remora.settings import Settings
from remora.steps import Build, Provenance, builds
from remora.steps.code import packages
from remora.steps.path import INGEST, MODELS
from remora.steps.provenance import KEY
from remora.steps.setting_paths import TRAINED_MODELS
from remora.training.fitting import fit_pairs, fit_sequences
from remora.training.tracking import tracked

LONGEST = 1_000
"""Positive items of a user that are learned from: the last ones."""

log = logging.getLogger(__name__)


def trained_model_artifacts(home: Home) -> ArtifactStore:
    """Where each model is kept by itself."""
    return ArtifactStore(home, "trained_models", MODELS.command)


@builds(MODELS)
def train(build: Build, on_epoch: Callable[[str, Report], None] | None = None) -> dict[str, Any]:
    """Train each model on what happened before the first cut, or find it: another one's settings train none again.

    ``on_epoch`` is called in this process with the model's name and what an epoch reported; the default logs a line.
    """
    histories = cache(lambda: _histories(build))  # read once, and not at all where every model is there
    made = {
        name: _found_or_trained(build, name, choice, histories, on_epoch or _log)
        for name, choice in build.settings.retrieval.trained.items()
    }
    for artifact in made.values():
        build.staging.reuse(artifact, artifact.metadata["files"])
    return {
        "trained": {name: artifact.version for name, artifact in made.items()},
        "metrics": {name: artifact.metadata["metrics"] for name, artifact in made.items()},
    }


def _found_or_trained(
    build: Build,
    name: str,
    choice: ComponentChoice,
    histories: Callable[[], Histories],
    on_epoch: Callable[[str, Report], None],
) -> Artifact:
    artifacts, made_from = trained_model_artifacts(build.home), _alone(build, name, choice)
    found = artifacts.find(made_from.version)
    if found is not None:
        return found
    settings, lake = build.settings, Lake(build.inputs[INGEST.artifact])
    with tracked(settings, f"model-{name}", made_from.version, choice.config.model_dump()) as run:

        def report(epoch: Report) -> None:
            run.metrics(epoch, step=epoch["epoch"])
            on_epoch(name, epoch)

        networks = RunTrainer(home=build.home, version=made_from.version, resources=_resources(settings), report=report)
        data = TrainingData(histories=histories(), vocabulary=lake.vocabulary(), settings=settings, networks=networks)
        model = choice.component.cls.train(choice.config, data)
    staging = artifacts.staging(made_from.version)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        for file in sorted(Path(folder).iterdir()):
            build.home.write_bytes(f"{staging.folder}/{name}/{file.name}", file.read_bytes())
    made: dict[str, Any] = {KEY: made_from.as_json(), **made_from.inputs, "metrics": networks.metrics}
    return artifacts.commit(staging, **made)


def _alone(build: Build, name: str, choice: ComponentChoice) -> Provenance:
    """What one model is made from: what the step is, without the other models."""
    every, own = f"{TRAINED_MODELS}.", f"{TRAINED_MODELS}.{name}."
    found = build.provenance.settings.items()
    alone = build.settings.retrieval.model_copy(update={"models": {name: choice}})
    return replace(
        build.provenance,
        settings={path: value for path, value in found if path.startswith(own) or not path.startswith(every)},
        code=packages(build.settings.model_copy(update={"retrieval": alone})),
    )


def _histories(build: Build) -> Histories:
    """What all users wanted before the first cut, in order; DataError where that is nothing."""
    settings, lake = build.settings, Lake(build.inputs[INGEST.artifact])
    vocabulary, until = lake.vocabulary(), time_split(settings, lake).retrieval_end
    found = positive_histories(
        lake.events(before=until),
        vocabulary,
        settings,
        until,
        longest=LONGEST,
        first_only=settings.ranked_surface.hide_seen,
    )
    if not len(found):
        raise DataError(
            f"There is no event of the positive types {', '.join(settings.data.positive_types)} before "
            f"{until:%Y-%m-%d %H:%M}, so there is nothing to learn from. Check event_types and their signs, or change "
            f"`split`."
        )
    return Histories.of((np.asarray(rows, np.int32) for rows in found["row"].to_numpy()), len(vocabulary))


def _resources(settings: Settings) -> Resources:
    chosen = settings.retrieval
    return Resources(workers=chosen.workers, threads=1, max_failures=chosen.max_failures)


@dataclass(frozen=True, kw_only=True)
class RunTrainer:
    """Fits one model's network by Ray Train, under its version: a
    :class:`~remora.retrieval.models.training.NetworkTrainer`."""

    home: Home
    version: str
    resources: Resources
    report: Callable[[Report], None]
    metrics: dict[str, float] = field(default_factory=dict)  # of the last training

    def sequences(self, inputs: SequenceInputs, schedule: SequenceSchedule) -> SequentialTower:
        """See :func:`~remora.training.fitting.fit_sequences`."""
        tower, epochs = fit_sequences(self.home, self.version, inputs, schedule, self.resources, self.report)
        self._keep(epochs)
        return tower

    def pairs(self, inputs: PairInputs, schedule: PairSchedule) -> MatrixFactorization:
        """See :func:`~remora.training.fitting.fit_pairs`."""
        tower, epochs = fit_pairs(self.home, self.version, inputs, schedule, self.resources, self.report)
        self._keep(epochs)
        return tower

    def _keep(self, epochs: tuple[Report, ...]) -> None:
        if epochs:  # none where the run was done when it was interrupted
            last = epochs[-1]
            self.metrics.update(epochs=last["epoch"], best=last["best"], loss=last["loss"])


def _log(name: str, epoch: Report) -> None:
    log.info("%s, %s", name, described(epoch))
