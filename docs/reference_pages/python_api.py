"""The public names of the Python packages, with signatures and docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Protocol

from docs.reference_pages.markdown import attribute_docs, code, document, fence, prose, table
from remora.core.section import Section

PACKAGES = (
    *("remora.settings", "remora.pipeline", "remora.evaluation.metrics"),
    *("remora.features.transforms", "remora.testing.transforms", "remora.testing.stages"),
    *("remora.testing.history_encoders", "remora.testing.losses", "remora.testing.retrieval_models"),
    *("remora.testing.ranking_models", "remora.testing.metrics"),
)
STORE = "remora.features.point_in_time.store"

INTRODUCTION = """\
What stands here may be relied on ([upgrade policy](../upgrade_policy.md)); every other module is internal. All of
it imports without side effects: no directory, connection or logger is made.

```python
from remora.settings import load

settings = load("config/movielens_100k.yaml")
settings.serving.timeout_ms
```"""


def page() -> str:
    """The page."""
    store = importlib.import_module(STORE)
    return document(
        "Python API",
        "the packages' `__all__`",
        INTRODUCTION,
        *(part for name in PACKAGES for part in _package(name)),
        f"## {code(STORE)}",
        "An offline store for any Feast repository: [the point-in-time join](../explanation/point_in_time.md).",
        *(
            _described(name, getattr(store, name))
            for name in ("PointInTimeOfflineStoreConfig", "PointInTimeOfflineStore")
        ),
        "## `remora.core.errors`",
        "The tree of [errors](errors_and_exit_codes.md).",
    )


def _package(name: str) -> Iterator[str]:
    package = importlib.import_module(name)
    docs = _constants(package)
    yield f"## {code(name)}"
    yield prose(package.__doc__).partition("\n\n")[0]
    sections = []
    for public in package.__all__:
        value = getattr(package, public)
        if inspect.isclass(value) and issubclass(value, Section):
            sections.append(code(public))
        else:
            yield _described(public, value, docs.get(public, ""))
    if sections:
        yield f"Models of the [settings](settings.md), frozen: {', '.join(sections)}."


def _constants(package: ModuleType) -> dict[str, str]:
    """What a module says of its constants, and those that a package imports them from."""
    return attribute_docs(package) | {
        name.name: about
        for node in ast.parse(inspect.getsource(package)).body
        if isinstance(node, ast.ImportFrom)
        for docs in [attribute_docs(importlib.import_module(str(node.module)))]
        for name in node.names
        if (about := docs.get(name.name))
    }


def _described(name: str, value: Any, about: str = "") -> str:
    """A class with its public methods, a function, or a constant."""
    parts = [f"### {code(name)}", about]
    if inspect.isclass(value) or inspect.isfunction(value):
        parts = [f"### {code(name)}", _signature(name, value), prose(value.__doc__)]
    return "\n\n".join(part for part in (*parts, *(_methods(value) if inspect.isclass(value) else ())) if part)


def _methods(value: type) -> Iterator[str]:
    rows = [
        (code(f"{name}{_parameters(getattr(value, name))}"), prose(member.__doc__).partition("\n\n")[0])
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, classmethod | staticmethod))
    ]
    if rows:
        yield table(("method", "meaning"), rows)


def _signature(name: str, value: Any) -> str:
    parameters = _parameters(value)
    return fence(f"{name}{parameters}", "python") if parameters else ""


def _parameters(value: Any) -> str:
    """The parameters as they are written, defaults that are objects left out."""
    if inspect.isclass(value) and issubclass(value, Protocol):  # type: ignore[arg-type]
        return ""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""
    text = re.sub(r"ForwardRef\(([^()]*)\)", r"\1", text.replace("'", ""))
    text = re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)
    return re.sub(r"<[^<>]*>", "...", text).replace("(self, ", "(").replace("(self)", "()")
