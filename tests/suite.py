"""How the suite runs: a test over 20 seconds that is not marked slow fails, and two workers share the files."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

MAX_SECONDS = 20.0
"""On a quiet machine: what a task waited for a core (Linux's pressure stall information) is not counted."""

TOGETHER = {"tests/end_to_end/": "shop", "tests/release/gates/": "shop", "tests/serving/": "serving"}
"""Folders whose tests share what takes a minute to build or to start, by what that is; one worker runs them all."""

LONGEST = (*TOGETHER, "tests/training/", "tests/release/rollout/", "tests/features/")
"""Folders whose tests take minutes, in the order in which they run, before all others: so both workers end together."""

_began = pytest.StashKey[float]()
_shared = pytest.StashKey[float]()
_served = pytest.StashKey[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]]()


def unhindered() -> float:
    """A clock in seconds that stands while tasks wait for a core, so that a busy machine makes no test too slow."""
    try:
        waited = re.search(r"some .*total=(\d+)", Path("/proc/pressure/cpu").read_text())
    except OSError:
        waited = None
    return time.perf_counter() - (int(waited[1]) / 1e6 if waited else 0.0)


class Scheduling(LoadScopeScheduling):
    """Hands whole files to the workers, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


def together(nodeid: str) -> str:
    """What one worker runs without a break: a file, or the folders that share something."""
    shared = (what for folder, what in TOGETHER.items() if nodeid.startswith(folder))
    return next(shared, nodeid.split("::", 1)[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """The scheduler of ``pytest -n``."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the longest folders to the front."""

    def place(item: pytest.Item) -> int:
        return next((n for n, folder in enumerate(LONGEST) if item.nodeid.startswith(folder)), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """What the session builds once is not the time of the test that happens to come first."""
    if fixturedef.argname == "serve_ports":
        request.session.stash[_served] = (fixturedef, request)
    if fixturedef.scope != "session":
        return (yield)
    began = unhindered()
    try:
        return (yield)
    finally:
        request.session.stash[_shared] += unhindered() - began


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Ray Serve ends with the tests that share it; idle, its controller and proxies take a tenth of a core."""
    try:
        return (yield)
    finally:
        if nextitem is None or together(nextitem.nodeid) != together(item.nodeid):
            definition, request = item.session.stash.get(_served, (None, None))
            if definition is not None:
                del item.session.stash[_served]
                definition.finish(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begins the time of a test."""
    item.session.stash[_shared] = 0.0
    item.stash[_began] = unhindered()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails what took too long."""
    report = yield
    if call.when != "teardown" or not report.passed or item.get_closest_marker("slow"):
        return report
    own = unhindered() - item.stash[_began] - item.session.stash[_shared]
    if own > MAX_SECONDS:
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} took {own:.0f} s, and {MAX_SECONDS:.0f} are allowed: make it faster, or mark it "
            f"pytest.mark.slow where what it tests truly needs minutes."
        )
    return report
