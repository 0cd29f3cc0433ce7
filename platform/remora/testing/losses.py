"""What every loss promises: a test inherits :class:`LossContract` and names the loss.

A class of pytest whose methods are plain functions: nothing here needs pytest, or a plugin of it.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from remora.extensions import ComponentConfig
from remora.extensions.kinds import LOSS
from remora.retrieval.losses.candidates import OUT, Logits, SampledNegatives
from remora.retrieval.losses.loss import Loss

__all__ = ["LossContract", "some_logits", "some_negatives", "some_states"]

STATES, ITEMS, DIMENSION = 7, 12, 4


def some_logits(seed: int = 0) -> Logits:
    """Scores of seven states and five items that are drawn for all, a few of them out of the running."""
    draw = torch.Generator().manual_seed(seed)
    negatives = torch.randn(STATES, 5, generator=draw)
    negatives[0, 1] = negatives[3, 4] = OUT
    return Logits(
        positive=torch.randn(STATES, generator=draw),
        negatives=negatives,
        log_expected=0.3 * torch.randn(5, generator=draw),
        share=5 / (ITEMS - 1),
    )


def some_states(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """States (7, d), a table (12, d) of item vectors, and the states' targets (7,)."""
    draw = torch.Generator().manual_seed(seed)
    states, table = (torch.randn(n, DIMENSION, generator=draw) for n in (STATES, ITEMS))
    return states, table, torch.randint(0, ITEMS, (STATES,), generator=draw)


def some_negatives(targets: Tensor) -> SampledNegatives:
    """Items drawn for all states, with repeats, and some of their own targets among them."""
    rows = torch.cat([targets[:2], torch.tensor([1, 4, 4, 9])])
    return SampledNegatives(rows=rows, log_expected=torch.linspace(-0.5, 0.5, len(rows)), catalogue=ITEMS)


class LossContract:
    """Of losses: one finite number that falls when a target scores higher, in which only others are compared with.

    A subclass names the ``component``, and overrides ``config`` for other settings than the default.
    """

    component: ClassVar[type[Loss]]

    def config(self) -> ComponentConfig:
        """The loss's own settings."""
        return LOSS.config_of(self.component)()

    def loss(self) -> Loss:
        """As settings make it."""
        return self.component.from_config(self.config())

    def test_it_is_one_finite_number_and_the_same_again(self) -> None:
        """Of the type that it is computed in."""
        found, again = self.loss().of(some_logits()), self.loss().of(some_logits())
        assert found.shape == ()
        assert found.dtype == torch.float32
        assert torch.isfinite(found)
        assert found == again

    def test_a_higher_score_of_the_targets_lowers_it(self) -> None:
        """Whichever state's."""
        loss, logits = self.loss(), some_logits()
        for state in range(STATES):
            better = logits.positive.clone()
            better[state] += 0.5
            assert loss.of(replace(logits, positive=better)) < loss.of(logits)

    def test_gradients_are_finite_where_all_others_are_out_of_the_running(self) -> None:
        """A step with NaN would end a training of hours."""
        loss, logits = self.loss(), some_logits()
        others = logits.negatives.clone()
        others[2] = OUT
        positive, negatives = logits.positive.clone().requires_grad_(), others.requires_grad_()
        found = torch.autograd.grad(
            loss.of(replace(logits, positive=positive, negatives=negatives)), (positive, negatives)
        )
        assert all(torch.isfinite(one).all() for one in found)

    def test_what_is_out_of_the_running_counts_for_nothing(self) -> None:
        """However far out it is."""
        loss, logits = self.loss(), some_logits()
        further = torch.where(logits.negatives == OUT, 3 * OUT, logits.negatives)
        torch.testing.assert_close(loss.of(replace(logits, negatives=further)), loss.of(logits))

    def test_a_weight_of_two_counts_a_state_twice(self) -> None:
        """Events have weights."""
        loss, logits = self.loss(), some_logits()
        once, twice = torch.tensor([0, 1]), torch.tensor([0, 0, 1])
        weighted = _of_states(logits, once, weights=torch.tensor([2.0, 1.0]))
        torch.testing.assert_close(loss.of(weighted), loss.of(_of_states(logits, twice)))

    def test_a_table_is_read_as_its_scores_are(self) -> None:
        """Value and gradients, with an item that is a state's own target out of the running for that state."""
        loss, (states, table, targets) = self.loss(), some_states()
        sampled = some_negatives(targets) if loss.needs_negatives else None
        states.requires_grad_()
        table.requires_grad_()
        ways = [way(loss, states, table, targets, sampled) for way in (type(loss).of_table, Loss.of_table)]
        torch.testing.assert_close(*ways)
        for one, other in zip(*(torch.autograd.grad(way, (states, table)) for way in ways), strict=True):
            assert torch.isfinite(one).all()
            torch.testing.assert_close(one, other)

    def test_it_crosses_process_borders(self) -> None:
        """It is computed in Ray's workers."""
        assert pickle.loads(pickle.dumps(self.loss())).of(some_logits()) == self.loss().of(some_logits())


def _of_states(logits: Logits, states: Tensor, weights: Tensor | None = None) -> Logits:
    return replace(logits, positive=logits.positive[states], negatives=logits.negatives[states], weights=weights)
