"""What every encoder of a history promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from remora.retrieval.history_encoders.causal_transformer import CausalTransformer
from remora.retrieval.history_encoders.ligr import Ligr
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


def gated(layers: int = 2) -> Ligr:
    torch.manual_seed(6)
    made = Ligr(8, layers=layers, heads=2, length=L, dropout=0.2).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return made


def test_ligr_adds_each_part_through_its_gate() -> None:
    model, items = gated(), np.random.default_rng(3).normal(size=(3, L, 8))
    weights = {name: one.detach().double().numpy() for name, one in model.named_parameters()}

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return (x - x.mean(-1, keepdims=True)) / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def attention(x: np.ndarray, layer: str) -> np.ndarray:
        query, key, value = np.split(normed(x, f"{layer}attention_norm") @ weights[f"{layer}read.weight"].T, 3, axis=-1)
        read = np.zeros_like(x)
        for n, place, head in np.ndindex(len(x), L, 2):
            own = slice(4 * head, 4 * head + 4)
            logits = key[n, : place + 1, own] @ query[n, place, own] / np.sqrt(4)
            read[n, place, own] = np.exp(logits) / np.exp(logits).sum() @ value[n, : place + 1, own]
        return read @ weights[f"{layer}write.weight"].T

    def feed_forward(x: np.ndarray, layer: str) -> np.ndarray:
        gate, value = np.split(normed(x, f"{layer}feed_norm") @ weights[f"{layer}gate.weight"].T, 2, axis=-1)
        return (gate * sigmoid(gate) * value) @ weights[f"{layer}out.weight"].T

    x = items + weights["places"]
    for layer in ("layers.0.", "layers.1."):
        for part, gate in ((attention, "attention_gate"), (feed_forward, "feed_gate")):
            opened = sigmoid(x @ weights[f"{layer}{gate}.weight"].T + weights[f"{layer}{gate}.bias"])
            x = x + part(x, layer) * opened
    found = model(torch.tensor(items, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(found, normed(x, "norm"), rtol=1e-3, atol=1e-4)


def test_with_its_gates_open_ligr_is_the_causal_transformer() -> None:
    model = gated()
    plain = CausalTransformer(8, layers=2, heads=2, length=L, dropout=0.2).eval()
    plain.load_state_dict({name: one for name, one in model.state_dict().items() if "_gate." not in name})
    for name, weight in model.named_parameters():
        if "_gate." in name:
            torch.nn.init.constant_(weight, 50.0 if name.endswith("bias") else 0.0)
    items = torch.randn(2, L, 8)
    torch.testing.assert_close(model(items), plain(items))
