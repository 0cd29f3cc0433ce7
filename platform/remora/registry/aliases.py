"""Aliases of bundles in MLflow's model registry: one registered model, one version a bundle, tagged with its id."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from remora.core.errors import StorageError
from remora.core.redaction import redacted

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
        """The model version of a bundle; it is made, and the model with it, when none exists."""
        with self._errors():
            version = self._version(bundle)
            if version is None:
                self._make_model()
                version = self._client.create_model_version(self.name, source=source, tags={BUNDLE_TAG: bundle})
            return str(version.version)

    def forget(self, bundle: str) -> None:
        """Remove the model version of a bundle, and any alias of it; nothing happens where none exists."""
        with self._errors():
            if (version := self._version(bundle)) is not None:
                self._client.delete_model_version(self.name, str(version.version))

    def point(self, alias: str, version: str) -> None:
        """Make ``alias`` mean one version: one transaction."""
        with self._errors():
            self._client.set_registered_model_alias(self.name, alias, version)

    def remove(self, alias: str) -> None:
        """Make ``alias`` mean nothing."""
        with self._errors():
            self._client.delete_registered_model_alias(self.name, alias)

    def bundles(self) -> dict[str, str]:
        """Alias -> bundle id, as MLflow has it now; whether it counts, the records of promotions say."""
        with self._errors():
            # A version that was made by hand has no tag, and so no bundle.
            bundle_of = {str(v.version): v.tags[BUNDLE_TAG] for v in self._versions() if BUNDLE_TAG in v.tags}
            if not bundle_of:
                return {}
            # A search of versions leaves their aliases out.
            meant = self._client.get_registered_model(self.name).aliases
            return {alias: bundle_of[str(version)] for alias, version in meant.items() if str(version) in bundle_of}

    def _version(self, bundle: str) -> ModelVersion | None:
        return next((version for version in self._versions() if version.tags.get(BUNDLE_TAG) == bundle), None)

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
            # Another process was faster; its model is as good.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            what = f"MLflow at {redacted(self.uri)} failed: {str(error).splitlines()[0]}"
            raise StorageError(f"{what} What was there is intact.") from error
