"""The page at /docs: the operations of the API, without scripts and without anything from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto}code{background:#eee}td{padding:.2em 1em .2em 0}"


def install(app: FastAPI) -> None:
    """Answer /docs; the document that tools read is /openapi.json."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})


def page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    link = '<p>For tools: <a href="/openapi.json">openapi.json</a></p>'
    head = f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
    return f"{head}<h1>{title}</h1>{link}{operations}"


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}<td>{escape(one.get('description', ''))}"
        for one in operation.get("parameters", ())
    )
    statuses = ", ".join(f"{code} {escape(what['description'])}" for code, what in operation["responses"].items())
    said = escape(operation.get("description", ""))
    return f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{said}</p><table>{rows}</table><p>{statuses}</p>"
