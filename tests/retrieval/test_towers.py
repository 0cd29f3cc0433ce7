"""The towers learn clusters of taste, give new items vectors by their content, and their loss is the plain softmax."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.worlds import clustered_items
from torch import Tensor

from remora.retrieval.content import Content
from remora.retrieval.history_networks.build import state_network, summary_network
from remora.retrieval.losses.candidates import Logits
from remora.retrieval.losses.loss import loss_of
from remora.retrieval.losses.sampled_softmax import SampledSoftmax
from remora.retrieval.losses.user_item_logits import is_in_history, user_item_logits
from remora.retrieval.towers import TowerSpec, TwoTower
from remora.settings.components import HistoryEncoderChoice, LossChoice
from remora.training.two_tower import ranks_of_targets

ITEMS, CLUSTERS = 40, 4


STEPS = {"gbce": 240}  # each item against all others on its own learns slower
WITH_STATES = ("mean", "causal_transformer", "hstu", "ligr")
READERS = ("attention", *WITH_STATES)
LOSSES = ("full_cross_entropy", "sampled_softmax", "bilateral_softmax", "gbce")


def chosen(history: str) -> HistoryEncoderChoice:
    """An encoder that draws nothing in training."""
    own = {"attention": {}, "mean": {"dropout": 0.0}}.get(history, {"layers": 1, "dropout": 0.0})
    return HistoryEncoderChoice.model_validate({"type": history, **own})


def towers(hidden: tuple[int, ...] = (), history: str = "attention") -> TwoTower:
    """Towers over a clustered catalogue; `hidden` items have no identity."""
    torch.manual_seed(0)
    catalogue = clustered_items(ITEMS, CLUSTERS)
    content = Content.fit(catalogue, ["genres", "year"], text=["title"], buckets=64)
    identity = np.array([0 if i in hidden else i + 1 for i in range(ITEMS)])
    spec = TowerSpec(
        dimension=16,
        history_length=6,
        encoder=chosen(history),
        trained=ITEMS,
        item_content=content,
        user_content=Content({}, {}),
    )
    return TwoTower(spec, identity, content.encode(catalogue), np.zeros(ITEMS))


def test_vectors_are_units_and_the_empty_history_has_one() -> None:
    model = towers()
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors()[:, :-1], axis=1), 1, atol=1e-5)
    nothing = torch.zeros(1, 1, dtype=torch.int64)
    users, _ = model(torch.full((1, 6), -1), (nothing, nothing, torch.zeros(1, 1)), torch.tensor([0]), 0.0)
    assert torch.isfinite(users).all()
    torch.testing.assert_close(users[:, :-1].norm(dim=1), torch.ones(1))


@pytest.mark.parametrize(
    ("history", "loss"), [*((r, "sampled_softmax") for r in READERS), *(("attention", x) for x in LOSSES)]
)
def test_training_lowers_the_loss_and_a_new_item_lands_among_its_own_kind(history: str, loss: str) -> None:
    new = (36, 37, 38, 39)  # one of each cluster
    model, read = towers(new, history), loss_of(LossChoice.model_validate(loss))
    generator = np.random.default_rng(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(STEPS.get(loss, 80)):
        cluster = generator.integers(0, CLUSTERS, 64)
        had = torch.as_tensor(cluster[:, None] + CLUSTERS * generator.integers(0, 9, (64, 6)))
        target = torch.as_tensor(cluster + CLUSTERS * generator.integers(0, 9, 64))
        nothing = torch.zeros(64, 1, dtype=torch.int64)
        users, items = model(had, (nothing, nothing, torch.zeros(64, 1)), target, 0.2)
        found = read.of(logits_of(users, items, target, torch.zeros(64), torch.ones(64), had, 0.1))
        optimiser.zero_grad()
        found.backward()
        optimiser.step()
        losses.append(float(found.detach()))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    vectors = model.item_vectors()
    for item in new:
        nearest = np.argsort(-(vectors[:36] @ vectors[item]))[:5]
        assert (nearest % CLUSTERS == item % CLUSTERS).sum() >= 4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_loss_is_that_of_a_loop_over_users(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n, m = 4, 9
    users = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=1)
    items = torch.nn.functional.normalize(torch.randn(m, 3, generator=generator), dim=1)
    rows = torch.randint(0, 6, (m,), generator=generator)
    history = torch.randint(-1, 6, (n, 3), generator=generator)
    log_expected = torch.randn(m, generator=generator)
    weights = torch.rand(n, generator=generator) + 0.1
    total = 0.0
    for i in range(n):
        allowed = [j for j in range(m) if j == i or (rows[j] != rows[i] and int(rows[j]) not in history[i].tolist())]
        logits = torch.stack([users[i] @ items[j] / 0.5 - log_expected[j] for j in allowed])
        total += float(weights[i] * (torch.logsumexp(logits, 0) - logits[allowed.index(i)]))
    found = SampledSoftmax().of(logits_of(users, items, rows, log_expected, weights, history, 0.5))
    assert abs(float(found) - total / float(weights.sum())) < 1e-4
    expected = [[int(r) in h for r in rows.tolist()] for h in history.tolist()]
    assert is_in_history(history, rows).tolist() == expected


def logits_of(
    users: Tensor,
    items: Tensor,
    rows: Tensor,
    log_expected: Tensor,
    weights: Tensor,
    history: Tensor,
    temperature: float,
) -> Logits:
    """Each user's own item is the one of its place; all are candidates."""
    n = len(users)
    return user_item_logits(
        users,
        items[:n],
        items,
        targets=rows[:n],
        rows=rows,
        history=history,
        log_expected=log_expected,
        positive_expected=log_expected[:n],
        weights=weights,
        temperature=temperature,
        catalogue=ITEMS,
    )


