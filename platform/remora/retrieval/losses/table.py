"""Losses, by the names that settings choose from."""

from __future__ import annotations

from collections.abc import Callable

from remora.retrieval.losses.bilateral_softmax import BilateralSoftmax
from remora.retrieval.losses.candidates import Loss, SampledLoss
from remora.retrieval.losses.full_cross_entropy import FullCrossEntropy
from remora.retrieval.losses.gbce import Gbce
from remora.retrieval.losses.sampled_softmax import SampledSoftmax

LOSSES: dict[str, Callable[[], Loss]] = {
    "full_cross_entropy": FullCrossEntropy,
    "sampled_softmax": SampledSoftmax,
    "bilateral_softmax": BilateralSoftmax,
    "gbce": Gbce,
}

COMPARING: dict[str, Callable[[], SampledLoss]] = {
    "full_cross_entropy": SampledSoftmax,  # beside the whole catalogue, which the two towers then draw
    "sampled_softmax": SampledSoftmax,
    "bilateral_softmax": BilateralSoftmax,
    "gbce": Gbce,
}
"""The same names for towers whose item vectors are computed for the step, so that there is no table to go through."""
