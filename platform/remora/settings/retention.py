"""How long what a home holds is kept; what removes it is ``remora gc``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remora.core.section import Section
from remora.settings.bounds import MOST_DAYS

Versions = Annotated[int, Field(ge=1, le=100_000)]


class KeepVersions(Section):
    """How many of the newest versions stay, by kind of artifact: all that are made again from their inputs.

    A search (`remora tune`) is kept under a name that its user chose, so it is not one of them.
    """

    lake: Versions = Field(3, description="ingested data")
    features: Versions = Field(3, description="feature tables")
    retrieval: Versions = Field(3, description="retrieval models and their index")
    models: Versions = Field(3, description="sets of the retrieval models that are trained beside the towers")
    trained_models: Versions = Field(10, description="each such model by itself, so that another trains no other again")
    slates: Versions = Field(3, description="training rows of the ranker")
    ranking: Versions = Field(3, description="ranking models")
    merge_weights: Versions = Field(3, description="weights of the sources of surfaces")
    evaluation: Versions = Field(3, description="evaluation reports")
    cold_start: Versions = Field(3, description="evaluations of hidden items")
    ablations: Versions = Field(3, description="ablation reports")
    ablated_rankers: Versions = Field(10, description="rankers that ablations trained without a part")
    built: Versions = Field(10, description="records of which bundle was built from what")


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
