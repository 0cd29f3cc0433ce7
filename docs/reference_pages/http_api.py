"""The HTTP API from its OpenAPI document: operations, parameters, bodies, answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from docs.reference_pages.json_schema import Schema, typed
from docs.reference_pages.markdown import code, document, fence, prose, sentence, table
from remora.serving.problems import MEDIA_TYPE
from remora.serving.routes import application
from remora.settings import ServingSettings, SurfacesSettings

INTRODUCTION = """\
`GET /openapi.json` of a running endpoint is the document that this page is made from, and `GET /docs` shows it.
[Serve and call the endpoint](../how-to/serve.md) has examples, and how ids stand in a path. Whatever goes wrong is
a [problem document](problem_types.md)."""


def page() -> str:
    """The page."""
    surfaces = {name: surface.needs_item for name, surface in SurfacesSettings.model_validate({}).items()}
    router = SimpleNamespace(limits=ServingSettings(), surfaces=lambda: surfaces)
    intake = SimpleNamespace(take=None)
    entities = SimpleNamespace(contract=None, put=None, delete=None)
    api = application(router, intake, entities).openapi()  # type: ignore[arg-type]
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    return document(
        "HTTP API",
        "the routes in `remora.serving.routes`",
        INTRODUCTION,
        table(
            ("operation", "what it answers"), [(code(name), prose(one.get("description"))) for name, one in operations]
        ),
        *(_operation(name, operation) for name, operation in operations),
        "## Bodies",
        *_schemas(api["components"]["schemas"]),
    )


def _operation(name: str, operation: dict[str, Any]) -> str:
    parameters = [
        (code(one["name"]), one["in"], _type(one["schema"]), _default(one["schema"], one), sentence(_about(one)))
        for one in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return "\n\n".join(
        part
        for part in (
            f"## {code(name)}",
            prose(operation.get("description")),
            f"Body: {typed(body)}." if body else "",
            table(("parameter", "in", "type and bounds", "default", "meaning"), parameters),
            table(("status", "answer"), _answers(operation["responses"])),
        )
        if part
    )


def _answers(responses: dict[str, Any]) -> list[tuple[str, str]]:
    rows, problems = [], []
    for status, answer in responses.items():
        content = answer.get("content", {})
        if MEDIA_TYPE in content:
            problems.append(status)
        elif "application/json" in content:
            rows.append((status, typed(content["application/json"]["schema"])))
    return [*rows, (", ".join(problems), "[problem document](problem_types.md)")] if problems else rows


def _schemas(schemas: dict[str, Schema]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        if name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which no route answers with
            continue
        required = schema.get("required", ())
        rows = [
            (code(field), _type(one), "**required**" if field in required else _default(one), sentence(_about(one)))
            for field, one in schema.get("properties", {}).items()
        ]
        yield "\n\n".join(
            (
                f"### {name}",
                prose(schema.get("description")),
                table(("field", "type and bounds", "default", "meaning"), rows),
            )
        )
        for example in schema.get("examples", ()):
            yield fence(json.dumps(example, indent=2, ensure_ascii=False), "json")


def _type(schema: Schema) -> str:
    return typed(schema)


def _about(one: Schema) -> str:
    return one.get("description") or one.get("schema", {}).get("description", "")


def _default(schema: Schema, parameter: Schema | None = None) -> str:
    if parameter is not None and parameter.get("required"):
        return "**required**"
    return code(json.dumps(schema["default"])) if "default" in schema else ""
