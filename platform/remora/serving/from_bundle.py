"""A release from the registry of bundles.

Imports stand where they are used, because a loader is unpickled in every replica: only those that ask for users need
Feast, none needs MLflow, and either takes seconds and a hundred megabytes to import.
"""

from __future__ import annotations

from dataclasses import dataclass

from remora.contracts.home import Home
from remora.pipeline import Hydrator
from remora.registry.bundle import Bundle
from remora.serving.release import Release
from remora.settings import Settings


@dataclass(frozen=True, kw_only=True)
class FromBundle:
    """Loads the bundle in ``folder`` of the settings' home, users from that home's online store."""

    settings: Settings
    bundle: str
    folder: str
    variant: str

    @classmethod
    def named(cls, settings: Settings, name: str) -> FromBundle:
        """The bundle that an alias means now, its files verified; a later promotion is another release."""
        from remora.registry.bundles import Bundles

        bundle = Bundles(settings).open(name)
        return cls(settings=settings, bundle=bundle.id, folder=bundle.folder, variant=name)

    def release(self) -> Release:
        """Read the bundle, verify its files where they are read, and make its pipelines."""
        from remora.wiring.parts import parts_from_bundle

        bundle = Bundle.read(Home(self.settings.home), self.folder, self.bundle)
        return Release.of(parts_from_bundle(bundle, self.settings), bundle=self.bundle, variant=self.variant)

    def users(self, release: Release) -> Hydrator:
        """The online store of the settings' home."""
        from remora.wiring.hydration import online_users

        return online_users(self.settings, release.parts)
