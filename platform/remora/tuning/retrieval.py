"""The search over the two towers' settings, chosen among held-out users; and its outcome, by name."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from ray import tune
from ray.data import Dataset

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import SettingsError
from remora.core.home import Home
from remora.datasets.splits import time_split
from remora.ingest.lake import Lake
from remora.settings import RetrievalSettings, Settings
from remora.settings.one_writer import writes
from remora.steps.path import TUNE_RETRIEVAL
from remora.training import retrieval_inputs
from remora.training.two_tower import RECALL, Inputs, Schedule, epochs, held_out_recall, towers
from remora.tuning.outcome import OnReport, SearchPlan, best_of, cached_search, check_name
from remora.tuning.report import shown

OF_A_TRIAL = {*(Schedule.__dataclass_fields__.keys() - {"seed"}), "dimension", "history_encoder"}
"""Fields that a trial may change; of the others all trials have the same, for they share the examples."""

log = logging.getLogger(__name__)


def search_artifacts(home: Home) -> ArtifactStore:
    """Where outcomes are kept, each under its name."""
    return TUNE_RETRIEVAL.artifacts(home)


@writes(TUNE_RETRIEVAL.command)
def search(settings: Settings, name: str = "latest", on_report: OnReport | None = None) -> Artifact:
    """Search ``tuning.retrieval`` within its budget and keep the outcome as ``name``; an unchanged one is reused.

    The first trial is the settings as they are. Recall@100 among the held-out users decides, whose examples end at the
    first cut: nothing later is looked at. Interrupted, the same command continues. SettingsError for fields that no
    trial could change.
    """
    check_name(name)
    if fixed := sorted(set(settings.tuning.retrieval) - OF_A_TRIAL):
        raise SettingsError(
            f"tuning.retrieval has {', '.join(fixed)}, which the training of a trial does not depend on. Leave "
            f"{'it' if len(fixed) == 1 else 'them'} out."
        )
    home, made_from = Home(settings.home), TUNE_RETRIEVAL.current(settings).version
    lake, settings = Lake.open(home), TUNE_RETRIEVAL.view(settings)

    def plan() -> SearchPlan:
        inputs, examples = retrieval_inputs.prepare(settings, lake, lake.vocabulary(), time_split(settings, lake))
        chosen = settings.retrieval
        retrieval_inputs.check_comparable(len(inputs.held_out), chosen)
        return SearchPlan(
            path="retrieval",
            before=chosen,
            spaces=settings.tuning.retrieval,
            metric=RECALL,
            most_epochs=chosen.epochs,
            trial=_trial,
            given={"settings": chosen, "inputs": inputs, "examples": examples, "count": examples.count()},
        )

    return cached_search(settings, search_artifacts(home), name, made_from, plan, on_report or _log)


def tuned(settings: Settings, name: str) -> Settings:
    """The settings with the best of the search ``name``; NotFound says which there are."""
    return changed(settings, best_of(search_artifacts(Home(settings.home)), name)["retrieval"])


def changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """The settings with other fields of ``retrieval``, checked as if they had been written in the file."""
    chosen = RetrievalSettings.model_validate(settings.retrieval.model_dump() | changes)
    return settings.model_copy(update={"retrieval": chosen})


def _trial(changes: dict[str, Any], settings: RetrievalSettings, inputs: Inputs, examples: Dataset, count: int) -> None:
    """One trial on one CPU: the loop that workers run, with all examples in one place."""
    torch.set_num_threads(1)
    chosen = RetrievalSettings.model_validate(settings.model_dump() | changes)
    retrieval_inputs.check_loss(chosen.loss, len(inputs.drawable))
    schedule = Schedule.of(chosen)
    inputs = replace(inputs, spec=retrieval_inputs.spec_of(chosen, inputs.spec))
    model = towers(inputs, schedule)
    optimiser = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate)
    for report in epochs(model, optimiser, examples.iterator(), inputs, schedule, count=count):
        tune.report(report | {RECALL: held_out_recall(model, inputs)})


def _log(report: dict[str, Any]) -> None:
    log.info(
        "trial %d, epoch %d of %d: %s %.4f  %s",
        report["trial"],
        report["epoch"],
        report["epochs"],
        RECALL,
        report[RECALL],
        described(report["changes"]),
    )


def described(changes: dict[str, Any]) -> str:
    """One line for a person."""
    return ", ".join(f"{name} {shown(value)}" for name, value in changes.items())
