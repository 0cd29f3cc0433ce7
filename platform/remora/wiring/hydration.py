"""Who tells what is known of a user: Feast's online store for requests."""

from __future__ import annotations

from remora.features.online import OnlineUsers
from remora.features.store import open_store
from remora.settings import Settings
from remora.surfaces.parts import Parts


def online_users(settings: Settings, parts: Parts) -> OnlineUsers:
    """The hydrator of a serving replica."""
    return OnlineUsers(open_store(settings), parts.vocabulary, settings)
