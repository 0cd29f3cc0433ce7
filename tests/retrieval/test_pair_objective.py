"""The pairs' objective looks up what a batch touches, and gives what the whole tables would."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from remora.retrieval.losses.candidates import SampledNegatives
from remora.retrieval.losses.loss import loss_of
from remora.retrieval.matrix_factorization import PairObjective, PairSpec
from remora.settings.components import LossChoice

SPEC = PairSpec(users=6, items=9, dimension=4, temperature=0.2)
USERS, TARGETS = torch.tensor([0, 5, 5, 2]), torch.tensor([3, 8, 3, 1])


def objective(loss: str) -> PairObjective:
    torch.manual_seed(3)
    return PairObjective(SPEC, LossChoice.model_validate(loss))


@pytest.mark.parametrize("loss", ["sampled_softmax", "bilateral_softmax", "gbce", "full_cross_entropy"])
def test_it_is_the_loss_over_the_whole_tables(loss: str) -> None:
    made, choice = objective(loss), LossChoice.model_validate(loss)
    draw = SampledNegatives(
        rows=torch.tensor([3, 0, 7, 0]), log_expected=torch.tensor([0.1, 0.2, 0.3, 0.2]), catalogue=9
    )
    sampled = draw if loss_of(choice).needs_negatives else None
    users, items = (F.normalize(one.weight.detach(), dim=1) for one in (made.tower.user_table, made.tower.item_table))
    expected = loss_of(choice).of_table(users[USERS] / SPEC.temperature, items, TARGETS, sampled)
    torch.testing.assert_close(made(USERS, TARGETS, sampled), expected)


def test_against_the_whole_catalogue_every_item_and_no_other_user_is_moved() -> None:
    made = objective("full_cross_entropy")
    made(USERS, TARGETS, None).backward()
    moved = [one.weight.grad.to_dense().abs().sum(1) > 0 for one in (made.tower.user_table, made.tower.item_table)]  # type: ignore[union-attr]
    assert moved[0].tolist() == [user in USERS.tolist() for user in range(SPEC.users)]
    assert moved[1].all()
