from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remora.control.replica_status import ReplicaStatus
from remora.release.rollout.decision import Verdict, decide, decide_to_begin
from remora.release.rollout.liveness import LiveReplicas
from remora.release.rollout.readout import Drift, GuardrailReading, Rate, Readout
from remora.settings import RolloutSettings

CHOSEN = RolloutSettings(min_requests=500, max_wait_factor=4)
BAD = GuardrailReading(
    name="failed",
    about="answers that no pipeline made",
    candidate=Rate(hits=50, n=100, low=0.3, high=0.7),
    production=Rate(hits=1, n=1_000, low=0.0, high=0.01),
    margin=0.005,
)
GOOD = BAD.model_copy(update={"candidate": Rate(hits=0, n=100, low=0.0, high=0.05)})


def readout(seconds: float, requests: int, *findings: GuardrailReading) -> Readout:
    return Readout(step="canary:5%:1m", seconds=seconds, duration=60, requests=requests, findings=findings)


@given(st.floats(0, 1e6), st.integers(0, 10**6), st.booleans())
def test_harm_is_rolled_back_at_any_look(seconds: float, requests: int, paused: bool) -> None:
    decision = decide(readout(seconds, requests, GOOD, BAD), {}, CHOSEN, paused=paused)
    assert decision.verdict is Verdict.ROLL_BACK
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith("failed")


@given(st.floats(0, 1e6), st.integers(0, 10**6), st.booleans())
def test_without_harm_time_and_traffic_decide(seconds: float, requests: int, paused: bool) -> None:
    verdict = decide(readout(seconds, requests, GOOD), {}, CHOSEN, paused=paused).verdict
    if paused or seconds < 60:
        assert verdict is Verdict.WAIT
    elif requests >= 500:
        assert verdict is Verdict.ADVANCE
    else:
        assert verdict is (Verdict.PAUSE if seconds >= 240 else Verdict.WAIT)


def test_a_replica_that_cannot_load_it_takes_it_back() -> None:
    decision = decide(readout(1, 0), {"two": "no memory"}, CHOSEN, paused=True)
    assert decision.verdict is Verdict.ROLL_BACK
    assert decision.reasons == ("replica two cannot load it: no memory",)


def test_scores_that_are_far_away_are_harm_and_near_ones_are_not() -> None:
    far, near = (Drift(items=1_000, mean=mean, spread=1.0, most=5.0) for mean in (-6.0, 2.0))
    looks = [readout(1, 1).model_copy(update={"drift": drift}) for drift in (far, near)]
    assert [bool(look.harms) for look in looks] == [True, False]


def live(*ready: str, refused: str = "") -> ReplicaStatus:
    why = {"new": refused} if refused else {}
    return ReplicaStatus(replica="x", deployment="Gateway", heartbeat=1, revision=1, ready=ready, refused=why)


def test_requests_are_sent_when_every_replica_is_ready_and_one_lives() -> None:
    def verdict(present: LiveReplicas, seconds: float = 1, paused: bool = False) -> Verdict:
        return decide_to_begin(present, "new", CHOSEN, seconds=seconds, paused=paused).verdict

    all_ready = LiveReplicas(alive={"a": live("new"), "b": live("new")}, unknown={})
    one_unready = LiveReplicas(alive={"a": live("new"), "b": live("old")}, unknown={})
    one_unsure = LiveReplicas(alive={"a": live("new")}, unknown={"b": live("old")})
    no_replicas = LiveReplicas(alive={}, unknown={})
    assert verdict(all_ready) is Verdict.ADVANCE
    assert verdict(all_ready, paused=True) is Verdict.WAIT
    for waiting in (one_unready, one_unsure, no_replicas):
        assert verdict(waiting) is Verdict.WAIT
        assert verdict(waiting, seconds=1e4, paused=True) is Verdict.WAIT
        assert verdict(waiting, seconds=1e4) is Verdict.ROLL_BACK
    assert verdict(LiveReplicas(alive={"a": live(refused="no memory")}, unknown={})) is Verdict.ROLL_BACK
