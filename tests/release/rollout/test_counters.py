from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remora.control.replica_status import ReplicaStatus, RequestStats
from remora.release.rollout.counters import CounterDelta, StepCounters
from remora.release.rollout.liveness import Liveness


def sums(requests: int) -> CounterDelta:
    return CounterDelta(candidate=RequestStats(requests=requests, failed=requests // 2))


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3), max_size=12), st.integers(0, 12)
)
def test_a_step_holds_what_came_since_it_began_whoever_was_gone_meanwhile(
    grown: list[dict[str, int]], begins: int
) -> None:
    """Replicas grow by these numbers at the looks at which they are there, and only then."""
    totals: dict[str, int] = {}
    counters, since = StepCounters(), 0
    for look, growth in enumerate(grown):
        if look == begins:
            counters, since = counters.begun(), sum(totals.values())
        totals |= {name: totals.get(name, 0) + more for name, more in growth.items()}
        counters = counters.seen({name: sums(totals[name]) for name in growth})
    began = since if begins < len(grown) else 0
    assert counters.step.candidate.requests == sum(totals.values()) - began
    assert counters.ever.candidate.requests == sum(totals.values())


def test_a_replica_that_begins_again_under_its_name_loses_nothing() -> None:
    counters = (
        StepCounters().seen({"a": sums(10)}).begun().seen({"a": sums(16)}).seen({"a": sums(4)}).seen({"a": sums(5)})
    )
    assert counters.step.candidate.requests == 6 + 5
    assert counters.begun().step == CounterDelta()


def report(heartbeat: int, *, ready: tuple[str, ...] = (), refused: str = "") -> ReplicaStatus:
    why = {"new": refused} if refused else {}
    return ReplicaStatus(replica="a", deployment="Gateway", heartbeat=heartbeat, revision=1, ready=ready, refused=why)


def test_a_replica_whose_heartbeat_stands_still_is_gone_after_so_many_polls_and_lives_when_it_continues() -> None:
    presence = Liveness(missed_heartbeats=3)
    assert set(presence.poll({"a": report(7)}).unknown) == {"a"}
    assert set(presence.poll({"a": report(8)}).alive) == {"a"}
    for _ in range(2):
        assert set(presence.poll({"a": report(8)}).alive) == {"a"}
    gone = presence.poll({"a": report(8)})
    assert (gone.alive, gone.unknown) == ({}, {})
    assert set(presence.poll({"a": report(9)}).alive) == {"a"}


def test_what_may_live_is_waited_for_and_only_what_lives_can_refuse() -> None:
    presence = Liveness(missed_heartbeats=3)
    unknown = presence.poll({"a": report(7, refused="no memory")})
    assert unknown.unready("new") == ("a",)
    assert unknown.refused("new") == {}
    assert presence.poll({"a": report(8, refused="no memory")}).refused("new") == {"a": "no memory"}
    assert presence.poll({"a": report(9, ready=("new",))}).unready("new") == ()
