"""Components by configuration: what users plug in, found by name, with settings of its own."""

from remora.extensions.choice import Choice
from remora.extensions.component import ComponentConfig, Kind
from remora.extensions.registry import Registered, find, names

__all__ = ["Choice", "ComponentConfig", "Kind", "Registered", "find", "names"]
