"""Fitting the deep ranker: on Ray Train, or in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from remora.fitting.progress import Report
from remora.fitting.torch_runs import Resources, fit_module
from remora.fitting.training_run import RANKING, TrainingRun
from remora.ranking.learning import RankingData
from remora.ranking.models.network import Network
from remora.ranking.network.inputs import Scale
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.ranking.network.training import (
    NDCG,
    NetworkInputs,
    NetworkSchedule,
    epochs_in_process,
    fit_in_process,
    train_worker,
)
from remora.ranking.slates import both

AGAIN_EPOCHS, AGAIN_RATE = 3, 0.3
"""The second course, with the validation window: this many epochs at this share of the learning rate."""

AGAIN = "again"
"""The part of a run that it is."""


def fitted(config: Network.Config, data: RankingData) -> tuple[Network, Network, tuple[float, ...]]:
    """The network chosen on validation, the same continued with it, and NDCG@10 there after each epoch of the first."""
    inputs, schedule, vectors = *network_inputs(config, data), data.item_vectors
    first, history = _fit(data.run, inputs, schedule)
    chosen = Network(inputs.spec, first, vectors)
    if not data.refit:
        return chosen, chosen, history
    judged = data.windows.validation
    every = both(data.windows.train, judged.with_any(*judged.labels.values()))
    again = replace(inputs, train=every, validation=None, weights=first.state_dict())
    shorter = replace(schedule, epochs=AGAIN_EPOCHS, learning_rate=AGAIN_RATE * schedule.learning_rate)
    second, _ = _fit(data.run.part(AGAIN) if data.run else None, again, shorter)
    return chosen, Network(inputs.spec, second, vectors), history


def network_by_epoch(config: Network.Config, data: RankingData) -> Iterator[Network]:
    """After each epoch, in this process, however its validation goes."""
    inputs, schedule = network_inputs(config, data)
    for _, network in epochs_in_process(inputs, replace(schedule, patience=schedule.epochs)):
        yield Network(inputs.spec, network, data.item_vectors)


def fit_network(
    run: TrainingRun, inputs: NetworkInputs, schedule: NetworkSchedule
) -> tuple[RankingNetwork, tuple[Report, ...]]:
    """Train on Ray Train until validation stops gaining; a run that was cut off continues.

    Inputs without validation are for a network whose epochs are known by now, such as one that continues with what was
    held out.
    """
    network = RankingNetwork(inputs.spec)
    metric = NDCG if inputs.validation is not None else None
    resources = Resources(workers=run.workers, threads=1, max_failures=run.max_failures)
    reports = fit_module(
        network, run.home, RANKING, run.version, train_worker, metric, inputs, schedule, resources, run.report
    )
    return network, reports


def network_inputs(config: Network.Config, data: RankingData) -> tuple[NetworkInputs, NetworkSchedule]:
    """What the network learns from, and how."""
    spec = NetworkSpec(
        columns=data.windows.columns,
        scale=Scale.fit(data.windows.train.batch.features),
        objectives=tuple(data.objectives),
        dimension=data.item_vectors.shape[1],
        settings=config,
    )
    inputs = NetworkInputs(
        spec=spec,
        objectives=data.objectives,
        item_vectors=data.item_vectors,
        train=data.windows.train,
        validation=data.windows.validation,
    )
    return inputs, NetworkSchedule.of(config, data.seed)


def _fit(
    run: TrainingRun | None, inputs: NetworkInputs, schedule: NetworkSchedule
) -> tuple[RankingNetwork, tuple[float, ...]]:
    if run is None:
        return fit_in_process(inputs, schedule), ()
    network, epochs = fit_network(run, inputs, schedule)
    return network, tuple(float(epoch[NDCG]) for epoch in epochs if inputs.validation is not None)
