"""The types of problem documents: those of the application, and those of the edge before it."""

from __future__ import annotations

import json
from http import HTTPStatus

from docs.reference_pages.markdown import code, document, fence, sentence, table
from remora.serving.problems import KINDS, FieldError, Problem
from remora.wiring import edge_problems

INTRODUCTION = """\
Whatever goes wrong is answered with one problem document (RFC 9457, `application/problem+json`). Its `type` is
`urn:remora:problem:` and the word of the first column, and stays the same while the text of `detail` may change.
503 comes with `Retry-After`; requests only read, so any of them may be repeated."""


def page() -> str:
    """The page."""
    rows = {(kind, status): (meaning, "application") for kind, (status, meaning) in KINDS.items()}
    for status in edge_problems.DETAILS:
        problem = json.loads(edge_problems.document(status))
        key = (problem["type"].rpartition(":")[2], status)
        meaning, where = rows.get(key, (problem["detail"], ""))
        rows[key] = (meaning, f"{where}, edge" if where else "edge")
    listed = sorted(
        (str(status), code(kind), sentence(meaning), where) for (kind, status), (meaning, where) in rows.items()
    )
    fields = [
        (code(name), sentence(field.description or ""))
        for name, field in Problem.model_fields.items()
        if field.description
    ]
    example = Problem(
        type="urn:remora:problem:invalid-request",
        title=HTTPStatus(422).phrase,
        status=422,
        detail="The request breaks the contract: /n: Input should be greater than or equal to 1.",
        instance="/v1/recommend",
        errors=[FieldError(pointer="/n", detail="Input should be greater than or equal to 1")],
    )
    return document(
        "Problem types",
        "`remora.serving.problems` and `remora.wiring.edge_problems`",
        INTRODUCTION,
        table(("status", "type", "meaning", "answered by"), listed),
        "The *edge* is what stands before the application: HAProxy, or the same rules in Serve's own proxy "
        "([the edge](../explanation/edge.md)).",
        "## Fields",
        table(("field", "meaning"), fields),
        "## Example",
        fence(example.model_dump_json(indent=2), "json"),
    )
