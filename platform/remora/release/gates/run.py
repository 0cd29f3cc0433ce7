"""The gates of a candidate, run or looked up: a question is asked once of the same data under the same bounds.

A failure of latency, memory or load time may be the moment's: it is no answer for later, and is measured again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from remora.control.traffic import PRODUCTION
from remora.core.errors import NotBuilt
from remora.core.home import Home
from remora.ingest.lake import Lake
from remora.registry.bundles import Bundles
from remora.release.gates import report
from remora.release.gates.report import GateReport, report_version
from remora.settings import Settings


def run_gates(settings: Settings, candidate: str, against: str = PRODUCTION, *, again: bool = False) -> GateReport:
    """The report on a bundle (an id or an alias) beside another; against nothing while the alias means nothing.

    Takes a minute, and a Ray cluster, unless it is looked up, which ``again`` forbids. A bundle that is in production
    already is not compared with itself: what holds is a report of before, or else the absolute bounds.
    """
    done = None if again else cached_report(settings, candidate, against)
    if done is not None:
        return done
    from remora.release.gates.runner import measure

    bundles, home = Bundles(settings), Home(settings.home)
    mine, theirs = _ids(bundles, candidate, against)
    lake = Lake.open(home)
    started, clock = datetime.now(UTC), time.monotonic()
    found = measure(settings, lake, bundles.open(mine), bundles.open(theirs) if theirs else None)
    made = GateReport(
        candidate=mine,
        production=theirs,
        version=report_version(settings, lake.version, mine, theirs),
        lake=lake.version,
        created_at=started,
        seconds=round(time.monotonic() - clock, 2),
        verdicts=tuple(found.verdicts),
        not_run=found.not_run,
        remarks=tuple(found.remarks),
    )
    report.write(home, made)
    return made


def cached_report(settings: Settings, candidate: str, against: str = PRODUCTION) -> GateReport | None:
    """The :func:`last_report`, unless a failure in it may have been the moment's. NotBuilt without a lake."""
    found = last_report(settings, candidate, against)
    return None if found is None or found.momentary else found


def last_report(settings: Settings, candidate: str, against: str = PRODUCTION) -> GateReport | None:
    """The report, where nothing that it depends on has changed since it was made. NotBuilt without a lake."""
    home = Home(settings.home)
    mine, theirs = _ids(Bundles(settings), candidate, against)
    lake = Lake.open(home)
    kept = report.read(home, mine, theirs)
    others = report.read_all(home, mine) if theirs is None else ()
    for one in (*([kept] if kept else ()), *others):
        if one.version == report_version(settings, lake.version, mine, one.production):
            return one
    return None


def _ids(bundles: Bundles, candidate: str, against: str) -> tuple[str, str | None]:
    mine = bundles.id_of(candidate)
    try:
        theirs = bundles.id_of(against)
    except NotBuilt:
        return mine, None
    return mine, None if theirs == mine else theirs
