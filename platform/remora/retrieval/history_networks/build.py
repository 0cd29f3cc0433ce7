"""Networks of the history encoders that settings choose, with new weights."""

from __future__ import annotations

from torch import nn

from remora.extensions.kinds import SUMMARY
from remora.retrieval.history_networks.last_state import LastState
from remora.settings.components import HistoryEncoderChoice


def state_network(chosen: HistoryEncoderChoice, *, dimension: int, length: int) -> nn.Module:
    """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`: a state for each position."""
    network: nn.Module = chosen.component.cls.states(chosen.config, dimension=dimension, length=length)
    return network


def summary_network(chosen: HistoryEncoderChoice, *, dimension: int, length: int) -> nn.Module:
    """See :class:`~remora.retrieval.history_encoders.history_encoder.SummaryEncoder`: one vector of a history, which of
    an encoder with states is the last one."""
    cls = chosen.component.cls
    if hasattr(cls, SUMMARY):
        network: nn.Module = cls.summary(chosen.config, dimension=dimension, length=length)
        return network
    return LastState(state_network(chosen, dimension=dimension, length=length), dimension=dimension)
