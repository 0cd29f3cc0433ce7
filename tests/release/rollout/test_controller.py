from __future__ import annotations

import pytest
from tests.release.rollout.driving import PLAN, asked, begun, controller, current, driven, refusing
from tests.release.rollout.world import Nature, World

from remora.control.replica_status import FOLDER
from remora.control.traffic import Traffic
from remora.core.errors import Refused
from remora.release.rollout.commands import Action
from remora.release.rollout.plan import Plan
from remora.release.rollout.start import start_rollout
from remora.release.rollout.state import LOAD, PREFLIGHT, Rollout, Status


def whats(rollout: Rollout) -> list[tuple[str, str]]:
    return [(entry.stage, entry.what) for entry in rollout.journal]


def alone(traffic: Traffic, production: str, previous: str | None = None) -> bool:
    return traffic.model_copy(update={"revision": 0}) == Traffic(production=production, previous=previous)


def at(step: str) -> object:
    return lambda rollout: rollout.stage_name.startswith(step) and rollout.since is not None


def test_a_healthy_bundle_goes_all_the_way_and_what_was_there_is_kept_warm(world: World) -> None:
    begun(world)
    ended = driven(world)
    assert ended.status is Status.DONE
    assert alone(world.traffic, world.candidate, previous=world.production)
    assert whats(ended) == [
        ("preflight", "started"),
        ("preflight", "advanced"),
        ("load", "advanced"),
        ("shadow:10s", "advanced"),
        ("canary:5%:20s", "advanced"),
        ("ramp:25%:20s", "advanced"),
        ("full", "done"),
    ]
    assert [p.bundle for p in world.bundles.history()] == [world.production, world.candidate]


def test_no_request_is_sent_to_a_bundle_before_every_replica_has_it(world: World) -> None:
    world.natures[world.candidate] = Nature(loads_in=10)
    begun(world)
    one = controller(world)
    assert one.look().stage == LOAD
    assert world.traffic.loading == ()
    one.look()
    assert world.traffic.loading == (world.candidate,)
    world.pass_by(8)
    assert one.look().stage == LOAD
    world.pass_by(4)
    assert one.look().stage == 0
    assert (world.traffic.shadow, world.traffic.canary) == (None, None)
    world.pass_by(2)
    one.look()
    assert world.traffic.shadow == world.candidate


def test_a_share_of_the_users_is_given_to_a_canary_and_grows(world: World) -> None:
    rollout = begun(world)
    for step, share in (("canary", 0.05), ("ramp", 0.25)):
        driven(world, until=at(step))
        assert world.traffic.canary is not None
        assert (world.traffic.canary.bundle, world.traffic.canary.share) == (world.candidate, share)
        assert world.traffic.canary.salt == rollout.id
        assert world.traffic.shadow is None


@pytest.mark.parametrize("fault", ["failed", "deadline_exceeded", "degraded", "underfilled", "unscored", "latency"])
def test_a_canary_that_is_worse_is_rolled_back_with_its_numbers(world: World, fault: str) -> None:
    world.natures[world.candidate] = Nature(**{fault: 0.3})
    begun(world, "canary:5%:5m,full")
    ended = driven(world)
    assert ended.status is Status.ROLLED_BACK
    assert alone(world.traffic, world.production)
    why = next(entry for entry in ended.journal if "rolling back" in entry.what)
    assert [reason for reason in why.why if reason.startswith(fault)]
    assert why.readout is not None
    assert why.readout.seconds < 60
    assert len(world.bundles.history()) == 1


@pytest.mark.parametrize("fault", ["failed", "deadline_exceeded", "underfilled", "unscored", "latency"])
def test_a_shadow_that_is_worse_is_given_no_request(world: World, fault: str) -> None:
    world.natures[world.candidate] = Nature(**{fault: 0.3})
    begun(world)
    ended = driven(world)
    assert (ended.status, ended.stage_name) == (Status.ROLLED_BACK, "shadow:10s")
    assert all(world.candidate not in replica.answers for replica in world.replicas)


