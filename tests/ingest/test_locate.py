"""Which files of a directory are read: none that is hidden, and none of a format that keeps several versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.core.home import Home
from remora.ingest.files import FoundFiles
from remora.ingest.locate import locate
from remora.settings import SourceSettings


def found(folder: Path, path: str = "raw", format: str = "csv") -> FoundFiles:
    source = SourceSettings(path=path, format=format, columns={}, event_type="view")
    return locate(source, Home(str(folder)), 0)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a,b\n1,2\n")


def names(folder: Path, paths: list[str]) -> list[str]:
    return [str(Path(path).relative_to(folder)) for path in paths]


def test_hidden_files_and_folders_are_not_read_and_are_named(tmp_path: Path) -> None:
    write(tmp_path, "raw/b.csv", "raw/dt=2024-01-01/a.csv")
    hidden = [
        "raw/.a.csv",
        "raw/.ipynb_checkpoints/b-checkpoint.csv",
        "raw/_SUCCESS",
        "raw/_temporary/0/part-00000.csv",
        "raw/dt=2024-01-01/.a.csv.crc",
        "raw/notes.md",
    ]
    write(tmp_path, *hidden)
    read = found(tmp_path)
    assert names(tmp_path, [file.path for file in read.files]) == ["raw/b.csv", "raw/dt=2024-01-01/a.csv"]
    assert names(tmp_path, list(read.skipped)) == hidden


@pytest.mark.parametrize("path", [".private/raw", ".private/raw/", "./.private//raw", ".private/x/../raw"])
def test_a_directory_that_is_hidden_itself_may_be_named(tmp_path: Path, path: str) -> None:
    write(tmp_path, ".private/raw/a.csv", ".private/raw/_b/a.csv", ".private/x/a.csv")
    assert len(found(tmp_path, path).files) == 1


def test_a_directory_with_hidden_files_alone_names_them(tmp_path: Path) -> None:
    write(tmp_path, "raw/_temporary/part-0.csv", "raw/part-0.orc")
    with pytest.raises(MissingInput, match=r"No csv file .*Not read: part-0\.csv, part-0\.orc"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("log", "what", "advice"),
    [
        ("_delta_log/0.json", "a Delta Lake table", "`format: delta`"),
        (".hoodie/x", "a Hudi table", "plain Parquet"),
        ("metadata/v1.metadata.json", "an Iceberg table", "`format: iceberg`"),
    ],
)
def test_a_table_of_several_versions_is_refused(tmp_path: Path, log: str, what: str, advice: str) -> None:
    write(tmp_path, "raw/a.parquet", f"raw/{log}")
    with pytest.raises(DataError, match=f"{what}.*{advice}"):
        found(tmp_path, format="parquet")


def test_a_store_that_does_not_exist_is_an_error_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`path` of a source cannot be used"):
        found(tmp_path, "ftp://host/raw")
