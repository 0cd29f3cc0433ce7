"""What the stages of a surface are made from: what was learned, the items as they are now, and the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from remora.core.errors import DataError, MissingInput
from remora.pipeline.candidates import Floats
from remora.pipeline.merge_weights import MergeWeights
from remora.pipeline.stages import Hydrator, Mask, Scorer

if TYPE_CHECKING:  # settings import the components that they name, which import this file
    from remora.core.vocabulary import ItemCodes, Vocabulary
    from remora.settings import Settings, SurfaceSettings

Model = TypeVar("Model")


class Items(Protocol):
    """The items of a catalogue at one instant, as columns; a row is the vocabulary's. Shapes with n items."""

    @property
    def instant(self) -> datetime:
        """UTC; nothing learned after it is in here."""

    @property
    def available(self) -> npt.NDArray[np.bool_]:
        """May the item be shown? Shape (n,)."""

    @property
    def categories(self) -> npt.NDArray[np.int32]:
        """Numbers of each item's categories, shape (n, m), padded with -1."""

    @property
    def category_names(self) -> tuple[str, ...]:
        """What these numbers mean: a category's number is its place here."""

    @property
    def popularity(self) -> Floats:
        """Weighted positive events ever, shape (n,); 0 without events."""

    @property
    def trend(self) -> Floats:
        """How much the item is wanted lately, and more than usual, shape (n,)."""

    @property
    def most_popular(self) -> ItemCodes:
        """All rows by :attr:`popularity`, the highest first, ties by row: shape (n,)."""

    @property
    def most_trending(self) -> ItemCodes:
        """All rows by :attr:`trend`, the highest first, ties by row: shape (n,)."""

    @property
    def age_days(self) -> Floats:
        """Since the item came into the catalogue, shape (n,); NaN where that is not known."""

    @property
    def titles(self) -> Sequence[str | None]:
        """What people are shown, one a row."""

    def new(self, days: float) -> npt.NDArray[np.bool_]:
        """Is the item available and not older than that, or without an event yet? Shape (n,)."""

    def column(self, name: str) -> npt.NDArray[Any]:
        """A feature column of the items, by its full name, shape (n,). MissingInput lists those there are."""


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """Everything of one version and one instant that a stage may be made from.

    Where items came after that version, ``vocabulary`` and ``snapshot`` have them, and rows from
    ``vocabulary.live_from`` on are theirs; ``models`` and what else was learned know the rows before it. ``deleted``
    (items,) are shown nowhere, None where none are.

    ``models`` holds the retrieval models by the names that ``retrieval.models`` gives them, and the trained towers as
    ``two_tower``; ``scorer`` is the ranker over these items, None where none is trained yet. ``users`` tells what is
    known of a user at a query's instant: the online store when serving, what was known then in a replay, None where
    queries come with it. ``surface`` is the name of the surface that is being made, empty outside one.
    ``merge_weights`` has those that were chosen on validation, by surface.
    """

    settings: Settings
    vocabulary: Vocabulary
    snapshot: Items
    models: Mapping[str, Any]
    scorer: Scorer | None = None
    users: Hydrator | None = None
    surface: str = ""
    merge_weights: Mapping[str, MergeWeights] = field(default_factory=dict)
    deleted: Mask | None = None

    def instant(self) -> datetime:
        """When a request without an instant happens: now, or at the end of historical data."""
        return self.snapshot.instant if self.settings.data.clock == "data" else datetime.now(UTC)

    def of_surface(self, name: str) -> StageContext:
        """The same for the stages of one surface."""
        return replace(self, surface=name)

    @property
    def rules(self) -> SurfaceSettings:
        """The settings of the surface that is being made."""
        return self.settings.surfaces[self.surface]

    @property
    def live_from(self) -> int | None:
        """The first row of a live item, None without any."""
        first = self.vocabulary.live_from
        return first if first < len(self.vocabulary) else None

    @property
    def merge(self) -> MergeWeights | None:
        """How much the sources of this surface count: as the settings say, else as was chosen on validation; None where
        nothing was, and all count alike."""
        written = self.rules.source_weights
        return self.merge_weights.get(self.surface) if written is None else MergeWeights(others=written)

    def model(self, name: str, kind: type[Model]) -> Model:
        """The live retrieval model of that name. MissingInput lists those there are, DataError says that it is of
        another kind than a stage can read."""
        if name not in self.models:
            raise MissingInput("retrieval model", name, list(self.models))
        found = self.models[name]
        if not isinstance(found, kind):
            raise DataError(
                f"The retrieval model '{name}' is a {type(found).__name__}, and what reads it needs a {kind.__name__}. "
                f"Name another model in the stage's settings."
            )
        return found
