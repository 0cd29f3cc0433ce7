"""Surfaces that products have: the stages that one begins with which is called so, or names it as its ``preset``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

Preset = Callable[[bool], dict[str, Any]]
"""The settings of a surface, by whether it hides what the user has seen."""

USER: Mapping[str, Any] = {"user": {"type": "user_features"}}
"""Who asks: of every surface whose stages the settings list, for filters and sources read it."""

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


def _about_an_item(*, with_vectors: bool, ranked: bool) -> Preset:
    """What goes with the item that a page is about: co-visited items, and ``with_vectors`` those that are alike; in the
    order that the sources agree on, or ``ranked`` for the user."""

    def about(hide_seen: bool) -> dict[str, Any]:
        order = {"scorer": {"type": "objective_scorer"}, "rerankers": SPACED}
        return {
            "needs_item": True,
            "sources": {**({"similar_vectors": {}} if with_vectors else {}), "co_visited_with": CO_VISITED_WITH},
            "filters": RULES,
            **(order if ranked else {"scorer": {"type": "reciprocal_rank_fusion"}}),
            "backfill": {"type": "popular"},
        }

    return about


def _row(source: str) -> Preset:
    """A row of one source, in its own order."""

    def row(hide_seen: bool) -> dict[str, Any]:
        return {"sources": {source: {}}, "filters": RULES, "backfill": {"type": "popular"}}

    return row


PRESETS: Mapping[str, Preset] = {
    "home_feed": _home_feed,
    "similar_items": _about_an_item(with_vectors=True, ranked=False),
    "frequently_bought_together": _about_an_item(with_vectors=False, ranked=False),
    "because_you_watched": _about_an_item(with_vectors=True, ranked=True),
    "trending": _row("trending"),
    "newest": _row("newest"),
    "popular_in_segment": _row("popular_in_segment"),
}
"""What a surface may begin with, by name."""

DEFAULT_SURFACES = ("home_feed", "similar_items")
"""Those that are there where settings say nothing."""


def preset_of(name: str, *, hide_seen: bool) -> dict[str, Any]:
    """The settings that the preset of that name stands for; where there is no such preset, the user alone."""
    return {"hydrators": dict(USER), **deepcopy(PRESETS[name](hide_seen) if name in PRESETS else {})}
