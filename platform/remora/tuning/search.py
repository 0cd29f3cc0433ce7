"""A search by Ray Tune: random trials of a space, poor ones given up early, within a budget of time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict
from ray import tune
from ray.tune.result_grid import ResultGrid
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from remora.core.errors import DataError
from remora.core.home import Home
from remora.core.section import Section
from remora.extensions import ComponentChoice
from remora.settings.tuning import Choice, Range, TuningSettings

FOLDER = "tuning/runs"
COST = "ms_for_500"
"""What a trial may report beside its quality: how long a slate takes."""

Spaces = Mapping[str, Range | Choice]

Components = Mapping[str, Mapping[str, Any]]
"""Field that holds a component -> what may be tried of it, by a text: within a mapping Ray Tune would search."""


class Trial(BaseModel):
    """One trial: what it changed, and how it went. ``history`` has (seconds, quality) after each epoch, ``costs`` the
    milliseconds of a slate then, where the trial said so."""

    model_config = ConfigDict(frozen=True)

    changes: dict[str, Any]
    epochs: int
    best: float
    seconds: float
    failed: str = ""
    history: tuple[tuple[float, float], ...]
    costs: tuple[float, ...] = ()

    @property
    def cost(self) -> float | None:
        """Milliseconds of a slate at the best epoch."""
        if not self.costs:
            return None
        return self.costs[max(range(len(self.history)), key=lambda n: self.history[n][1])]


def front(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Those that no other beats in both quality and cost, the best first."""
    known = [(trial, trial.cost) for trial in trials]
    found: list[Trial] = []
    cheapest = math.inf
    for trial, cost in sorted((one for one in known if one[1] is not None), key=lambda one: (-one[0].best, one[1])):
        assert cost is not None
        if cost < cheapest:
            found.append(trial)
            cheapest = cost
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched: ``trainable(changes, **given)`` reports ``metric`` (larger is better) with ``ray.tune.report``
    after each epoch. ``first`` is the trial that every other is compared with."""

    home: Home
    name: str
    section: type[Section]
    spaces: Spaces
    first: Mapping[str, Any]
    metric: str
    most_epochs: int
    settings: TuningSettings

    def run(
        self, trainable: Callable[..., None], given: Mapping[str, Any], on_report: Callable[[dict[str, Any]], None]
    ) -> tuple[Trial, ...]:
        """All trials, the best first. A search of the same name that was interrupted continues.

        DataError when no trial came to its first report.
        """
        path = self.home.make_folder(FOLDER) + f"/{self.name}"
        # A trial trains in its own process: workers of its own would wait for CPUs that other trials hold.
        trial = tune.with_resources(_decoding, {"cpu": 1})
        ready = tune.with_parameters(trial, act=trainable, components=self.components, given=given)
        if tune.Tuner.can_restore(path, storage_filesystem=self.home.filesystem):
            tuner = tune.Tuner.restore(
                path, ready, param_space=self.space, storage_filesystem=self.home.filesystem, resume_unfinished=True
            )
        else:
            tuner = tune.Tuner(
                ready, param_space=self.space, tune_config=self._config(), run_config=self._run_config(on_report)
            )
        found = trials_of(tuner.fit(), self.metric, tuple(self.spaces), self.components)
        if not any(trial.history for trial in found):
            said = next((trial.failed for trial in found if trial.failed), "the time was spent before")
            raise DataError(f"No trial of {self.name} came to the end of an epoch: {said}")
        return found

    def forget(self) -> None:
        """Remove what a search needs to continue, once its outcome is kept."""
        self.home.delete(f"{FOLDER}/{self.name}")

    @property
    def space(self) -> dict[str, Any]:
        """As Ray Tune samples it, components by their texts."""
        return {
            name: tune.choice([text_of(one) for one in space.choices])
            if isinstance(space, Choice) and name in self.components
            else as_domain(space, whole=self.section.model_fields[name].annotation is int)
            for name, space in self.spaces.items()
        }

    @property
    def components(self) -> Components:
        """Of the fields that are searched; what stands there before is among what is tried."""
        return {
            name: {text_of(one): one for one in (*space.choices, self.first[name])}
            for name, space in self.spaces.items()
            if isinstance(space, Choice) and _holds_component(self.section, name)
        }

    @property
    def _encoded(self) -> dict[str, Any]:
        return {name: text_of(one) if name in self.components else one for name, one in self.first.items()}

    def _config(self) -> tune.TuneConfig:
        chosen = self.settings
        draws = BasicVariantGenerator(
            points_to_evaluate=[self._encoded], max_concurrent=chosen.max_concurrent_trials, random_state=chosen.seed
        )
        grace = min(chosen.grace_period_epochs, self.most_epochs)
        return tune.TuneConfig(
            metric=self.metric,
            mode="max",
            num_samples=chosen.max_trials,
            search_alg=draws,
            scheduler=ASHAScheduler(
                max_t=self.most_epochs,
                grace_period=grace,
                reduction_factor=chosen.reduction_factor,
                stop_last_trials=False,
            ),
            time_budget_s=60 * chosen.time_budget_minutes,
        )

    def _run_config(self, on_report: Callable[[dict[str, Any]], None]) -> tune.RunConfig:
        return tune.RunConfig(
            name=self.name,
            storage_path=self.home.make_folder(FOLDER),
            storage_filesystem=self.home.filesystem,
            verbose=0,
            callbacks=[_TrialReporter(on_report, self.components)],
        )


class _TrialReporter(tune.Callback):
    """Says what a trial reports."""

    def __init__(self, on_report: Callable[[dict[str, Any]], None], components: Components) -> None:
        self.on_report, self.components = on_report, components
        self.numbers: dict[str, int] = {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        number = self.numbers.setdefault(trial.trial_id, len(self.numbers) + 1)
        self.on_report({"trial": number, "changes": decoded(trial.config, self.components), **result})

    def get_state(self) -> dict[str, Any]:
        return {"numbers": self.numbers}

    def set_state(self, state: dict[str, Any]) -> None:
        self.numbers = state["numbers"]


def as_domain(space: Range | Choice, whole: bool) -> Any:
    """A range or list as Ray Tune knows it; ``whole`` numbers include both ends."""
    if isinstance(space, Choice):
        return tune.choice(list(space.choices))
    if whole:
        # Ray Tune leaves the upper end of whole numbers out.
        low, high = int(space.low), int(space.high) + 1
        return tune.lograndint(low, high) if space.log else tune.randint(low, high)
    return tune.loguniform(space.low, space.high) if space.log else tune.uniform(space.low, space.high)


def text_of(component: str | Mapping[str, Any]) -> str:
    """A component as settings write it, in one text."""
    return component if isinstance(component, str) else json.dumps(component, sort_keys=True)


def decoded(changes: Mapping[str, Any], components: Components) -> dict[str, Any]:
    """What a trial changes, with each component as settings write it."""
    return {name: components[name][one] if name in components else one for name, one in changes.items()}


def _holds_component(section: type[Section], name: str) -> bool:
    kind = section.model_fields[name].annotation
    return isinstance(kind, type) and issubclass(kind, ComponentChoice)


def _decoding(
    changes: dict[str, Any], act: Callable[..., None], components: Components, given: Mapping[str, Any]
) -> None:
    """The trial, with components for their texts."""
    act(decoded(changes, components), **given)


def trials_of(
    grid: ResultGrid, metric: str, names: tuple[str, ...], components: Components = MappingProxyType({})
) -> tuple[Trial, ...]:
    """What Ray Tune kept of each trial, the best first; those that never reported last."""
    found = []
    for result in (grid[index] for index in range(len(grid))):
        frame = result.metrics_dataframe
        reported = frame is not None and metric in frame
        history = tuple(zip(frame["time_total_s"], frame[metric], strict=True)) if reported else ()  # type: ignore[index]
        costs = tuple(frame[COST]) if reported and COST in frame else ()  # type: ignore[operator, index]
        config = result.config or {}
        found.append(
            Trial(
                changes=decoded({name: config[name] for name in names if name in config}, components),
                epochs=len(history),
                best=max((quality for _, quality in history), default=0.0),
                seconds=history[-1][0] if history else 0.0,
                failed="" if result.error is None else str(result.error).strip().splitlines()[-1],
                history=history,
                costs=costs,
            )
        )
    return tuple(sorted(found, key=lambda trial: (-trial.best, trial.epochs)))
