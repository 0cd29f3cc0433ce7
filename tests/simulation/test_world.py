"""Users drift, tire, trust, leave and return; items arrive and perish; the same seed makes the same world."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.simulation.worlds import history, moments, random_slates, small

from remora.simulation.logging_policy import LoggingPolicy
from remora.simulation.visits import visits
from remora.simulation.world import UNKNOWN
from remora.simulation.world_settings import WorldSettings


@given(seed=st.integers(0, 1_000))
@settings(max_examples=15)
def test_equal_seeds_make_equal_histories(seed: int) -> None:
    one, two = (history(small(seed=seed), 3) for _ in range(2))
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        for name in vars(first):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_other_seeds_make_other_histories() -> None:
    one, two = (history(small(seed=seed), 3) for seed in (1, 2))
    assert [day.slates.tolist() for day in one] != [day.slates.tolist() for day in two]


@given(seed=st.integers(0, 1_000), click_model=st.sampled_from(["pbm", "cascade"]))
@settings(max_examples=15)
def test_chances_are_chances_whatever_happened(seed: int, click_model: str) -> None:
    world = small(seed=seed, click_model=click_model, bot_fraction=0.2, perishable_fraction=0.3, arrivals_per_day=1.0)
    history(world, 3)
    users, now = moments(world, 40, 3.5)
    slates = random_slates(world, 40, 30, seed)
    for chances in (world.attraction(users, slates, now), world.conversion(users, slates)):
        assert ((chances >= 0) & (chances <= 1)).all()


def test_by_a_draw_of_the_day_worlds_have_the_same_visitors_whatever_was_shown_before() -> None:
    one, other = small(trust_rate=0.0), small(trust_rate=0.0)
    users, now = moments(one, 40)
    one.respond(users, random_slates(one, 40, 5, 1), now)
    found = [world.visitors(3, np.random.default_rng(3)) for world in (one, other)]
    assert len(found[0][0]) > 0
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)
    assert one.visitors(3)[1].tolist() != other.visitors(3)[1].tolist()


def test_what_is_not_there_yet_or_any_more_is_never_clicked_nor_shown() -> None:
    world = small(perishable_fraction=0.5, shelf_life_days=0.5, arrivals_per_day=1.0)
    users, now = moments(world, 40, 2.0)
    slates, _ = LoggingPolicy(world).slates(users, now)
    assert ((slates == UNKNOWN) | world.available(slates, now)).all()
    every = np.broadcast_to(np.arange(30), (40, 30))
    gone = ~world.available(every, now)
    assert gone.any()
    assert world.attraction(users, every, now)[gone].max() == 0


def test_an_unknown_item_is_never_clicked() -> None:
    world = small(appeal=10.0)
    users, now = moments(world, 4)
    assert world.attraction(users, np.full((4, 3), UNKNOWN), now).max() == 0


def test_a_click_makes_its_topic_less_attractive_for_a_while() -> None:
    world = small(topics=1, appeal=3.0, repeat=0.0, satiation=1.0, satiation_hours=1.0)
    users, now = moments(world, 40)
    slates = random_slates(world, 40, 5, 1)
    before = world.attraction(users, slates, now)
    tired = world.respond(users, slates, now).clicked.any(axis=1)
    assert (world.attraction(users, slates, now)[tired] < before[tired]).all()
    rested = world.attraction(users, slates, now + 10.0)
    np.testing.assert_allclose(rested, before, rtol=1e-4)


def test_what_was_clicked_is_not_clicked_again_where_users_do_not_repeat() -> None:
    days = history(small(repeat=-50.0), 10)
    pairs = [
        (user, item)
        for day in days
        for user, items, clicked in zip(day.users, day.slates, day.clicked, strict=True)
        for item in items[clicked]
    ]
    assert len(pairs) > 50
    assert len(set(pairs)) == len(pairs)


def test_slates_that_please_raise_trust_and_others_lower_it() -> None:
    users, now = moments(small(), 40)
    slates = random_slates(small(), 40, 5, 1)
    good, bad = small(appeal=20.0), small(appeal=-20.0)
    for world in (good, bad):
        world.begin(users)
        world.respond(users, slates, now)
    assert good.trust.min() > 0.5 > bad.trust.max()


def test_users_without_trust_leave_and_stay_away() -> None:
    world = small(appeal=-20.0, abandon=1.0, leave=1.0, trust_rate=1.0)
    days = history(world, 30)
    assert max(np.bincount(np.concatenate([day.users for day in days]))) == 1
    assert world.has_left[np.concatenate([day.users for day in days])].all()


def test_users_who_are_shown_nothing_leave() -> None:
    world = small(abandon=0.0)
    users, now = moments(world, 4)
    world.begin(users)
    assert world.respond(users, np.full((4, 3), UNKNOWN), now).left.all()


def test_tastes_drift_by_seed_and_day_alone() -> None:
    busy, idle = small(drift_per_day=0.5), small(drift_per_day=0.5)
    before = idle.tastes.copy()
    history(busy, 4)
    idle.advance(3.0)
    np.testing.assert_array_equal(busy.tastes, idle.tastes)
    assert np.abs(idle.tastes - before).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(idle.tastes, axis=1), 1, rtol=1e-5)


def test_evenings_are_busier_than_nights_and_workdays_than_weekends() -> None:
    world = small(users=4_000, items=5, activity_spread=0.0, weekend=0.5)
    at = [world.visitors(day)[1] for day in range(14)]
    hours = np.concatenate(at) % 1 * 24
    assert ((hours >= 17) & (hours < 21)).sum() > 3 * ((hours >= 5) & (hours < 9)).sum()
    sizes = np.array([len(one) for one in at])  # from a Monday on
    assert sizes[[5, 6, 12, 13]].mean() < 0.7 * sizes[[0, 1, 2, 3, 4]].mean()


def test_bots_click_whatever_it_is_and_buy_nothing() -> None:
    world = small(bot_fraction=1.0, bot_clicks=0.4)
    users, now = moments(world, 40)
    slates = random_slates(world, 40, 5, 1)
    assert set(world.attraction(users, slates, now).ravel()) == {0.4}
    assert not world.conversion(users, slates).any()


def test_the_position_curve_is_recovered_from_slates_in_random_order() -> None:
    """The slope of log click rates on log positions is the declared decay; places are of equal quality at random."""
    world = small(users=4_000, items=60, slate_size=10, position_decay=0.8, appeal=0.0, satiation=0.0, repeat=0.0)
    users, now = moments(world, 4_000)
    clicks = np.zeros(10)
    for seed in range(15):
        draw = np.random.default_rng(seed)
        slates = np.argsort(draw.random((4_000, 60)), axis=1)[:, :10]
        clicks += world.respond(users, slates, now).clicked.sum(axis=0)
    slope = np.polyfit(np.log(np.arange(1, 11)), np.log(clicks), 1)[0]
    assert slope == pytest.approx(-0.8, rel=0.05)


def test_the_logging_policys_chances_are_how_often_it_shows() -> None:
    world = small(items=6, slate_size=2, users=20_000, taste_weight=0.0, personal=0.0)
    users, now = moments(world, 20_000)
    slates, chances = LoggingPolicy(world).slates(users, now)
    weights = np.exp(world.settings.popularity * world.quality)
    shares = np.bincount(slates[:, 0], minlength=6) / len(users)
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.02)
    np.testing.assert_allclose(chances[:, 0], (weights / weights.sum())[slates[:, 0]], rtol=1e-4)
    second = weights[slates[:, 1]] / (weights.sum() - weights[slates[:, 0]])
    np.testing.assert_allclose(chances[:, 1], second, rtol=1e-4)


def test_a_visit_is_for_a_number_of_clicks_and_users_are_in_one_at_a_time() -> None:
    world = small(abandon=0.0, interactions=(3.0, 3.0), items=200, position_decay=3.0)
    for day in visits(world, LoggingPolicy(world), 5):
        clicks = np.bincount(day.visits, weights=day.clicked.sum(axis=1))[np.unique(day.visits)]
        assert clicks.min() >= 3
        assert len(set(zip(day.users, day.visits, strict=True))) == len(set(day.visits)) == len(set(day.users))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"users": 100_000, "items": 10_000}, "take fewer"), ({"interactions": (3.0, 1.0)}, "do not fall")],
)
def test_settings_that_make_no_world_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WorldSettings(**changes)
