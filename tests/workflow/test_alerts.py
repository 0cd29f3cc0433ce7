"""An alert reaches a log, a webhook and Prometheus; none of them can hide what it is about."""

from __future__ import annotations

import json
import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.workflow import recorded_runs as runs
from tests.workflow.conftest import Webhook

from remora.core.home import Home
from remora.settings import RetrainingSettings, Settings
from remora.workflow.alerts import late, send
from remora.workflow.node_exporter import METRICS
from remora.workflow.run_recorder import check
from remora.workflow.run_records import Records

ROOT = Path(__file__).parents[2]


class PlantedError(Exception):
    """A step failed."""


def fail(settings: Settings) -> None:
    raise PlantedError


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    """What the alerts log."""
    log, heard = logging.getLogger("remora.workflow.alerts"), list[logging.LogRecord]()
    handler = logging.Handler()
    handler.emit = heard.append  # type: ignore[method-assign]
    log.addHandler(handler)
    yield heard
    log.removeHandler(handler)


def with_retraining(settings: Settings, **changes: Any) -> Settings:
    retraining = RetrainingSettings(**settings.retraining.model_dump() | changes)
    return settings.model_copy(update={"retraining": retraining})


def gauges(settings: Settings) -> dict[str, float]:
    families = text_string_to_metric_families(Path(str(settings.retraining.textfile)).read_text())
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels == {"name": "shop"} for sample in samples)
    return {sample.name: sample.value for sample in samples}


def test_an_alert_is_one_line_of_json_in_the_log(scheduled: Settings, logged: list[logging.LogRecord]) -> None:
    alert = late(scheduled, [])
    assert send(scheduled, alert)
    (line,) = logged
    assert line.levelno == logging.ERROR
    kind, said = line.getMessage().split(" ", 1)
    assert (kind, json.loads(said)) == ("alert", alert.model_dump(mode="json"))


def test_a_webhook_that_refuses_is_logged_without_its_secret(
    scheduled: Settings, webhook: Webhook, logged: list[logging.LogRecord]
) -> None:
    webhook.status = 500
    assert not send(scheduled, late(scheduled, []))
    assert "refused the alert: HTTP 500" in logged[-1].getMessage()
    assert not any("secret-of-the-url" in line.getMessage() for line in logged)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/hook/secret", "https://no.such.host.invalid/"])
def test_a_webhook_that_is_not_there_does_not_hide_why_the_run_failed(
    scheduled: Settings, logged: list[logging.LogRecord], url: str
) -> None:
    unreachable = with_retraining(scheduled, alert_webhook=url, alert_timeout_seconds=5)
    with pytest.raises(PlantedError):
        runs.run(unreachable, evaluate=fail)
    assert "did not reach the webhook" in logged[-1].getMessage()
    assert [r.outcome for r in Records(Home(scheduled.home)).all()] == ["failed"]


class TestTheTextfile:
    def test_says_when_a_run_succeeded_and_is_readable_by_others(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        (record,) = Records(Home(scheduled.home)).all()
        assert record.ended_at is not None
        found = gauges(scheduled)
        assert found.keys() == METRICS.keys()
        assert found["remora_run_last_success_timestamp_seconds"] == pytest.approx(record.ended_at.timestamp())
        assert found["remora_run_last_event_timestamp_seconds"] == runs.LAST_EVENT.timestamp()
        assert found["remora_run_failed"] == 0
        assert found["remora_run_deadline_seconds"] == 26 * 3_600
        file = Path(str(scheduled.retraining.textfile))
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert list(file.parent.glob(f".{file.name}*")) == []

    def test_keeps_the_last_success_when_a_run_fails(self, scheduled: Settings) -> None:
        runs.run(scheduled)
        before = gauges(scheduled)
        with pytest.raises(PlantedError):
            runs.run(scheduled, "another", evaluate=fail)
        after = gauges(scheduled)
        assert after["remora_run_failed"] == 1
        name = "remora_run_last_success_timestamp_seconds"
        assert after[name] == before[name]

    def test_of_a_home_without_runs_is_written_by_the_check(self, scheduled: Settings) -> None:
        check(scheduled)
        assert gauges(scheduled)["remora_run_last_success_timestamp_seconds"] == 0

    def test_in_a_folder_that_is_not_there_does_not_fail_the_run(self, scheduled: Settings) -> None:
        nowhere = with_retraining(scheduled, textfile="/no/such/folder/shop.prom")
        assert runs.run(nowhere)[-1] == "promote"


def test_the_alert_rules_ask_for_metrics_that_the_textfile_has() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/remora_alerts.yml").read_text())["groups"]
    asked = {name for g in groups for rule in g["rules"] for name in re.findall(r"\bremora_run_\w+", rule["expr"])}
    assert asked
    assert asked <= METRICS.keys()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"on_success": "serve"}, "not one of candidate, promote, rollout:PLAN"),
        ({"on_success": "rollout"}, "not one of candidate"),
        ({"on_success": "promote:now"}, "not one of candidate"),
        ({"alert_webhook": ""}, "is an environment variable not set"),
        ({"alert_webhook": "http://[::bad"}, "Invalid IPv6 URL"),
        ({"textfile": "/var/lib/node_exporter/shop.txt"}, "does not end in .prom"),
        ({"max_age_hours": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RetrainingSettings(**changed)


def test_the_plan_of_a_rollout_is_what_follows_the_first_colon() -> None:
    chosen = RetrainingSettings(on_success="rollout:shadow:10m,canary:5%:30m,full")
    assert (chosen.policy, chosen.plan) == ("rollout", "shadow:10m,canary:5%:30m,full")
