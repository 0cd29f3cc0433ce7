"""Surfaces that products have: the stages that one begins with which is called so, or names it as its ``preset``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

RULES: Mapping[str, Any] = {"seed_item": {}, "seen_items": {}, "unavailable_items": {}}
SPACED: Mapping[str, Any] = {"category_diversity": {}}
CO_VISITED_WITH: Mapping[str, Any] = {"type": "from_item", "model": "co_visitation"}


def _home_feed(hide_seen: bool) -> dict[str, Any]:
    """What a person may want next."""
    return {
        "sources": {
            "nearest_items": {},
            "linear": {"type": "from_history", "model": "linear"},
            "co_visited": {"type": "from_history", "model": "co_visitation"},
            "trending": {},
            "newest": {},
            "popular_in_segment": {},
            **({} if hide_seen else {"repeats": {}}),
        },
        "filters": RULES,
        "scorer": {"type": "objective_scorer"},
        "rerankers": SPACED,
        "backfill": {"type": "popular"},
    }


def _similar_items(hide_seen: bool) -> dict[str, Any]:
    """What is like the item that a page is about: alike by content and behaviour, and wanted by the same people."""
    return {
        "needs_item": True,
        "sources": {"similar_vectors": {}, "co_visited_with": CO_VISITED_WITH},
        "filters": RULES,
        "scorer": {"type": "reciprocal_rank_fusion"},
        "backfill": {"type": "popular"},
    }


def _bought_together(hide_seen: bool) -> dict[str, Any]:
    """What the same people want beside the item that a page is about."""
    return {
        "needs_item": True,
        "sources": {"co_visited_with": CO_VISITED_WITH},
        "filters": RULES,
        "scorer": {"type": "reciprocal_rank_fusion"},
        "backfill": {"type": "popular"},
    }


def _because_you_watched(hide_seen: bool) -> dict[str, Any]:
    """What goes with one item of the user's history, for this user: the items around it, ranked."""
    return {
        "needs_item": True,
        "sources": {"similar_vectors": {}, "co_visited_with": CO_VISITED_WITH},
        "filters": RULES,
        "scorer": {"type": "objective_scorer"},
        "rerankers": SPACED,
        "backfill": {"type": "popular"},
    }


def _row(source: str) -> Callable[[bool], dict[str, Any]]:
    """A row of one source, in its own order."""

    def row(hide_seen: bool) -> dict[str, Any]:
        return {"sources": {source: {}}, "filters": RULES, "backfill": {"type": "popular"}}

    return row


PRESETS: Mapping[str, Callable[[bool], dict[str, Any]]] = {
    "home_feed": _home_feed,
    "similar_items": _similar_items,
    "frequently_bought_together": _bought_together,
    "because_you_watched": _because_you_watched,
    "trending": _row("trending"),
    "newest": _row("newest"),
    "popular_in_segment": _row("popular_in_segment"),
}
"""Each gives the settings of a surface, by whether it hides what the user has seen."""

DEFAULT_SURFACES = ("home_feed", "similar_items")
"""Those that are there where settings say nothing."""


def preset_of(name: str, *, hide_seen: bool) -> dict[str, Any]:
    """The settings that the preset of that name stands for; nothing where there is no such preset."""
    return deepcopy(PRESETS[name](hide_seen)) if name in PRESETS else {}
