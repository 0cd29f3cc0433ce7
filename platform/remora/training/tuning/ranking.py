"""The search over the settings of one ranking model: quality on validation, and what a slate costs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import ray.tune
import torch
import xgboost

from remora.contracts.artifacts import Artifact, ArtifactStore
from remora.contracts.errors import SettingsError
from remora.contracts.home import Home
from remora.evaluation.slate_ndcg import ndcg_of_each
from remora.ingest.lake import Lake
from remora.ranking.model import RankingModel
from remora.ranking.network.model import Network
from remora.ranking.timing import timed
from remora.ranking.trees import Trees
from remora.retrieval.two_tower import Towers
from remora.settings import NetworkSettings, RankingSettings, Settings, TreeSettings
from remora.settings.one_writer import writes
from remora.steps.path import RETRIEVAL, TUNE_RANKING
from remora.training import ranking_examples
from remora.training.ranking_data import RankingWindows, boosting_of, groups, network_inputs
from remora.training.ranking_network import NDCG, epochs_in_process
from remora.training.tuning.outcome import OnReport, SearchPlan, best_of, cached_search, check_name
from remora.training.tuning.search import COST

Model = Literal["trees", "network"]
SECTIONS: dict[str, type[TreeSettings] | type[NetworkSettings]] = {"trees": TreeSettings, "network": NetworkSettings}
ROUNDS_AT_ONCE, TIMES = 20, 15

log = logging.getLogger(__name__)


def ranking_search_artifacts(home: Home) -> ArtifactStore:
    """Where outcomes are kept, each under its name."""
    return TUNE_RANKING.artifacts(home)


@writes(TUNE_RANKING.command)
def search(
    settings: Settings, model: Model = "trees", name: str = "latest", on_report: OnReport | None = None
) -> Artifact:
    """Search ``tuning.<model>`` within its budget and keep the outcome as ``name``; an unchanged one is reused.

    The first trial is the settings as they are. NDCG@10 on the validation window, the mean of the objectives, decides;
    each trial also says what a slate of 500 candidates takes, so that the report can show what quality costs. All
    trials read the same rows, which are made once. Interrupted, the same command continues. SettingsError for fields
    that no trial could change.
    """
    check_name(name)
    spaces = getattr(settings.tuning, model)
    if fixed := sorted(
        set(spaces) & {"epochs", "patience", "num_boost_round", "early_stopping_rounds", "monotone_constraints"}
    ):
        raise SettingsError(f"tuning.{model} has {', '.join(fixed)}, which is the same for all trials. Leave it out.")
    home, rows = Home(settings.home), ranking_examples.make(settings)
    inputs = {step.artifact: step.artifacts(home).current_version() or "" for step in TUNE_RANKING.reads}
    made_from = TUNE_RANKING.provenance(settings, inputs, {"model": model}).version
    settings = TUNE_RANKING.view(settings)

    def plan() -> SearchPlan:
        vectors = Towers.load(home.local_copy(RETRIEVAL.artifacts(home).current().folder)).encoder.item_vectors
        data = RankingWindows.read(rows, Lake.open(home))
        return SearchPlan(
            path=f"ranking.{model}",
            before=getattr(settings.ranking, model),
            spaces=spaces,
            metric=NDCG,
            most_epochs=most_epochs(settings.ranking, model),
            trial=_trial,
            given={"settings": settings, "model": model, "data": data, "vectors": vectors},
        )

    return cached_search(settings, ranking_search_artifacts(home), name, made_from, plan, on_report or _log)


def tuned(settings: Settings, name: str) -> Settings:
    """The settings with the best of the search ``name``; NotFound says which there are."""
    ranking = settings.ranking.model_dump()
    for model, changes in best_of(ranking_search_artifacts(Home(settings.home)), name)["ranking"].items():
        ranking[model] |= changes
    return settings.model_copy(update={"ranking": RankingSettings.model_validate(ranking)})


def most_epochs(ranking: RankingSettings, model: Model) -> int:
    """How often a trial reports: each epoch of a network, each so many rounds of trees."""
    return ranking.network.epochs if model == "network" else max(1, ranking.trees.num_boost_round // ROUNDS_AT_ONCE)


def _trial(
    changes: dict[str, Any], settings: Settings, model: Model, data: RankingWindows, vectors: torch.Tensor
) -> None:
    """One trial on one CPU."""
    torch.set_num_threads(1)
    ranking = settings.ranking
    chosen = SECTIONS[model].model_validate(getattr(ranking, model).model_dump() | changes)
    settings = settings.model_copy(update={"ranking": ranking.model_copy(update={model: chosen})})
    if model == "trees":
        steps: Iterator[tuple[float, RankingModel]] = _trees(settings, data)
    else:
        steps = _network(settings, data, vectors)
    most = most_epochs(settings.ranking, model)
    for epoch, (quality, ranker) in enumerate(steps, 1):
        cost = timed(ranker.margins, data.validation.batch, TIMES).p50_ms
        ray.tune.report({"epoch": epoch, "epochs": most, NDCG: quality, COST: cost})


def _trees(settings: Settings, data: RankingWindows) -> Iterator[tuple[float, RankingModel]]:
    """So many more rounds of each objective at a time."""
    ranking, judged = settings.ranking, data.validation
    boosters: dict[str, xgboost.Booster] = {}
    matrices = {}
    for name, objective in settings.objectives.items():
        config = boosting_of(ranking, objective, data)
        matrices[name] = config, config.matrix(groups(data.train, name, config.head))
    for _ in range(most_epochs(ranking, "trees")):
        for name, (config, matrix) in matrices.items():
            boosters[name] = xgboost.train(
                config.parameters, matrix, num_boost_round=ROUNDS_AT_ONCE, xgb_model=boosters.get(name)
            )
        trees = Trees(dict(boosters))
        found = ndcg_of_each(trees.margins(judged.batch), judged.labels, judged.batch.slate)
        yield float(np.mean([*found.values()])), trees


def _network(settings: Settings, data: RankingWindows, vectors: torch.Tensor) -> Iterator[tuple[float, RankingModel]]:
    """An epoch at a time."""
    inputs, schedule = network_inputs(settings, data, vectors)
    for quality, network in epochs_in_process(inputs, replace(schedule, patience=schedule.epochs)):
        assert quality is not None  # it has a validation window
        yield quality, Network(inputs.spec, network, vectors)


def _log(report: dict[str, Any]) -> None:
    said = (report["trial"], report["epoch"], report["epochs"], NDCG, report[NDCG], report[COST])
    log.info("trial %d, %d of %d: %s %.4f, %.2f ms for 500 candidates", *said)
