"""The step that trains the ranker on what retrieval would have found, and makes the artifact `ranking`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

import remora
from remora.contracts.artifacts import Artifact, Shelf, fingerprint
from remora.contracts.errors import DataError, SettingsError
from remora.contracts.home import Home
from remora.datasets.slates import Slates, both
from remora.evaluation.slate_ndcg import mean_ndcg
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.model import Margins, RankingModel
from remora.ranking.network.inputs import Scale
from remora.ranking.network.model import Network
from remora.ranking.network.network import NetworkSpec
from remora.ranking.ranker import NETWORK, TREES, Ranker, RankerSpec
from remora.ranking.trees import Trees
from remora.settings import Settings
from remora.settings.ranking import ObjectiveSettings
from remora.training import slates
from remora.training.blending import blended
from remora.training.boosting import AMOUNT, LISTWISE, PROBABILITY, Boosted, Groups, Head, boost
from remora.training.calibrating import calibrator
from remora.training.fitting import Resources, described, fit_network
from remora.training.progress import Report
from remora.training.ranking_network import NDCG, NetworkInputs, NetworkSchedule
from remora.training.retrieval import retrieval_shelf
from remora.training.runs import forget
from remora.training.tracking import TrackedRun, tracked
from remora.wiring.parts import Towers

NAME = "ranking"
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
    data = Windows.read(rows, Lake.open(home))
    vectors = Towers.load(home.local_copy(retrieval.folder)).encoder.item_vectors
    params = settings.ranking.model_dump() | {"retrieval": retrieval.version, "rows": len(data.train.batch)}
    with tracked(settings, NAME, name, params) as run:
        fit = Fit(settings=settings, home=home, version=name, data=data, vectors=vectors, run=run, say=on_report)
        ranker, metrics = fit.ranker()
        run.metrics(metrics)
    draft = shelf.draft(name)
    with tempfile.TemporaryDirectory() as folder:
        ranker.save(Path(folder))
        served = sorted(path.name for path in Path(folder).iterdir())
        for file in served:
            home.write_bytes(f"{draft.folder}/{file}", (Path(folder) / file).read_bytes())
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
    run: TrackedRun
    say: Callable[[Report], None] | None

    @property
    def objectives(self) -> Mapping[str, ObjectiveSettings]:
        """What is foretold."""
        return self.settings.objectives

    def ranker(self) -> tuple[Ranker, dict[str, float]]:
        """The ranker, and what was measured on the validation window before any refit."""
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
        metrics = self._metrics(margins | ({"blend": together} if len(margins) > 1 else {}))
        return Ranker(spec=spec, models=final), metrics

    def trees(self) -> tuple[RankingModel, RankingModel]:
        """The trees chosen on validation, and those that learned from it too."""
        found: dict[str, Boosted] = {}
        monotone = self._monotone()
        for name, objective in self.objectives.items():
            head = head_of(objective)
            found[name] = boost(
                self.settings.ranking,
                self.home,
                self._run(name),
                head=head,
                kinds=self.data.columns.kinds,
                monotone=monotone,
                train=groups(self.data.train, name, head),
                validation=groups(self.data.validation, name, head),
                report=partial(self._told, objective=name),
            )
        return (
            Trees({name: boosted.chosen for name, boosted in found.items()}),
            Trees({name: boosted.booster for name, boosted in found.items()}),
        )

    def network(self) -> tuple[RankingModel, RankingModel]:
        """The network chosen on validation, and the same gone on with it."""
        chosen, train = self.settings.ranking.network, self.data.train
        spec = NetworkSpec(
            columns=self.data.columns,
            scale=Scale.fit(train.batch.features),
            objectives=tuple(self.objectives),
            dimension=self.vectors.shape[1],
            settings=chosen,
        )
        schedule = NetworkSchedule(
            epochs=chosen.epochs,
            patience=chosen.patience,
            batch_queries=chosen.batch_queries,
            learning_rate=chosen.learning_rate,
            weight_decay=chosen.weight_decay,
            seed=self.settings.ranking.seed,
        )
        inputs = NetworkInputs(
            spec=spec,
            objectives=dict(self.objectives),
            item_vectors=self.vectors,
            train=train,
            validation=self.data.validation,
        )
        ranking = self.settings.ranking
        resources = Resources(workers=ranking.workers, threads=1, max_failures=ranking.max_failures)

        def fit(run: str, inputs: NetworkInputs, schedule: NetworkSchedule) -> Network:
            network, _ = fit_network(self.home, run, inputs, schedule, resources, on_epoch=self._told)
            return Network(spec, network, self.vectors)

        first = fit(self._run(NETWORK), inputs, schedule)
        if not ranking.refit:
            return first, first
        every = both(train, self.data.validation.with_any(*self.data.validation.labels.values()))
        again = NetworkInputs(
            spec=spec,
            objectives=dict(self.objectives),
            item_vectors=self.vectors,
            train=every,
            validation=None,
            weights=first.network.state_dict(),
        )
        shorter = NetworkSchedule(
            **vars(schedule) | {"epochs": AGAIN_EPOCHS, "learning_rate": AGAIN_RATE * schedule.learning_rate}
        )
        return first, fit(self._run(f"{NETWORK}-again"), again, shorter)

    def _monotone(self) -> list[int]:
        """By column; SettingsError for a feature that is none, or a category, which has no direction."""
        asked, numbers = self.settings.ranking.trees.monotone, self.data.columns
        known = [column.name for column in numbers.columns if column.categories is None]
        if unknown := sorted(set(asked) - set(known)):
            raise SettingsError(
                f"ranking.trees.monotone has {', '.join(unknown)}, which is no numeric feature of the ranker. It has: "
                f"{', '.join(known)}."
            )
        return [asked.get(name, 0) for name in numbers.names]

    def forget(self) -> None:
        """Remove what runs need to go on, once the artifact is published."""
        for name in self.objectives:
            forget(self.home, NAME, self._run(name))
        for name in (NETWORK, f"{NETWORK}-again"):
            forget(self.home, "towers", self._run(name))

    def _run(self, part: str) -> str:
        return f"{self.version}-{part}"

    def _metrics(self, margins: Mapping[str, Margins]) -> dict[str, float]:
        judged = self.data.validation
        found: dict[str, float] = {
            "queries": len(self.data.train),
            "rows": len(self.data.train.batch),
            "validation_queries": len(judged),
        }
        for model, columns in margins.items():
            for place, name in enumerate(self.objectives):
                found[f"validation_{NDCG}_{model}_{name}"] = mean_ndcg(
                    columns[:, place], judged.labels[name], judged.batch.slate
                )
        return found

    def _told(self, values: Report, objective: str = NETWORK) -> None:
        step = values["round"] if "round" in values else values["epoch"]
        self.run.metrics({f"{objective}_{name}": value for name, value in values.items()}, step=step)
        (self.say or _log)(values | {"objective": objective})


def head_of(objective: ObjectiveSettings) -> Head:
    """How the trees learn it."""
    if objective.head == "listwise":
        return LISTWISE
    return AMOUNT if objective.label == "value" else PROBABILITY


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
