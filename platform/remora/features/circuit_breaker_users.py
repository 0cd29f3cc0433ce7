"""A circuit breaker around the store of users: one that is out is left alone for a while, not waited for each time."""

from __future__ import annotations

import threading
from copy import copy

from pybreaker import CircuitBreaker, CircuitBreakerError

from remora.core.errors import NotReady
from remora.core.vocabulary import Vocabulary
from remora.pipeline import Hydrator, Query
from remora.pipeline.stages import VocabularyHydrator


class CircuitBreakerUsers:
    """A Hydrator around another. After ``failures`` outages in a row nothing is asked for ``seconds``; then one request
    tries, and either closes the circuit or opens it again (M. Nygard, Release It!, 2007).

    A thread has a circuit of its own, because pybreaker lets one call at a time through each. Only NotReady is an
    outage: a bug is passed on and counts as an answer.
    """

    def __init__(self, users: Hydrator, *, failures: int, seconds: float) -> None:
        self._users, self._failures, self._seconds = users, failures, seconds
        self._own = threading.local()

    def with_vocabulary(self, vocabulary: Vocabulary) -> CircuitBreakerUsers:
        """See :class:`~remora.pipeline.stages.VocabularyHydrator`; both have the same circuits."""
        other = copy(self)
        if isinstance(self._users, VocabularyHydrator):
            other._users = self._users.with_vocabulary(vocabulary)
        return other

    def hydrate(self, query: Query) -> Query:
        """What the other says; NotReady at once while the circuit is open."""
        try:
            return self._circuit().call(self._users.hydrate, query)
        except CircuitBreakerError as open_circuit:
            raise NotReady(
                f"the online store was out {self._failures} times in a row and is left alone for {self._seconds:g} s"
            ) from open_circuit

    def _circuit(self) -> CircuitBreaker:
        if not hasattr(self._own, "circuit"):
            self._own.circuit = CircuitBreaker(
                fail_max=self._failures,
                reset_timeout=self._seconds,
                exclude=[lambda error: not isinstance(error, NotReady)],
                throw_new_error_on_trip=False,
            )
        return self._own.circuit  # type: ignore[no-any-return]
