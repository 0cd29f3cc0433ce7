"""Choosing how much each model counts, on validation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from remora.ranking.blend import Blend
from remora.ranking.model import Margins
from remora.ranking.slate_ndcg import mean_ndcg
from remora.ranking.slates import Slates

SHARES = np.linspace(0.0, 1.0, 11)


def blended(margins: Mapping[str, Margins], judged: Slates, objectives: tuple[str, ...]) -> Blend:
    """For each objective the shares of largest NDCG@10; one after another each further model is mixed in.

    A single model is left as it is.
    """
    first, *others = margins
    if not others:
        return Blend.of_one(first, len(objectives))
    slate = judged.batch.slate
    spread = {name: _within(columns, slate) for name, columns in margins.items()}
    shares = {name: [0.0] * len(objectives) for name in margins}
    for index, objective in enumerate(objectives):
        ready = {name: columns[:, index] / spread[name][index] for name, columns in margins.items()}
        chosen, total = {first: 1.0}, ready[first]
        for name in others:
            tried = [mean_ndcg((1 - s) * total + s * ready[name], judged.labels[objective], slate) for s in SHARES]
            share = float(SHARES[int(np.argmax(tried))])
            chosen = {other: kept * (1 - share) for other, kept in chosen.items()} | {name: share}
            total = (1 - share) * total + share * ready[name]
        for name, share in chosen.items():
            shares[name][index] = round(share, 6)
    return Blend(
        shares={name: tuple(found) for name, found in shares.items()},
        spread={name: tuple(found.tolist()) for name, found in spread.items()},
    )


def _within(margins: Margins, slate: np.ndarray) -> np.ndarray:
    """Deviation of each column within slates, shape (objectives,); 1 where it never differs."""
    count = np.bincount(slate)
    means = np.stack([np.bincount(slate, weights=column) / count for column in margins.T], axis=1)
    spread = (margins - means[slate]).std(axis=0)
    return np.where(spread > 1e-9, spread, 1.0)
