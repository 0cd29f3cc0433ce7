"""Losses against what they approximate."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from remora.extensions import names
from remora.extensions.kinds import LOSS
from remora.retrieval.losses import blockwise_cross_entropy, blockwise_softmax
from remora.retrieval.losses.bilateral_softmax import BilateralSoftmax
from remora.retrieval.losses.candidates import SampledNegatives
from remora.retrieval.losses.full_cross_entropy import FullCrossEntropy
from remora.retrieval.losses.gbce import Gbce
from remora.retrieval.losses.loss import Loss, loss_of
from remora.retrieval.losses.sampled_softmax import SampledSoftmax
from remora.settings.components import LossChoice
from remora.testing.losses import LossContract

N, ITEMS, D = 12, 9, 4
OWN = ("bilateral_softmax", "full_cross_entropy", "gbce", "sampled_softmax")


class TestSampledSoftmax(LossContract):
    component = SampledSoftmax


class TestBilateralSoftmax(LossContract):
    component = BilateralSoftmax


class TestGbce(LossContract):
    component = Gbce


class TestFullCrossEntropy(LossContract):
    component = FullCrossEntropy


def test_every_loss_of_remora_is_registered() -> None:
    assert set(names(LOSS)) >= set(OWN)


def test_a_loss_has_the_settings_that_are_chosen() -> None:
    assert loss_of(LossChoice.model_validate({"type": "gbce", "calibration": 0.3})) == Gbce(0.3)
    assert loss_of(LossChoice.model_validate({"type": "bilateral_softmax", "ratio": 1.2})) == BilateralSoftmax(1.2)
    assert (loss_of(LossChoice.model_validate("gbce")), Gbce.Config().calibration) == (Gbce(), 0.75)
    assert (loss_of(LossChoice.model_validate("bilateral_softmax")), BilateralSoftmax().ratio) == (
        BilateralSoftmax(1.1),
        1.1,
    )


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return (
        torch.randn(N, D, generator=draw),
        torch.randn(ITEMS, D, generator=draw, requires_grad=True),
        torch.randint(0, ITEMS, (N,), generator=draw),
    )


def everything() -> SampledNegatives:
    return SampledNegatives(rows=torch.arange(ITEMS), log_expected=torch.zeros(ITEMS), catalogue=ITEMS)


def test_the_softmax_over_everything_drawn_is_the_full_one(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    torch.testing.assert_close(
        SampledSoftmax().of_table(*batch, everything()), FullCrossEntropy().of_table(*batch, None)
    )


def test_the_sampled_softmax_approaches_the_full_one_whatever_items_are_drawn_more_often(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    states, table, targets = batch
    weights = torch.arange(1.0, ITEMS + 1) / sum(range(1, ITEMS + 1))
    rows = torch.multinomial(weights, 60_000, replacement=True, generator=torch.Generator().manual_seed(2))
    sampled = SampledNegatives(rows=rows, log_expected=(weights[rows] * len(rows)).log(), catalogue=ITEMS)
    torch.testing.assert_close(
        SampledSoftmax().of_table(*batch, sampled), F.cross_entropy(states @ table.T, targets), rtol=0.02, atol=0
    )


@pytest.mark.parametrize("ratio", [1.0, 1.3])
def test_bilateral_softmax_weighs_the_log_sum_of_the_others_against_the_target(
    ratio: float, batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    states, table, targets = batch
    scores = states @ table.T
    own = scores.gather(1, targets[:, None])[:, 0]
    others = scores.masked_fill(F.one_hot(targets, ITEMS).bool(), -torch.inf).logsumexp(1)
    found = BilateralSoftmax(ratio).of_table(states, table, targets, everything())
    torch.testing.assert_close(found, (ratio * others - own).mean())


def test_gbce_without_calibration_is_binary_cross_entropy(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    states, table, targets = batch
    rows = torch.tensor([1, 4])
    sampled = SampledNegatives(rows=rows, log_expected=torch.zeros(2), catalogue=ITEMS)
    scores = states @ table.T
    expected = 0.0
    for n, target in enumerate(targets.tolist()):
        expected -= F.logsigmoid(scores[n, target]).item()
        expected -= sum(F.logsigmoid(-scores[n, row]).item() for row in rows.tolist() if row != target)
    assert float(Gbce(calibration=0.0).of_table(*batch, sampled).detach()) == pytest.approx(expected / N / 3, rel=1e-4)


@pytest.mark.parametrize("block", [1, 4 * ITEMS, 1000 * ITEMS])
def test_the_blockwise_cross_entropy_has_the_value_and_the_gradients_of_torch_s(
    block: int, batch: tuple[Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise_cross_entropy, "BLOCK_SCORES", block)
    states, table, targets = batch[0].requires_grad_(), batch[1], batch[2]
    found, expected = FullCrossEntropy().of_table(*batch, None), F.cross_entropy(states @ table.T, targets)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(3 * found, (states, table)), torch.autograd.grad(3 * expected, (states, table)), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("block", [1, 4 * ITEMS, 1000 * ITEMS])
def test_the_blockwise_sampled_softmax_has_the_value_and_the_gradients_of_the_one_that_holds_all_scores(
    block: int, batch: tuple[Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise_softmax, "BLOCK_SCORES", block)
    states, table = (
        (scale * one.detach().double()).requires_grad_() for scale, one in zip((30, 1), batch, strict=False)
    )
    targets, rows = batch[2], torch.tensor([1, 4, 4, 7])
    sampled = SampledNegatives(rows=rows, log_expected=torch.tensor([0.1, -0.3, -0.3, 2.0]).double(), catalogue=ITEMS)
    assert torch.isin(targets, rows).any()
    found, expected = (
        call(SampledSoftmax(), states, table, targets, sampled) for call in (SampledSoftmax.of_table, Loss.of_table)
    )
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(3 * found, (states, table)),
        torch.autograd.grad(3 * expected, (states, table)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", OWN)
def test_a_step_against_the_gradient_lowers_every_loss(name: str, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    states, table, targets = batch
    loss = loss_of(LossChoice.model_validate(name))
    before = loss.of_table(states, table, targets, everything())
    (gradient,) = torch.autograd.grad(before, table)
    assert torch.isfinite(gradient).all()
    assert loss.of_table(states, table - 0.01 * gradient, targets, everything()) < before
