"""The search over the two towers' settings, chosen among held-out users; and its outcome, by name."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import yaml
from ray import tune
from ray.data import Dataset

import remora
from remora.contracts.artifacts import Artifact, Shelf, fingerprint
from remora.contracts.errors import NotFound, SettingsError
from remora.contracts.home import Home
from remora.datasets.cuts import time_cuts
from remora.ingest.lake import Lake
from remora.settings import RetrievalSettings, Settings
from remora.training import retrieval, retrieval_inputs
from remora.training.retrieval import SERVING_ONLY
from remora.training.search import Search
from remora.training.search_report import SearchReport, written
from remora.training.tracking import tracked
from remora.training.two_tower import RECALL, Inputs, Schedule, epochs, held_out_recall, towers

NAME, REPORT = "tuning", "report.json"
SHARED = {"text_buckets", "held_out_users", "seed", "workers"}
"""Fields that are the same for all trials: they share the examples, and run on one CPU each."""

log = logging.getLogger(__name__)


def search_shelf(home: Home) -> Shelf:
    """Where outcomes are kept, each under its name."""
    return Shelf(home, NAME, "remora tune retrieval")


def search(
    settings: Settings, name: str = "latest", on_report: Callable[[dict[str, Any]], None] | None = None
) -> Artifact:
    """Search ``tuning.retrieval`` within its budget and keep the outcome as ``name``; an unchanged one is a look-up.

    The first trial is the settings as they are. Recall@100 among the held-out users decides, whose examples end at the
    first cut: nothing later is looked at. Interrupted, the same command goes on.
    """
    check(settings, name)
    home = Home(settings.home)
    lake = Lake.open(home)
    made_from = fingerprint(
        towers=retrieval.version(settings, lake), tuning=settings.tuning.model_dump(), code=remora.__version__
    )
    shelf = search_shelf(home)
    done = shelf.find(name)
    if done is not None and done.receipt["made_from"] == made_from:
        return done
    inputs, examples = retrieval_inputs.prepare(settings, lake, lake.vocabulary(), time_cuts(settings, lake))
    spaces = settings.tuning.retrieval
    sought = Search(
        home=home,
        name=f"{name}-{made_from}",
        section=RetrievalSettings,
        spaces=spaces,
        first={field: getattr(settings.retrieval, field) for field in spaces},
        metric=RECALL,
        most_epochs=settings.retrieval.epochs,
        settings=settings.tuning,
    )
    given = {"settings": settings.retrieval, "inputs": inputs, "examples": examples, "count": examples.count()}
    with tracked(settings, NAME, name, settings.tuning.model_dump()) as run:
        trials = sought.run(_trial, given, on_report or _log)
        best = trials[0]
        run.metrics({RECALL: best.best, "trials": len(trials)})
    draft = shelf.draft(name)
    found = SearchReport(name=name, section="retrieval", metric=RECALL, trials=trials, first=sought.first)
    for file, content in written(found).items():
        home.write_bytes(f"{draft.folder}/{file}", content)
    artifact = shelf.publish(draft, made_from=made_from, best=best.changes, metrics={RECALL: best.best})
    sought.forget()
    return artifact


def read_search(artifact: Artifact) -> SearchReport:
    """What a search found."""
    return SearchReport.model_validate(artifact.read_json(REPORT))


def tuned(settings: Settings, name: str) -> Settings:
    """The settings with the best of the search ``name``; NotFound says which there are."""
    home = Home(settings.home)
    found = search_shelf(home).find(name)
    if found is None:
        paths = home.files(f"{NAME}/versions") if home.exists(f"{NAME}/versions") else []
        names = sorted({path.split("/")[0] for path in paths})
        raise NotFound("search", name, f"There are: {', '.join(names)}." if names else "Run remora tune retrieval.")
    return changed(settings, yaml.safe_load(found.read_bytes("best.yaml"))["retrieval"])


def changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """The settings with other fields of ``retrieval``, checked as if they had been written in the file."""
    chosen = RetrievalSettings.model_validate(settings.retrieval.model_dump() | changes)
    return settings.model_copy(update={"retrieval": chosen})


def check(settings: Settings, name: str) -> None:
    """SettingsError for a name that is no folder's, and for fields that no trial could change."""
    check_name(name)
    if fixed := sorted(set(settings.tuning.retrieval) & (SERVING_ONLY | SHARED)):
        raise SettingsError(
            f"tuning.retrieval has {', '.join(fixed)}, which the training of a trial does not depend on. Leave "
            f"{'it' if len(fixed) == 1 else 'them'} out."
        )


def check_name(name: str) -> None:
    """SettingsError for a name that is no folder's."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise SettingsError(f"A search cannot be called {name!r}: use small letters, digits, '.', '_' and '-'.")


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
        tune.report(report | {RECALL: held_out_recall(model, inputs.held_out)})


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
    shown = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in changes.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())
