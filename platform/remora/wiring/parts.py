"""Live objects for surfaces: of a bundle that is served, or of a moment that is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt

from remora.contracts.errors import DataError, Refused
from remora.contracts.vocabulary import ItemCodes, Vocabulary
from remora.datasets.catalogue import users_as_of
from remora.features.snapshot import ItemSnapshot
from remora.features.transforms import cross
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.ranker import Ranker
from remora.ranking.scorer import ObjectiveScorer
from remora.registry.bundle import Bundle
from remora.registry.trust import trusted
from remora.retrieval import co_visitation, item_to_item_lists, segments
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.segments import Segments
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE as SETTINGS
from remora.surfaces.parts import Parts
from remora.wiring.bundle_packages import packages_of

TOWERS = (
    "towers.safetensors",
    "towers.json",
    "item_vectors.safetensors",
    "index.faiss",
    "index.safetensors",
    "vocabulary.parquet",
)
NEIGHBOURS, LINEAR, SEGMENTS, SNAPSHOT = "neighbours.parquet", "linear.parquet", "segments.parquet", "snapshot.parquet"


@dataclass(frozen=True)
class Towers:
    """What the retrieval artifact holds, live."""

    encoder: UserEncoder
    index: ItemIndex

    @classmethod
    def load(cls, folder: Path) -> Towers:
        """From a local folder that has the files of :data:`TOWERS`. DataError when they are not of one training."""
        encoder, index = UserEncoder.load(folder), ItemIndex.load(folder / "index.faiss")
        if (len(index), index.dimension) != tuple(encoder.item_vectors.shape):
            raise DataError(
                f"The index holds {len(index):,} vectors of {index.dimension} numbers, the towers "
                f"{encoder.item_vectors.shape[0]:,} of {encoder.item_vectors.shape[1]}: they come from different "
                f"bundles. Serve a bundle as it was built."
            )
        return cls(encoder, index)


@dataclass(frozen=True, kw_only=True)
class ItemLists:
    """What is counted and solved rather than trained, and made again with every refresh."""

    neighbours: Neighbours
    linear: Neighbours
    segments: Segments

    @classmethod
    def learn(cls, lake: Lake, vocabulary: Vocabulary, settings: Settings, as_of: datetime) -> ItemLists:
        """From the lake's events before ``as_of``."""
        events = lake.events(before=as_of)
        return cls(
            neighbours=co_visitation.count(events, vocabulary, settings, as_of),
            linear=item_to_item_lists.fit(events, vocabulary, settings, as_of),
            segments=segments.count(events, users_as_of(lake, as_of), vocabulary, settings, as_of),
        )

    @classmethod
    def load(cls, folder: Path) -> ItemLists:
        """What :meth:`save` wrote."""
        return cls(
            neighbours=Neighbours.load(folder / NEIGHBOURS),
            linear=Neighbours.load(folder / LINEAR),
            segments=Segments.load(folder / SEGMENTS),
        )

    def save(self, folder: Path) -> None:
        """Three Parquet files."""
        self.neighbours.save(folder / NEIGHBOURS)
        self.linear.save(folder / LINEAR)
        self.segments.save(folder / SEGMENTS)


def scorer_of(ranker: Ranker, snapshot: ItemSnapshot, settings: Settings) -> ObjectiveScorer:
    """The ranker over one snapshot of the items, with the weights of the settings."""
    names = ranker.columns.names
    both = [*cross.NUMBERS, cross.AFFINITY]
    of_items = [name for name in [*names, *cross.NUMBERS] if name.startswith("item_")]
    of_users = [name for name in [*names, *both] if name.startswith("user_") and not name.startswith("user_item__")]
    return ObjectiveScorer(
        ranker=ranker,
        weights={name: objective.weight for name, objective in settings.objectives.items()},
        item_columns=ItemColumns(snapshot, ranker.columns, tuple(dict.fromkeys(of_items))),
        user_columns=tuple(dict.fromkeys(of_users)),
        cross=cross.cross,
    )


@dataclass(frozen=True)
class ItemColumns:
    """The snapshot's columns of some rows, as the ranker and the cross features read them; text is looked up once."""

    snapshot: ItemSnapshot
    read: RankerColumns
    names: tuple[str, ...]

    def __call__(self, rows: ItemCodes) -> Mapping[str, npt.NDArray[Any]]:
        """Each column at ``rows``; categories as (n, m)."""
        columns: dict[str, npt.NDArray[Any]] = {name: column[rows] for name, column in self._columns.items()}
        columns[cross.CATEGORIES] = self.snapshot.categories[rows]
        return columns

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        texts = {column.name: column for column in self.read.columns if column.categories is not None}
        whole = {name: self.snapshot.column(name) for name in self.names}
        return {name: texts[name].encode(column) if name in texts else column for name, column in whole.items()}


def parts_from(
    settings: Settings, *, snapshot: ItemSnapshot, towers: Towers, lists: ItemLists, ranker: Ranker | None
) -> Parts:
    """The parts of a moment: what was learned, with the items as they were in ``snapshot``."""
    return Parts(
        settings=settings,
        vocabulary=snapshot.vocabulary,
        snapshot=snapshot,
        encoder=towers.encoder,
        index=towers.index,
        neighbours=lists.neighbours,
        linear=lists.linear,
        segments=lists.segments,
        scorer=scorer_of(ranker, snapshot, settings) if ranker else None,
    )


@dataclass(frozen=True, kw_only=True)
class BundleContents:
    """What a bundle's files hold, live; ``settings`` are those given, with what the bundle may set in their place."""

    settings: Settings
    snapshot: ItemSnapshot
    towers: Towers
    lists: ItemLists
    ranker: Ranker

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
        towers = Towers.load(folder)
        return cls(
            settings=built.over(settings, packages_of(lineage)),
            snapshot=ItemSnapshot.load(folder / SNAPSHOT),
            towers=towers,
            lists=ItemLists.load(folder),
            ranker=Ranker.load(folder, towers.encoder.item_vectors),
        )

    @property
    def parts(self) -> Parts:
        """As it serves."""
        return parts_from(
            self.settings, snapshot=self.snapshot, towers=self.towers, lists=self.lists, ranker=self.ranker
        )


def parts_from_bundle(bundle: Bundle, settings: Settings) -> Parts:
    """The parts of a bundle; what it may set goes before ``settings``. SignatureError as these say."""
    return BundleContents.load(bundle, settings).parts
