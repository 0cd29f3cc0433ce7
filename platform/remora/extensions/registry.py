"""Components by name: registered by entry points, Remora's own among them, or written as ``module:Class``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from typing import Any

from remora.core.errors import ComponentError
from remora.extensions.component import Kind

PATH = ":"
"""In what names a class by its module, and in no registered name."""


@dataclass(frozen=True)
class Component:
    """A component's class (of some kinds it may be a function), and where it comes from.

    ``name`` is what settings call it. ``distribution`` and ``version`` are those of the installed package; empty for a
    module that belongs to none.
    """

    kind: Kind
    name: str
    cls: Any
    distribution: str
    version: str


def names(kind: Kind) -> tuple[str, ...]:
    """What is registered of a kind, in the order of the alphabet."""
    return tuple(sorted({point.name for point in _points(kind.group)}))


@cache
def find(kind: Kind, type: str) -> Component:
    """The component that settings call ``type``; its module is imported.

    ComponentError where no component has that name, where two packages register it, where its module fails to import,
    or where it is not of the kind.
    """
    return _by_path(kind, type) if PATH in type else _by_name(kind, type)


def _by_name(kind: Kind, type: str) -> Component:
    found = [point for point in _points(kind.group) if point.name == type]
    if not found:
        known = names(kind)
        meant = get_close_matches(type, known, n=1)
        hint = f"Did you mean {meant[0]}?" if meant else f"There is: {', '.join(known) or 'none'}."
        raise ComponentError(
            kind.name, type, f"none is registered. {hint} Install the package that brings it, or write module:Class"
        )
    if len(found) > 1:
        packages = ", ".join(sorted(f"{_distribution(point)} ({point.value})" for point in found))
        raise ComponentError(
            kind.name, type, f"{len(found)} packages register it: {packages}. Uninstall one, or write module:Class"
        )
    point = found[0]
    loaded = _checked(kind, type, point.load, f"{_distribution(point)} registers {point.value}")
    return Component(kind, type, loaded, _distribution(point), point.dist.version if point.dist else "")


def _by_path(kind: Kind, type: str) -> Component:
    module, _, name = type.partition(PATH)

    def loaded() -> Any:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return found

    return Component(kind, type, _checked(kind, type, loaded, f"the settings name {type}"), *_package_of(module))


def _checked(kind: Kind, type: str, load: Callable[[], Any], who: str) -> Any:
    """What ``load`` gives, where it is of the kind; ComponentError whatever the module's own code does."""
    try:
        return kind.check(type, load())
    except ComponentError:
        raise
    except (Exception, SystemExit) as error:  # a script that ends the process when it is imported is no component
        reason = f"{who}, which does not import: {error.__class__.__name__}: {error}"
        raise ComponentError(kind.name, type, reason) from error


def _points(group: str) -> Iterable[EntryPoint]:
    return _installed().get(group, ())


@cache
def _installed() -> Mapping[str, Iterable[EntryPoint]]:
    """The entry points of all packages, by group; read once in a process, since a file of every package is opened."""
    found = entry_points()
    return {group: found.select(group=group) for group in found.groups}


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unnamed package"


@cache
def _packages() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _package_of(module: str) -> tuple[str, str]:
    """Name and version of the installed package that a module belongs to; empty where it belongs to none."""
    for name in _packages().get(module.partition(".")[0], [])[:1]:
        return name, version(name)
    return "", ""
