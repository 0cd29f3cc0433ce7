"""One flipped bit anywhere in a version is found when the version is opened, and its file is named."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remora.core.artifacts import Artifact, ArtifactStore, verify_part
from remora.core.errors import ChecksumMismatch, LostVersion, UnreadableInput
from remora.core.home import Home
from remora.core.parquet import read_parquet, write_parquet
from remora.features.point_in_time.source import ParquetTable

TABLE = pa.table({"user_id": [f"u{n}" for n in range(500)], "value": np.random.default_rng(0).normal(size=500)})


@pytest.fixture
def artifacts(home_folder: Path) -> ArtifactStore:
    return ArtifactStore(Home(str(home_folder)), "features", "remora features build")


@pytest.fixture
def made(artifacts: ArtifactStore) -> Artifact:
    """A version of a table, a model and a document."""
    staging = artifacts.staging("one")
    artifacts.home.make_folder(f"{staging.folder}/view")
    write_parquet(TABLE, staging.at("view/all.parquet"), artifacts.home.filesystem)
    artifacts.home.write_bytes(f"{staging.folder}/model.npy", np.arange(300.0).tobytes())
    artifacts.home.write_json(f"{staging.folder}/categories.json", ["garden", "été"])
    return artifacts.commit(staging, rows={"view": 500}, first="2024-01-01", ages={10: 1, 9: 2})


def flip(file: Path, draw: random.Random) -> Callable[[], None]:
    """Flip one bit of a file; returns what sets it right again."""
    before = file.read_bytes()
    place, bit = draw.randrange(len(before)), draw.randrange(8)
    after = bytearray(before)
    after[place] ^= 1 << bit
    file.write_bytes(after)
    return lambda: file.write_bytes(before) and None


def test_every_flipped_bit_is_found_and_its_file_named(artifacts: ArtifactStore, made: Artifact) -> None:
    draw = random.Random(7)
    files = sorted(p for p in Path(artifacts.home.at("features")).rglob("*") if p.is_file())
    assert len(files) == 5, "the table, the model, the document, the metadata and the pointer"
    for _ in range(60):
        for file in files:
            restore = flip(file, draw)
            with pytest.raises((ChecksumMismatch, LostVersion), match=f"'{file}'"):
                artifacts.current()
            restore()
    assert artifacts.current().metadata == made.metadata


def test_a_file_that_is_gone_is_named(artifacts: ArtifactStore, made: Artifact) -> None:
    Path(made.at("model.npy")).unlink()
    with pytest.raises(
        ChecksumMismatch, match=r"model\.npy' has .*the file is missing.*Remove .*features/versions/one"
    ):
        artifacts.current()


def test_the_join_verifies_the_tables_that_it_reads(artifacts: ArtifactStore, made: Artifact) -> None:
    where = Path(made.at("view"))
    assert ParquetTable.open(str(where)).rows == 500
    restore = flip(where / "all.parquet", random.Random(3))
    with pytest.raises(ChecksumMismatch, match=r"view/all\.parquet"):
        ParquetTable.open(str(where))
    restore()
    flip(where.parent / "model.npy", random.Random(3))
    verify_part(str(where))  # another part of the version is not this table's matter


def test_a_flip_in_a_page_is_found_when_it_is_read_where_files_are_not_hashed_first(made: Artifact) -> None:
    file = Path(made.at("view/all.parquet"))
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    assert start
    content = bytearray(file.read_bytes())
    draw, found = random.Random(5), 0
    for _ in range(50):
        place, bit = draw.randrange(start + 60, start + chunk.total_compressed_size), draw.randrange(8)
        content[place] ^= 1 << bit
        file.write_bytes(content)
        with pytest.raises(UnreadableInput, match=r"all\.parquet"):
            read_parquet(str(file))
        content[place] ^= 1 << bit
        found += 1
    assert found == 50
