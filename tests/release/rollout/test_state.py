from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remora.control.replica_status import RequestStats
from remora.core.errors import NotBuilt, NotFound, UnreadableInput
from remora.core.home import Home
from remora.release.rollout.commands import Action, Command, CommandQueue, processed
from remora.release.rollout.counters import CounterDelta, StepCounters
from remora.release.rollout.readout import Readout, Rewards
from remora.release.rollout.state import Rollout, Rollouts, Status

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ROLLOUT = Rollout(
    id="r",
    bundle="new",
    production="old",
    previous=None,
    plan="canary:5%:1h,full",
    by="ann",
    why="",
    started_at=NOW,
    stage=0,
    since=NOW,
    counters=StepCounters().seen({"one": CounterDelta(candidate=RequestStats(requests=3, deadline_exceeded=1))}),
    readout=Readout(
        step="canary:5%:1h",
        seconds=3.0,
        duration=3_600.0,
        requests=3,
        p99_ms={"candidate": float("inf"), "production": None},
        rewards=Rewards(
            candidate=0.1,
            production=0.2,
            candidate_users=300,
            production_users=300,
            loss_low=float("-inf"),
            loss_high=float("inf"),
            margin=0.1,
        ),
    ),
).with_entry(NOW, "advanced", ("why",), "ann")


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_what_is_written_is_read_again_infinities_too(tmp_path: Path) -> None:
    rollouts = Rollouts(Home(str(tmp_path)))
    with pytest.raises(NotBuilt, match="remora rollout start"):
        rollouts.current()
    rollouts.begin(ROLLOUT)
    assert rollouts.current() == ROLLOUT
    assert rollouts.ids() == ["r"]
    with pytest.raises(NotFound, match="There is: r"):
        rollouts.read("another")


def test_the_evidence_is_plain_json_with_the_last_readout_of_each_step() -> None:
    evidence = json.loads(json.dumps(ROLLOUT.evidence(), allow_nan=False))
    assert evidence["steps"]["canary:5%:1h"]["p99_ms"] == {"candidate": "Infinity", "production": None}


def test_a_command_is_processed_once_and_one_that_does_not_fit_is_noted(tmp_path: Path) -> None:
    commands, rollout = CommandQueue(Home(str(tmp_path)), "r"), ROLLOUT
    for what in (Action.PAUSE, Action.PAUSE, Action.RESUME, Action.ABORT, Action.RESUME):
        commands.ask(Command(what=what, by="bob"))
    for key, command in commands.pending(rollout.processed).items():
        rollout = processed(rollout, key, command, after(1))
    assert commands.pending(rollout.processed) == {}
    assert [entry.what for entry in rollout.journal[1:]] == [
        "paused",
        "asked to pause, while paused: nothing was done",
        "resumed",
        "aborted",
        "asked to resume, while rolling back: nothing was done",
    ]
    assert (rollout.status, rollout.ending) == (Status.ROLLING_BACK, Status.ABORTED)


def test_a_pause_is_no_part_of_the_time_of_a_step() -> None:
    paused = processed(ROLLOUT, "1", Command(what=Action.PAUSE, by="bob"), after(10))
    assert paused.seconds(after(50)) == 600
    resumed = processed(paused, "2", Command(what=Action.RESUME, by="bob"), after(50))
    assert resumed.seconds(after(51)) == 660


def test_after_a_pause_for_want_of_traffic_the_step_begins_again() -> None:
    low_traffic = ROLLOUT.model_copy(update={"status": Status.PAUSED, "paused_at": after(10), "low_traffic": True})
    assert processed(low_traffic, "1", Command(what=Action.RESUME, by="bob"), after(50)).seconds(after(51)) == 60


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('"stage": 0', '"stage": 7', "the plan has no stage 7"),
        ("canary:5%:1h,full", "canary:5%", "its plan is wrong"),
        ('"status": "running"', '"status": "odd"', "status"),
        ('"bundle": "new"', '"bundle": "../new"', "bundle"),
    ],
)
def test_a_document_of_another_content_is_named_with_what_to_do(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    rollouts = Rollouts(Home(str(tmp_path)))
    rollouts.begin(ROLLOUT)
    file = tmp_path / "rollouts/r.json"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    with pytest.raises(UnreadableInput, match=rf"rollouts/r\.json'.*{says}.*remora rollback --to ID"):
        rollouts.current()


def test_a_pointer_that_names_no_rollout_is_named(tmp_path: Path) -> None:
    rollouts = Rollouts(Home(str(tmp_path)))
    rollouts.begin(ROLLOUT)
    for content in (b"", b"gone", b"../runs/r", b"r\0", b"\xff"):
        (tmp_path / "rollouts/CURRENT").write_bytes(content)
        with pytest.raises(UnreadableInput, match=r"rollouts/CURRENT'.*which is not there"):
            rollouts.current()
