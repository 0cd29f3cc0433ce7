"""GroupLens's own archives in the layout of the packaged copies, byte for byte, so that both make the same lake."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable

_GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]

_YEAR = re.compile(r"^(?P<title>.*) \((?P<year>[^()]*)\)\s*$")


def convert_100k(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """ml-100k.zip: u.data, u.user, u.item; the row order is kept."""
    users = [line.split("|") for line in _lines(archive, "ml-100k/u.user")]
    items = []
    for line in _lines(archive, "ml-100k/u.item"):
        item, title, *_, flags = line.split("|", 5)
        genres = (genre for genre, flag in zip(_GENRES, flags.split("|"), strict=True) if flag == "1")
        # The packaged copy spells the one film without a title like this.
        items.append([item, *_title_and_year(title, nameless="unkonwn"), " ".join(genres)])
    ratings = (line.split("\t") for line in _lines(archive, "ml-100k/u.data"))
    return {
        "ml-100k.inter": _table("user_id:token item_id:token rating:float timestamp:float", ratings, "\n"),
        "ml-100k.user": _table("user_id:token age:token gender:token occupation:token zip_code:token", users, "\n"),
        "ml-100k.item": _table("item_id:token movie_title:token_seq release_year:token class:token_seq", items, "\n"),
    }


def convert_1m(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """ml-1m.zip: ratings.dat, users.dat, movies.dat; films go by their titles, people by ``1m_<number>``."""
    films = [line.split("::") for line in _lines(archive, "ml-1m/movies.dat")]
    title_of = {film: title for film, title, _ in films}
    items = [[title, *_title_and_year(title, nameless=title), genres.replace("|", " ")] for _, title, genres in films]
    people = (line.split("::") for line in _lines(archive, "ml-1m/users.dat"))
    users = [[f"1m_{user}", age, gender, job, zip_code] for user, gender, age, job, zip_code in people]
    rated = (line.split("::") for line in _lines(archive, "ml-1m/ratings.dat"))
    ratings = ([f"1m_{user}", title_of[film], rating, when] for user, film, rating, when in rated)
    return {
        "ml-1m.inter": _table("user_id:token item_id:token rating:float timestamp:float", ratings, "\r\n"),
        "ml-1m.user": _table("user_id:token age:float gender:token occupation:float zip_code:token", users, "\r\n"),
        "ml-1m.item": _table("item_id:token movie_title:token release_year:float genre:token", items, "\r\n"),
    }


Converter = Callable[[zipfile.ZipFile], dict[str, bytes]]


def _title_and_year(text: str, nameless: str) -> tuple[str, str]:
    """`Toy Story (1995)` in two; a title that ends in no bracket stands for both.

    >>> _title_and_year("Shanghai Triad (Yao a yao yao) (1995)", nameless="-")
    ('Shanghai Triad (Yao a yao yao)', '1995')
    """
    found = _YEAR.match(text)
    return (found["title"], found["year"]) if found else (nameless, nameless)


def _lines(archive: zipfile.ZipFile, name: str) -> Iterable[str]:
    return archive.read(name).decode("latin-1").splitlines()


def _table(header: str, rows: Iterable[Iterable[str]], end: str) -> bytes:
    lines = ["\t".join(header.split()), *("\t".join(row) for row in rows)]
    return "".join(line + end for line in lines).encode()
