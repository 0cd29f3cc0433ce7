"""Adam by rows, against torch's own for sparse gradients."""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F

from remora.training.row_adam import RowAdam


def test_every_step_is_that_of_torch_s_sparse_adam() -> None:
    draw = torch.Generator().manual_seed(3)
    start = torch.randn(9, 4, generator=draw)
    tables = [start.clone().requires_grad_() for _ in range(2)]
    optimisers = [RowAdam([tables[0]], lr=0.1), torch.optim.SparseAdam([tables[1]], lr=0.1)]
    for _ in range(6):
        rows, weights = torch.randint(0, 7, (5,), generator=draw), torch.randn(5, 4, generator=draw)  # some twice
        for table, optimiser in zip(tables, optimisers, strict=True):
            optimiser.zero_grad()
            (F.embedding(rows, table, sparse=True) * weights).sum().backward()
            optimiser.step()
        torch.testing.assert_close(*tables)
    assert torch.equal(tables[0][7:], start[7:])


def test_it_continues_from_a_saved_state_and_leaves_a_table_without_a_gradient_alone() -> None:
    tables = [torch.ones(3, 2, requires_grad=True) for _ in range(2)]
    first = RowAdam(tables, lr=0.1)
    F.embedding(torch.tensor([1]), tables[0], sparse=True).sum().backward()
    first.step()
    assert torch.equal(tables[1], torch.ones(3, 2))
    other = [table.detach().clone().requires_grad_() for table in tables]
    second = RowAdam(other, lr=0.1)
    second.load_state_dict(deepcopy(first.state_dict()))
    other[0].grad = tables[0].grad
    for optimiser in (first, second):
        optimiser.step()
    torch.testing.assert_close(other[0], tables[0])
