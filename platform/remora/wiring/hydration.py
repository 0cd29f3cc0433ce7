"""Who tells what is known of a user: Feast's online store for requests."""

from __future__ import annotations

from remora.features.guarded_users import GuardedUsers
from remora.features.online import OnlineUsers
from remora.features.store import open_store
from remora.settings import Settings
from remora.surfaces.parts import Parts


def online_users(settings: Settings, parts: Parts) -> GuardedUsers:
    """The hydrator of a serving replica."""
    users = OnlineUsers(open_store(settings), parts.vocabulary, settings)
    return GuardedUsers(users, failures=settings.serving.store_failures, seconds=settings.serving.store_pause_seconds)