def test_reversed_scores_are_found_by_the_shadow(world: World) -> None:
    world.natures[world.candidate] = Nature(overlap=0.02, scores=-1.0)
    begun(world)
    ended = driven(world)
    assert ended.stage_name == "shadow:10s"
    assert "different (items of a slate that production's does not have)" in str(ended.journal[-2].why)


def test_scores_that_are_elsewhere_are_found_by_the_shadow_and_small_drift_is_only_reported(world: World) -> None:
    world.natures[world.candidate] = Nature(scores=3.0)
    begun(world)
    one = controller(world)
    reported = driven(world, one, until=lambda r: r.readout is not None and r.readout.drift is not None).readout
    assert reported is not None
    assert reported.drift is not None
    assert reported.drift.mean == pytest.approx(2.0, abs=0.1)
    assert not reported.harms
    world.natures[world.candidate] = Nature(scores=60.0)
    assert "drift of scores" in str(driven(world, one).journal[-2].why)


def test_a_bundle_that_harms_as_production_is_rolled_back_and_forgotten(world: World) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=at("full"))
    assert world.traffic.production == world.candidate
    world.natures[world.candidate] = Nature(failed=0.5)
    ended = driven(world, one)
    assert (ended.status, ended.stage_name) == (Status.ROLLED_BACK, "full")
    assert alone(world.traffic, world.production)
    back = world.bundles.history()[-1]
    assert (back.bundle, back.previous) == (world.production, world.candidate)
    assert "failed" in back.why


def test_what_did_not_pass_preflight_is_named_to_no_replica(world: World) -> None:
    begun(world)
    revision = world.traffic.revision
    ended = driven(world, controller(world, preflight=refusing))
    assert (ended.status, ended.stage) == (Status.ROLLED_BACK, PREFLIGHT)
    assert "signal 11" in str(ended.journal[-2].why)
    assert world.traffic.revision == revision


@pytest.mark.parametrize("nature", [Nature(refuses=True), Nature(loads_in=1e6)])
def test_what_a_replica_refuses_or_does_not_load_in_time_is_given_no_request(world: World, nature: Nature) -> None:
    world.natures[world.candidate] = nature
    begun(world)
    ended = driven(world)
    assert (ended.status, ended.stage) == (Status.ROLLED_BACK, LOAD)
    assert ("it is broken" if nature.refuses else "not ready: one, two") in str(ended.journal[-2].why)
    assert alone(world.traffic, world.production)


def test_replicas_that_are_gone_hold_nothing_up_and_keep_what_they_counted(world: World) -> None:
    begun(world)
    one = controller(world)
    before = driven(world, one, until=lambda r: r.stage_name.startswith("canary") and r.seconds(world.now) > 8)
    gone = world.replicas.pop()
    world.bundles.home.delete(f"{FOLDER}/{gone.name}.json")
    after = one.look()
    assert before.readout is not None
    assert after.readout is not None
    assert after.readout.requests >= before.readout.requests > 0
    assert driven(world, one).status is Status.DONE


def test_a_replica_of_yesterday_is_not_waited_for(world: World) -> None:
    world.pass_by(2)
    world.replicas.pop()
    begun(world)
    assert driven(world).status is Status.DONE


def test_with_no_traffic_it_pauses_and_says_so_and_continues_when_asked(world: World) -> None:
    world.requests_per_second = 4
    begun(world, "canary:5%:20s,full")
    one = controller(world)
    paused = driven(world, one, until=lambda r: r.status is Status.PAUSED)
    assert "too little traffic" in str(paused.journal[-1].why)
    assert world.traffic.canary is not None
    world.requests_per_second = 4_000
    asked(world, Action.RESUME)
    assert driven(world, one).status is Status.DONE


def test_a_pause_keeps_the_share_and_only_harm_ends_it(world: World) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=at("canary"))
    asked(world, Action.PAUSE, "lunch")
    for _ in range(60):
        world.pass_by(2)
        assert one.look().stage_name.startswith("canary")
    assert world.traffic.canary is not None
    assert world.traffic.canary.share == 0.05
    world.natures[world.candidate] = Nature(failed=0.5)
    ended = driven(world, one)
    assert ended.status is Status.ROLLED_BACK
    assert ("canary:5%:20s", "paused") in whats(ended)


