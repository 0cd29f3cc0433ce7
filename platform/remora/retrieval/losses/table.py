"""Losses, by the names that settings choose from."""

from __future__ import annotations

from collections.abc import Callable

from remora.retrieval.losses.bilateral_softmax import BilateralSoftmax
from remora.retrieval.losses.candidates import Loss
from remora.retrieval.losses.full_cross_entropy import FullCrossEntropy
from remora.retrieval.losses.gbce import Gbce
from remora.retrieval.losses.sampled_softmax import SampledSoftmax

LOSSES: dict[str, Callable[[], Loss]] = {
    "full_cross_entropy": FullCrossEntropy,
    "sampled_softmax": SampledSoftmax,
    "bilateral_softmax": BilateralSoftmax,
    "gbce": Gbce,
}
