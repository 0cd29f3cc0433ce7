"""Skeletons of components: a package with one class, its test and its entry point, for each kind that has templates.

A kind gets a skeleton by a folder in ``skeletons/`` with its name: ``component.py.j2``, ``test_component.py.j2`` and
``settings.yaml.j2``, which chooses the component in a settings file; and ``network.py.j2``, where settings should not
import what the component needs.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from remora.core.errors import SettingsError
from remora.extensions.component import Kind
from remora.extensions.kinds import KINDS

TEMPLATES = Path(__file__).parent / "skeletons"
COMPONENT, TEST, SETTINGS, NETWORK = "component.py.j2", "test_component.py.j2", "settings.yaml.j2", "network.py.j2"


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


def component_skeleton(kind: str, name: str) -> ComponentSkeleton:
    """The skeleton of a component called ``name``, which is its module, its entry point and its class in one.

    SettingsError where the kind has none, with those that have one, and where the name is no name of a module.
    """
    known = kinds_with_skeleton()
    chosen = known.get(kind.replace("-", "_").replace(" ", "_"))
    if chosen is None:
        raise SettingsError(f"There is no skeleton of a component '{kind}'. There is: {', '.join(known)}.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise SettingsError(f"'{name}' is no name of a module: use small letters, digits and '_', e.g. my_{kind}.")
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
