"""What makes a class a history encoder: it builds a network that gives states, or one that gives a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class StateEncoder(Protocol):
    """A component of the kind ``history encoder`` for the two towers and for models of sequences.

    ``check_dimension(config, dimension)`` is optional: a ValueError where the encoder cannot read vectors of so many
    numbers, when the settings are read.
    """

    @classmethod
    def states(cls, config: Any, *, dimension: int, length: int) -> nn.Module:
        """A network of (n, L, d) item vectors, padding behind, L at most ``length``, to states (n, L, d).

        The state at a position depends on the items up to it and on none after it: that is what hides the padding.
        Vectors come with a deviation of about one. What it holds is made of ``config``, the ``dimension`` d and the
        ``length`` alone, for another process builds it again to load its weights.
        """
        ...


class SummaryEncoder(Protocol):
    """A component of the same kind that gives one vector of a whole history, for the two towers alone."""

    @classmethod
    def summary(cls, config: Any, *, dimension: int, length: int) -> nn.Module:
        """A network of (history, present, mean, last) to vectors (n, d).

        ``history`` (n, L, d) are unit vectors, most recent last, those where ``present`` (n, L) is false padding, which
        changes nothing; ``mean`` (n, d) is their mean weighted by recency, and ``last`` (n, d) the last of them. An
        empty history has a vector too.
        """
        ...
