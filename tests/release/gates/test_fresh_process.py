"""A process that loads a bundle and dies of it is a measurement, not an accident."""

from __future__ import annotations

import sys

from remora.registry.bundle import Bundle
from remora.release.gates.evidence.fresh_process import FreshProcess
from remora.settings import GatesSettings, Settings


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_bundle_is_loaded_and_its_memory_read(settings: Settings, production: Bundle) -> None:
    ended = FreshProcess.start(production, settings).ended()
    assert ended.code == 0, ended.said
    assert ended.growth_mib is not None
    assert ended.growth_mib > 1


def test_an_abort_is_a_signal(settings: Settings, production: Bundle) -> None:
    ended = FreshProcess.start(production, settings, program("import os; os.abort()")).ended()
    assert (ended.code, ended.growth_mib) == (-6, None)


def test_the_last_words_are_kept(settings: Settings, production: Bundle) -> None:
    ended = FreshProcess.start(production, settings, program("raise OSError('the index is torn')")).ended()
    assert ended.code == 1
    assert ended.said.endswith("OSError: the index is torn")


def test_one_that_takes_too_long_is_ended(settings: Settings, production: Bundle) -> None:
    hasty = settings.model_copy(update={"gates": GatesSettings(load_timeout_seconds=0.2)})
    running = FreshProcess.start(production, hasty, program("import threading; threading.Event().wait()"))
    assert running.ended().code is None
    assert running.process.returncode == -9
