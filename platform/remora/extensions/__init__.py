"""Components by configuration: what users plug in, found by name, with settings of its own."""

from remora.extensions.choice import (
    FROM_A_BUNDLE,
    ComponentChoice,
    UnresolvedConfig,
    choices,
    choices_by_place,
    trusting,
)
from remora.extensions.component import ComponentConfig, Kind
from remora.extensions.registry import Component, find, names

__all__ = [
    "FROM_A_BUNDLE",
    "Component",
    "ComponentChoice",
    "ComponentConfig",
    "Kind",
    "UnresolvedConfig",
    "choices",
    "choices_by_place",
    "find",
    "names",
    "trusting",
]
