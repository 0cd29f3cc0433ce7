"""The step that trains the ranker on what retrieval would have found, and makes the artifact `ranking`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import remora
from remora.contracts.artifacts import Artifact, Shelf, fingerprint
from remora.contracts.errors import DataError, SettingsError
from remora.contracts.home import Home
from remora.datasets.cuts import time_cuts
from remora.datasets.slates import Slates, both
from remora.evaluation.leakage import Leak
from remora.evaluation.reliability import Reliability, by_segment
from remora.evaluation.segments import ALL, of_user
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.model import RankingModel
from remora.ranking.network.inputs import Scale
from remora.ranking.network.model import Network
from remora.ranking.network.network import NetworkSpec
from remora.ranking.ranker import NETWORK, TREES, Ranker, RankerSpec
from remora.ranking.trees import Trees
from remora.settings import RankingSettings, Settings, TreeSettings
from remora.settings.ranking import ObjectiveSettings
from remora.training import slates
from remora.training.blending import blended
from remora.training.boosting import AMOUNT, LISTWISE, PROBABILITY, Boosted, Config, Groups, Head, boost, boost_here
from remora.training.calibrating import calibrator
from remora.training.fitting import Resources, described, fit_network
from remora.training.leaks import leaks
from remora.training.progress import Report
from remora.training.ranking_network import NDCG, NetworkInputs, NetworkSchedule, fit_here
from remora.training.ranking_report import RankingReport, data_of, dependences, html, importances, qualities
from remora.training.retrieval import retrieval_shelf
from remora.training.runs import forget
from remora.training.tracking import TrackedRun, tracked
from remora.wiring.parts import Towers

NAME, REPORT = "ranking", "report.json"
AGAIN_EPOCHS, AGAIN_RATE = 3, 0.3
"""The network's second course, with the validation window: this many epochs at this share of the learning rate."""

log = logging.getLogger(__name__)


def ranking_shelf(home: Home) -> Shelf:
    """Where versions of the ranker are kept."""
    return Shelf(home, NAME, "remora train ranking")


def train(settings: Settings, on_report: Callable[[Report], None] | None = None) -> Artifact:
    """Train on the ranking window, choose on the validation window; an unchanged version is a look-up.

    ``on_report`` is called with ``objective``, ``round``, ``rounds`` and the head's metric on the validation window now
    and then; the default logs a line.
    """
    home = Home(settings.home)
    retrieval = retrieval_shelf(home).current()
    rows = slates.make(settings)
    name = version(settings, rows)
    shelf = ranking_shelf(home)
    if (done := shelf.find(name)) is not None:
        shelf.point(name)
        return done
    lake = Lake.open(home)
    data = Windows.read(rows, lake)
    suspected = leaks(settings, lake, time_cuts(settings, lake).ranking, data.train, data.columns)
    vectors = Towers.load(home.local_copy(retrieval.folder)).encoder.item_vectors
    params = settings.ranking.model_dump() | {"retrieval": retrieval.version, "rows": len(data.train.batch)}
    with tracked(settings, NAME, name, params) as run:
        fit = Fit(settings=settings, home=home, version=name, data=data, vectors=vectors, run=run, say=on_report)
        fitted = fit.ranker()
        report = fitted.report(settings, name, data, suspected, fit.curves)
        metrics = _metrics(report)
        run.metrics(metrics)
    draft = shelf.draft(name)
    with tempfile.TemporaryDirectory() as folder:
        fitted.ranker.save(Path(folder))
        served = sorted(path.name for path in Path(folder).iterdir())
        for file in served:
            home.write_bytes(f"{draft.folder}/{file}", (Path(folder) / file).read_bytes())
    home.write_bytes(f"{draft.folder}/{REPORT}", report.model_dump_json(indent=1).encode())
    home.write_bytes(f"{draft.folder}/report.html", html(report))
    artifact = shelf.publish(
        draft,
        retrieval=retrieval.version,
        slates=rows.version,
        metrics=metrics,
        run=run.run_id,
        served=served,
        rows=rows.receipt["rows"],
    )
    fit.forget()
    return artifact


