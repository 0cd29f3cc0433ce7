"""Users as they were a moment ago: who asks again within seconds is not looked up again."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from remora.core.vocabulary import Vocabulary
from remora.pipeline import Hydrator, Query
from remora.pipeline.cache import Cache
from remora.pipeline.stages import VocabularyHydrator

USERS = "users"


class CachedUsers:
    """A Hydrator around another, for ``ttl_seconds``; what the store learns meanwhile is seen that much later.

    A user that nothing is known of is asked for each time: the first events count at once. It stands before the circuit
    breaker, so it answers while the store is out.
    """

    def __init__(self, users: Hydrator, *, max_size: int, ttl_seconds: float) -> None:
        self._users, self._digest = users, ""
        self.cache: Cache[Query] = Cache(USERS, max_size, ttl_seconds)

    def with_vocabulary(self, vocabulary: Vocabulary) -> CachedUsers:
        """See :class:`~remora.pipeline.stages.VocabularyHydrator`; both have one cache, and rows of their own in it."""
        other = copy(self)
        other._digest = vocabulary.digest
        if isinstance(self._users, VocabularyHydrator):
            other._users = self._users.with_vocabulary(vocabulary)
        return other

    def hydrate(self, query: Query) -> Query:
        """What the other says, or said; NotReady where it is out and nothing is kept."""
        if query.user_id is None:
            return query
        key = (query.user_id, self._digest)
        kept = self.cache.get(key)
        if kept is None:
            kept = self._users.hydrate(query)
            if kept is query or not kept.user_found:  # a warm-up query says of itself that its user is found
                return kept
            self.cache.put(key, kept)
        return replace(query, user_found=kept.user_found, history=kept.history, seen=kept.seen, user=kept.user)
