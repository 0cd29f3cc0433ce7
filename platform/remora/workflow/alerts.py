"""Telling people that a run failed or is late: a line in the log, and a webhook."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from remora.control.traffic import TrafficStore
from remora.core.home import Home
from remora.core.redaction import redacted, without_credentials
from remora.settings import Settings
from remora.workflow.run_records import RunRecord, last_success

log = logging.getLogger(__name__)

Kind = Literal["run_failed", "run_died", "run_late"]


class Alert(BaseModel):
    """What an alert holds. ``text`` says all of it to people; chat webhooks show that field alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alert: Kind
    key: str = Field(description="equal for alerts of the same trouble")
    at: datetime
    name: str = Field(description="of the settings")
    home: str = Field(description="without credentials")
    text: str
    run: RunRecord | None = Field(None, description="that failed, died, or was the last to succeed")
    production: str | None = Field(None, description="the bundle that serves on")


def failed(settings: Settings, run: RunRecord) -> Alert:
    """Of a run that ended with an error, or without a word."""
    kind: Kind = "run_died" if run.outcome == "died" else "run_failed"
    where = f"in step '{run.step}'" if run.step else "before its first step"
    if run.error is not None:
        why = f"failed {where}: {run.error.type}: {run.error.message}"
    else:
        why = f"died {where}: its process {run.pid} on {run.host} is gone"
    return _alert(settings, kind, f"Run {run.id} by {run.by} {why}", run)


def late(settings: Settings, records: list[RunRecord]) -> Alert:
    """Of a home whose last success is too long ago."""
    success, hours = last_success(records), settings.retraining.max_age_hours
    since = f"the last success was {success.ended_at:%Y-%m-%d %H:%M} UTC" if success else "none has yet"
    return _alert(settings, "run_late", f"No run has succeeded within {hours:g} hours: {since}", success)


def send(settings: Settings, alert: Alert) -> bool:
    """One ERROR line with the alert as JSON, and a POST of the same to the webhook; False when that did not arrive.

    Whatever fails here is logged and goes no further: it must not hide what the alert is about.
    """
    body = alert.model_dump(mode="json")
    log.error("alert %s", json.dumps(body, sort_keys=True))
    url = settings.retraining.alert_webhook
    return url is None or _post(url, body, settings.retraining.alert_timeout_seconds)


def _post(url: str, body: dict[str, Any], timeout_seconds: float) -> bool:
    import httpx

    to = urlsplit(url).hostname  # the rest of such a URL is a secret
    try:
        answer = httpx.post(url, json=body, timeout=timeout_seconds)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        log.error("the alert did not reach the webhook at %s: %s", to, type(error).__name__)
        return False
    if not answer.is_success:
        log.error("the webhook at %s refused the alert: HTTP %s", to, answer.status_code)
    return answer.is_success


def _alert(settings: Settings, kind: Kind, what: str, run: RunRecord | None) -> Alert:
    production = _production(settings)
    untouched = f" Bundle {production} serves on." if production else ""
    return Alert(
        alert=kind,
        key=f"{settings.name}/{kind}",
        at=datetime.now(UTC),
        name=settings.name,
        home=without_credentials(settings.home),
        text=redacted(f"{settings.name}: {what}.{untouched}"),
        run=run,
        production=production,
    )


def _production(settings: Settings) -> str | None:
    try:
        serving = TrafficStore(Home(settings.home)).read()
    except (OSError, ValueError):  # an alert goes out without it
        return None
    return serving.production if serving else None
