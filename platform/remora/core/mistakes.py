"""What is wrong with settings, in words: the place, what is needed there, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from remora.core.printable import one_line

HINTS = {"string_type": " (put it in quotes)"}
MOST = 10


def listed(error: ValidationError, tree: type[BaseModel]) -> str:
    """Each mistake with its place in ``tree``, the first ten."""
    found = error.errors(include_url=False)
    said = [f"{_place(e['loc'])}: {_words(e, tree)}" for e in found if not _follows(e, found)]
    more = [f"and {len(said) - MOST} more"] if len(said) > MOST else []
    return "; ".join(said[:MOST] + more)


def _follows(mistake: Any, found: Iterable[Any]) -> bool:
    """Is a list too short only because of mistakes in what it has? Pydantic counts its valid members."""
    loc = mistake["loc"]
    within = (other["loc"] for other in found if len(other["loc"]) > len(loc))
    return mistake["type"] == "too_short" and any(other[: len(loc)] == loc for other in within)


def _place(loc: tuple[int | str, ...]) -> str:
    return one_line(".".join(map(str, loc))) or "settings"


def _words(error: Any, tree: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ") + HINTS.get(error["type"], "")
    *above, name = error["loc"]
    section = _section(tree, above)
    known = list(section.model_fields) if section is not None else []
    elsewhere = [place for place in _places(tree) if place.rpartition(".")[2] == name]
    meant = get_close_matches(str(name), known, n=1) or elsewhere[:1]
    if meant:
        return f"there is no such setting. Did you mean {meant[0]}?"
    return "there is no such setting." + (f" There is: {', '.join(known)}" if known else "")


def _section(tree: type[BaseModel], loc: list[int | str]) -> type[BaseModel] | None:
    """The section at a place; None where it is not one."""
    found: type[BaseModel] | None = tree
    for name in loc:
        if found is None:
            return None
        if name in found.model_fields:
            sections = list(_sections(found.model_fields[str(name)].annotation))
            found = sections[0] if len(sections) == 1 else None
        elif isinstance(name, str) and len(loc) == 1:
            return None
    return found


def _sections(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _sections(part)


def _places(section: type[BaseModel], before: str = "") -> Iterator[str]:
    """Every setting by its whole name, those within lists and dictionaries left out."""
    for name, field in section.model_fields.items():
        yield before + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _places(field.annotation, f"{before}{name}.")
