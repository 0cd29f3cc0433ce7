"""Every alert fires on what is really scraped while its cause lasts, and none while all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import promql_parser as grammar
import pytest
from tests.cluster import promql
from tests.cluster.alerted import ASKED, ROOT, RULES
from tests.cluster.program import printed

from remora.settings import DataSettings, EventTypeSettings, RetrainingSettings, Settings, SourceSettings
from remora.workflow.node_exporter import write_textfile
from remora.workflow.run_records import RunRecord

BEGIN, STEP, BEFORE = 1_900_000_000.0, 30.0, 420.0
"""Seconds: the cause begins at ``BEGIN`` after some minutes in which nothing happens; a scrape every ``STEP``."""

SCENES = {
    "FallbackSlates": "fallback",
    "SlowSlates": "slow",
    "EmptySlates": "empty",
    "OnlineStoreUnavailable": "store out",
    "HighErrorRate": "errors",
    "RejectedRequests": "busy",
    "EdgeErrors": "errors",
    "ReplicasDown": "replica down",
    "NotReady": "not ready",
    "BundleRefused": "refused",
    "HAProxyDown": "haproxy down",
    "AliasMovedWithoutRecord": "alias moved",
    "EventsNotTaken": "events not taken",
    "SlatesNotLogged": "slates not logged",
    "LiveStateBehind": "live state behind",
    "LiveStateFailing": "live state failing",
    "RetrainingFailed": "run failed",
    "RetrainingOverdue": "run late",
}
CLOCKED = {"SlowSlates"}
"""Bounds of time, which a machine that others use may pass in any scene."""

Scrape = dict[str, str]


def is_counter(labels: promql.Labels) -> bool:
    return dict(labels)[promql.NAME].endswith(("_total", "_bucket", "_count", "_sum"))


def stored(scrape: Scrape, jobs: set[str]) -> promql.Vector:
    """What Prometheus stores of one scrape: the samples, and which jobs answered."""
    vector: promql.Vector = {}
    for job in jobs:
        up = frozenset({promql.NAME: "up", "job": job, "instance": "here"}.items())
        vector |= {up: float(job in scrape)} | promql.samples(scrape.get(job, ""))
    return vector


def lasting(before: Scrape, after: Scrape, seconds: float) -> promql.Series:
    """A cause that continues: gauges stay as in ``after``, counters grow as they did from ``before`` to it."""
    jobs = before.keys() | after.keys()
    was, is_now = stored(before, jobs), stored(after, jobs)
    scrapes = [(BEGIN - STEP * n, was) for n in range(int(BEFORE / STEP), -1, -1)]
    for n in range(1, int(seconds / STEP) + 1):
        grown = {
            labels: was.get(labels, 0.0) + n * (value - was.get(labels, 0.0)) if is_counter(labels) else value
            for labels, value in is_now.items()
        }
        scrapes.append((BEGIN + STEP * n, grown))
    return promql.Series(scrapes)


def fires(rule: dict[str, Any], before: Scrape, after: Scrape) -> bool:
    """Does the rule fire within five minutes more than it waits, having been quiet before the cause?"""
    waits = grammar.parse_duration(rule["for"]).total_seconds() if "for" in rule else 0.0
    seconds = waits + BEFORE
    series, since = lasting(before, after, seconds), None
    for at, _ in series.scrapes:
        if at < BEGIN - BEFORE / 2:
            continue
        if not series.query(rule["expr"], at):
            since = None
        else:
            since = at if since is None else since
            if at - since >= waits:
                assert at > BEGIN, f"{rule['alert']} fires before there is a cause"
                return True
    return False


def run(ended: datetime, outcome: Any) -> RunRecord:
    about = {"by": "ann", "host": "here", "pid": 1, "since": "last", "policy": "promote", "inputs": "0"}
    started = ended - timedelta(minutes=5)
    return RunRecord(id=f"{ended:%H%M}", started_at=started, ended_at=ended, outcome=outcome, **about)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Scrape]]:
    """Scrapes before and during each cause, of the served app and of what runs leave for node_exporter."""
    found: dict[str, list[Scrape]] = printed("alerted")
    file = tmp_path_factory.mktemp("textfile") / "shop.prom"
    source = SourceSettings(path="events.csv", format="csv", columns={}, event_type="like")
    settings = Settings(
        name="shop",
        home=str(file.parent),
        data=DataSettings(events=(source,), event_types={"like": EventTypeSettings()}),
        retraining=RetrainingSettings(textfile=str(file)),
    )

    def left(*records: RunRecord) -> Scrape:
        write_textfile(settings, list(records))
        return {"node": Path(file).read_text()}

    now = datetime.fromtimestamp(BEGIN, UTC)
    success = run(now - timedelta(hours=1), "succeeded")
    found["run failed"] = [left(success), left(success, run(now, "failed"))]
    late = left(run(now - timedelta(hours=settings.retraining.max_age_hours, seconds=-60), "succeeded"))
    found["run late"] = [late, late]
    return found


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
@pytest.mark.slow
def test_an_alert_fires_while_its_cause_lasts(rule: dict[str, Any], scenes: dict[str, list[Scrape]]) -> None:
    before, after = scenes[SCENES[rule["alert"]]]
    assert fires(rule, before, after)


@pytest.mark.slow
def test_no_alert_fires_while_all_is_well(scenes: dict[str, list[Scrape]]) -> None:
    before, after = scenes["healthy"]
    quiet = {rule["alert"]: fires(rule, before, after) for rule in RULES if rule["alert"] not in CLOCKED}
    assert quiet == dict.fromkeys(quiet, False)


@pytest.mark.slow
def test_each_metric_that_alerts_ask_for_is_scraped_somewhere(scenes: dict[str, list[Scrape]]) -> None:
    seen = {"up"}
    for scrape in (scrape for both in scenes.values() for scrape in both):
        for text in scrape.values():
            seen |= {dict(labels)[promql.NAME] for labels in promql.samples(text)}
    assert set(ASKED) - seen == set()


@pytest.mark.slow
def test_a_skipped_source_is_no_fallback_and_a_fallback_is_counted_by_its_rung(scenes: dict[str, list[Scrape]]) -> None:
    rule = next(rule for rule in RULES if rule["alert"] == "FallbackSlates")
    before, after = scenes["fallback"]
    scraped = "".join(scrape.get("ray", "") for both in scenes.values() for scrape in both)
    fallbacks = set(re.findall(r'remora_fallback_slates_total\{[^}]*fallback="(\w+)"', scraped))
    assert {"cached_slate", "popular_fallback"} <= fallbacks
    skipped = {"ray": "".join(line for line in after["ray"].splitlines(True) if "fallback_slates" not in line)}
    assert not fires(rule, before, skipped)


def runbooks() -> Iterator[Path]:
    yield from (ROOT / "docs/runbooks").glob("*.md")


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_has_a_severity_and_a_runbook_that_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    page = (ROOT / rule["annotations"]["runbook_url"]).read_text()
    assert page.startswith(f"# {rule['alert']}\n")
    for heading in ("What it means", "What to look at", "What to do", "When to escalate"):
        assert f"## {heading}\n" in page


def test_every_runbook_is_of_an_alert_and_names_commands_that_there_are() -> None:
    from typer.main import get_command

    from remora.cli.main import app

    top: Any = get_command(app)
    of_alerts = {Path(rule["annotations"]["runbook_url"]).name for rule in RULES}
    assert {page.name for page in runbooks()} == of_alerts | {"README.md"}
    for page in runbooks():
        for words in re.findall(r"remora ((?:[a-z][a-z-]* ?)+)", page.read_text()):
            group = top
            for word in words.split():
                if not hasattr(group, "commands"):
                    break
                assert word in group.commands, f"{page.name}: remora {words}"
                group = group.commands[word]


def test_every_alert_has_a_name_of_its_own_and_a_cause_here() -> None:
    assert sorted(SCENES) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize(("healthy", "down"), [("1", False), ("0", True), ("", True)], ids=["well", "sick", "gone"])
def test_replicas_that_export_nothing_any_more_are_down_too(healthy: str, down: bool) -> None:
    rule = next(one for one in RULES if one["alert"] == "ReplicasDown")
    of = '{application="shop",deployment="Gateway"'
    scrape = f"ray_serve_autoscaling_target_replicas{of}}} 1\n"
    if healthy:
        scrape += f'ray_serve_deployment_replica_healthy{of},replica="1"}} {healthy}\n'
    found = promql.Series([(0.0, promql.samples(scrape))]).query(rule["expr"], 0.0)
    assert bool(found) is down
