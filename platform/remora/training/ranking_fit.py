"""Fitting the ranker: each model, their blend, its calibration, and what was measured on the validation window."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from remora.core.errors import DataError
from remora.core.home import Home
from remora.evaluation.leakage import Leak
from remora.evaluation.reliability import Reliability, by_segment
from remora.fitting.progress import Report
from remora.fitting.runs import forget_parts
from remora.fitting.torch_runs import described
from remora.fitting.training_run import RANKING, TrainingRun
from remora.ranking.learning import Curve, LearningResult, RankingData
from remora.ranking.model import Margins
from remora.ranking.ranker import Ranker, RankerSpec
from remora.ranking.slates import Slates
from remora.ranking.windows import RankingWindows
from remora.settings import Settings
from remora.settings.ranking import ObjectiveSettings
from remora.training.fit_blend import blended
from remora.training.fit_calibration import by_history
from remora.training.ranking_examples import TRAIN, VALIDATION
from remora.training.ranking_report import RankingReport, data_of, dependences, importances, qualities
from remora.training.tracking import TrackedRun

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
    curves: dict[str, Curve] = field(default_factory=dict)  # quality on validation, of what was fitted

    @property
    def objectives(self) -> Mapping[str, ObjectiveSettings]:
        """What is predicted."""
        return self.settings.objectives

    def ranker(self) -> FittedRanker:
        """All models, chosen on the validation window and then, with a refit, learned from it too.

        DataError for a model whose margins are not a finite number for each candidate and objective.
        """
        models = self.settings.ranking.learned
        learned = {name: self._learned(name) for name in models}
        judged = self.data.validation
        margins = {name: self._margins(name, one) for name, one in learned.items()}
        blend = blended(margins, judged, tuple(self.objectives))
        together = blend.of(margins)
        # On models that have not seen the window: those that learned from it look better there than they are.
        calibrators = {
            name: by_history(o.calibrated_by, together[:, index], judged, judged.labels[name], few=self._few)
            for index, (name, o) in enumerate(self.objectives.items())
        }
        types = {name: choice.type for name, choice in models.items()}
        spec = RankerSpec(columns=self.data.columns, calibrators=calibrators, blend=blend, types=types)
        before, final = ({n: getattr(one, of) for n, one in learned.items()} for of in ("chosen", "final"))
        return FittedRanker(before=Ranker(spec=spec, models=before), ranker=Ranker(spec=spec, models=final))

    @property
    def _few(self) -> int:
        return self.settings.evaluation.new_user_events

    def forget(self) -> None:
        """Remove what runs need to continue, once the artifact is committed."""
        forget_parts(self.home, RANKING, self.version)

    def _learned(self, name: str) -> LearningResult:
        choice, ranking = self.settings.ranking.learned[name], self.settings.ranking
        run = TrainingRun(
            home=self.home,
            version=f"{self.version}-{name}",
            workers=ranking.workers,
            max_failures=ranking.max_failures,
            on_report=lambda part, values: self._told(f"{name} {part}".strip(), values),
        )
        data = RankingData(
            windows=self.data,
            objectives=self.objectives,
            item_vectors=self.vectors,
            refit=ranking.refit,
            seed=ranking.seed,
            run=None if self.here else run,
        )
        found: LearningResult = choice.component.cls.learn(choice.config, data)
        self.curves.update({f"{name} {part}".strip(): curve for part, curve in found.curves.items()})
        return found

    def _margins(self, name: str, learned: LearningResult) -> Margins:
        """What the model says of the validation window."""
        batch = self.data.validation.batch
        found, shape = learned.chosen.margins(batch), (len(batch), len(self.objectives))
        if found.shape != shape or not np.isfinite(found).all():
            what = "numbers that are not finite" if found.shape == shape else f"margins of shape {found.shape}"
            raise DataError(
                f"The ranking model '{name}' gives {what}. Of {shape[0]} candidates and the objectives "
                f"{', '.join(self.objectives)} it must give finite margins of shape {shape}."
            )
        return found

    def _told(self, part: str, values: Report) -> None:
        assert self.run is not None
        step = values["round"] if "round" in values else values["epoch"]
        self.run.metrics({f"{part.replace(' ', '_')}_{name}": value for name, value in values.items()}, step=step)
        (self.say or _log)(values | {"model": part})


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
        curves: Mapping[str, Curve],
    ) -> RankingReport:
        """What was measured on the validation window."""
        judged, blend, seed = data.validation, self.before.spec.blend, settings.ranking.seed
        importance = importances(self.before, judged, seed)
        shares = {name: dict(zip(self.before.objectives, of, strict=True)) for name, of in blend.shares.items()}
        return RankingReport(
            version=version,
            data=(
                data_of("ranking", data.train, data.origins.get(TRAIN, {})),
                data_of("validation", judged, data.origins.get(VALIDATION, {})),
            ),
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
    margins, slate, history = ranker.margins(judged.batch), judged.batch.slate, judged.batch.history_lengths
    half = np.random.default_rng(settings.ranking.seed).permutation(len(judged)) % 2 == 0
    columns = {name: np.empty(len(slate)) for name in settings.objectives}
    for fitted in (half, ~half):
        known, of_fitted, few = judged.take(np.flatnonzero(fitted)), fitted[slate], settings.evaluation.new_user_events
        for index, (name, objective) in enumerate(settings.objectives.items()):
            of = by_history(objective.calibrated_by, margins[of_fitted, index], known, known.labels[name], few=few)
            columns[name][~of_fitted] = of(margins[~of_fitted, index], history[~of_fitted])
    return by_segment(columns, judged, settings.evaluation)


def _log(values: Report) -> None:
    if "round" in values:
        said = (values["model"], values["round"], values["rounds"], values["metric"], values[values["metric"]])
        log.info("%s, round %d of %d: %s on validation %.4f", *said)
    else:
        log.info("%s, %s", values["model"], described(values))
