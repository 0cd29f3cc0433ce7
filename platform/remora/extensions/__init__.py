"""Components by configuration: what users plug in, found by name, with settings of its own."""

from remora.extensions.choice import FROM_A_BUNDLE, Choice, Unresolved, choices
from remora.extensions.component import ComponentConfig, Kind
from remora.extensions.registry import Registered, find, names

__all__ = [
    "FROM_A_BUNDLE",
    "Choice",
    "ComponentConfig",
    "Kind",
    "Registered",
    "Unresolved",
    "choices",
    "find",
    "names",
]
