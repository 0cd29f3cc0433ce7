"""How an alias comes to mean production: through the gates, or by force with a reason that is kept."""

from __future__ import annotations

from remora.control.traffic import PRODUCTION
from remora.core.errors import BadRequest, GatesFailed, NotBuilt, RemoraError, UnreadableInput
from remora.registry.bundles import Bundles
from remora.registry.promotions import Promotion
from remora.release.gates.report import GateReport
from remora.release.gates.run import last_report, run_gates
from remora.settings import Settings

UNKNOWN = "gates that were not run"


def promote(settings: Settings, name: str, *, by: str, why: str, force: bool = False) -> Promotion:
    """Make production mean a bundle (an id or an alias) that passes its gates; they are run where no report holds.

    GatesFailed says which do not let it through. ``force`` runs nothing and asks nothing of the report, so it takes no
    longer when it is urgent; it needs a reason, and the history says over what it was done.
    """
    bundles = Bundles(settings)
    bundle = bundles.open(name).id
    if _serves(bundles, bundle):
        return bundles.promote(bundle, by=by, why=why)
    why, report = through(settings, bundle, why=why, force=force)
    evidence = report.model_dump(mode="json") if report else None
    return bundles.promote(bundle, by=by, why=why, evidence=evidence)


def through(settings: Settings, bundle: str, *, why: str, force: bool) -> tuple[str, GateReport | None]:
    """The reason that the history keeps, and the report on a bundle that may continue; GatesFailed as above."""
    if force:
        if not why.strip():
            raise BadRequest("--force passes over the gates, so it needs a reason for the history: --why REASON.")
        report = _known(settings, bundle)
        return forced(report, why), report
    report = run_gates(settings, bundle)
    if not report.passed:
        raise GatesFailed(bundle, report.failures, report.momentary)
    return why, report


def _serves(bundles: Bundles, bundle: str) -> bool:
    try:
        return bundles.resolve(PRODUCTION) == bundle
    except (NotBuilt, UnreadableInput):  # none yet, or nothing says which: see Pointers.resolve
        return False


def forced(report: GateReport | None, why: str) -> str:
    """The reason, and what it passes over.

    >>> forced(None, "the shop is down")
    'the shop is down (forced over: gates that were not run)'
    """
    if report is not None and report.passed:
        return why
    over = ", ".join([*(verdict.gate for verdict in report.failed), *report.not_run]) if report else UNKNOWN
    return f"{why} (forced over: {over})"


def _known(settings: Settings, bundle: str) -> GateReport | None:
    """The report that holds, if any; what keeps it from being read is no reason not to force."""
    try:
        return last_report(settings, bundle, PRODUCTION)
    except RemoraError:
        return None
