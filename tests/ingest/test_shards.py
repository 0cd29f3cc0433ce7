"""Directories of numbered shards, laid out as on the Hugging Face Hub: none may be missing, and a split is chosen."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.core.home import Home
from remora.ingest.ingest import ingest
from remora.ingest.locate import locate
from remora.ingest.shards import check_shards
from remora.settings import Settings, SourceSettings

HUB = [
    "README.md",
    ".gitattributes",
    ".cache/huggingface/download/data/train-00000-of-00003.parquet",
    "data/test-00000-of-00001.parquet",
    "data/train-00000-of-00003.parquet",
    "data/train-00001-of-00003.parquet",
    "data/train-00002-of-00003.parquet",
]


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"PAR1")


def found(folder: Path, split: str | None = None, path: str = "raw") -> list[str]:
    source = SourceSettings(path=path, format="parquet", columns={}, event_type="view", split=split)
    files = locate(source, Home(str(folder)), 0).files
    return [str(Path(file.path).relative_to(folder / "raw")) for file in files]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    write(tmp_path / "raw", *HUB)
    return tmp_path


@pytest.mark.parametrize(
    ("split", "files"),
    [("train", HUB[4:]), ("test", HUB[3:4]), ("test+train", HUB[3:]), (None, HUB[3:])],
)
def test_a_split_is_its_files(hub: Path, split: str | None, files: list[str]) -> None:
    assert found(hub, split) == files


def test_several_splits_of_which_none_is_chosen_are_named(hub: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found(hub)
    assert "has the splits test, train, and all are read: `split: train` reads one" in caplog.text


@pytest.mark.parametrize(
    "names",
    [["train/a.parquet", "test/b.parquet"], ["train.parquet", "test.parquet"], ["train_0.parquet", "test-1.parquet"]],
)
def test_a_split_may_be_a_folder_or_a_name_with_or_without_a_number(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path / "raw", *names)
    assert found(tmp_path, "train") == names[:1]


def test_a_split_that_is_not_there_is_named_with_those_that_are(hub: Path) -> None:
    with pytest.raises(MissingInput, match=r"No split 'validation'. There is: data, test, train"):
        found(hub, "train+validation")


def test_a_split_of_a_file_is_refused(hub: Path) -> None:
    with pytest.raises(SettingsError, match="`split` chooses files of a directory"):
        found(hub, "train", "raw/data/train-00000-of-00003.parquet")


def test_a_missing_shard_is_named(hub: Path) -> None:
    (hub / "raw" / HUB[5]).unlink()
    with pytest.raises(MissingInput, match=r"No shard 'train-00001-of-00003'.*/raw/data has 2 of 3 shards"):
        found(hub)
    assert found(hub, "test") == HUB[3:4]


def test_shards_of_an_earlier_upload_beside_the_new_ones_are_refused(hub: Path) -> None:
    write(hub / "raw", "data/train-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"shards of two sets called 'train': 1 of 00001 and 3 of 00003"):
        found(hub)


def test_a_shard_that_is_there_twice_is_refused(hub: Path) -> None:
    write(hub / "raw", "data/train-00000-of-00003-5f0c.parquet")
    with pytest.raises(DataError, match="one shard twice"):
        found(hub)


@given(count=st.integers(1, 12), first=st.integers(0, 1), data=st.data())
def test_of_any_number_of_shards_every_one_is_missed(count: int, first: int, data: st.DataObject) -> None:
    names = [f"a/x-{number:05d}-of-{count:05d}-{number}.parquet" for number in range(first, first + count)]
    check_shards("raw", names)
    gone = data.draw(st.sampled_from(names))
    left = [name for name in names if name != gone]
    if left:
        with pytest.raises(MissingInput, match="No shard"):
            check_shards("raw", left)


def test_a_directory_of_the_hub_is_ingested(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "data"
    folder.mkdir(parents=True)
    for shard in range(2):
        at = pl.Series([1_700_000_000 + shard])
        frame = pl.DataFrame({"who": [f"u{shard}"], "what": ["i"], "at": at})
        frame.write_parquet(folder / f"train-{shard:05d}-of-00002.parquet")
        frame.with_columns(what=pl.lit("test")).write_parquet(folder / f"test-{shard:05d}-of-00002.parquet")
    (tmp_path / "raw" / "README.md").write_text("---\nconfigs: []\n---\n")
    columns = {"user_id": "who", "item_id": "what", "event_timestamp": "at"}
    source = {"path": "raw", "format": "parquet", "split": "train", "columns": columns, "event_type": "buy"}
    settings = Settings(name="hub", home=str(tmp_path), data={"events": [source], "event_types": {"buy": {}}})
    lake = ingest(settings)
    assert (lake.rows("events"), lake.items()["item_id"].to_pylist()) == (2, ["i"])