@pytest.mark.parametrize("name", WITH_STATES)
def test_the_last_state_does_not_see_padding_and_says_nothing_of_nothing(name: str) -> None:
    torch.manual_seed(1)
    reader = summary_network(chosen(name), dimension=8, length=6).eval()
    history = torch.nn.functional.normalize(torch.randn(3, 6, 8), dim=2)
    present = torch.tensor([[False] * 6, [False] * 4 + [True] * 2, [True] * 6])
    mean, last = torch.zeros(3, 8), history[:, -1]
    found = reader(history, present, mean, last)
    other = reader(torch.where(present[:, :, None], history, 7.0), present, mean, last)
    torch.testing.assert_close(found, other)
    assert (found[0] == 0).all()
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", WITH_STATES)
def test_the_last_state_is_that_of_the_encoder_over_the_history_alone(name: str) -> None:
    torch.manual_seed(1)
    reader = summary_network(chosen(name), dimension=8, length=6).eval()
    encoder = state_network(chosen(name), dimension=8, length=6).eval()
    encoder.load_state_dict(reader.encoder.state_dict())  # type: ignore[operator, union-attr]
    history = torch.randn(1, 6, 8)
    present = torch.tensor([[False, False, True, True, True, True]])
    found = reader(history, present, torch.zeros(1, 8), history[:, -1])
    torch.testing.assert_close(found, encoder(history[:, 2:] * 8**0.5)[:, -1], rtol=1e-4, atol=1e-5)


def test_a_positive_item_of_before_takes_a_rank_only_where_it_may_be_shown() -> None:
    model = towers()
    vectors = torch.as_tensor(model.item_vectors())
    histories = pa.FixedSizeListArray.from_arrays(pa.array([-1, 3, 4, 5, 6, 7], pa.int32()), 6)
    one = {"tags": [0], "words": [0], "numbers": [0.0]}
    columns = {name: pa.FixedSizeListArray.from_arrays(pa.array(value), 1) for name, value in one.items()}
    example = {"history": histories, "target": pa.array([3], pa.int32()), "weight": pa.array([1.0], pa.float32())}
    hidden, had = ranks_of_targets(model, vectors, pa.table(example | columns))
    shown, none = ranks_of_targets(model, vectors, pa.table(example | columns), repeats=True)
    assert (had.tolist(), none.tolist()) == ([5], [0])
    assert shown[0] > hidden[0]  # the other four of the history resemble the user as well
