"""How long what a home holds is kept; what removes it is ``remora gc``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remora.settings.bounds import MOST_DAYS
from remora.settings.section import Section

Versions = Annotated[int, Field(ge=1, le=100_000)]


class KeepVersions(Section):
    """How many of the newest versions stay, by kind of artifact: all that are made again from their inputs.

    A search (`remora tune`) is kept under a name that its user chose, so it is not one of them.
    """

    lake: Versions = 3
    features: Versions = 3
    retrieval: Versions = 3
    slates: Versions = 3
    ranking: Versions = 3
    evaluation: Versions = 3
    cold_start: Versions = 3
    ablations: Versions = 3
    ablated_rankers: Versions = 10
    built: Versions = 10


KINDS = tuple(KeepVersions.model_fields)


class RetentionSettings(Section):
    """What current versions, aliases and replicas need stays in any case, and so do promotions and rollouts."""

    automatic: bool = Field(True, description="`remora run` removes at its end what `remora gc` would")
    keep_versions: KeepVersions = KeepVersions()
    keep_bundles: int = Field(5, ge=0, le=100_000, description="newest bundles, and last promoted ones, that stay")
    min_age_hours: float = Field(
        1.0, ge=0, le=MOST_DAYS * 24, description="since a version was replaced: so long a process may still read it"
    )
    staging_hours: float = Field(
        24.0, ge=1, le=MOST_DAYS * 24, description="since an interrupted command last wrote what it left unfinished"
    )
    checkpoints_days: float = Field(
        7.0, gt=0, le=MOST_DAYS, description="so long an interrupted training or search can be resumed"
    )
    records_days: float = Field(
        90.0, gt=0, le=MOST_DAYS, description="records of runs, and gate reports of bundles that are gone"
    )
