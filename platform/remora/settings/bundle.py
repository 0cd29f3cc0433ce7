"""What a bundle may set where it is served: how its models and features are defined, and nothing of the machine."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from remora.core.errors import Refused
from remora.core.json_document import parse_json
from remora.core.section import Section
from remora.extensions import FROM_A_BUNDLE, ComponentChoice, Kind, UnresolvedConfig, choices, trusting
from remora.settings.features import FeatureDefinitions
from remora.settings.ranking import RankingDefinitions
from remora.settings.retrieval import RetrievalDefinitions
from remora.settings.surfaces import SurfacesSettings
from remora.settings.tree import Settings

FILE = "settings.json"
"""The file of a bundle that holds them."""

SURFACES = "surfaces"


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
        sections = {name: getattr(settings, name) for name in cls.model_fields if name != SURFACES}
        chosen = {
            name: section.model_dump(include=set(cls.model_fields[name].annotation.model_fields))  # type: ignore[union-attr]
            for name, section in sections.items()
        }
        chosen[SURFACES] = settings.surfaces.model_dump()
        return cls.model_validate(chosen | {"ranking": chosen["ranking"] | {"objectives": _dumped(settings)}})

    @classmethod
    def parse(cls, content: bytes, where: str) -> BundleSettings:
        """What the file ``where`` holds; Refused with the first fields that a bundle may not set, or that are wrong.

        A bundle may come from a stranger, so a component is imported only where an installed package registers it; any
        other stays unresolved until :meth:`over`.
        """
        try:
            return cls.model_validate(parse_json(content, where), context=FROM_A_BUNDLE)
        except ValidationError as error:
            mistakes = [f"{'.'.join(map(str, one['loc']))} ({one['msg']})" for one in error.errors()[:MOST_MISTAKES]]
            more = error.error_count() - len(mistakes)
            listed = "; ".join(mistakes) + (f"; and {more} more" if more > 0 else "")
            raise Refused(
                f"'{where}' sets what a bundle may not set, or wrongly: {listed}. A bundle sets how its models and "
                f"features are defined; servers, paths and credentials are those of the settings where it is served."
            ) from error

    def over(self, settings: Settings, packages: Mapping[str, str] = MappingProxyType({})) -> Settings:
        """``settings`` with these in their place; all else stays the operator's.

        Refused where the two do not fit, as an objective of an event type that ``settings`` do not declare, and for a
        component that is neither registered here nor named by ``settings``; ``packages`` names the package, with its
        version, that each component came from.
        """
        own = {(choice.kind, choice.type) for choice in choices(settings)}
        _refuse_unknown(choices(self), settings, own, packages)
        values: dict[str, Any] = settings.model_dump()
        for name, section in self.model_dump().items():
            # Of surfaces there are those of the bundle and no others: each was evaluated and gated as it is.
            values[name] = section if name == SURFACES else values[name] | section
        try:
            found = Settings.model_validate(values, context=trusting(own))
        except ValidationError as error:
            raise Refused(
                f"The bundle's settings do not fit those of {settings.name}: {error.errors()[0]['msg']}. Serve it with "
                f"the settings of the data that it was built from."
            ) from error
        # What the settings of other components name is known only where these are imported.
        _refuse_unknown(choices(found), settings, own, packages)
        return found


MOST_MISTAKES = 10
"""Fields that one refusal names."""


def _refuse_unknown(
    found: Iterable[ComponentChoice], settings: Settings, own: Container[tuple[Kind, str]], packages: Mapping[str, str]
) -> None:
    """Refused for a component that is not imported on a bundle's account and is not among the operator's ``own``."""
    for choice in found:
        if isinstance(choice.config, UnresolvedConfig) and (choice.kind, choice.type) not in own:
            raise Refused(
                f"The bundle names the {choice.kind.name} '{choice.type}', which no installed package registers "
                f"and the settings of {settings.name} do not name: importing it would run what the bundle chooses. "
                f"Install {packages.get(choice.type) or 'the package that brings it'}, or name it in the settings "
                f"if you trust it."
            )


def _dumped(settings: Settings) -> dict[str, Any]:
    return {name: objective.model_dump() for name, objective in settings.objectives.items()}
