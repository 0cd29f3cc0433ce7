"""What the two towers compare: each user's own target with items that stand for all others."""

from __future__ import annotations

import torch
from torch import Tensor

from remora.retrieval.losses.candidates import OUT, Logits


def user_item_logits(
    users: Tensor,
    positive: Tensor,
    negatives: Tensor,
    *,
    targets: Tensor,
    rows: Tensor,
    history: Tensor,
    log_expected: Tensor,
    positive_expected: Tensor | None,
    weights: Tensor,
    temperature: float,
    catalogue: int,
) -> Logits:
    """Every user's own item beside the same negatives.

    Args: vectors ``users`` (n, d), ``positive`` (n, d) of their ``targets`` (n,), ``negatives`` (m, d) of item ``rows``
    (m,); ``history`` (n, L) item rows, -1 is padding; ``log_expected`` (m,) and ``positive_expected`` (n,), the
    logarithm of how often each is expected among the others (the log-Q correction of Bengio and Senécal, 2008, for the
    mixture of Yang et al., WWW 2020); ``weights`` (n,); ``catalogue``, the items that may be drawn. Another that is the
    user's own target, or that stands in the history, is no negative: the user wants it, and the surface will not
    show it again.
    """
    scores = users @ negatives.T / temperature
    masked = is_in_history(history, rows) | (rows[None, :] == targets[:, None])
    return Logits(
        positive=(users * positive).sum(1) / temperature,
        negatives=scores.masked_fill(masked, OUT),
        log_expected=log_expected,
        positive_expected=positive_expected,
        share=len(rows) / max(1, catalogue - 1),
        weights=weights,
    )


def is_in_history(history: Tensor, rows: Tensor) -> Tensor:
    """(n, m) bool: does candidate j stand in the history of user i?

    >>> is_in_history(torch.tensor([[-1, 4], [7, 5]]), torch.tensor([5, 4, 5])).int().tolist()
    [[0, 1, 0], [1, 0, 1]]
    """
    unique, which = torch.unique(rows, return_inverse=True)
    place = torch.searchsorted(unique, history).clamp(max=len(unique) - 1)
    there = unique[place] == history
    # A column more than there are rows takes what is not among them, and is never read.
    found = torch.zeros((len(history), len(unique) + 1), dtype=torch.bool, device=rows.device)
    found.scatter_(1, torch.where(there, place, len(unique)), True)
    return found[:, which]
