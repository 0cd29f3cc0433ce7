"""Whatever a document's file holds, reading it gives the document or an error that names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.damage import DAMAGES, scrambled

from remora.control.traffic import Traffic
from remora.core.artifacts import ArtifactStore
from remora.core.errors import ChecksumMismatch, NotBuilt, RemoraError, StorageError, UnreadableInput
from remora.core.home import Home
from remora.core.json_document import parse_document, parse_json, read_document
from remora.core.locks import Holder, exclusive_lock, holder_of
from remora.features.applied import RECORD, read_record
from remora.fitting.checkpoints import read_state
from remora.fitting.runs import STATE, _is_torn
from remora.registry.promotions import Promotion
from remora.release.gates import report as gate_reports
from remora.release.rollout.state import Rollout
from remora.retrieval.encoder import UserEncoder
from remora.settings.components import HistoryEncoderChoice
from remora.wiring import child_processes
from remora.workflow.run_records import RunRecord

ATTENTION = HistoryEncoderChoice.model_validate("attention")


def refusal(act: Callable[[], object]) -> str | None:
    """What the error of a damaged document says; None where there was none."""
    try:
        act()
    except UnreadableInput as error:
        return str(error)
    return None


KINDS = (Promotion, Traffic, Rollout, RunRecord, Holder, gate_reports.GateReport, dict[str, dict[str, str]])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: getattr(kind, "__name__", str(kind)))
@settings(max_examples=60)
@given(content=st.one_of(st.binary(max_size=80), st.sampled_from([d(b'{"a": "b"}') for d in DAMAGES.values()])))
def test_any_bytes_are_a_document_or_an_error_that_names_the_file(kind: type, content: bytes) -> None:
    if said := refusal(lambda: parse_document(content, "home/x.json", kind, "Make it again.")):
        assert said.startswith("Cannot read 'home/x.json': ")
        assert said.endswith(". Make it again.")
        assert "\n" not in said


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_metadata_of_a_version_or_an_error_of_the_tree(tmp_path: Path, data: st.DataObject) -> None:
    artifacts = ArtifactStore(Home(str(tmp_path)), "features", "remora features build")
    made = artifacts.commit(artifacts.staging("one"), end="2026-01-01")
    for file in (Path(made.at("metadata.json")), tmp_path / "features/CURRENT"):
        before = file.read_bytes()
        choices = [damage(before) for damage in DAMAGES.values()]
        changed = data.draw(st.one_of(st.sampled_from(choices), scrambled(before)))
        file.write_bytes(changed)
        if changed != before:
            with pytest.raises((ChecksumMismatch, NotBuilt), match=str(file)):
                artifacts.current()
        file.write_bytes(before)
    assert artifacts.current() == made


def test_a_document_is_read_with_its_home(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_document(home, "x.json", Holder, "")
    (tmp_path / "x.json").mkdir()
    with pytest.raises(StorageError, match=f"Cannot read '{tmp_path}/x.json'"):
        read_document(home, "x.json", Holder, "")
    (tmp_path / "y.json").write_bytes(b"[" * 5_000)
    with pytest.raises(UnreadableInput, match=r"y\.json"):
        home.read_json("y.json")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5_000])
def test_numbers_that_no_json_has_are_refused(number: bytes) -> None:
    with pytest.raises(RemoraError, match=r"x\.json"):
        parse_json(b'{"a": ' + number + b"}", "x.json")


@pytest.mark.parametrize("damage", DAMAGES)
def test_documents_of_single_steps(home_folder: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = DAMAGES[damage]
    home = Home(str(home_folder))
    with exclusive_lock(home, "x.lock", command="a test"):
        holder = holder_of(home, "x.lock")
    assert holder is not None
    home.write_bytes("x.lock", changed(home.read_bytes("x.lock")))
    str(holder_of(home, "x.lock"))

    home.write_json(RECORD, {"user_activity": {"tables": "0"}})
    home.write_bytes(RECORD, changed(home.read_bytes(RECORD)))
    said = refusal(lambda: read_record(home))
    assert not said or "remora features materialize" in said

    home.write_bytes(STATE, changed(b'{"checkpoints": []}'))
    _is_torn(home, STATE)
    for read in (read_state, lambda file: UserEncoder.load(file.parent, ATTENTION)):
        (home_folder / "towers.json").write_bytes(changed(b'{"dimension": 8}'))
        said = refusal(lambda read=read: read(home_folder / "towers.json"))  # type: ignore[misc]
        assert not said or "towers.json" in said

    monkeypatch.chdir(home_folder)
    child_processes.FOLDER.mkdir(parents=True)
    record = child_processes.FOLDER / "ray-head.json"
    record.write_bytes(changed(f'{{"name": "n", "pid": {os.getpid()}, "started": 1.0, "facts": {{}}}}'.encode()))
    said = refusal(lambda: child_processes.find("ray-head"))
    assert not said or "end it by its process id; then remove the file" in said
