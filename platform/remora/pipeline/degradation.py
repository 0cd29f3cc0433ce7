"""Why a stage was left out, where clients tell reasons apart."""

from __future__ import annotations

from remora.core.errors import NotReady


class Degradation(NotReady):
    """A stage does not have what it needs, under a code of its own: ``degraded`` names it by ``code``, and not by the
    stage's name."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(code, why)
        self.code, self.why = code, why

    def __str__(self) -> str:
        """The reason alone."""
        return self.why


def code_of(reason: str) -> str:
    """What an entry of ``degraded`` is called: the text behind it names users and times.

    >>> code_of("user_store: Feast's online store does not answer.")
    'user_store'
    """
    return reason.partition(":")[0]
