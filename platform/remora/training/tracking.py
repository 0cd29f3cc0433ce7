"""Every training run in MLflow: parameters, metrics by step, the outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage, Param, RunStatus
from mlflow.exceptions import MlflowException

from remora.registry.tracking import artifact_root, tracking_uri
from remora.settings import Settings

log = logging.getLogger(__name__)


class TrackedRun:
    """One run; metrics go to it as they come."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def metrics(self, values: Mapping[str, Any], step: int = 0) -> None:
        """Record the numbers among ``values`` at a step (an epoch, a round); `recall@100` is `recall_at_100` there."""
        for name, value in values.items():
            if isinstance(value, int | float):
                self.client.log_metric(self.run_id, name.replace("@", "_at_"), float(value), step=step)


@contextmanager
def tracked(settings: Settings, name: str, version: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
    """A run of the experiment ``settings.name``, named ``<name>-<version>``; a failure is recorded as one."""
    uri = tracking_uri(settings)
    client = MlflowClient(uri, registry_uri=uri)  # never the server that a variable of the shell names
    run = client.create_run(_experiment(client, settings), run_name=f"{name}-{version}", tags={"version": version})
    listed = [Param(key, str(value)) for key, value in parameters.items()]
    client.log_batch(run.info.run_id, params=listed)
    try:
        yield TrackedRun(client, run.info.run_id)
    except BaseException:
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FAILED))
        raise
    client.set_terminated(run.info.run_id)


def _experiment(client: MlflowClient, settings: Settings) -> str:
    found = client.get_experiment_by_name(settings.name)
    if found is not None:
        return _restored(client, found)
    try:
        return client.create_experiment(settings.name, artifact_location=artifact_root(settings))
    except MlflowException:  # another process was faster
        found = client.get_experiment_by_name(settings.name)
        if found is None:
            raise
        return _restored(client, found)


def _restored(client: MlflowClient, experiment: Experiment) -> str:
    """The experiment, brought back where it was deleted: MLflow lets no other have its name."""
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        client.restore_experiment(experiment.experiment_id)
        log.warning("MLflow's experiment '%s' had been deleted; it is restored.", experiment.name)
    return str(experiment.experiment_id)
