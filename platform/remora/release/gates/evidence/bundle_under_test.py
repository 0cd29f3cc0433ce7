"""A bundle that gates measure: what its files hold, and its pipelines over the online store of the home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from remora.core.vocabulary import Vocabulary
from remora.pipeline import Pipeline, StageContext
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

    @classmethod
    def load(cls, bundle: Bundle, settings: Settings) -> BundleUnderTest:
        """Load it here; one that may crash its process is first loaded in another."""
        return cls.of(bundle, BundleContents.load(bundle, settings), settings)

    @classmethod
    def of(cls, bundle: Bundle, contents: BundleContents, settings: Settings) -> BundleUnderTest:
        """What these contents make, over the online store of ``settings``."""
        context = contents.context
        context = replace(context, users=online_users(settings, context))
        return cls(bundle=bundle, contents=contents, context=context, surfaces=pipelines(context))

    @property
    def vocabulary(self) -> Vocabulary:
        """Of its items."""
        return self.context.vocabulary

    @property
    def lineage(self) -> Lineage:
        """What it was made from."""
        return self.bundle.lineage()
