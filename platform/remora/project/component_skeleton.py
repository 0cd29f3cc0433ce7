"""Skeletons of components: a package with one class, its test and its entry point, for each kind that has templates.

A kind gets a skeleton by a folder in ``skeletons/`` with its name: ``component.py.j2``, ``test_component.py.j2`` and
``settings.yaml.j2``, which chooses the component in a settings file; and ``network.py.j2``, where settings should not
import what the component needs.
"""

from __future__ import annotations

import keyword
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from remora.core.errors import SettingsError
from remora.extensions.component import Kind
from remora.extensions.kinds import KINDS
from remora.extensions.registry import names
from remora.settings.named_components import NAME

TEMPLATES = Path(__file__).parent / "skeletons"
COMPONENT, TEST, SETTINGS, NETWORK = "component.py.j2", "test_component.py.j2", "settings.yaml.j2", "network.py.j2"
RUNNERS = frozenset({"conftest", "test", "tests"})
"""Names that pytest, or a package beside the component, gives a meaning of its own."""


@dataclass(frozen=True)
class ComponentSkeleton:
    """``files`` by their paths; ``settings`` choose the component by its name, ``by_module`` before it is installed."""

    files: dict[str, str]
    settings: str
    by_module: str


def kinds_with_skeleton() -> dict[str, Kind]:
    """The kinds by the names that a command line gives them, in the order of KINDS."""
    named = {kind.name.replace(" ", "_"): kind for kind in KINDS}
    return {name: kind for name, kind in named.items() if (TEMPLATES / name / COMPONENT).is_file()}


def component_skeleton(kind: str, name: str, where: Path | None = None) -> ComponentSkeleton:
    """The skeleton of a component called ``name``, which is its module, its entry point and its class in one.

    SettingsError where the kind has none, with those that have one, where the name is no name of a module, and where it
    is taken: by a component of the kind, or by a module that is not ``where`` the package is to be.
    """
    known = kinds_with_skeleton()
    chosen = known.get(kind.replace("-", "_").replace(" ", "_"))
    if chosen is None:
        raise SettingsError(f"There is no skeleton of a component '{kind}'. There is: {', '.join(known)}.")
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SettingsError(
            f"'{name}' is no name of a module: use small letters, digits and '_', at most 64, e.g. my_{kind}."
        )
    if yaml.safe_load(name) != name:
        raise SettingsError(f"'{name}' is no text in YAML, so settings could not name it. E.g. my_{kind}.")
    if name in names(chosen):
        raise SettingsError(f"A {chosen.name} '{name}' is installed already. Choose another name, e.g. my_{name}.")
    if taken := _module(name, where):
        raise SettingsError(
            f"'{name}' is the name of a module already ({taken}), which the package would hide. Choose another, e.g. "
            f"my_{name}."
        )
    cls = "".join(word.capitalize() for word in name.split("_"))
    folder = chosen.name.replace(" ", "_")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )

    def rendered(template: str, type: str) -> str:
        return environment.get_template(template).render(name=name, cls=cls, kind=chosen, type=type, modules=modules)

    module = f"{name}:{cls}"
    modules = {name: COMPONENT}
    if (TEMPLATES / folder / NETWORK).is_file():
        modules[f"{name}_network"] = NETWORK
    return ComponentSkeleton(
        files={
            "pyproject.toml": rendered("pyproject.toml.j2", name),
            **{f"{file}.py": rendered(f"{folder}/{template}", name) for file, template in modules.items()},
            f"test_{name}.py": rendered(f"{folder}/{TEST}", name),
        },
        settings=rendered(f"{folder}/{SETTINGS}", name),
        by_module=rendered(f"{folder}/{SETTINGS}", f'"{module}"'),
    )


def _module(name: str, where: Path | None) -> str | None:
    """Where a module of that name comes from, if there is one: a file, a folder, or Python itself."""
    if name in sys.stdlib_module_names or name in RUNNERS:
        return "Python's or pytest's own"
    found = PathFinder.find_spec(name)
    if found is None or found.origin is None:  # a folder without code, such as one of an earlier try, hides nothing
        return None
    return None if where is not None and Path(found.origin).is_relative_to(where.resolve()) else found.origin
