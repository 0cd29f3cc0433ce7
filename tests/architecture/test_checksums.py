"""Whatever reads or writes Parquet does so with page checksums."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "platform" / "remora"
FILES = sorted(PACKAGE.rglob("*.py"))
NEEDED = {
    "read_table": "page_checksum_verification",
    "ParquetFile": "page_checksum_verification",
    "write_table": "write_page_checksum",
    "ParquetWriter": "write_page_checksum",
}


def without(file: Path) -> list[str]:
    """Calls of pyarrow.parquet in a file that name no checksum."""
    found = []
    for call in ast.walk(ast.parse(file.read_text())):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        of_parquet = isinstance(call.func.value, ast.Name) and call.func.value.id == "pq"
        needed = NEEDED.get(call.func.attr) if of_parquet else None
        if needed and needed not in {keyword.arg for keyword in call.keywords}:
            found.append(f"{file.relative_to(PACKAGE)}:{call.lineno} pq.{call.func.attr} without {needed}")
    return found


def test_parquet_is_read_and_written_with_checksums() -> None:
    assert not [line for file in FILES for line in without(file)]
