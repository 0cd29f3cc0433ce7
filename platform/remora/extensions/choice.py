"""A component as settings write it: its name alone, or its name with its own settings beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    RootModel,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from remora.core.errors import ComponentError
from remora.core.mistakes import listed
from remora.core.section import Section
from remora.extensions.component import ComponentConfig, Kind
from remora.extensions.registry import PATH, Component, find, names

MOST_CHARACTERS = 200
"""Of a component's name."""

REGISTERED, TRUSTED = "registered", "trusted"

FROM_A_BUNDLE: Mapping[str, Any] = {REGISTERED: True}
"""Context in which only registered components are imported: a bundle may come from a stranger."""


def trusting(named: Iterable[tuple[Kind, str]]) -> Mapping[str, Any]:
    """Context in which those of these kinds and names are imported too."""
    return {**FROM_A_BUNDLE, TRUSTED: frozenset(named)}


class UnresolvedConfig(ComponentConfig):
    """What a bundle sets of a component that may not be imported on its account, or is not installed here."""

    model_config = ConfigDict(extra="allow")


class ComponentChoice(Section):
    """``type`` with the component's own ``config``; a subclass names the kind.

    Settings write ``trending``, or ``{type: trending, limit: 50}``, and so does what is written from them.
    """

    kind: ClassVar[Kind]

    type: str
    config: SerializeAsAny[ComponentConfig]

    @property
    def component(self) -> Component:
        """The class that is meant, and its package."""
        return find(self.kind, self.type)

    @property
    def brief(self) -> str | dict[str, Any]:
        """As a person would write it: the name alone, or with those settings that are not the default."""
        own = self.config.model_dump(mode="json", exclude_defaults=True)
        return {"type": self.type, **own} if own else self.type

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, Mapping) or not _is_name(value.get("type")):
            raise ValueError(f"write the {cls.kind.name}'s name, or {{type: NAME, …}} with its own settings")
        type, own = value["type"], {name: one for name, one in value.items() if name != "type"}
        if own.keys() == {"config"} and isinstance(own["config"], ComponentConfig):
            own = own["config"].model_dump()
        if info.context and not cls._may_be_imported(type, info.context):
            return {"type": type, "config": UnresolvedConfig.model_validate(own)}
        try:
            config = cls.kind.config_of(find(cls.kind, type).cls)
            # With the context: settings of a component may name others, which a bundle may not choose freely either.
            return {"type": type, "config": config.model_validate(own, context=info.context)}
        except ComponentError as error:
            raise ValueError(str(error)) from error
        except ValidationError as error:
            raise ValueError(f"{type}: {listed(error, config)}") from error
        except Exception as error:  # of the component's own code, such as a type that its Config leaves undefined
            said = f"its Config cannot be used: {error.__class__.__name__}: {error}"
            raise ValueError(str(ComponentError(cls.kind.name, type, said))) from error

    @classmethod
    def _may_be_imported(cls, type: str, context: Mapping[str, Any]) -> bool:
        if not context.get(REGISTERED) or (cls.kind, type) in context.get(TRUSTED, ()):
            return True
        return PATH not in type and type in names(cls.kind)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A name, or an object with a ``type``; which settings it takes depends on the component."""
        return {"anyOf": [{"type": "string"}, {"type": "object", "required": ["type"]}], "component": cls.kind.name}

    @model_serializer
    def _write(self) -> dict[str, Any]:
        return {"type": self.type, **self.config.model_dump()}


def choices(section: BaseModel) -> Iterator[ComponentChoice]:
    """Every component that a section names, in sections, lists, mappings and other components' settings within it."""
    for _, choice in choices_by_place(section):
        yield choice


def choices_by_place(section: BaseModel, above: str = "") -> Iterator[tuple[str, ComponentChoice]]:
    """The same, each with where it stands, as ``surfaces.home_feed.sources.newest``."""
    for name, value in vars(section).items():  # those that it has: a step's view has some of them
        # The one field of a root model has no name in a file.
        yield from _within(value, above if isinstance(section, RootModel) else f"{above}.{name}".lstrip("."))


def _within(value: Any, place: str) -> Iterator[tuple[str, ComponentChoice]]:
    if isinstance(value, ComponentChoice):
        yield place, value
        yield from choices_by_place(value.config, place)
    elif isinstance(value, BaseModel):
        yield from choices_by_place(value, place)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _within(one, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _within(one, f"{place}.{number}")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()
