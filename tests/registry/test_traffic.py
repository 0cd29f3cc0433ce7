"""Who is assigned to whom, and that the document never goes back."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry import releases

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses, RequestStats
from remora.control.traffic import PATH, Canary, Traffic, TrafficStore
from remora.core.errors import NotBuilt, NotFound
from remora.core.home import Home
from remora.registry.bundles import Bundles

SHARES = st.floats(0.01, 1.0)
WHO = [f"user-{number}" for number in range(4_000)]


@given(SHARES, st.text(max_size=8))
def test_a_canary_has_about_its_share_of_users(share: float, salt: str) -> None:
    had = sum(Canary(bundle="b", share=share, salt=salt).includes(who) for who in WHO) / len(WHO)
    assert abs(had - share) < 5 * (share * (1 - share) / len(WHO)) ** 0.5 + 1e-9


@given(SHARES, SHARES, st.text(max_size=8), st.text())
def test_a_user_stays_in_a_canary_that_grows(one: float, other: float, salt: str, who: str) -> None:
    small, large = (Canary(bundle="b", share=share, salt=salt) for share in sorted((one, other)))
    assert not small.includes(who) or large.includes(who)


def test_a_canary_of_all_has_all_users_and_another_salt_assigns_them_again() -> None:
    assert all(Canary(bundle="b", share=1.0, salt="x").includes(who) for who in WHO)
    one, other = ({who for who in WHO if Canary(bundle="b", share=0.5, salt=salt).includes(who)} for salt in "xy")
    assert 0.4 < len(one & other) / len(one) < 0.6


def test_bundles_are_named_once_and_what_serves_comes_first() -> None:
    canary = Canary(bundle="new", share=0.1, salt="r")
    traffic = Traffic(production="now", previous="old", canary=canary, shadow="new", loading=("new", "next"))
    assert traffic.bundles == ("now", "new", "old", "next")


def test_every_change_has_the_next_revision_and_no_change_writes_nothing(tmp_path: Path) -> None:
    board = TrafficStore(Home(str(tmp_path)))
    assert board.read() is None
    assert board.publish(Traffic(production="a")).revision == 1
    assert board.publish(Traffic(production="a")).revision == 1
    assert board.publish(Traffic(production="b", previous="a")).revision == 2
    assert board.read() == Traffic(production="b", previous="a", revision=2)


def test_reports_replace_each_other_and_sums_add(tmp_path: Path) -> None:
    reports = ReplicaStatuses(Home(str(tmp_path)))
    for heartbeat in (1, 2):
        answers = {"a": RequestStats(requests=heartbeat, deadline_exceeded=1)}
        reports.write(
            ReplicaStatus(replica="r1", deployment="Gateway", heartbeat=heartbeat, revision=1, answers=answers)
        )
    read = reports.read()
    assert [report.heartbeat for report in read.values()] == [2]
    one = read["r1"].answers["a"]
    assert (one + one).deadline_exceeded == 2
    assert one - one == RequestStats()


def test_reports_of_replicas_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    reports, now = ReplicaStatuses(Home(str(tmp_path))), datetime.now(UTC)
    reports.forget(timedelta(hours=1), now)
    for replica in ("gone", "lives"):
        reports.write(ReplicaStatus(replica=replica, deployment="Gateway", heartbeat=1, revision=1))
    hours_ago = (now - timedelta(hours=2)).timestamp()
    os.utime(tmp_path / "serving/live/gone.json", (hours_ago, hours_ago))
    reports.forget(timedelta(hours=1), now)
    assert set(reports.read()) == {"lives"}


def test_a_promotion_is_followed_and_what_was_before_is_kept_warm(bundles: Bundles) -> None:
    one, two = releases.build(bundles, b"one").id, releases.build(bundles, b"two").id
    with pytest.raises(NotBuilt):
        bundles.traffic()
    bundles.promote(one, "candidate", by="me", why="tried")
    bundles.promote(one, by="me", why="first")
    assert bundles.traffic() == Traffic(revision=1, production=one)
    bundles.promote(two, by="me", why="second")
    assert bundles.traffic() == Traffic(revision=2, production=two, previous=one)


def test_traffic_is_directed_at_bundles_that_there_are(bundles: Bundles) -> None:
    one, two = releases.build(bundles, b"one").id, releases.build(bundles, b"two").id
    bundles.promote(one, by="me", why="first")
    assert bundles.set_traffic(lambda now: now.model_copy(update={"shadow": two})).shadow == two
    with pytest.raises(NotFound, match="0123456789abcdef"):
        bundles.set_traffic(lambda now: now.model_copy(update={"loading": ("0123456789abcdef",)}))
    assert bundles.traffic() == Traffic(revision=2, production=one, shadow=two)


def test_what_was_moved_and_not_published_is_published_by_whoever_looks_next(bundles: Bundles) -> None:
    one, two = releases.build(bundles, b"one").id, releases.build(bundles, b"two").id
    bundles.promote(one, by="me", why="first")
    before = TrafficStore(bundles.home).read()
    bundles.promote(two, by="me", why="second")
    assert before is not None
    bundles.home.write_bytes(PATH, before.model_dump_json().encode())  # as if the process had died before it
    assert bundles.traffic().production == two
