"""A run is written down while it goes; whatever fails, production stays as it is and people are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.registry import releases
from tests.registry.processes import in_processes
from tests.workflow import recorded_runs as runs
from tests.workflow.conftest import Webhook
from tests.workflow.dying_run import die_in_a_step

from remora.control.traffic import PATH as TRAFFIC
from remora.core.errors import NotReady, RemoraError, StorageError
from remora.core.home import Home
from remora.registry.aliases import Aliases
from remora.registry.bundles import Bundles
from remora.settings import Settings
from remora.workflow import path
from remora.workflow.run_recorder import check, recorded_run
from remora.workflow.run_records import Records, RunRecord, is_late

STEPS = (
    "ingest",
    "quality report",
    "feature build",
    "feast apply",
    "materialize",
    "train retrieval",
    "train models",
    "ranking rows",
    "train ranking",
    "merge weights",
    "evaluate",
    "bundle",
    "gates",
    "promote",
)


class PlantedError(Exception):
    """A step failed."""


def fail(settings: Settings) -> None:
    raise PlantedError("the step failed\nin its second line")


def all_of(settings: Settings) -> list[RunRecord]:
    return Records(Home(settings.home)).all()


def test_the_steps_are_those_of_the_path(scheduled: Settings) -> None:
    assert tuple(step.name for step in path.steps(scheduled, since_last=True)) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_fails_in_any_step_leaves_production_and_tells(
    step: str, scheduled: Settings, bundles: Bundles, webhook: Webhook
) -> None:
    serving = releases.build(bundles).id
    bundles.promote(serving, by="ann", why="first")
    traffic = bundles.home.read_bytes(TRAFFIC)

    with pytest.raises(PlantedError):
        runs.run(scheduled, **{step.replace(" ", "_"): fail})

    assert bundles.resolve("production") == serving
    assert bundles.home.read_bytes(TRAFFIC) == traffic
    (record,) = all_of(scheduled)
    assert (record.outcome, record.step) == ("failed", step)
    assert record.error is not None
    assert record.error.type == "PlantedError"
    assert [s.name for s in record.steps] == list(STEPS[: STEPS.index(step)])
    (alert,) = webhook.posted
    assert (alert["alert"], alert["key"], alert["production"]) == ("run_failed", "shop/run_failed", serving)
    assert f"failed in step '{step}': PlantedError: the step failed" in alert["text"]
    assert alert["run"] == record.model_dump(mode="json")


def test_an_alias_that_cannot_be_moved_stays(
    scheduled: Settings, bundles: Bundles, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, made = releases.build(bundles).id, releases.build(bundles, b"another").id
    bundles.promote(serving, by="ann", why="first")
    traffic = bundles.home.read_bytes(TRAFFIC)

    def full(*_: object) -> None:
        raise StorageError("No space left.")

    monkeypatch.setattr(Aliases, "point", full)
    with pytest.raises(StorageError):
        runs.run(scheduled, promote=lambda settings: Bundles(settings).promote(made, by="run", why="end"))
    assert bundles.resolve("production") == serving
    assert bundles.home.read_bytes(TRAFFIC) == traffic
    assert len(webhook.posted) == 1


def test_a_run_that_succeeds_is_recorded_and_raises_no_alert(scheduled: Settings, webhook: Webhook) -> None:
    assert runs.run(scheduled) == list(STEPS)
    (record,) = all_of(scheduled)
    assert (record.by, record.since, record.policy, record.outcome) == ("ann", "last", "promote", "succeeded")
    assert (record.lake, record.last_event, record.new["rows_read"]) == ("a-lake", runs.LAST_EVENT, 3)
    assert [(s.name, s.seconds) for s in record.steps] == [(name, 0.25) for name in STEPS]
    assert record.ended_at is not None
    assert not webhook.posted


class TestNothingIsNew:
    def test_when_a_run_succeeded_with_the_same_lake_and_then_no_later_step_runs(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        assert runs.run(scheduled, quality_report=fail) == ["ingest"]
        assert [(r.outcome, r.nothing_new) for r in all_of(scheduled)] == [("succeeded", False), ("succeeded", True)]

    def test_but_the_run_before_failed_so_the_steps_continue(self, scheduled: Settings) -> None:
        with pytest.raises(PlantedError):
            runs.run(scheduled, evaluate=fail)
        assert runs.run(scheduled) == list(STEPS)

    def test_but_the_settings_changed_so_the_steps_continue(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        changed = scheduled.retrieval.model_copy(update={"epochs": 1})
        assert runs.run(scheduled.model_copy(update={"retrieval": changed})) == list(STEPS)

    def test_but_all_was_asked_for_so_the_steps_continue(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        assert runs.run(scheduled, since=None) == list(STEPS)

    def test_no_more_when_the_lake_is_another(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        assert runs.run(scheduled, "another-lake") == list(STEPS)


def test_a_second_run_is_refused_with_who_runs(scheduled: Settings, webhook: Webhook) -> None:
    with recorded_run(scheduled, by="ann", since="last") as first:
        first.begun(path.steps(scheduled)[0])
        with pytest.raises(NotReady, match=rf"Run {first.record.id} .* by ann, process \d+ .*, at step 'ingest'"):
            runs.run(scheduled)
    assert [record.outcome for record in all_of(scheduled)] == ["succeeded"]
    assert not webhook.posted


def test_an_interrupted_run_has_failed(scheduled: Settings, webhook: Webhook) -> None:
    def interrupt(settings: Settings) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run(scheduled, train_ranking=interrupt)
    assert [record.outcome for record in all_of(scheduled)] == ["failed"]
    assert webhook.posted[0]["run"]["error"]["type"] == "KeyboardInterrupt"


def test_a_run_that_was_not_scheduled_fails_without_an_alert(scheduled: Settings, webhook: Webhook) -> None:
    with pytest.raises(PlantedError):
        runs.run(scheduled, since=None, evaluate=fail)
    assert not webhook.posted
    assert [record.outcome for record in all_of(scheduled)] == ["failed"]


class TestADeadProcess:
    @pytest.fixture
    def dead(self, scheduled: Settings) -> Settings:
        assert in_processes(die_in_a_step, (scheduled,)) == [9]
        return scheduled

    def test_is_found_by_the_check_and_reported_once(self, dead: Settings, webhook: Webhook) -> None:
        assert [alert.alert for alert in check(dead)] == ["run_died", "run_late"]
        assert [alert.alert for alert in check(dead)] == ["run_late"]
        assert "died in step 'feature build'" in webhook.posted[0]["text"]

    def test_is_found_by_the_next_run_which_continues(self, dead: Settings, webhook: Webhook) -> None:
        runs.run(dead)
        assert [record.outcome for record in all_of(dead)] == ["died", "succeeded"]
        assert [alert["alert"] for alert in webhook.posted] == ["run_died"]


def test_a_run_that_continues_has_not_died(scheduled: Settings) -> None:
    runs.run(scheduled)
    with recorded_run(scheduled, by="ann", since="last"):
        assert check(scheduled) == []
        assert all_of(scheduled)[-1].outcome == "running"


class TestARunIsLate:
    def test_when_none_has_succeeded(self, scheduled: Settings, webhook: Webhook) -> None:
        assert [alert.alert for alert in check(scheduled)] == ["run_late"]
        assert webhook.posted[0]["text"] == "shop: No run has succeeded within 26 hours: none has yet."

    def test_from_the_deadline_on_whatever_failed_since(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        with pytest.raises(PlantedError):
            runs.run(scheduled, "another", evaluate=fail)
        found = all_of(scheduled)
        ended = found[0].ended_at
        assert ended is not None
        assert not is_late(found, ended + timedelta(hours=26), max_age_hours=26)
        assert is_late(found, ended + timedelta(hours=26, seconds=1), max_age_hours=26)

    def test_and_reported_with_the_last_success(self, scheduled: Settings, webhook: Webhook) -> None:
        runs.run(scheduled)
        records = Records(Home(scheduled.home))
        old = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        records.write(records.all()[0].model_copy(update={"ended_at": old}))
        (alert,) = check(scheduled)
        assert "the last success was 2026-01-02 03:04 UTC" in alert.text
        assert webhook.posted == [alert.model_dump(mode="json")]


def test_a_record_of_another_version_is_no_obstacle(scheduled: Settings) -> None:
    Home(scheduled.home).write_json("runs/20250101T000000.000000.json", {"of": "another version"})
    assert runs.run(scheduled) == list(STEPS)
    assert len(all_of(scheduled)) == 1


@pytest.mark.parametrize(
    ("policy", "last"), [("candidate", "gates"), ("promote", "promote"), ("rollout:canary:5%:1h,full", "rollout")]
)
def test_the_policy_names_the_last_step_of_a_scheduled_run_alone(scheduled: Settings, policy: str, last: str) -> None:
    retraining = scheduled.retraining.model_copy(update={"on_success": policy})
    chosen = scheduled.model_copy(update={"retraining": retraining})
    assert path.steps(chosen)[-1].name == "promote"
    assert path.steps(chosen, since_last=True)[-1].name == last


def test_a_plan_that_does_not_parse_is_refused_before_the_first_step(scheduled: Settings) -> None:
    retraining = scheduled.retraining.model_copy(update={"on_success": "rollout:canary:5%,full"})
    with pytest.raises(RemoraError, match="canary"):
        path.steps(scheduled.model_copy(update={"retraining": retraining}), since_last=True)


def test_an_end_that_cannot_be_written_down_does_not_hide_the_error(
    scheduled: Settings, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("No space left.")

    def plant(settings: Settings) -> None:
        monkeypatch.setattr(Home, "write_bytes", full)
        raise PlantedError("the first error")

    with pytest.raises(PlantedError):
        runs.run(scheduled, evaluate=plant)
    assert "PlantedError: the first error" in json.dumps(webhook.posted)
