"""Fitting the ranker: each model, their blend, its calibration, and what was measured on the validation window."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from remora.contracts.home import Home
from remora.datasets.slates import Slates, both
from remora.evaluation.leakage import Leak
from remora.evaluation.reliability import Reliability, by_segment
from remora.ranking.model import RankingModel
from remora.ranking.network.model import Network
from remora.ranking.ranker import NETWORK, TREES, Ranker, RankerSpec
from remora.ranking.trees import Trees
from remora.settings import Settings
from remora.settings.ranking import ObjectiveSettings
from remora.training.boosting import BoostedTrees, boost, boost_in_process
from remora.training.fit_blend import blended
from remora.training.fit_calibration import calibrator
from remora.training.fitting import Resources, described, fit_network
from remora.training.progress import Report
from remora.training.ranking_data import RankingWindows, boosting_of, groups, network_inputs
from remora.training.ranking_network import NDCG, NetworkInputs, NetworkSchedule, fit_in_process
from remora.training.ranking_report import RankingReport, data_of, dependences, importances, qualities
from remora.training.runs import forget
from remora.training.tracking import TrackedRun

NAME = "ranking"
AGAIN_EPOCHS, AGAIN_RATE = 3, 0.3
"""The network's second course, with the validation window: this many epochs at this share of the learning rate."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Each model, their blend, and its calibration; ``vectors`` (items, d) are those of the items by row."""

    settings: Settings
    home: Home
    version: str
    data: RankingWindows
    vectors: torch.Tensor
    run: TrackedRun | None
    say: Callable[[Report], None] | None
    here: bool = False  # in this process, without Ray Train's workers and checkpoints
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)  # quality on validation, of what was fitted

    @property
    def objectives(self) -> Mapping[str, ObjectiveSettings]:
        """What is predicted."""
        return self.settings.objectives

    def ranker(self) -> FittedRanker:
        """All models, chosen on the validation window and then, with a refit, learned from it too."""
        fits = {TREES: self.trees, NETWORK: self.network}
        chosen: dict[str, RankingModel] = {}
        final: dict[str, RankingModel] = {}
        for name in self.settings.ranking.models:
            chosen[name], final[name] = fits[name]()
        judged = self.data.validation
        margins = {name: model.margins(judged.batch) for name, model in chosen.items()}
        blend = blended(margins, judged, tuple(self.objectives))
        together = blend.of(margins)
        # On models that have not seen the window: those that learned from it look better there than they are.
        calibrators = {
            name: calibrator(o.calibrated_by, together[:, index], judged.labels[name], judged.counts)
            for index, (name, o) in enumerate(self.objectives.items())
        }
        spec = RankerSpec(columns=self.data.columns, calibrators=calibrators, blend=blend)
        return FittedRanker(before=Ranker(spec=spec, models=chosen), ranker=Ranker(spec=spec, models=final))

    def trees(self) -> tuple[RankingModel, RankingModel]:
        """The trees chosen on validation, and those that learned from it too."""
        found: dict[str, BoostedTrees] = {}
        for name, objective in self.objectives.items():
            config = boosting_of(self.settings.ranking, objective, self.data)
            train, validation = (groups(part, name, config.head) for part in (self.data.train, self.data.validation))
            if self.here:
                found[name] = boost_in_process(config, train, validation)
            else:
                found[name] = boost(
                    self.settings.ranking,
                    self.home,
                    self._run(name),
                    config=config,
                    train=train,
                    validation=validation,
                    report=partial(self._told, objective=name),
                )
            self.curves[f"{TREES} {name}"] = found[name].history
        return (
            Trees({name: boosted.chosen for name, boosted in found.items()}),
            Trees({name: boosted.booster for name, boosted in found.items()}),
        )

    def network(self) -> tuple[RankingModel, RankingModel]:
        """The network chosen on validation, and the same gone on with it."""
        ranking = self.settings.ranking
        inputs, schedule = network_inputs(self.settings, self.data, self.vectors)
        resources = Resources(workers=ranking.workers, threads=1, max_failures=ranking.max_failures)

        def fit(run: str, inputs: NetworkInputs, schedule: NetworkSchedule) -> Network:
            if self.here:
                return Network(inputs.spec, fit_in_process(inputs, schedule), self.vectors)
            network, epochs = fit_network(self.home, run, inputs, schedule, resources, on_epoch=self._told)
            if inputs.validation is not None:
                self.curves[NETWORK] = tuple(float(epoch[NDCG]) for epoch in epochs)
            return Network(inputs.spec, network, self.vectors)

        first = fit(self._run(NETWORK), inputs, schedule)
        if not ranking.refit:
            return first, first
        judged = self.data.validation
        every = both(self.data.train, judged.with_any(*judged.labels.values()))
        again = replace(inputs, train=every, validation=None, weights=first.network.state_dict())
        shorter = replace(schedule, epochs=AGAIN_EPOCHS, learning_rate=AGAIN_RATE * schedule.learning_rate)
        return first, fit(self._run(f"{NETWORK}-again"), again, shorter)

    def forget(self) -> None:
        """Remove what runs need to continue, once the artifact is committed."""
        for name in self.objectives:
            forget(self.home, NAME, self._run(name))
        for name in (NETWORK, f"{NETWORK}-again"):
            forget(self.home, "towers", self._run(name))

    def _run(self, part: str) -> str:
        return f"{self.version}-{part}"

    def _told(self, values: Report, objective: str = NETWORK) -> None:
        step = values["round"] if "round" in values else values["epoch"]
        assert self.run is not None
        self.run.metrics({f"{objective}_{name}": value for name, value in values.items()}, step=step)
        (self.say or _log)(values | {"objective": objective})


