"""Live objects for stages: of a bundle that is served, or of a moment that is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from remora.core.errors import DataError, Refused
from remora.core.home import Home
from remora.core.json_document import parse_document
from remora.core.vocabulary import Vocabulary
from remora.datasets.catalogue import users_as_of
from remora.features.snapshot import ItemSnapshot
from remora.features.transforms import cross
from remora.ingest.lake import Lake
from remora.pipeline import Hydrator, Items, StageContext
from remora.pipeline.merge_weights import MergeWeights
from remora.ranking.ranker import Ranker
from remora.ranking.scorer import ObjectiveScorer
from remora.registry.bundle import Bundle
from remora.registry.trust import trusted
from remora.retrieval.models.learning import LearningData
from remora.retrieval.two_tower import Towers
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE as SETTINGS
from remora.settings.components import RetrievalModelChoice
from remora.settings.retrieval import TWO_TOWER
from remora.steps.path import MODELS as TRAINED
from remora.wiring.bundle_packages import packages_of
from remora.wiring.item_columns import ItemColumns

SNAPSHOT, MODELS, MERGE_WEIGHTS = "snapshot.parquet", "models", "merge_weights.json"


def learn_models(lake: Lake, vocabulary: Vocabulary, settings: Settings, as_of: datetime) -> dict[str, Any]:
    """Every model of ``retrieval.models`` that is not trained, from what the lake knew before ``as_of``; by name."""
    data = LearningData(
        events=lake.events(before=as_of),
        users=users_as_of(lake, as_of),
        vocabulary=vocabulary,
        settings=settings,
        as_of=as_of,
    )
    chosen = settings.retrieval.learned
    counted = {name: choice for name, choice in chosen.items() if name not in settings.retrieval.trained}
    return {name: choice.component.cls.learn(choice.config, data) for name, choice in counted.items()}


def trained_models(settings: Settings) -> dict[str, Any]:
    """The other ones by name, as the step `train models` made them last. DataError for one that it did not make."""
    chosen = settings.retrieval.trained
    if not chosen:
        return {}
    home = Home(settings.home)
    made = TRAINED.artifacts(home).current()
    folder, what = home.local_copy(made.folder), f"The artifact '{made.at()}'"
    return _loaded(chosen, folder, what, f"Run `{TRAINED.command}`.")


def save_models(models: Mapping[str, Any], folder: Path) -> None:
    """Each model's files in a folder of its own, under :data:`MODELS`."""
    for name, model in models.items():
        own = folder / MODELS / name
        own.mkdir(parents=True)
        model.save(own)


def load_models(settings: Settings, folder: Path) -> dict[str, Any]:
    """What :func:`save_models` wrote of the models that ``settings`` name. DataError for one that is not there."""
    return _loaded(settings.retrieval.learned, folder / MODELS, "The bundle", "Build the bundle again.")


def _loaded(chosen: Mapping[str, RetrievalModelChoice], folder: Path, what: str, hint: str) -> dict[str, Any]:
    models = {}
    for name, choice in chosen.items():
        own = folder / name
        if not own.is_dir():
            raise DataError(f"The settings name the retrieval model '{name}'. {what} holds no files of it. {hint}")
        models[name] = choice.component.cls.load(choice.config, own)
    return models


def load_merge_weights(folder: Path) -> dict[str, MergeWeights]:
    """Those of each surface for which some were chosen; UnreadableInput for a file that holds something else."""
    file = folder / MERGE_WEIGHTS
    if not file.is_file():
        return {}
    return parse_document(file.read_bytes(), str(file), dict[str, MergeWeights], "Build the bundle again.")


def scorer_of(ranker: Ranker, snapshot: Items, settings: Settings) -> ObjectiveScorer:
    """The ranker over one snapshot of the items, with the weights of the settings."""
    names = ranker.columns.names
    both = [*cross.NUMBERS, cross.AFFINITY, cross.AFFINITY_NAMES]
    of_items = [name for name in [*names, *cross.NUMBERS] if name.startswith("item_")]
    of_users = [name for name in [*names, *both] if name.startswith("user_") and not name.startswith("user_item__")]
    return ObjectiveScorer(
        ranker=ranker,
        weights={name: objective.weight for name, objective in settings.objectives.items()},
        item_columns=ItemColumns(snapshot, ranker.columns, tuple(dict.fromkeys(of_items))),
        user_columns=tuple(dict.fromkeys(of_users)),
        # A user's row online may be of newer feature tables than the snapshot, and number the categories otherwise.
        cross=partial(cross.cross, category_names=snapshot.category_names),
    )


def context_of(
    settings: Settings,
    *,
    snapshot: ItemSnapshot,
    towers: Towers,
    models: Mapping[str, Any],
    ranker: Ranker | None,
    merge_weights: Mapping[str, MergeWeights],
    users: Hydrator | None = None,
) -> StageContext:
    """What stages are made from at a moment: what was learned, with the items as they were in ``snapshot``, and
    ``users``, who tells what is known of a user."""
    return StageContext(
        settings=settings,
        vocabulary=snapshot.vocabulary,
        snapshot=snapshot,
        models={TWO_TOWER: towers, **models},
        scorer=scorer_of(ranker, snapshot, settings) if ranker else None,
        users=users,
        merge_weights=merge_weights,
    )


@dataclass(frozen=True, kw_only=True)
class BundleContents:
    """What a bundle's files hold, live; ``settings`` are those given, with what the bundle may set in their place."""

    settings: Settings
    snapshot: ItemSnapshot
    towers: Towers
    models: Mapping[str, Any]
    ranker: Ranker
    merge_weights: Mapping[str, MergeWeights]

    @classmethod
    def load(cls, bundle: Bundle, settings: Settings) -> BundleContents:
        """Read a bundle, its signature and files verified. DataError when they do not belong together.

        Refused where it sets what no bundle may set: see :class:`~remora.settings.BundleSettings`.
        """
        folder = trusted(bundle, settings.registry).local()
        file = folder / SETTINGS
        if not file.is_file():
            raise Refused(f"The bundle {bundle.id} has no {SETTINGS}, so it cannot be served. Build it again.")
        built = BundleSettings.parse(file.read_bytes(), str(file))
        lineage = bundle.lineage()
        own = built.over(settings, packages_of(lineage))
        towers = Towers.load(folder, own.retrieval.history_encoder)
        return cls(
            settings=own,
            snapshot=ItemSnapshot.load(folder / SNAPSHOT),
            towers=towers,
            models=load_models(own, folder),
            ranker=Ranker.load(folder, own.ranking.learned, towers.encoder.item_vectors),
            merge_weights=load_merge_weights(folder),
        )

    @property
    def context(self) -> StageContext:
        """As it serves."""
        return context_of(
            self.settings,
            snapshot=self.snapshot,
            towers=self.towers,
            models=self.models,
            ranker=self.ranker,
            merge_weights=self.merge_weights,
        )


def context_from_bundle(bundle: Bundle, settings: Settings) -> StageContext:
    """What a bundle's stages are made from; what it may set goes before ``settings``. SignatureError as these say."""
    return BundleContents.load(bundle, settings).context
