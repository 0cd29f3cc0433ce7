"""A component as settings write it: its name alone, or its name with its own settings beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import GetJsonSchemaHandler, SerializeAsAny, ValidationError, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from remora.contracts.errors import ComponentError
from remora.contracts.mistakes import listed
from remora.contracts.section import Section
from remora.extensions.component import ComponentConfig, Kind
from remora.extensions.registry import Registered, find

MOST_CHARACTERS = 200
"""Of a component's name."""


class Choice(Section):
    """``type`` with the component's own ``config``; a subclass names the kind.

    Settings write ``trending``, or ``{type: trending, limit: 50}``, and so does what is written from them.
    """

    kind: ClassVar[Kind]

    type: str
    config: SerializeAsAny[ComponentConfig]

    @property
    def component(self) -> Registered:
        """The class that is meant, and its package."""
        return find(self.kind, self.type)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, Mapping) or not _is_name(value.get("type")):
            raise ValueError(f"write the {cls.kind.name}'s name, or {{type: NAME, …}} with its own settings")
        type, own = value["type"], {name: one for name, one in value.items() if name != "type"}
        if own.keys() == {"config"} and isinstance(own["config"], ComponentConfig):
            own = own["config"].model_dump()
        try:
            config = cls.kind.config_of(find(cls.kind, type).cls)
            return {"type": type, "config": config.model_validate(own)}
        except ComponentError as error:
            raise ValueError(str(error)) from error
        except ValidationError as error:
            raise ValueError(f"{type}: {listed(error, config)}") from error

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A name, or an object with a ``type``; which settings it takes depends on the component."""
        return {"anyOf": [{"type": "string"}, {"type": "object", "required": ["type"]}], "component": cls.kind.name}

    @model_serializer
    def _write(self) -> dict[str, Any]:
        return {"type": self.type, **self.config.model_dump()}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()
