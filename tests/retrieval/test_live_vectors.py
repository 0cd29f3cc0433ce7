"""Towers with vectors of live items answer as if their index had them; content alone is what the item tower says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.retrieval.test_sources import ITEMS, encoder, query, vectors

from remora.core.errors import UnreadableInput
from remora.retrieval.content import Content
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.item_content import ItemContent
from remora.retrieval.towers import TowerSpec, TwoTower
from remora.retrieval.two_tower import Towers
from remora.settings.components import HistoryEncoderChoice

KNOWN = 30
WHOLE = Towers(encoder(), ItemIndex.build(vectors()))


def extended() -> Towers:
    whole = encoder()
    known = UserEncoder(whole.spec, whole.tower, torch.from_numpy(vectors()[:KNOWN]))
    return Towers(known, ItemIndex.build(vectors()[:KNOWN])).with_live_items(vectors()[KNOWN:])


TOWERS = extended()

histories = st.lists(st.integers(0, ITEMS - 1), max_size=8).map(tuple)
masks = st.one_of(st.none(), st.lists(st.booleans(), min_size=ITEMS, max_size=ITEMS).map(np.array))


@given(history=histories, k=st.integers(0, ITEMS + 3), allowed=masks)
def test_it_finds_what_an_index_of_all_items_finds(
    history: tuple[int, ...], k: int, allowed: np.ndarray | None
) -> None:
    asked = query(history=history)
    vector = TOWERS.encoder.encode(asked)
    np.testing.assert_allclose(vector, WHOLE.encoder.encode(asked), atol=1e-6)
    found, expected = TOWERS.search(vector, k, allowed), WHOLE.search(vector, k, allowed)
    assert (found.rows.dtype, found.scores.dtype) == (np.int32, np.float32)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(TOWERS.scores(vector, found.rows), found.scores, atol=1e-5)
    assert set(found.rows.tolist()) == set(expected.rows.tolist())


@pytest.mark.parametrize("row", [0, KNOWN - 1, KNOWN, ITEMS - 1])
def test_what_is_like_an_item_is_the_same(row: int) -> None:
    np.testing.assert_allclose(TOWERS.of_item(row), WHOLE.of_item(row))
    assert TOWERS.live_vectors is not None
    assert TOWERS.live_vectors[-1, -1] == vectors()[-1, -1], "the vectors themselves are left as they are"


def test_a_user_is_encoded_again_when_a_live_item_of_the_history_has_changed() -> None:
    towers, asked = extended(), query(history=(3, KNOWN + 2))
    before = towers.encoder.encode(asked)
    other = towers.with_live_items(-vectors()[KNOWN:])
    assert not np.allclose(other.encoder.encode(asked), before)
    known = query(history=(3, 8))
    assert other.encoder.encode(known) is towers.encoder.encode(known), "what is known is computed once"


def test_content_alone_is_the_vector_that_the_tower_gives_to_an_item_without_an_example(tmp_path: Path) -> None:
    torch.manual_seed(5)
    items = pa.table(
        {
            "kind": [["a", "b"], ["b"], None],
            "is_new": [True, None, False],
            "price": [1.0, 2.0, None],
            "title": ["A saw", "Two saws", ""],
        }
    )
    content = Content.fit(items, ["kind", "is_new", "price"], text=["title"], buckets=50)
    spec = TowerSpec(
        dimension=8,
        history_length=5,
        encoder=HistoryEncoderChoice.model_validate("attention"),
        trained=2,
        item_content=content,
        user_content=Content(tags={}, numbers={}),
    )
    model = TwoTower(spec, np.array([1, 2, 0]), content.encode(items), np.zeros(3, np.float32))
    save_file({name: one.contiguous() for name, one in model.state_dict().items()}, tmp_path / "towers.safetensors")
    made = ItemContent.load(tmp_path, spec).vectors(items)
    np.testing.assert_allclose(made[2], model.item_vectors()[2], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(made[:, :-1], axis=1), 1.0, atol=1e-6)
    assert made[:, -1].tolist() == [0, 0, 0]
    assert not np.allclose(made[0], model.item_vectors()[0])
    absent = ItemContent.load(tmp_path, spec).vectors(items.select(["title"]))
    assert absent.shape == (3, 9)

    save_file({"item.content.mix.0.weight": torch.zeros(1)}, tmp_path / "towers.safetensors")
    with pytest.raises(UnreadableInput, match="no weights of an item's content"):
        ItemContent.load(tmp_path, spec)
