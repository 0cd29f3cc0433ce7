"""What the description of a source names is tried when the settings are read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from remora.settings import SourceSettings

COLUMNS = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}


def source(**changes: Any) -> SourceSettings:
    return SourceSettings(**({"path": "e.csv", "format": "csv", "columns": COLUMNS, "event_type": "view"} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"catalog": "prod"}, "`catalog` is for iceberg; the format is csv"),
        ({"version": 3, "format": "iceberg"}, "`version` is for delta; the format is iceberg"),
        ({"snapshot": 3, "format": "delta"}, "`snapshot` is for iceberg; the format is delta"),
        ({"split": "train", "format": "delta"}, "`split` is for parquet and csv; the format is delta"),
        ({"split": "train,test"}, "pattern"),
        ({"delimiter": ""}, "'' cannot divide columns"),
        ({"delimiter": "\n"}, "cannot divide columns"),
        ({"delimiter": "ü"}, "cannot divide columns"),
        ({"delimiter": "::"}, "'::' has more than one character.*Add `quote: null`"),
        ({"delimiter": "::", "quote": None, "encoding": "utf-16"}, "needs an encoding in which it is ASCII"),
        ({"delimiter": '"'}, "delimiter, quote and escape must differ"),
        ({"escape": '"'}, "delimiter, quote and escape must differ"),
        ({"quote": "''"}, "not one ASCII character; null turns it off"),
        ({"quote": ""}, "not one ASCII character"),
        ({"escape": "\\\\"}, "not one ASCII character"),
        ({"encoding": "utf8000"}, "'utf8000' is no encoding"),
        ({"encoding": "base64"}, "'base64' is no encoding"),
        ({"list_separator": ""}, "at least 1 character"),
        ({"path": ""}, "at least 1 character"),
        ({"filters": ["price >"]}, "`price >` cannot be read.*It is SQL"),
        ({"event_type": [{"when": "a = (", "type": "view"}]}, "cannot be read"),
        ({"time": {"timezone": "Europe/Atlantis"}}, "no IANA time zone"),
        ({"time": {"timezone": "../etc"}}, "no IANA time zone"),
        ({"time": {"pattern": "%d/%m %H:%M"}}, "does not give the year, month and day"),
        ({"time": {"pattern": "%Y-%m"}}, "does not give the year, month and day"),
        ({"time": {"pattern": "%Y-%m-%d %I:%M"}}, "does not read what it writes"),
        ({"time": {"pattern": "%Y-%m-%d %H"}}, "does not read what it writes"),
        ({"time": {"pattern": "yyyy-MM-dd"}}, "does not"),
        ({"time": {"pattern": "%Y-%m-%d %Q"}}, "does not read what it writes"),
        ({"time": {"pattern": "%Y-%m-%d %H:%M:%S %Z"}}, "%Z is skipped, not read"),
        ({"time": {"pattern": "%Y-%m-%d %H:%M:%S,%f"}}, "%f is read after a point alone"),
        ({"column_names": ["a", "a"]}, "'a' is empty or there twice"),
        ({"column_names": ["a"], "format": "parquet"}, "column_names are of a CSV file; the format is parquet"),
        ({"format": "jsonl", "encoding": "utf-16"}, "JSON lines need an encoding such as utf-8"),
        ({"decimal": ";"}, "Input should be '.' or ','"),
        ({"columns": COLUMNS | {"item_id": "u"}}, "the column 'u' cannot be both user_id and item_id"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){message}"):
        source(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"delimiter": "\t"},
        {"delimiter": "::", "quote": None},
        {"quote": None},
        {"escape": "\\"},
        {"encoding": "latin-1"},
        {"encoding": "utf-16"},
        {"time": {"pattern": "%Y%m%d"}},
        {"time": {"pattern": "%d.%m.%y %H:%M:%S"}},
        {"time": {"pattern": "%Y-%m-%d %H:%M:%S.%f"}},
        {"time": {"pattern": "%Y-%m-%dT%H:%M:%S%z"}},
        {"time": {"pattern": "%m/%d/%Y %I:%M %p"}},
        {"time": {"pattern": "%s"}},
        {"time": {"timezone": "Europe/London"}},
        {"filters": ["a > 0 AND b IN ('x', 'y')"]},
    ],
)
def test_what_can_be_used_is_taken(changes: dict[str, Any]) -> None:
    assert source(**changes)
