"""What Feast's feature services give, as a fingerprint that a bundle notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.core.artifacts import fingerprint
from remora.core.errors import NotFound

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

SERVICES = ("retrieval", "ranking")
"""What a bundle's models were trained on."""

HISTORIES = ("user_history:history", "user_history:seen")


USER = "user"
"""What a query carries of its user, beside the history."""


def service_of(store: FeatureStore, name: str) -> FeatureService:
    """A declared service; NotFound lists those there are."""
    declared = {one.name: one for one in store.list_feature_services()}
    if name not in declared:
        raise NotFound("feature service", name, f"There are: {', '.join(sorted(declared))}.")
    return declared[name]


def user_features(store: FeatureStore) -> list[str]:
    """What is read online of the user of a request, as ``view:feature``: the service ``user``, history and seen items.

    NotFound where the service is not applied.
    """
    projections = service_of(store, USER).feature_view_projections
    return [*(f"{p.name}:{field.name}" for p in projections for field in p.features), *HISTORIES]


def schema_hash(store: FeatureStore, service: str) -> str:
    """Fingerprint of the columns and types that a feature service gives."""
    projections = store.get_feature_service(service).feature_view_projections
    columns = {f"{p.name}__{field.name}": str(field.dtype) for p in projections for field in p.features}
    return fingerprint(columns=columns)


def schemas(store: FeatureStore) -> dict[str, str]:
    """Service -> :func:`schema_hash`, of every service that is applied now."""
    return {service.name: schema_hash(store, service.name) for service in store.list_feature_services()}
