"""One run at a time, written down while it goes; a scheduled one that fails raises an alert."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from remora.core.artifacts import Artifact, fingerprint
from remora.core.errors import NotReady, StorageError
from remora.core.home import Home
from remora.core.locks import exclusive_lock
from remora.core.redaction import redacted
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.settings.one_writer import one_writer
from remora.steps.path import steps_of_run
from remora.workflow import alerts
from remora.workflow.node_exporter import write_textfile
from remora.workflow.run_records import (
    LOCK,
    ErrorRecord,
    Outcome,
    Records,
    RunRecord,
    StepRecord,
    is_late,
    last_success,
)

if TYPE_CHECKING:
    from remora.workflow.path import PathStep, StepResult  # which loads Feast and FAISS

log = logging.getLogger(__name__)

LAST = "last"


class RunRecorder:
    """A run that continues; every change is written at once."""

    def __init__(self, records: Records, record: RunRecord, success: RunRecord | None) -> None:
        self._records, self._success = records, success
        self.record = records.write(record)

    @property
    def nothing_new(self) -> bool:
        """Did a run succeed with this lake, these settings and this code? Then there is nothing to do."""
        return self.record.nothing_new

    def through(self, path: Iterable[StepResult]) -> Iterator[StepResult]:
        """The steps of a path as they end, each written down; none after an ingest that found nothing new."""
        for done in path:
            self.ended(done)
            yield done
            if self.nothing_new:
                log.info("nothing is new since the last run that succeeded: its bundle stands")
                return

    def begun(self, step: PathStep) -> None:
        """A step begins."""
        self._change(step=step.name)

    def ended(self, done: StepResult) -> None:
        """A step ended."""
        step = StepRecord(name=done.step.name, seconds=round(done.seconds, 3), unchanged=done.unchanged)
        self._change(steps=(*self.record.steps, step), **self._found(done.result))

    def close(self, outcome: Outcome, error: ErrorRecord | None = None) -> None:
        """The run ended."""
        self._change(outcome=outcome, error=error, ended_at=datetime.now(UTC))

    def _found(self, result: Any) -> dict[str, Any]:
        if isinstance(result, Lake):
            known = self._success
            same = known is not None and (known.lake, known.inputs) == (result.version, self.record.inputs)
            return {
                "lake": result.version,
                "last_event": result.last,
                "new": result.artifact.metadata.get("build", {}),
                "nothing_new": self.record.since == LAST and same,
            }
        if isinstance(result, Artifact) and "bundle" in result.metadata:
            return {"bundle": result.metadata["bundle"]}
        return {}

    def _change(self, **changes: Any) -> None:
        self.record = self.record.model_copy(update=changes)
        self._records.write(self.record)


@contextlib.contextmanager
def recorded_run(settings: Settings, *, by: str, since: str | None) -> Iterator[RunRecorder]:
    """Around a run: NotReady while another run or command writes into the home; whatever the run raises is written
    down, and raised.

    A run with ``since`` (`last`: only new files are read) is a scheduled one: its failure is an alert. The death of
    the one before always is.
    """
    home = Home(settings.home)
    records = Records(home)
    # A lock of runs beside the writers': by it `remora runs --check` knows whether a run lives, while other commands
    # write.
    locked = exclusive_lock(home, LOCK, command="remora run", on_busy=lambda: _other_run(records))
    with locked, one_writer(settings, "remora run"):
        for died in _mark_dead(settings, records):
            alerts.send(settings, alerts.failed(settings, died))
        run = RunRecorder(records, _new(settings, by, since), last_success(records.all()))
        try:
            yield run
        # Ctrl-C too: a run that was interrupted has not succeeded.
        except BaseException as error:
            with _nothing_hidden():
                run.close("failed", _described(error, run.record.step))
            if since is not None:
                alerts.send(settings, alerts.failed(settings, run.record))
            with _nothing_hidden():
                write_textfile(settings, records.all())
            raise
        run.close("succeeded")
        with _nothing_hidden():
            write_textfile(settings, records.all())


def check(settings: Settings) -> list[alerts.Alert]:
    """Tell of runs that died, and of no success within the deadline; returns what was told, nothing when all is well.

    Writes the textfile too, so that a home without runs has one.
    """
    home = Home(settings.home)
    records, alerts_sent = Records(home), []
    with contextlib.suppress(NotReady), exclusive_lock(home, LOCK, on_busy=lambda: _other_run(records)):
        alerts_sent = [alerts.failed(settings, record) for record in _mark_dead(settings, records)]
    found = records.all()
    if is_late(found, datetime.now(UTC), settings.retraining.max_age_hours):
        alerts_sent.append(alerts.late(settings, found))
    for alert in alerts_sent:
        alerts.send(settings, alert)
    with _nothing_hidden():
        write_textfile(settings, found)
    return alerts_sent


def _other_run(records: Records) -> NotReady:
    """What says who runs."""
    running = [record for record in records.all() if record.outcome == "running"]
    who = "Another run of this home is beginning or ending."
    if running:
        run = running[-1]
        at = f", at step '{run.step}'" if run.step else ""
        who = (
            f"Run {run.id} of this home continues since {run.started_at:%Y-%m-%d %H:%M} UTC: by {run.by}, process "
            f"{run.pid} on {run.host}{at}."
        )
    return NotReady(f"{who} Wait until it has ended, or end its process.")


def _mark_dead(settings: Settings, records: Records) -> list[RunRecord]:
    """Write down as died what has not ended though no process holds the lock; needs the lock.

    A home on S3 has no lock: there a run has died when it began longer ago than the deadline.
    """
    now, patience = datetime.now(UTC), timedelta(hours=settings.retraining.max_age_hours)
    gone = [
        record
        for record in records.all()
        if record.outcome == "running" and (records.home.is_local or now - record.started_at > patience)
    ]
    return [records.write(record.model_copy(update={"outcome": "died"})) for record in gone]


def _new(settings: Settings, by: str, since: str | None) -> RunRecord:
    now = datetime.now(UTC)
    return RunRecord(
        id=f"{now:%Y%m%dT%H%M%S.%f}",
        by=by,
        host=socket.gethostname(),
        pid=os.getpid(),
        since=since,
        policy=settings.retraining.on_success if since else "promote",
        inputs=_inputs(settings),
        started_at=now,
    )


def _inputs(settings: Settings) -> str:
    """Fingerprint of all that the steps of a run depend on, but for the data: their settings, and the code."""
    steps = steps_of_run(settings)
    return fingerprint(**{step.name: step.provenance(settings, {}).version for step in steps})


def _described(error: BaseException, step: str | None) -> ErrorRecord:
    return ErrorRecord(step=step, type=type(error).__name__, message=redacted(str(error)))


@contextlib.contextmanager
def _nothing_hidden() -> Iterator[None]:
    """What goes wrong while a run is written down is logged: the run's own end says more."""
    try:
        yield
    except (StorageError, OSError, ValueError) as error:
        log.error("the end of the run could not be written down: %s", error)
