"""Components under names of their own, written over those that are there where settings say nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TYPE = "type"

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Of a stage, a model or a surface: it stands in features, timings, paths and metrics."""


def over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of both, the names of ``base`` first; each with its type, which is its name where none is written.

    An entry of ``own`` replaces that of ``base``, but for settings of the same component, which are put over its own.
    Null stays, so that what was taken away stays so when the result is read again.

    >>> over({"newest": {"limit": 30, "days": 7.0}}, {"newest": {"limit": 10}, "fresh": {"type": "newest"}, "old": {}})
    {'newest': {'type': 'newest', 'limit': 10, 'days': 7.0}, 'fresh': {'type': 'newest'}, 'old': {'type': 'old'}}
    """
    merged = {name: _typed(name, value) for name, value in base.items()}
    for name, value in own.items():
        there = merged.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping) and value.get(TYPE, there[TYPE]) == there[TYPE]:
            merged[name] = {**there, **value}
        else:
            merged[name] = _typed(name, value)
    return merged


def _typed(name: str, value: Any) -> Any:
    return {TYPE: name, **value} if isinstance(value, Mapping) else value
