from __future__ import annotations

import inspect
import pickle

import pytest

from remora.core import errors
from remora.core.errors import RemoraError

MADE = [
    errors.MissingInput("column", "rating", ["a", "b"], "Fix data.events[0].columns."),
    errors.UnreadableInput("events.parquet", "no footer"),
    errors.WrongType("user_id", "list<int64>", "a string or an integer", "events.parquet"),
    errors.QuarantineLimitExceeded("events", 100, 30, 0.05, {"user_id is missing": 20, "unknown item": 10}),
    errors.SettingsError("no"),
    errors.NotBuilt("lake", "/home", "remora data ingest"),
    errors.NotFound("item", "17"),
    errors.BadRequest("n is 0"),
    errors.ChecksumMismatch("a.bin", "00", "11", "Build it again."),
    errors.StorageError("full"),
]


@pytest.mark.parametrize("error", MADE, ids=lambda e: type(e).__name__)
def test_an_error_crosses_process_borders_whole(error: RemoraError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args


def test_messages_name_the_values_and_the_next_step() -> None:
    assert str(MADE[0]) == "No column 'rating'. There is: a, b. Fix data.events[0].columns."
    assert "30 of 100 events rows (30.0%)" in str(MADE[3])
    assert "20 × user_id is missing; 10 × unknown item" in str(MADE[3])
    assert "`remora data ingest`" in str(MADE[5])


def test_the_tree_drawn_in_the_file_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, RemoraError):
            assert name in drawn, f"{name} is not drawn"
