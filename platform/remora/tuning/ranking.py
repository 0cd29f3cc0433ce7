"""The search over the settings of one ranking model: quality on validation, and what a slate costs."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import ray.tune
import torch

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import SettingsError
from remora.core.home import Home
from remora.ingest.lake import Lake
from remora.ranking.learning import RankingData
from remora.ranking.network.training import NDCG
from remora.ranking.slate_ndcg import ndcg_of_each
from remora.ranking.timing import timed
from remora.ranking.trials import fixed_fields, search_space, stage_count, stages
from remora.retrieval.two_tower import Towers
from remora.settings import RankingSettings, Settings
from remora.settings.components import RankingModelChoice
from remora.settings.one_writer import writes
from remora.steps.path import RETRIEVAL, TUNE_RANKING
from remora.training import ranking_examples
from remora.training.ranking_data import read_windows
from remora.tuning.outcome import OnReport, SearchPlan, best_of, cached_search, check_name
from remora.tuning.search import COST, Spaces

TIMES = 15

log = logging.getLogger(__name__)


def ranking_search_artifacts(home: Home) -> ArtifactStore:
    """Where outcomes are kept, each under its name."""
    return TUNE_RANKING.artifacts(home)


@writes(TUNE_RANKING.command)
def search(
    settings: Settings, model: str | None = None, name: str = "latest", on_report: OnReport | None = None
) -> Artifact:
    """Search the settings of a model of ``ranking.models``, by default the first, and keep the outcome as ``name``; an
    unchanged one is reused.

    What is tried stands in ``tuning.ranking``, or is what the model proposes. The first trial is the settings as they
    are. NDCG@10 on the validation window, the mean of the objectives, decides; each trial also says what a slate of 500
    candidates takes, so that the report can show what quality costs. All trials read the same rows, which are made
    once. Interrupted, the same command continues. SettingsError for a model that is not there, and for fields that no
    trial could change.
    """
    check_name(name)
    models = settings.ranking.learned
    model = model or next(iter(models))
    if model not in models:
        raise SettingsError(f"ranking.models has no '{model}' to be searched. It has: {', '.join(models)}.")
    chosen = models[model]
    spaces = _spaces(settings, model)
    home, rows = Home(settings.home), ranking_examples.make(settings)
    inputs = {step.artifact: step.artifacts(home).current_version() or "" for step in TUNE_RANKING.reads}
    made_from = TUNE_RANKING.provenance(settings, inputs, {"model": model}).version
    settings = TUNE_RANKING.view(settings)

    def plan() -> SearchPlan:
        folder = home.local_copy(RETRIEVAL.artifacts(home).current().folder)
        data = RankingData(
            windows=read_windows(rows, Lake.open(home)),
            objectives=settings.objectives,
            item_vectors=Towers.load(folder, settings.retrieval.history_encoder).encoder.item_vectors,
            refit=False,
            seed=settings.ranking.seed,
        )
        return SearchPlan(
            path=f"ranking.models.{model}",
            before=chosen.config,
            spaces=spaces,
            metric=NDCG,
            most_epochs=stage_count(chosen.component.cls, chosen.config),
            trial=_trial,
            given={"chosen": chosen, "data": data},
        )

    return cached_search(settings, ranking_search_artifacts(home), name, made_from, plan, on_report or _log)


def tuned(settings: Settings, name: str) -> Settings:
    """The settings with the best of the search ``name``; NotFound says which there are."""
    ranking = settings.ranking.model_dump()
    best = best_of(ranking_search_artifacts(Home(settings.home)), name)["ranking"]["models"]
    for model, changes in best.items():
        if not ranking["models"].get(model):
            raise SettingsError(f"The search '{name}' was of the ranking model '{model}', which ranking.models lacks.")
        ranking["models"][model] |= changes
    return settings.model_copy(update={"ranking": RankingSettings.model_validate(ranking)})


def _spaces(settings: Settings, model: str) -> Spaces:
    """What is tried; SettingsError where there is nothing, or a field that all trials have alike."""
    component = settings.ranking.learned[model].component.cls
    spaces = settings.tuning.ranking.get(model) or search_space(component)
    if not spaces:
        raise SettingsError(
            f"The ranking model '{model}' does not say what to try. Write it in tuning.ranking.{model}."
        )
    if fixed := sorted(set(spaces) & fixed_fields(component)):
        raise SettingsError(
            f"tuning.ranking.{model} has {', '.join(fixed)}, which is the same for all trials. Leave it out."
        )
    return spaces


def _trial(changes: dict[str, Any], chosen: RankingModelChoice, data: RankingData) -> None:
    """One trial on one CPU."""
    torch.set_num_threads(1)
    chosen = RankingModelChoice.model_validate(chosen.model_dump() | changes)
    component, judged = chosen.component.cls, data.windows.validation
    most = stage_count(component, chosen.config)
    for epoch, model in enumerate(stages(component, chosen.config, data), 1):
        found = ndcg_of_each(model.margins(judged.batch), judged.labels, judged.batch.slate)
        quality = float(np.mean([*found.values()]))
        cost = timed(model.margins, judged.batch, TIMES).p50_ms
        ray.tune.report({"epoch": epoch, "epochs": most, NDCG: quality, COST: cost})


def _log(report: dict[str, Any]) -> None:
    said = (report["trial"], report["epoch"], report["epochs"], NDCG, report[NDCG], report[COST])
    log.info("trial %d, %d of %d: %s %.4f, %.2f ms for 500 candidates", *said)
