"""What commands of benchmarks have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.command import Note, carried_out


def test_the_output_is_the_result_alone_whatever_is_printed_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    def work(folder: Path, note: Note) -> dict[str, Any]:
        note("at work")
        print("a process says something")
        return {"found": 3}

    carried_out("example", work, facts={"seconds": 1.0}, out=None, as_json=True, draw=lambda console, result: None)
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["benchmark"], result["seconds"], result["found"]) == ("example", 1.0, 3)
    assert "at work" in printed.err
    assert "a process says something" in printed.err