def version(settings: Settings, rows: Artifact) -> str:
    """Fingerprint of everything that the ranker is made from; the objectives' weights are not part of it."""
    objectives = {name: objective.model_dump(exclude={"weight"}) for name, objective in settings.objectives.items()}
    return fingerprint(
        slates=rows.version,
        ranking=settings.ranking.model_dump(exclude={"objectives"}),
        objectives=objectives,
        code=remora.__version__,
    )


@dataclass(frozen=True, kw_only=True)
class Windows:
    """What models learn from, and what they are chosen by."""

    columns: RankerColumns
    train: Slates
    validation: Slates

    @classmethod
    def read(cls, rows: Artifact, lake: Lake) -> Windows:
        """The columns are those that say something in the ranking window."""
        vocabulary = lake.vocabulary()
        train, validation = (slates.read(rows, window) for window in (slates.TRAIN, slates.VALIDATION))
        columns = RankerColumns.fit(train.rows)
        return cls(
            columns=columns,
            train=Slates.of(*train, columns, vocabulary),
            validation=Slates.of(*validation, columns, vocabulary),
        )

    def monotone(self, trees: TreeSettings) -> list[int]:
        """By column; SettingsError for a feature that is none, or a category, which has no direction."""
        known = [column.name for column in self.columns.columns if column.categories is None]
        if unknown := sorted(set(trees.monotone) - set(known)):
            raise SettingsError(
                f"ranking.trees.monotone has {', '.join(unknown)}, which is no numeric feature of the ranker. It has: "
                f"{', '.join(known)}."
            )
        return [trees.monotone.get(name, 0) for name in self.columns.names]

    def without(self, prefix: str) -> Windows:
        """The same without the features whose names begin so."""
        keep = [place for place, name in enumerate(self.columns.names) if not name.startswith(prefix)]
        return Windows(
            columns=RankerColumns(columns=tuple(self.columns.columns[place] for place in keep)),
            train=self.train.with_features(keep),
            validation=self.validation.with_features(keep),
        )

    def __post_init__(self) -> None:
        for name in self.train.labels:
            for window, found in (("ranking", self.train), ("validation", self.validation)):
                if not (found.labels[name] > 0).any():
                    raise DataError(
                        f"No candidate of the {window} window led to objective {name}: nothing can be learned of it. "
                        f"Leave it out of ranking.objectives, raise ranking.{window}_queries, or bring more events."
                    )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Each model, their blend, and its calibration."""

    settings: Settings
    home: Home
    version: str
    data: Windows
    vectors: torch.Tensor
    run: TrackedRun | None
    say: Callable[[Report], None] | None
    here: bool = False  # in this process, without Ray Train's workers and checkpoints
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)  # quality on validation, of what was fitted

    @property
    def objectives(self) -> Mapping[str, ObjectiveSettings]:
        """What is foretold."""
        return self.settings.objectives

    def ranker(self) -> Fitted:
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
        calibrators = {
            name: calibrator(o.calibrated_by, together[:, place], judged.labels[name], 1.0 / judged.sampled)
            for place, (name, o) in enumerate(self.objectives.items())
        }
        spec = RankerSpec(columns=self.data.columns, calibrators=calibrators, blend=blend)
        return Fitted(before=Ranker(spec=spec, models=chosen), ranker=Ranker(spec=spec, models=final))

    def trees(self) -> tuple[RankingModel, RankingModel]:
        """The trees chosen on validation, and those that learned from it too."""
        found: dict[str, Boosted] = {}
        for name, objective in self.objectives.items():
            config = boosting_of(self.settings.ranking, objective, self.data)
            train, validation = (groups(part, name, config.head) for part in (self.data.train, self.data.validation))
            if self.here:
                found[name] = boost_here(config, train, validation)
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
                return Network(inputs.spec, fit_here(inputs, schedule), self.vectors)
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
        """Remove what runs need to go on, once the artifact is published."""
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
class Fitted:
    """The ranker ``before`` it learned from the validation window, which may be judged there, and as it is kept."""

    before: Ranker
    ranker: Ranker

    def report(
        self,
        settings: Settings,
        version: str,
        data: Windows,
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
    margins, counts, slate = ranker.margins(judged.batch), 1.0 / judged.sampled, judged.batch.slate
    half = np.random.default_rng(settings.ranking.seed).permutation(len(judged)) % 2 == 0
    columns = {}
    for place, (name, objective) in enumerate(settings.objectives.items()):
        columns[name] = np.empty(len(slate))
        for fitted in (half[slate], ~half[slate]):
            of = calibrator(
                objective.calibrated_by, margins[fitted, place], judged.labels[name][fitted], counts[fitted]
            )
            columns[name][~fitted] = of(margins[~fitted, place])
    segments = [of_user(int(events), settings.evaluation) for events in judged.history_events]
    return by_segment(columns, judged.labels, counts, slate, segments)


def _metrics(report: RankingReport) -> dict[str, float]:
    """The report's numbers by name."""
    train, judged = report.data
    found: dict[str, float] = {"queries": train.slates, "rows": train.rows, "validation_queries": judged.slates}
    for one in report.quality:
        found |= {f"validation_{NDCG}_{one.model}_{name}": value for name, value in one.ndcg.items()}
        found[f"ms_for_500_{one.model}"] = one.timing.p50_ms
    found |= {f"calibration_error_{one.objective}": one.error for one in report.reliability if one.segment == ALL}
    return found


