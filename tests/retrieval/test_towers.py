"""The towers learn clusters of taste, give new items vectors by their content, and their loss is the plain softmax."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.worlds import clustered_items

from remora.retrieval.content import Content
from remora.retrieval.losses.in_batch import among, sampled_softmax
from remora.retrieval.towers import TowerSpec, TwoTower

ITEMS, CLUSTERS = 40, 4


def towers(hidden: tuple[int, ...] = ()) -> TwoTower:
    """Towers over a clustered catalogue; `hidden` items have no identity."""
    torch.manual_seed(0)
    catalogue = clustered_items(ITEMS, CLUSTERS)
    content = Content.fit(catalogue, ["genres", "year"], text=["title"], buckets=64)
    identity = np.array([0 if i in hidden else i + 1 for i in range(ITEMS)])
    spec = TowerSpec(dimension=16, history_length=6, trained=ITEMS, item_content=content, user_content=Content({}, {}))
    return TwoTower(spec, identity, content.encode(catalogue), np.zeros(ITEMS))


def test_vectors_are_units_and_the_empty_history_has_one() -> None:
    model = towers()
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors()[:, :-1], axis=1), 1, atol=1e-5)
    nothing = torch.zeros(1, 1, dtype=torch.int64)
    users, _ = model(torch.full((1, 6), -1), (nothing, nothing, torch.zeros(1, 1)), torch.tensor([0]), 0.0)
    assert torch.isfinite(users).all()
    torch.testing.assert_close(users[:, :-1].norm(dim=1), torch.ones(1))


def test_training_lowers_the_loss_and_a_new_item_lands_among_its_own_kind() -> None:
    new = (36, 37, 38, 39)  # one of each cluster
    model = towers(hidden=new)
    generator = np.random.default_rng(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(80):
        cluster = generator.integers(0, CLUSTERS, 64)
        history = torch.as_tensor(cluster[:, None] + CLUSTERS * generator.integers(0, 9, (64, 6)))
        target = torch.as_tensor(cluster + CLUSTERS * generator.integers(0, 9, 64))
        nothing = torch.zeros(64, 1, dtype=torch.int64)
        users, items = model(history, (nothing, nothing, torch.zeros(64, 1)), target, 0.2)
        loss = sampled_softmax(users, items, target, torch.zeros(64), torch.ones(64), history, 0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    vectors = model.item_vectors()
    for item in new:
        nearest = np.argsort(-(vectors[:36] @ vectors[item]))[:5]
        assert (nearest % CLUSTERS == item % CLUSTERS).all()


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
    found = sampled_softmax(users, items, rows, log_expected, weights, history, 0.5)
    assert abs(float(found) - total / float(weights.sum())) < 1e-4
    expected = [[int(r) in h for r in rows.tolist()] for h in history.tolist()]
    assert among(history, rows).tolist() == expected