@dataclass(frozen=True, kw_only=True)
class FittedRanker:
    """The ranker ``before`` it learned from the validation window, which may be judged there, and as it is kept."""

    before: Ranker
    ranker: Ranker

    def report(
        self,
        settings: Settings,
        version: str,
        data: RankingWindows,
        suspected: tuple[Leak, ...],
        curves: Mapping[str, tuple[float, ...]],
    ) -> RankingReport:
        """What was measured on the validation window."""
        judged, blend, seed = data.validation, self.before.spec.blend, settings.ranking.seed
        importance = importances(self.before, judged, seed)
        shares = {name: dict(zip(self.before.objectives, of, strict=True)) for name, of in blend.shares.items()}
        return RankingReport(
            version=version,
            data=(data_of("ranking", data.train), data_of("validation", judged)),
            weights={name: objective.weight for name, objective in settings.objectives.items()},
            quality=qualities(self.before, judged),
            shares=shares,
            curves=dict(curves),
            reliability=crossed_reliability(self.before, judged, settings),
            importance=importance,
            dependence=dependences(self.before, judged, importance),
            leaks=suspected,
        )


def crossed_reliability(ranker: Ranker, judged: Slates, settings: Settings) -> tuple[Reliability, ...]:
    """The calibration judged on slates that it was not fitted to: two halves, drawn evenly, each for the other."""
    margins, slate = ranker.margins(judged.batch), judged.batch.slate
    half = np.random.default_rng(settings.ranking.seed).permutation(len(judged)) % 2 == 0
    columns = {}
    for index, (name, objective) in enumerate(settings.objectives.items()):
        columns[name] = np.empty(len(slate))
        for fitted in (half[slate], ~half[slate]):
            known = judged.labels[name][fitted], judged.counts[fitted]
            of = calibrator(objective.calibrated_by, margins[fitted, index], *known)
            columns[name][~fitted] = of(margins[~fitted, index])
    return by_segment(columns, judged, settings.evaluation)


def _log(values: Report) -> None:
    if "round" in values:
        said = (values["objective"], values["round"], values["rounds"], values["metric"], values[values["metric"]])
        log.info("%s, round %d of %d: %s on validation %.4f", *said)
    else:
        log.info(described(values))
