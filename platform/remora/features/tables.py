"""The tables behind Feast's views: one version of the features artifact, a folder of Parquet files per view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import NotBuilt, NotFound
from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.core.redaction import without_credentials
from remora.core.section import Section
from remora.core.tables import EVENT_TIMESTAMP, USER_ID
from remora.features.transforms.transform import KEYS

CATEGORIES_FILE = "categories.json"
BUILD = "remora features build"


def features_artifacts(home: Home) -> ArtifactStore:
    """Where versions of the feature tables are kept."""
    return ArtifactStore(home, "features", BUILD)


class ViewMetadata(Section):
    """What an artifact records of a view: whom it is about, ``user`` or ``item``, and what it has."""

    entity: Literal["user", "item"]
    description: str


@dataclass(frozen=True)
class FeatureTables:
    """One version.

    The metadata holds ``lake`` (its version), ``end`` (ISO 8601), and for each view ``rows`` and ``views``, which says
    whom the view is about and what it has.
    """

    artifact: Artifact

    @classmethod
    def open(cls, home: Home) -> FeatureTables:
        """The current tables; NotBuilt when none exist."""
        return cls(features_artifacts(home).current())

    @cached_property
    def views(self) -> tuple[str, ...]:
        """Names of the views, those of users first; what the data lacks has none."""
        return (*self.views_of("user"), *self.views_of("item"))

    def views_of(self, entity: str) -> tuple[str, ...]:
        """Names of the views that are about a ``user`` or an ``item``, in the order of the alphabet."""
        return tuple(sorted(view for view, metadata in self._metadata.items() if metadata.entity == entity))

    def key(self, view: str) -> str:
        """The column of the ids of whom the view is about."""
        self._check(view)
        return KEYS[self._metadata[view].entity]

    def description(self, view: str) -> str:
        """What the view has, in a sentence."""
        self._check(view)
        return self._metadata[view].description

    @cached_property
    def categories(self) -> list[str]:
        """Names of the categories, most frequent in the catalogue first; empty when the data declares none."""
        return self.artifact.read_json(CATEGORIES_FILE)

    def url(self, view: str) -> str:
        """Where the view's Parquet files lie: an absolute folder, or a URL without the home's credentials.

        Feast's registry keeps it, for whoever may read that; the home's own URL opens it.
        """
        self._check(view)
        home = self.artifact.home
        if home.is_local:
            return self.artifact.at(view)
        return f"{without_credentials(home.url).rstrip('/')}/{self.artifact.folder}/{view}"

    def schema(self, view: str) -> pa.Schema:
        """Feature columns of a view, without keys and timestamp."""
        self._check(view)
        file = self.artifact.home.files(f"{self.artifact.folder}/{view}")[0]
        stored = pq.read_schema(self.artifact.at(f"{view}/{file}"), filesystem=self.artifact.home.filesystem)
        keys = (self.key(view), EVENT_TIMESTAMP)  # a profile may have the other id
        return pa.schema([field for field in stored if field.name not in keys])

    def read(self, view: str, columns: list[str] | None = None) -> pa.Table:
        """Rows of a view: every snapshot."""
        self._check(view)
        return read_parquet(self.artifact.at(view), columns, self.artifact.home.filesystem)

    def some_users(self, most: int) -> list[str]:
        """At most so many users that have events, spread evenly over all in the order of their ids."""
        everyone = sorted(set(self.read("user_history", [USER_ID])[USER_ID].to_pylist()))
        indices = np.unique(np.linspace(0, len(everyone) - 1, min(most, len(everyone))).astype(int))
        return [everyone[index] for index in indices]

    @cached_property
    def _metadata(self) -> dict[str, ViewMetadata]:
        if (views := self.artifact.metadata.get("views")) is None:  # another version of Remora made them
            raise NotBuilt("feature table that names its views", self.artifact.home.url, BUILD)
        return {view: ViewMetadata.model_validate(metadata) for view, metadata in views.items()}

    def _check(self, view: str) -> None:
        if view not in self.views:
            raise NotFound("feature view", view, f"There are: {', '.join(self.views)}.")
