"""Who tells what is known of a user: Feast's online store for requests."""

from __future__ import annotations

from remora.features.circuit_breaker_users import CircuitBreakerUsers
from remora.features.live.row_store import LiveRowStore
from remora.features.online import OnlineUsers
from remora.features.store import open_store
from remora.pipeline import StageContext
from remora.settings import Settings


def online_users(settings: Settings, context: StageContext, *, live: bool = False) -> CircuitBreakerUsers:
    """The hydrator of a serving replica; ``live`` with what users did since the feature tables were made."""
    limits = settings.serving
    patience = limits.online_store_timeout_ms / 1e3
    store = open_store(settings, patience_seconds=patience)
    rows = LiveRowStore(settings, patience_seconds=patience) if live else None
    users = OnlineUsers(store, context.vocabulary, settings, live=rows)
    return CircuitBreakerUsers(users, failures=limits.breaker_failure_threshold, seconds=limits.breaker_reset_seconds)
