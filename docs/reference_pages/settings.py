"""Every field of the settings tree: type, default, bounds and meaning, from the models' JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.reference_pages.json_schema import Schema, typed
from docs.reference_pages.markdown import code, document, prose, sentence, table
from remora.settings import Settings

INTRODUCTION = """\
One YAML file has all settings; [your own data](../tutorials/your_data.md) shows one, and `config/` of the
repository has three. Only `name` and `data` are needed. An unknown field is an error, and so is a number outside
its bounds. A unit is part of a field's name (`_seconds`, `_ms`, `_mib`, `_days`); `*_fraction` is a share from 0 to
1, and `*_limit` a number of candidates or rows unless its text says otherwise. Texts may hold
[references](../how-to/keep_credentials.md) to variables and files."""


def page() -> str:
    """The page."""
    schema = Settings.model_json_schema()
    schema = _with_components(schema, schema["$defs"])
    return document("Settings", "the models in `remora.settings`", INTRODUCTION, *_sections(schema))


def _with_components(schema: Any, models: Schema) -> Any:
    """The schema with what holds a component in place of the reference to it."""
    if isinstance(schema, list):
        return [_with_components(one, models) for one in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if "component" in models.get(name, ()):
        return models[name] | schema
    return {key: _with_components(one, models) for key, one in schema.items()}


def _sections(schema: Schema) -> Iterator[str]:
    """A section for each model in the order of the tree, below the path that leads to it."""
    pending: list[tuple[str, Schema]] = [("", schema)]
    while pending:
        path, model = pending.pop(0)
        if "properties" not in model:  # a mapping by name
            pending = [(path + step, schema["$defs"][ref]) for ref, step in _models(model)] + pending
            continue
        rows, below = [], []
        for name, field in model["properties"].items():
            dotted = f"{path}.{name}" if path else name
            nested = _models(field)
            below += [(dotted + step, schema["$defs"][ref]) for ref, step in nested]
            rows.append((code(name), typed(field), _default(field, name in model.get("required", ())), _meaning(field)))
        heading = f"## {code(path)}" if path else "## The file"
        yield "\n\n".join(
            (heading, prose(model.get("description")), table(("field", "type and bounds", "default", "meaning"), rows))
        )
        pending = below + pending


def _models(field: Schema, step: str = "") -> list[tuple[str, str]]:
    """The models that a field may hold, and what follows its name in a path: an entry of a list, of a mapping."""
    if "component" in field:
        return []
    if "$ref" in field:
        return [(field["$ref"].rpartition("/")[2], step)]
    found = [model for part in field.get("anyOf", ()) for model in _models(part, step)]
    if isinstance(field.get("items"), dict):
        found += _models(field["items"], f"{step}[]")
    if isinstance(field.get("additionalProperties"), dict):
        found += _models(field["additionalProperties"], f"{step}.NAME")
    return found


def _default(field: Schema, required: bool) -> str:
    if required:
        return "**required**"
    if _models(field) and isinstance(field.get("default", {}), dict):
        return ""
    return code(json.dumps(field.get("default"), ensure_ascii=False))


def _meaning(field: Schema) -> str:
    return "below" if "$ref" in field and "description" not in field else sentence(field.get("description", ""))
