"""Who was asked for, and what was wanted: the parts of the queries that are also judged by themselves."""

from __future__ import annotations

from remora.settings import EvaluationSettings

ALL = "all"
NEW_USERS = "new_users"
HEAVY_USERS = "heavy_users"
NEW_ITEMS = "new_items"

SEGMENTS = {
    ALL: "every query",
    NEW_USERS: "users with fewer than `new_user_events` positive events before the query",
    HEAVY_USERS: "users with at least `heavy_user_events` positive events before the query",
    NEW_ITEMS: "every query, but only items with fewer than `new_item_events` events before the day are relevant",
}


WITHOUT_ITEM = "without_item"
"""Counts queries that a surface about an item was not asked, for the user had wanted none before."""


def of_user(history_events: int, settings: EvaluationSettings) -> tuple[str, ...]:
    """The segments of a query by how many positive events its user had before.

    >>> of_user(2, EvaluationSettings())
    ('all', 'new_users')
    """
    segments = [ALL]
    if history_events < settings.new_user_events:
        segments.append(NEW_USERS)
    if history_events >= settings.heavy_user_events:
        segments.append(HEAVY_USERS)
    return tuple(segments)
