"""A field of a JSON Schema in words: its type and its bounds."""

from __future__ import annotations

from typing import Any

from docs.reference_pages.markdown import code

Schema = dict[str, Any]

BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minProperties": "at least {} entries",
    "maxProperties": "at most {} entries",
    "pattern": "matches `{}`",
}


def typed(field: Schema) -> str:
    """The type of a field, and its bounds."""
    bounds = [text.format(_number(field[key])) for key, text in BOUNDS.items() if key in field]
    return ", ".join((_kind(field), *bounds))


def _kind(field: Schema) -> str:
    if "component" in field:
        return f"[{field['component']}](components.md)"
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if "/schemas/" in field["$ref"] else "section"
    if "enum" in field or "const" in field:
        return "one of " + ", ".join(code(value) for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        kinds = [typed(part) for part in field["anyOf"] if part != {"type": "null"}]
        null = ["null"] if {"type": "null"} in field["anyOf"] else []
        return " or ".join(dict.fromkeys((*kinds, *null)))
    if field.get("type") == "array":
        return f"list of {typed(field['items'])}" if isinstance(field.get("items"), dict) else "list"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {typed(inner)}" if isinstance(inner, dict) else "mapping"
    names = {"string": "text", "boolean": "true or false", "integer": "integer", "number": "number"}
    return "date" if field.get("format") == "date" else names.get(field.get("type", ""), "any value")


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
