"""What a component is: a class with settings of its own and one verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from remora.core.errors import ComponentError
from remora.core.section import Section


class ComponentConfig(Section):
    """The settings of a component; the fields of a subclass, with their bounds, are what a user may write."""


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    ``name`` is for messages ("metric"), ``group`` the entry points' ("remora.metrics"), ``verbs`` the methods that a
    class of the kind has, ``one_of`` those of which it has one. With ``functions``, a function that does the same
    without settings of its own will do.
    """

    name: str
    group: str
    verbs: tuple[str, ...]
    functions: bool = False
    one_of: tuple[str, ...] = ()

    def config_of(self, cls: Any) -> type[ComponentConfig]:
        """The model of a component's settings: its ``Config``, or one without fields."""
        return getattr(cls, "Config", ComponentConfig)

    def check(self, name: str, found: Any) -> Any:
        """``found``, where it is a class (or function) of this kind; ComponentError says what it lacks."""
        if self.functions and callable(found) and not isinstance(found, type):
            return found
        if not isinstance(found, type):
            wanted = "neither a class nor a function" if self.functions else "not a class"
            raise ComponentError(self.name, name, f"it is {found!r} and {wanted}")
        if missing := [verb for verb in self.verbs if not callable(getattr(found, verb, None))]:
            raise ComponentError(self.name, name, f"{found.__qualname__} has no method {', '.join(missing)}")
        if self.one_of and sum(callable(getattr(found, verb, None)) for verb in self.one_of) != 1:
            wanted = " or ".join(self.one_of)
            raise ComponentError(
                self.name, name, f"{found.__qualname__} needs a method {wanted}, and one of them alone"
            )
        config = self.config_of(found)
        if not (isinstance(config, type) and issubclass(config, ComponentConfig)):
            raise ComponentError(self.name, name, f"{found.__qualname__}.Config is no subclass of ComponentConfig")
        return found
