"""Remora's history encoders keep the promises of their kind, and their networks are what their papers write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.datasets.worlds import settings_for

from remora.core.errors import DataError
from remora.extensions import FROM_A_BUNDLE, UnresolvedConfig, names
from remora.extensions.kinds import HISTORY_ENCODER
from remora.retrieval.history_encoders.attention import AttentionEncoder
from remora.retrieval.history_encoders.causal_transformer import CausalTransformerEncoder
from remora.retrieval.history_encoders.hstu import HstuEncoder
from remora.retrieval.history_encoders.ligr import LigrEncoder
from remora.retrieval.history_encoders.mean import MeanEncoder
from remora.retrieval.history_encoders.trained_with import check_trained_with
from remora.retrieval.history_networks.causal_transformer import CausalTransformer
from remora.retrieval.history_networks.ligr import Ligr
from remora.retrieval.models.sequential import Sequential
from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower
from remora.settings.components import HistoryEncoderChoice
from remora.testing.history_encoders import HistoryEncoderContract, HistorySummaryContract

ITEMS, L = 11, 6
WITH_STATES = ("causal_transformer", "hstu", "ligr", "mean")


class TestAttention(HistorySummaryContract):
    component = AttentionEncoder


class TestMean(HistoryEncoderContract):
    component = MeanEncoder


class TestCausalTransformer(HistoryEncoderContract):
    component = CausalTransformerEncoder


class TestHstu(HistoryEncoderContract):
    component = HstuEncoder


class TestLigr(HistoryEncoderContract):
    component = LigrEncoder


def test_every_encoder_that_is_registered_is_tested_here() -> None:
    assert set(names(HISTORY_ENCODER)) >= {"attention", *WITH_STATES}


def tower(encoder: str, temperature: float | None = 0.1) -> SequentialTower:
    torch.manual_seed(5)
    chosen = HistoryEncoderChoice.model_validate(encoder)
    made = SequentialTower(
        SequenceSpec(items=ITEMS, dimension=8, encoder=chosen, length=L, temperature=temperature)
    ).eval()
    for weight in made.history.parameters():  # nothing stays at a zero that would hide a mistake
        torch.nn.init.normal_(weight, std=0.3)
    return made


@pytest.mark.parametrize("encoder", WITH_STATES)
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


@pytest.mark.parametrize("encoder", ["causal_transformer", "hstu", "ligr"])
@pytest.mark.parametrize("of", ["the two towers", "the sequential model"])
def test_heads_that_do_not_divide_the_dimension_are_refused_when_settings_are_read(encoder: str, of: str) -> None:
    chosen = {"type": encoder, "heads": 3}
    with pytest.raises(ValueError, match="dimension 32 is no multiple of the history encoder's heads, 3"):
        settings_for("/nowhere", retrieval=retrieval(of, chosen, 32))  # type: ignore[arg-type]
    settings_for("/nowhere", retrieval=retrieval(of, chosen, 33))  # type: ignore[arg-type]


def retrieval(of: str, encoder: Any, dimension: int) -> dict[str, Any]:
    """Settings of a model that reads histories."""
    if of == "the two towers":
        return {"history_encoder": encoder, "dimension": dimension}
    return {"models": {"taste": {"type": "sequential", "encoder": encoder, "dimension": dimension}}}


def test_a_model_of_sequences_refuses_an_encoder_without_states_and_says_which_have_them() -> None:
    says = r"'attention' gives one vector .* Choose one that has states: .*causal_transformer, hstu, ligr, mean"
    with pytest.raises(ValueError, match=says):
        Sequential.Config(encoder="attention")


def test_a_bundle_chooses_no_code_by_its_encoder() -> None:
    read = Sequential.Config.model_validate({"encoder": "some.module:Class"}, context=FROM_A_BUNDLE)
    assert isinstance(read.encoder.config, UnresolvedConfig)


LIGR = HistoryEncoderChoice.model_validate({"type": "ligr", "layers": 1})


@pytest.mark.parametrize("written", [{"type": "ligr", "layers": 1, "heads": 2, "dropout": 0.2}, LIGR.brief])
def test_weights_of_the_encoder_that_the_settings_choose_are_read(written: Any) -> None:
    check_trained_with(written, LIGR, where="towers.json", command="remora train retrieval")


@pytest.mark.parametrize(
    "written",
    [
        *({"type": "ligr"}, {"type": "hstu", "layers": 1}, {"type": "ligr", "layers": 1, "more": 2}),
        *({"type": "ligr", "layers": 0}, {"type": "os:system", "layers": 1}, "ligr", None, [], {}),
    ],
)
def test_weights_of_another_encoder_are_refused_with_both(written: Any) -> None:
    says = r"'towers.json' was trained with .* and the settings say {'type': 'ligr', 'layers': 1, .*Run `remora train"
    with pytest.raises(DataError, match=says):
        check_trained_with(written, LIGR, where="towers.json", command="remora train retrieval")
