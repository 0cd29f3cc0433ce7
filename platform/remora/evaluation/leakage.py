"""Features that know the future: found by what they predict too well.

Two signs. A feature alone sorts what was taken from what was not almost without fault: nothing known at the instant
does. Or a feature of items follows what was wanted *after* the window began more closely than what was wanted before:
an honest count or score is made of the past, and predicts the future less well than it tells the past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy.stats import rankdata, spearmanr

Floats = npt.NDArray[np.floating]

SURE_AUC = 0.97
"""Within slates. Co-visitation and popularity, the strongest honest features, stay below 0.9."""

FUTURE_CORRELATION, FUTURE_MARGIN = 0.5, 0.1
LEAST_ITEMS, LEAST_SLATES = 30, 20


class Leak(BaseModel):
    """A feature, and why it is suspected."""

    model_config = ConfigDict(frozen=True)

    feature: str
    reason: str


def within_slates(values: Floats, positive: npt.NDArray[np.bool_], slate: npt.NDArray[np.int64]) -> tuple[float, int]:
    """The share of (taken, not taken) pairs of one slate that the feature sorts, ties half, and slates with such pairs.

    ``values``, ``positive`` and ``slate`` have shape (n,), rows of a slate together; the share is 0.5 without any pair.
    Missing values (NaN) come before all others, so that a feature which is there only for what was taken shows.
    """
    filled = np.where(np.isnan(values), -np.inf, values.astype(np.float64))
    sorted_pairs, pairs, slates = 0.0, 0, 0
    ends = np.flatnonzero(np.append(slate[1:] != slate[:-1], len(slate) > 0)) + 1
    for begin, end in zip(np.append(0, ends)[:-1], ends, strict=True):
        taken = positive[begin:end]
        wins, others = int(taken.sum()), int((~taken).sum())
        if wins and others:
            ranks = rankdata(filled[begin:end])
            sorted_pairs += ranks[taken].sum() - wins * (wins + 1) / 2
            pairs += wins * others
            slates += 1
    return (sorted_pairs / pairs if pairs else 0.5), slates


def too_good(
    features: npt.NDArray[np.float32],
    names: Sequence[str],
    labels: Mapping[str, Floats],
    slate: npt.NDArray[np.int64],
) -> tuple[Leak, ...]:
    """Features (n, F) that alone sort a label almost without fault, in either direction."""
    found = []
    for column, name in enumerate(names):
        for objective, label in labels.items():
            share, slates = within_slates(features[:, column], label > 0, slate)
            if slates >= LEAST_SLATES and max(share, 1 - share) >= SURE_AUC:
                reason = (
                    f"alone it sorts {max(share, 1 - share):.1%} of the pairs of {objective} and not, within "
                    f"{slates:,} slates"
                )
                found.append(Leak(feature=name, reason=reason))
                break
    return tuple(found)


def knows_the_future(columns: Mapping[str, Floats], before: Sequence[Floats], after: Floats) -> tuple[Leak, ...]:
    """Item features (items,) that follow ``after``, the events of each item after the features' instant, more closely
    than any of ``before``, those of times until then; rank correlations over items with the feature and any event."""
    found = []
    for name, values in columns.items():
        known = np.isfinite(values) & (np.any([counts > 0 for counts in before], axis=0) | (after > 0))
        if known.sum() < LEAST_ITEMS or np.ptp(values[known]) == 0:
            continue
        *earlier, future = (_alike(values[known], counts[known]) for counts in (*before, after))
        past = max(earlier)
        if future >= FUTURE_CORRELATION and future > past + FUTURE_MARGIN:
            reason = f"its rank correlation with the events after its instant is {future:.2f}, before it {past:.2f}"
            found.append(Leak(feature=name, reason=reason))
    return tuple(found)


def _alike(values: Floats, counts: Floats) -> float:
    """Their rank correlation without its sign; 0 where the counts are all equal."""
    return abs(float(spearmanr(values, counts).statistic)) if np.ptp(counts) else 0.0
