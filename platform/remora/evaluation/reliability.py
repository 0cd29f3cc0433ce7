"""Do probabilities and amounts mean what they say? Reliability and expected calibration error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from remora.evaluation.segments import of_user
from remora.ranking.slates import Slates
from remora.settings import EvaluationSettings

Floats = npt.NDArray[np.floating]

BINS = 10


class Bin(BaseModel):
    """Candidates of about the same prediction: its mean, the mean of what came, and how many they stand for."""

    model_config = ConfigDict(frozen=True)

    predicted: float
    observed: float
    count: float


class Reliability(BaseModel):
    """Of one objective and segment. ``error`` is the expected calibration error over the bins, in the label's unit;
    ``predicted`` and ``observed`` are means over all candidates."""

    model_config = ConfigDict(frozen=True)

    objective: str
    segment: str
    slates: int
    predicted: float
    observed: float
    error: float
    bins: tuple[Bin, ...]


def reliability(
    objective: str, segment: str, predictions: Floats, labels: Floats, counts: Floats, *, slates: int
) -> Reliability:
    """From predictions (n,), labels (n,) and what each row counts (n,): 1 / the share that was sampled.

    Bins hold equal counts, since nearly all probabilities are small (adaptive calibration error of J. Nixon et al.,
    Measuring calibration in deep learning, 2019); equal predictions share a bin.
    """
    order = np.argsort(predictions, kind="stable")
    predictions, labels, counts = (np.asarray(c, np.float64)[order] for c in (predictions, labels, counts))
    total = counts.sum()
    middle = np.cumsum(counts) - counts / 2
    bin_of = np.minimum((BINS * middle / total).astype(int), BINS - 1)
    # The bin of the first equal prediction, so that equal ones are not torn apart.
    first = np.searchsorted(predictions, predictions, side="left")
    bin_of = bin_of[first]
    bins = []
    for number in np.unique(bin_of):
        inside = bin_of == number
        weights = counts[inside]
        bins.append(
            Bin(
                predicted=float(np.average(predictions[inside], weights=weights)),
                observed=float(np.average(labels[inside], weights=weights)),
                count=float(weights.sum()),
            )
        )
    return Reliability(
        objective=objective,
        segment=segment,
        slates=slates,
        predicted=float(np.average(predictions, weights=counts)),
        observed=float(np.average(labels, weights=counts)),
        error=sum(b.count * abs(b.predicted - b.observed) for b in bins) / float(total),
        bins=tuple(bins),
    )


def by_segment(
    columns: Mapping[str, Floats],
    slates: Slates,
    settings: EvaluationSettings,
) -> tuple[Reliability, ...]:
    """Every objective in every segment of users that has a slate, from predictions (n,) of its candidates."""
    segments = [of_user(int(events), settings) for events in slates.history_events]
    counts, slate, labels = slates.counts, slates.batch.slate, slates.labels
    found = []
    for segment in dict.fromkeys(name for names in segments for name in names):
        chosen = np.array([segment in names for names in segments])
        inside = chosen[slate]
        found += [
            reliability(name, segment, c[inside], labels[name][inside], counts[inside], slates=int(chosen.sum()))
            for name, c in columns.items()
            if inside.any()
        ]
    return tuple(found)
