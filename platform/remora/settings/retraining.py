"""What a scheduled run may do with what it made, how late it may be, and who is alerted."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from remora.core.credentials import SecretUrl
from remora.core.section import Section
from remora.settings.bounds import MOST_DAYS

POLICIES = ("candidate", "promote", "rollout")


class RetrainingSettings(Section):
    """Of `remora run --since last`."""

    on_success: str = Field(
        "candidate",
        description="`candidate`: the bundle waits for a person; `promote`: it serves; `rollout:PLAN`: it is rolled "
        "out by the plan, e.g. rollout:shadow:10m,canary:5%:30m,full",
    )
    max_age_hours: float = Field(
        26.0, gt=0, le=MOST_DAYS * 24, description="how old the last run that succeeded may be"
    )
    alert_webhook: SecretUrl = Field(None, repr=False, description="URL that alerts are posted to, as JSON")
    alert_timeout_seconds: float = Field(10.0, gt=0, le=3_600, description="for the webhook to answer")
    textfile: str | None = Field(
        None, description="a .prom file in the directory of node_exporter's textfile collector"
    )

    @field_validator("on_success")
    @classmethod
    def _is_a_policy(cls, value: str) -> str:
        policy, colon, plan = value.partition(":")
        if policy not in POLICIES or (policy == "rollout") != bool(plan) or (colon and not plan):
            raise ValueError(f"'{value}' is not one of candidate, promote, rollout:PLAN")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("a webhook is an http:// or https:// URL; is an environment variable not set?")
        return value

    @field_validator("textfile")
    @classmethod
    def _is_collected(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith(".prom"):
            raise ValueError(f"'{value}' does not end in .prom, so node_exporter would not read it")
        return value

    @property
    def policy(self) -> str:
        """The first word of `on_success`."""
        return self.on_success.partition(":")[0]

    @property
    def plan(self) -> str:
        """What follows it: the plan of a rollout."""
        return self.on_success.partition(":")[2]
