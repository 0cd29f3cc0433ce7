"""The little Markdown that reference pages are made of."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from types import ModuleType

ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]*\.)?(\w+)`")


def document(title: str, source: str, *parts: str) -> str:
    """A page: its title, what it is generated from, and its parts."""
    head = f"# {title}\n\n*Generated from {source} by `make reference`; do not edit.*"
    return "\n\n".join((head, *(part.strip("\n") for part in parts if part))) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty text where it has no row."""
    lines = ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *lines])


def cell(text: str) -> str:
    """Text that stays within one cell of a table."""
    return " ".join(text.replace("|", r"\|").split())


def code(text: object) -> str:
    """Code within a sentence."""
    return f"`{text}`"


def fence(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: double backticks and references become code, examples a block."""
    text = ROLE.sub(r"`\1`", inspect.cleandoc(docstring or "")).replace("``", "`")
    return "\n\n".join(fence(part, "python") if part.startswith(">>>") else part for part in text.split("\n\n"))


def sentence(text: str) -> str:
    """With a capital letter and a full stop, as fields' descriptions have neither."""
    text = " ".join(text.split())
    if not text:
        return ""
    first = text[0].upper() if re.match(r"[a-z]+\b(?![_.(])", text) else text[0]
    return first + text[1:] + ("" if text[-1] in ".:;?!" else ".")


def attribute_docs(module: ModuleType) -> dict[str, str]:
    """What the text below each assignment of a module says."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        target.id: prose(below.value.value)
        for above, below in pairwise(body)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
        for target in assigned(above)
    }


def assigned(node: ast.stmt) -> list[ast.Name]:
    """The names that a statement assigns."""
    found: list[ast.Name] = []
    for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
        found += [name for name in ast.walk(target) if isinstance(name, ast.Name)] if target is not None else []
    return found
