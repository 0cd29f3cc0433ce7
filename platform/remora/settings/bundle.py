"""What a bundle may set where it is served: how its models and features are defined, and nothing of the machine."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from remora.contracts.errors import Refused
from remora.contracts.json_document import parse_json
from remora.contracts.section import Section
from remora.settings.ranking import RankingDefinitions
from remora.settings.tree import FeatureDefinitions, RetrievalDefinitions, Settings, SurfacesSettings

FILE = "settings.json"
"""The file of a bundle that holds them."""


class BundleSettings(Section):
    """The settings that a bundle brings; every other field is forbidden, at every level.

    Servers, paths, registries, credentials, the home and what work may cost are the operator's: none of them is a field
    here, so a bundle that names one is refused where it is verified.
    """

    surfaces: SurfacesSettings
    retrieval: RetrievalDefinitions
    features: FeatureDefinitions
    ranking: RankingDefinitions

    @classmethod
    def of(cls, settings: Settings) -> BundleSettings:
        """Those of ``settings``; the objectives are written out, so that they mean the same over other event types."""
        sections = {name: getattr(settings, name) for name in cls.model_fields}
        chosen = {
            name: section.model_dump(include=set(cls.model_fields[name].annotation.model_fields))  # type: ignore[union-attr]
            for name, section in sections.items()
        }
        return cls.model_validate(chosen | {"ranking": {"objectives": _dumped(settings)}})

    @classmethod
    def parse(cls, content: bytes, where: str) -> BundleSettings:
        """What the file ``where`` holds; Refused with the first fields that a bundle may not set, or that are wrong."""
        try:
            return cls.model_validate(parse_json(content, where))
        except ValidationError as error:
            mistakes = [f"{'.'.join(map(str, one['loc']))} ({one['msg']})" for one in error.errors()[:MOST_MISTAKES]]
            more = error.error_count() - len(mistakes)
            listed = "; ".join(mistakes) + (f"; and {more} more" if more > 0 else "")
            raise Refused(
                f"'{where}' sets what a bundle may not set, or wrongly: {listed}. A bundle sets how its models and "
                f"features are defined; servers, paths and credentials are those of the settings where it is served."
            ) from error

    def over(self, settings: Settings) -> Settings:
        """``settings`` with these in their place; all else stays the operator's.

        Refused where the two do not fit, as an objective of an event type that ``settings`` do not declare.
        """
        values: dict[str, Any] = settings.model_dump()
        for name, section in self.model_dump().items():
            values[name] |= section
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            raise Refused(
                f"The bundle's settings do not fit those of {settings.name}: {error.errors()[0]['msg']}. Serve it with "
                f"the settings of the data that it was built from."
            ) from error


MOST_MISTAKES = 10
"""Fields that one refusal names."""


def _dumped(settings: Settings) -> dict[str, Any]:
    return {name: objective.model_dump() for name, objective in settings.objectives.items()}
