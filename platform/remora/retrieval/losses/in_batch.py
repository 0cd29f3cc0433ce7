"""Softmax over sampled candidates, corrected for how often each is sampled."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sampled_softmax(
    users: Tensor,
    items: Tensor,
    rows: Tensor,
    log_expected: Tensor,
    weights: Tensor,
    history: Tensor,
    temperature: float,
) -> Tensor:
    """Weighted mean cross-entropy of user i's own item i among all candidates.

    Args: vectors ``users`` (n, d); ``items`` (m, d) whose first n are the users' targets and whose rest are
    uniform negatives; their item ``rows`` (m,); ``log_expected`` (m,), the logarithm of how often each is expected
    among the candidates (the log-Q correction of Bengio and Senécal, 2008, for the mixture of Yang et al., WWW 2020);
    ``weights`` (n,); ``history`` (n, L) item rows, -1 is padding. A candidate that is the user's own target again, or
    that stands in the history, is no negative: the user wants it, and the surface will not show it again.
    """
    n = len(users)
    logits = users @ items.T / temperature - log_expected
    wanted = among(history, rows) | (rows[None, :] == rows[:n, None])
    wanted.fill_diagonal_(False)
    losses = F.cross_entropy(logits.masked_fill(wanted, -1e9), torch.arange(n, device=users.device), reduction="none")
    return (losses * weights).sum() / weights.sum()


def among(history: Tensor, rows: Tensor) -> Tensor:
    """(n, m) bool: does candidate j stand in the history of user i?

    >>> among(torch.tensor([[-1, 4], [7, 5]]), torch.tensor([5, 4, 5])).int().tolist()
    [[0, 1, 0], [1, 0, 1]]
    """
    unique, which = torch.unique(rows, return_inverse=True)
    place = torch.searchsorted(unique, history).clamp(max=len(unique) - 1)
    there = unique[place] == history
    found = torch.zeros((len(history), len(unique) + 1), dtype=torch.bool, device=rows.device)
    found.scatter_(1, torch.where(there, place, len(unique)), True)
    return found[:, which]
