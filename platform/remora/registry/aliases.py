"""Aliases of bundles in MLflow's model registry: one registered model, one version a bundle, tagged with its id."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from remora.contracts.errors import StorageError

BUNDLE_TAG = "bundle"


@dataclass(frozen=True)
class Aliases:
    """The registered model ``name`` at a tracking ``uri``. StorageError when the database or server fails."""

    uri: str
    name: str

    @cached_property
    def _client(self) -> MlflowClient:
        return MlflowClient(self.uri, registry_uri=self.uri)

    def register(self, bundle: str, source: str) -> str:
        """The model version of a bundle; it is made, and the model with it, when there is none."""
        with self._errors():
            versions = {v.tags.get(BUNDLE_TAG): v for v in self._versions()}
            if bundle not in versions:
                self._make_model()
                tags = {BUNDLE_TAG: bundle}
                versions[bundle] = self._client.create_model_version(self.name, source=source, tags=tags)
            return str(versions[bundle].version)

    def point(self, alias: str, version: str) -> None:
        """Make ``alias`` mean one version: one transaction."""
        with self._errors():
            self._client.set_registered_model_alias(self.name, alias, version)

    def bundles(self) -> dict[str, str]:
        """Alias -> bundle id."""
        with self._errors():
            bundle_of = {str(v.version): v.tags[BUNDLE_TAG] for v in self._versions()}
            if not bundle_of:
                return {}
            # A search of versions leaves their aliases out.
            meant = self._client.get_registered_model(self.name).aliases
            return {alias: bundle_of[str(version)] for alias, version in meant.items()}

    def _versions(self) -> Iterator[ModelVersion]:
        page = None
        while True:
            found = self._client.search_model_versions(f"name = '{self.name}'", page_token=page)
            yield from found
            page = found.token
            if not page:
                return

    def _make_model(self) -> None:
        try:
            self._client.create_registered_model(self.name, description="Bundles of Remora; aliases name what serves.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            raise StorageError(f"MLflow at {self.uri} failed: {error.message} What was there is intact.") from error
