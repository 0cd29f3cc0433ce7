"""What every encoder of a history promises."""

from __future__ import annotations

import pytest
import torch

from remora.retrieval.history_encoders.table import HISTORY_ENCODERS
from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower

ITEMS, L = 11, 6


def tower(encoder: str, temperature: float | None = 0.1) -> SequentialTower:
    torch.manual_seed(5)
    spec = SequenceSpec(
        items=ITEMS, dimension=8, encoder=encoder, layers=2, heads=2, length=L, dropout=0.2, temperature=temperature
    )
    made = SequentialTower(spec).eval()
    for weight in made.history.parameters():  # nothing stays at a zero that would hide a mistake
        torch.nn.init.normal_(weight, std=0.3)
    return made


@pytest.mark.parametrize("encoder", HISTORY_ENCODERS)
def test_a_state_reads_its_past_and_never_its_future(encoder: str) -> None:
    model = tower(encoder)
    one = torch.tensor([[1, 2, 3, 4, 5, 6]])
    for place in range(1, L):
        other = one.clone()
        other[0, place] = 9
        same = torch.isclose(model(one), model(other), atol=1e-5).all(-1)[0]
        assert same[:place].all()
        assert not same[place:].any()


@pytest.mark.parametrize("encoder", HISTORY_ENCODERS)
def test_padding_behind_changes_nothing(encoder: str) -> None:
    model = tower(encoder)
    torch.testing.assert_close(
        model.users(torch.tensor([[3, 1, 4]])), model.users(torch.tensor([[3, 1, 4, -1, -1, -1]])), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("encoder", HISTORY_ENCODERS)
def test_the_order_of_items_can_matter(encoder: str) -> None:
    model = tower(encoder)
    assert not torch.allclose(model.users(torch.tensor([[1, 2, 3]])), model.users(torch.tensor([[2, 1, 3]])), atol=1e-5)


def test_with_a_temperature_scores_are_cosines_over_it() -> None:
    model = tower("causal_transformer", temperature=0.2)
    scores = model.users(torch.tensor([[1, 2]])) @ model.vectors().detach().T * 0.2
    assert scores.abs().max() <= 1 + 1e-5
    assert tower("causal_transformer", temperature=None).vectors().norm(dim=1).std() > 0
