"""What is registered of each kind of component, with the settings that each takes."""

from __future__ import annotations

from collections.abc import Iterator

from docs.reference_pages.json_schema import typed
from docs.reference_pages.markdown import code, document, prose, sentence, table
from remora.extensions import Kind, find, names
from remora.extensions.kinds import KINDS

INTRODUCTION = """\
Settings name a component by its registered name, `ndcg`, or by its module and class, `my_shop.metrics:Revenue`; its own
settings stand beside the name: `{type: my_shop.metrics:Revenue, column: item_profile__price}`. A package registers its
components as entry points of the kind's group, as Remora does with those below. [Add a metric](../how-to/add_metric.md)
shows how."""


def page() -> str:
    """The page."""
    return document("Components", "the entry points of `pyproject.toml`", INTRODUCTION, *map(_section, KINDS))


def _section(kind: Kind) -> str:
    rows = [(code(name), "; ".join(_settings(kind, name)) or "none", _meaning(kind, name)) for name in names(kind)]
    heading = f"## {kind.name[0].upper()}{kind.name[1:]}s\n\nEntry points of the group `{kind.group}`."
    return f"{heading}\n\n{table(('name', 'settings', 'meaning'), rows)}"


def _settings(kind: Kind, name: str) -> Iterator[str]:
    for field, schema in kind.config_of(find(kind, name).cls).model_json_schema().get("properties", {}).items():
        yield f"{code(field)}: {typed(schema)}, default {code(str(schema.get('default')))}: {schema['description']}"


def _meaning(kind: Kind, name: str) -> str:
    return sentence(prose(find(kind, name).cls.__doc__).partition("\n")[0])
