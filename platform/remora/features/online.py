"""The user of a request, from Feast's online store: one call a query."""

from __future__ import annotations

import sqlite3
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from remora.core.errors import NotFound, NotReady
from remora.core.tables import USER_ID
from remora.core.vocabulary import Vocabulary
from remora.features.services import user_features
from remora.pipeline import Query
from remora.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

    from remora.features.live.row_store import LiveRowStore

HISTORY = "user_history__history"
SEEN = "user_history__seen"


class OnlineUsers:
    """A Hydrator over the materialized views of the user, and over the rows of the live state where there is one, whose
    values stand in place of those of before.

    A user that no view knows stays unknown, with empty arrays. NotReady when the store does not answer.
    """

    def __init__(
        self,
        store: FeatureStore,
        vocabulary: Vocabulary,
        settings: Settings,
        *,
        live: LiveRowStore | None = None,
    ) -> None:
        self._store, self._vocabulary, self._live = store, vocabulary, live
        try:
            self._features = user_features(store)
        except NotFound as error:
            raise NotReady(
                f"No view of the user is applied under {settings.home}. Run `remora features apply` first."
            ) from error
        from feast.types import UnixTimestamp

        self._lost, self._outages = _outages(store)
        self._times = {
            f"{view.name}__{field.name}"
            for view in store.list_feature_views()
            for field in view.features
            if field.dtype == UnixTimestamp
        }

    def with_vocabulary(self, vocabulary: Vocabulary) -> OnlineUsers:
        """See :class:`~remora.pipeline.stages.VocabularyHydrator`."""
        other = copy(self)
        other._vocabulary = vocabulary
        return other

    def hydrate(self, query: Query) -> Query:
        """The query with what the online store knows of its user."""
        if query.user_id is None:
            return query
        answer = self._read(query.user_id)
        # Feast answers for a user that no view has with nulls, and not with an error.
        if all(value is None for value in answer.values()):
            return query
        history, seen = answer.pop(HISTORY, None), answer.pop(SEEN, None)
        return replace(
            query,
            user_found=True,
            history=self._vocabulary.rows(history or ()),
            seen=self._vocabulary.rows(seen or ()),
            user={name: user_value(value) for name, value in answer.items()},
        )

    def _read(self, user_id: str) -> dict[str, Any]:
        try:
            try:
                answer = self._ask(user_id)
            except self._lost:
                answer = self._ask(user_id)  # an idle connection may have been ended by the server
        except self._outages as error:
            raise NotReady(f"Feast's online store does not answer: {error}.") from error
        return answer

    def _ask(self, user_id: str) -> dict[str, Any]:
        found = self._store.get_online_features(
            features=self._features, entity_rows=[{USER_ID: user_id}], full_feature_names=True
        ).to_dict()
        answer = {name: values[0] for name, values in found.items() if name != USER_ID}
        if self._live is not None and (row := self._live.read(user_id)) is not None:
            answer |= {name: self._plain(name, value) for name, value in row.items() if name in answer}
        return answer

    def _plain(self, name: str, value: Any) -> Any:
        return datetime.fromisoformat(value) if name in self._times and value is not None else value


def user_value(value: Any) -> Any:
    """How a feature of the user is kept in a query: numbers in lists as float32 (m,), the rest as Python has it."""
    if isinstance(value, list) and not any(isinstance(one, str) for one in value):
        return np.asarray(value, np.float32)
    return value


Errors = tuple[type[Exception], ...]


def _outages(store: FeatureStore) -> tuple[Errors, Errors]:
    """What the online store raises when a connection is lost, and when it is out rather than the code wrong."""
    if store.config.online_store.type == "redis":
        from redis.exceptions import ConnectionError as Lost
        from redis.exceptions import RedisError

        return (Lost,), (RedisError, OSError)
    return (), (sqlite3.OperationalError, OSError)
