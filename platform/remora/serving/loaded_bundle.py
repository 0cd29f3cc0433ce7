"""What one replica serves: the live objects of one bundle and the pipelines made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from remora.pipeline import Hydrator, Pipeline, StageContext
from remora.registry.replica_status import ReplicaStatus
from remora.registry.traffic import Traffic
from remora.registry.unrecorded import UnrecordedMove
from remora.settings import Settings
from remora.surfaces.build import pipelines
from remora.surfaces.popular_fallback import popular_fallback


@dataclass(frozen=True, kw_only=True)
class LoadedBundle:
    """One bundle, live."""

    bundle: str
    context: StageContext
    surfaces: Mapping[str, Pipeline]
    popular_fallback: Pipeline

    @classmethod
    def of(cls, context: StageContext, *, bundle: str) -> LoadedBundle:
        """Build every surface of the settings."""
        return cls(
            bundle=bundle, context=context, surfaces=pipelines(context), popular_fallback=popular_fallback(context)
        )


class Loader(Protocol):
    """Where a replica gets what it serves; it travels to the replica, so it must pickle."""

    @property
    def settings(self) -> Settings:
        """Of the home that the bundles belong to."""

    @property
    def bundle(self) -> str:
        """What was asked for, when it was asked for."""

    @property
    def variant(self) -> str:
        """By which name."""

    @property
    def follows(self) -> bool:
        """Does what is served change while it is?"""

    def traffic(self) -> Traffic:
        """Which bundle gets which requests now; asked every second of one that follows. UnreadableInput where the home
        does not say it."""

    def first_traffic(self) -> Traffic:
        """The same for a replica that holds nothing yet."""

    def report(self, report: ReplicaStatus) -> None:
        """What a replica says of itself, for whoever directs the traffic."""

    def unrecorded_moves(self) -> Sequence[UnrecordedMove]:
        """Aliases that were moved in MLflow without a promotion record, as the last command found them."""

    def opening(self, bundle: str) -> AbstractContextManager[None]:
        """Held while a bundle is opened. LoadInProgress: not now; Refused: it ended a process."""

    def load(self, bundle: str) -> LoadedBundle:
        """The live objects of a bundle; takes seconds."""

    def users(self, loaded: LoadedBundle) -> Hydrator:
        """Who tells what is known of a user."""
