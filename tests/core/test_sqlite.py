from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy

import remora
from remora.core.sqlite import sqlite_url


@pytest.mark.parametrize("name", ["plain", "a b", "a%20b", "what?", "c#", "x?mode=ro&y=1", "söck", "a:b@c", "a+b"])
def test_a_url_means_the_very_path_that_it_was_made_of(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "registry.db"
    file.parent.mkdir()
    engine = sqlalchemy.create_engine(sqlite_url(file))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table t (x)"))
    engine.dispose()
    assert [one.relative_to(tmp_path) for one in tmp_path.rglob("*.db")] == [file.relative_to(tmp_path)]


def test_no_other_place_writes_such_a_url() -> None:
    package = Path(remora.__file__).parent
    found = {
        str(file.relative_to(package)) for file in package.rglob("*.py") if re.search(r"sqlite:///\{", file.read_text())
    }
    assert not found
