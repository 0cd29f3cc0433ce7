"""Who tells what is known of a user: Feast's online store for requests."""

from __future__ import annotations

from remora.features.guarded_users import GuardedUsers
from remora.features.online import OnlineUsers
from remora.features.store import open_store
from remora.settings import Settings
from remora.surfaces.parts import Parts


def online_users(settings: Settings, parts: Parts) -> GuardedUsers:
    """The hydrator of a serving replica."""
    limits = settings.serving
    store = open_store(settings, patience_seconds=limits.store_timeout_ms / 1e3)
    users = OnlineUsers(store, parts.vocabulary, settings)
    return GuardedUsers(users, failures=limits.store_failures, seconds=limits.store_pause_seconds)
