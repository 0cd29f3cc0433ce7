"""Adam for tables whose gradients are sparse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RowAdam(torch.optim.Optimizer):
    """Adam that reads and writes the rows of a gradient and no others; the arithmetic of torch.optim.SparseAdam
    (Kingma and Ba, Adam, ICLR 2015).

    That one makes a sparse tensor of each intermediate result, which took a third of a step of matrix factorisation.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step along the gradients; a table without one is left alone. RuntimeError for one that is not sparse."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._step(table, table.grad.coalesce(), group)
        return loss

    def _step(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[table]
        if not state:
            state |= {"step": 0, "exp_avg": torch.zeros_like(table), "exp_avg_sq": torch.zeros_like(table)}
        state["step"] += 1
        rows, values = gradient.indices()[0], gradient.values()
        one, two = group["betas"]
        mean = state["exp_avg"].index_select(0, rows).lerp_(values, 1 - one)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(two).addcmul_(values, values, value=1 - two)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        # The bias of both averages, which start at zero, is corrected in the step's size.
        size = group["lr"] * (1 - two ** state["step"]) ** 0.5 / (1 - one ** state["step"])
        moved = table.index_select(0, rows).addcdiv_(mean, square.sqrt_().add_(group["eps"]), value=-size)
        table.index_copy_(0, rows, moved)
