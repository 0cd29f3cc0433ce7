"""A bundle that gates measure: what its files hold, its pipelines, and where its users' features come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remora.contracts.vocabulary import Vocabulary
from remora.pipeline import Hydrator, Pipeline, StageContext
from remora.registry.bundle import Bundle
from remora.registry.lineage import Lineage
from remora.settings import Settings
from remora.surfaces.build import pipelines
from remora.wiring.bundle_contents import BundleContents
from remora.wiring.hydration import online_users


@dataclass(frozen=True, kw_only=True)
class BundleUnderTest:
    """One bundle as a replica would hold it."""

    bundle: Bundle
    contents: BundleContents
    context: StageContext
    surfaces: Mapping[str, Pipeline]
    users: Hydrator

    @classmethod
    def load(cls, bundle: Bundle, settings: Settings) -> BundleUnderTest:
        """Load it here; one that may crash its process is first loaded in another."""
        contents = BundleContents.load(bundle, settings)
        context = contents.context
        users = online_users(settings, context)
        return cls(bundle=bundle, contents=contents, context=context, surfaces=pipelines(context), users=users)

    @property
    def vocabulary(self) -> Vocabulary:
        """Of its items."""
        return self.context.vocabulary

    @property
    def lineage(self) -> Lineage:
        """What it was made from."""
        return self.bundle.lineage()
