"""Several members' scores as one: standardised per user, then summed with weights that validation chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

STEPS = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7], np.float32)


def standardised(scores: Scores) -> Scores:
    """Each user's scores (n, items) with mean 0 and deviation 1, so that members of any scale can be summed.

    A row of equal scores becomes zeros: a member that knows nothing of a user says nothing.
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)


def ensemble(members: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """The weighted sum of standardised scores (n, items); members of weight 0 may be missing."""
    parts = [np.float32(weight) * standardised(members[name]) for name, weight in weights.items() if weight]
    return np.sum(parts, axis=0, dtype=np.float32) if len(parts) > 1 else parts[0]


def choose_weights(members: Mapping[str, Scores], quality: Callable[[Scores], float]) -> dict[str, float]:
    """Weights that sum to 1, found greedily on validation: the best member first, then whichever helps most.

    Caruana et al., "Ensemble selection from libraries of models" (ICML 2004), with a share for each newcomer instead
    of equal votes. ``members`` are scores (n, items). A member that does not help gets 0.
    """
    ready = {name: standardised(scores) for name, scores in members.items()}
    alone = {name: quality(scores) for name, scores in ready.items()}
    first = max(alone, key=lambda name: alone[name])
    weights, best, total = {first: 1.0}, alone[first], ready[first]
    while len(weights) < len(ready):
        trials = {
            (name, share): quality((1 - share) * total + share * ready[name])
            for name in ready
            if name not in weights
            for share in STEPS
        }
        (name, share), found = max(trials.items(), key=lambda trial: trial[1])
        if found <= best:
            break
        weights = {n: w * float(1 - share) for n, w in weights.items()} | {name: float(share)}
        best, total = found, (1 - share) * total + share * ready[name]
    return {name: round(weights.get(name, 0.0), 4) for name in members}
