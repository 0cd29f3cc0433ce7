"""The user's features, history and seen items, from the store of users."""

from __future__ import annotations

from dataclasses import dataclass

from remora.core.errors import NotReady
from remora.extensions import ComponentConfig
from remora.pipeline import Degradation, Hydrator, Query, StageContext

USER_UNKNOWN = "user_unknown"
"""Nothing is known of the user, so the slate is not personal: trending and popular items, ranked."""

USER_STORE = "user_store"
"""The online store is out, or is left alone after several outages in a row; the slate is not personal."""


@dataclass(frozen=True, kw_only=True)
class UserFeatures:
    """What ``users`` knows at the query's instant: Feast's online store when serving, its offline store in a replay."""

    users: Hydrator

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> UserFeatures | None:
        """Over the context's users; None where it has none, as where queries are hydrated already."""
        return None if context.users is None else cls(users=context.users)

    def hydrate(self, query: Query) -> Query:
        """The query with its user. Degradation where the store is out, and where it does not know the user; an
        anonymous visitor is not looked up."""
        if query.user_id is None:
            return query
        try:
            query = self.users.hydrate(query)
        except NotReady as reason:
            raise Degradation(USER_STORE, str(reason)) from reason
        if not query.user_found:
            why = f"nothing is known of '{query.user_id}', so the slate is not personal"
            raise Degradation(USER_UNKNOWN, why)
        return query
