"""The state of a home's runs for Prometheus: a file for the textfile collector of node_exporter."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from remora.core.home import atomic_write, storage_errors
from remora.settings import Settings
from remora.workflow.run_records import RunRecord, last_success

METRICS = {
    "remora_run_last_success_timestamp_seconds": "When a run last succeeded; 0 when none has.",
    "remora_run_last_end_timestamp_seconds": "When a run last ended; 0 when none has.",
    "remora_run_failed": "1 when the last run that ended has failed or died.",
    "remora_run_duration_seconds": "Of the last run that ended; 0 when its process died.",
    "remora_run_deadline_seconds": "How old the last success may be.",
    "remora_run_last_event_timestamp_seconds": "The last event that the last success knows; 0 when none has.",
}
READABLE = 0o644


def write_textfile(settings: Settings, records: list[RunRecord]) -> None:
    """Replace the file in one step, so that no scrape sees half of it; nothing without `retraining.textfile`."""
    if settings.retraining.textfile is None:
        return
    target = Path(settings.retraining.textfile)
    with storage_errors(str(target)), atomic_write(target, mode=READABLE) as file:  # node_exporter runs as another user
        file.write(_exposition(settings, records).encode())


def _exposition(settings: Settings, records: list[RunRecord]) -> str:
    success = last_success(records)
    ended = next((record for record in reversed(records) if record.outcome != "running"), None)
    values = (
        _seconds(success.ended_at if success else None),
        _seconds(ended.ended_at if ended else None),
        float(ended is not None and ended.outcome != "succeeded"),
        (ended.seconds if ended else None) or 0.0,
        settings.retraining.max_age_hours * 3_600,
        _seconds(success.last_event if success else None),
    )
    lines = []
    for (metric, meaning), value in zip(METRICS.items(), values, strict=True):
        lines += [f"# HELP {metric} {meaning}", f"# TYPE {metric} gauge", f'{metric}{{name="{settings.name}"}} {value}']
    return "\n".join(lines) + "\n"


def _seconds(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0.0
