"""Hierarchical sequential transduction units, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class HstuEncoder(LayeredEncoder):
    """Attention without a softmax, gated: HSTU (Zhai et al., ICML 2024).

    :class:`~remora.retrieval.history_networks.hstu.Hstu` has the network.
    """

    @classmethod
    def network(cls) -> type[nn.Module]:
        """See :class:`LayeredEncoder`."""
        from remora.retrieval.history_networks.hstu import Hstu

        return Hstu
