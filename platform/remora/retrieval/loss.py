"""Softmax over sampled candidates, corrected for how often each is sampled."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sampled_softmax(
    users: Tensor, items: Tensor, rows: Tensor, log_expected: Tensor, weights: Tensor, temperature: float
) -> Tensor:
    """Weighted mean cross-entropy of user i's own item i among all candidates.

    Args: unit vectors ``users`` (n, d); ``items`` (m, d) whose first n are the users' targets and whose rest are
    uniform negatives; their item ``rows`` (m,); ``log_expected`` (m,), the logarithm of how often each is expected
    among the candidates (the log-Q correction of Bengio and Senécal, 2008, for the mixture of Yang et al., WWW 2020);
    ``weights`` (n,). A candidate that is the user's own target again is no negative.
    """
    n = len(users)
    logits = users @ items.T / temperature - log_expected
    again = rows[None, :] == rows[:n, None]
    again.fill_diagonal_(False)
    losses = F.cross_entropy(logits.masked_fill(again, -1e9), torch.arange(n, device=users.device), reduction="none")
    return (losses * weights).sum() / weights.sum()
