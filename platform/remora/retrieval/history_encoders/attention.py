"""Attention over a history that is computed once for it, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.extensions import ComponentConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class AttentionEncoder:
    """One vector of a history, asked by its mean and its last item; for the two towers, and the cheapest to serve.

    :class:`~remora.retrieval.history_networks.recent_attention.RecentAttention` has the network.
    """

    class Config(ComponentConfig):
        """It has no settings."""

    @classmethod
    def summary(cls, config: Config, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.SummaryEncoder`."""
        from remora.retrieval.history_networks.recent_attention import RecentAttention

        return RecentAttention(dimension, length=length)