def network_inputs(settings: Settings, data: Windows, vectors: torch.Tensor) -> tuple[NetworkInputs, NetworkSchedule]:
    """What the network learns from and how, as the settings say."""
    chosen = settings.ranking.network
    spec = NetworkSpec(
        columns=data.columns,
        scale=Scale.fit(data.train.batch.features),
        objectives=tuple(settings.objectives),
        dimension=vectors.shape[1],
        settings=chosen,
    )
    inputs = NetworkInputs(
        spec=spec,
        objectives=settings.objectives,
        item_vectors=vectors,
        train=data.train,
        validation=data.validation,
    )
    return inputs, NetworkSchedule.of(chosen, settings.ranking.seed)


def head_of(objective: ObjectiveSettings) -> Head:
    """How the trees learn it."""
    if objective.head == "listwise":
        return LISTWISE
    return AMOUNT if objective.label == "value" else PROBABILITY


def boosting_of(ranking: RankingSettings, objective: ObjectiveSettings, data: Windows) -> Config:
    """How the trees of one objective are boosted."""
    return Config(
        trees=ranking.trees,
        head=head_of(objective),
        kinds=tuple(data.columns.kinds),
        monotone=tuple(data.monotone(ranking.trees)),
        refit=ranking.refit,
        seed=ranking.seed,
    )


def groups(found: Slates, objective: str, head: Head) -> Groups:
    """What the trees read. A listwise head learns nothing from a slate without a positive."""
    label = found.labels[objective]
    if head == LISTWISE:
        found = found.with_any(label)
    return Groups(
        features=found.batch.features,
        labels=found.labels[objective],
        groups=found.batch.slate.astype(np.int64),
        counts=(1.0 / found.sampled).astype(np.float32),
    )


def _log(values: Report) -> None:
    if "round" in values:
        metric = next(name for name in values if name in {head.metric for head in (LISTWISE, PROBABILITY, AMOUNT)})
        said = (values["objective"], values["round"], values["rounds"], metric, values[metric])
        log.info("%s, round %d of %d: %s on validation %.4f", *said)
    else:
        log.info(described(values))
