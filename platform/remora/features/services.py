"""What Feast's feature services give, as a fingerprint that a bundle notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.contracts.artifacts import fingerprint

if TYPE_CHECKING:
    from feast import FeatureStore

SERVICES = ("retrieval", "ranking")
"""What a bundle's models were trained on."""


def schema_hash(store: FeatureStore, service: str) -> str:
    """Fingerprint of the columns and types that a feature service gives."""
    projections = store.get_feature_service(service).feature_view_projections
    columns = {f"{p.name}__{field.name}": str(field.dtype) for p in projections for field in p.features}
    return fingerprint(columns=columns)


def schemas(store: FeatureStore) -> dict[str, str]:
    """Service -> :func:`schema_hash`, of every service that is applied now."""
    return {service.name: schema_hash(store, service.name) for service in store.list_feature_services()}
