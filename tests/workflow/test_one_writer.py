"""One command at a time makes something in a home, and the others are told which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.settings import DataSettings, Settings
from remora.settings.one_writer import LOCK, one_writer, writes

STEPS = {
    "remora data download": ("ingest.download:download", (print,)),
    "remora data ingest": ("ingest.ingest:ingest", ()),
    "remora features build": ("features.build:build", ()),
    "remora features apply": ("features.store:apply", ()),
    "remora features materialize": ("features.materialize:materialize", ()),
    "remora train retrieval": ("training.retrieval:train", ()),
    "remora train models": ("training.retrieval_models:train", ()),
    "remora train ranking": ("training.ranking:train", ()),
    "remora tune retrieval": ("tuning.retrieval:search", ()),
    "remora tune ranking": ("tuning.ranking:search", ("trees",)),
    "remora evaluate": ("workflow.evaluation:evaluate", ()),
    "remora evaluate --ablations": ("workflow.ablations:ablate", ()),
    "remora bundle build": ("workflow.build_bundle:record", ()),
}

HOLDS = """
import sys
from remora.settings import Settings
from remora.settings.one_writer import one_writer
with one_writer(Settings.model_validate_json(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(home_folder: Path) -> Settings:
    columns = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}
    events = [{"path": "e.csv", "format": "csv", "columns": columns, "event_type": "view"}]
    data = DataSettings.model_validate({"events": events, "event_types": {"view": {}}})
    return Settings(name="shop", home=str(home_folder), data=data)


@pytest.fixture
def holder(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing into the home."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, settings.model_dump_json(), "remora train ranking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def the_step(command: str) -> Callable[[Settings], Any]:
    (place, arguments) = STEPS[command]
    module, _, name = place.partition(":")
    step = getattr(import_module(f"remora.{module}"), name)
    return lambda settings: step(settings, *arguments)


def test_whatever_two_commands_write_the_second_says_who_the_first_is(
    settings: Settings, holder: subprocess.Popen[str]
) -> None:
    for command in STEPS:
        with pytest.raises(NotReady, match=f"`remora train ranking`.*process {holder.pid} on ") as refused:
            the_step(command)(settings)
        assert settings.home in str(refused.value)
    with (
        pytest.raises(NotReady, match=f"process {holder.pid} on "),
        import_module("remora.workflow.run_recorder").recorded_run(settings, by="test", since=None),
    ):
        pass


def test_a_killed_writer_holds_nothing(settings: Settings, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with one_writer(settings, "remora data ingest"):
        assert f'"pid": {os.getpid()}' in Home(settings.home).read_bytes(LOCK).decode()


def test_a_run_is_made_of_commands_and_another_thread_is_another_writer(settings: Settings) -> None:
    @writes("remora data ingest")
    def step(settings: Settings, x: int) -> int:
        return x + 1

    refused = []

    def beside() -> None:
        try:
            step(settings, 1)
        except NotReady as error:
            refused.append(error)

    with one_writer(settings, "remora run"):
        assert step(settings, 1) == 2
        assert step(settings, 2) == 3, "the inner command let go of what the outer one holds"
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert step(settings, 3) == 4
