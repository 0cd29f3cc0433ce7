"""Whether the features that serve are those that the bundle was made of: their schema, then their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.features import parity as of_features
from remora.features.services import schemas
from remora.ingest.lake import Lake
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.parity import Parity
from remora.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore


def services(loaded: BundleUnderTest, store: FeatureStore) -> dict[str, tuple[str, str | None]]:
    """Service -> schema that the bundle was made of, and the one now."""
    now = schemas(store)
    return {name: (then, now.get(name)) for name, then in loaded.lineage.feature_services.items()}


def parity(settings: Settings, lake: Lake, store: FeatureStore, loaded: BundleUnderTest) -> Parity:
    """Compare; the values are looked at only while the schema is the same. Needs a Ray cluster."""
    then_and_now = services(loaded, store)
    if any(then != now for then, now in then_and_now.values()):
        return Parity(services=then_and_now, differing=(), columns=0, users=0, items=0)
    bounds = settings.gates
    found = of_features.served(settings, store, loaded.contents.snapshot, bounds.parity_users)
    report = of_features.parity(settings, lake, store, found, max_items=bounds.parity_items)
    return Parity(
        services=then_and_now,
        differing=tuple(
            f"{one.column} differs in {one.rows:,} rows ({one.example}: served {one.served[:40]}, computed "
            f"{one.recomputed[:40]}; {one.likely_cause})"
            for one in report.differences
        ),
        columns=report.columns,
        users=report.users,
        items=report.items,
    )