def test_a_pause_is_no_part_of_a_steps_time(world: World) -> None:
    begun(world, "canary:5%:1h,full")
    one = controller(world)
    driven(world, one, until=at("canary"))
    asked(world, Action.PAUSE)
    one.look()
    world.pass_by(7_200)
    asked(world, Action.RESUME)
    resumed = one.look()
    assert (resumed.status, resumed.stage_name) == (Status.RUNNING, "canary:5%:1h")
    assert resumed.seconds(world.now) < 10


def test_a_pause_before_a_larger_share_is_active_keeps_the_smaller(world: World) -> None:
    begun(world)
    one = controller(world)
    decided = driven(world, one, until=lambda rollout: rollout.stage_name.startswith("ramp"))
    assert decided.since is None
    asked(world, Action.PAUSE)
    for _ in range(3):
        world.pass_by(2)
        one.look()
        assert world.traffic.canary is not None
        assert world.traffic.canary.share == 0.05
    asked(world, Action.RESUME)
    one.look()
    assert world.traffic.canary.share == 0.25


def test_every_step_counts_its_own_requests(world: World) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=lambda rollout: rollout.stage_name.startswith("ramp"))
    world.pass_by(2)
    readout = one.look().readout
    assert readout is not None
    assert readout.requests == pytest.approx(2 * 400 * 0.05, abs=30)  # those of the canary since the ramp was decided


@pytest.mark.parametrize("step", ["load", "shadow", "canary", "ramp", "full"])
def test_an_abort_leaves_production_as_it_was(world: World, step: str) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=at(step))
    asked(world, Action.ABORT, "a bad feeling")
    ended = driven(world, one)
    assert ended.status is Status.ABORTED
    assert alone(world.traffic, world.production)
    said = next(entry for entry in ended.journal if entry.what == "aborted")
    assert (said.by, said.why) == ("bob", ("a bad feeling",))


@pytest.mark.parametrize("step", ["shadow", "canary"])
def test_another_production_by_other_hands_ends_it(world: World, step: str) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=at(step))
    world.bundles.promote(world.candidate, by="eve", why="now")
    ended = driven(world, one)
    assert ended.status is Status.ABORTED
    assert "by other hands" in str(ended.journal[-2].why)
    assert alone(world.traffic, world.candidate, previous=world.production)


def test_who_takes_production_back_by_hand_during_the_watch_has_the_last_word(world: World) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=at("full"))
    world.bundles.promote(world.production, by="eve", why="back")
    assert driven(world, one).status is Status.ABORTED
    assert alone(world.traffic, world.production)


def test_what_a_controller_promoted_before_it_died_and_people_took_back_is_not_promoted_again(world: World) -> None:
    begun(world)
    one = controller(world)
    driven(world, one, until=lambda rollout: rollout.stage_name == "full")
    world.bundles.promote(world.candidate, by="a controller that dies", why="")
    world.bundles.rollback(by="eve", why="it is bad")
    assert driven(world).status is Status.ABORTED
    assert [p.bundle for p in world.bundles.history()][-2:] == [world.candidate, world.production]
    assert alone(world.traffic, world.production)


def test_there_is_one_rollout_at_a_time_and_none_of_production(world: World) -> None:
    begun(world)
    plan = Plan.parse(PLAN)
    with pytest.raises(Refused, match="one at a time"):
        start_rollout(world.bundles, bundle=world.candidate, plan=plan, by="ann", why="", now=world.now)
    driven(world)
    with pytest.raises(Refused, match="in production already"):
        start_rollout(world.bundles, bundle="production", plan=plan, by="ann", why="", now=world.now)
    again = start_rollout(world.bundles, bundle=world.production, plan=plan, by="ann", why="", now=world.now)
    assert current(world).id == again.id
