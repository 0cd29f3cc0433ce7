"""The data's columns may be called like Remora's own: values under such names are those under harmless ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.features.conftest import START

import remora
from remora.core.tables import EVENTS, EVENTS_OPTIONAL, TIMESTAMP
from remora.datasets.catalogue import items_as_of, users_as_of
from remora.datasets.examples import encoded
from remora.datasets.sequences import sequences
from remora.features.build import build
from remora.features.materialize import materialize
from remora.features.offline import historical
from remora.features.online import OnlineUsers
from remora.features.replay import ReplayUsers
from remora.features.snapshot import ItemSnapshot
from remora.features.store import apply, open_store
from remora.ingest.ingest import ingest
from remora.pipeline import Query
from remora.ranking.columns import RankerColumns
from remora.retrieval.content import Content
from remora.settings import Settings

USERS, ITEMS = 12, 10
PACKAGES = ("contracts", "datasets", "features", "ingest", "ranking")
NAMING = {"alias", "col", "append_column", "with_row_index", "rename", "group_by", "over", "sort", "sort_by", "select"}
ODD = ("body type (kg/m²)", "list-price", "home__size", "seated_at", "user_profile__age", "label:buy", "key 0")


def own_names() -> list[str]:
    """What Remora's code calls columns: constants, and texts and keywords given to what names a column."""
    found: set[str] = set()
    for package in PACKAGES:
        for file in (Path(remora.__file__).parent / package).rglob("*.py"):
            found.update(_named(ast.parse(file.read_text())))
    return sorted(name for name in found if re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", name) and not name.startswith("__"))


def _named(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from _texts(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in NAMING:
            for argument in node.args:
                yield from _texts(argument)
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def _texts(node: ast.AST) -> Iterator[str]:
    yield from (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def shop(folder: Path, names: list[str], own: list[str]) -> Settings:
    """A shop whose events, users and items have a column of each name; the same values whatever the names.

    Where ``own`` has the id or the time of the table itself, the table has no such column.
    """
    rng = np.random.default_rng(5)
    folder.mkdir()
    rows = range(240)
    of_events = {
        "u": [f"u{n % USERS}" for n in rows],
        "i": [f"i{n}" for n in rng.integers(0, ITEMS, len(rows)).tolist()],
        "t": pa.array([START + timedelta(hours=5 * n) for n in rows], TIMESTAMP),
    }
    keys = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}
    free = [name for name in names if name not in (*EVENTS.names, *EVENTS_OPTIONAL.names, "source_row")]
    source = {"path": str(folder / "events.parquet"), "format": "parquet", "event_type": "buy"}
    pq.write_table(pa.table(of_events), source["path"])
    data: dict = {"events": [source | {"columns": dict.fromkeys(free, "i") | keys}], "event_types": {"buy": {}}}
    for table, key, count in (("users", "user_id", USERS), ("items", "item_id", ITEMS)):
        source = {"path": str(folder / f"{table}.parquet"), "format": "parquet"}
        columns = {f"c{n}": rng.permutation(count) + n / 1_000 for n in range(len(names))}
        pq.write_table(pa.table({"id": [f"{key[0]}{n}" for n in range(count)]} | columns), source["path"])
        mapped = {name: f"c{n}" for n, name in enumerate(names) if own[n] not in (key, "event_timestamp")}
        data |= {table: [source | {"columns": {key: "id"} | mapped}], f"{table[:-1]}_columns": list(mapped)}
    home = str(folder / "home")
    features = {"partitions": 2, "windows_days": (7,), "history_length": 3}
    return Settings(name="names", home=home, features=features, data=data | {"clock": "data"})


def read(settings: Settings, places: dict[str, str]) -> dict[str, list]:
    """Everything that datasets and features say of the shop, each name as its place."""
    lake = ingest(settings)
    build(settings)
    apply(settings)
    materialize(settings)
    store, vocabulary, instant = open_store(settings), lake.vocabulary(), START + timedelta(days=30)
    said: dict[str, list] = {}

    def note(what: str, table: pa.Table) -> None:
        for name in table.column_names:
            view, _, feature = name.partition("__")
            own = places.get(feature) if view in ("user_profile", "item_profile") else None
            said[f"{what} {f'{view} {own}' if own else name}"] = table[name].to_pylist()

    def note_columns(what: str, table: pa.Table, columns: tuple[str, ...]) -> None:
        said.update({f"{what} {places[name]}": table[name].to_pylist() for name in columns})

    catalogue, known = items_as_of(lake, vocabulary, instant)
    said["known"] = known.tolist()
    note_columns("catalogue", catalogue, settings.data.item_columns)
    users = users_as_of(lake, instant)
    note_columns("users", users, settings.data.user_columns)
    content = Content.fit(users, settings.data.user_columns)
    examples = sequences(settings, lake, vocabulary, before=instant)
    tables = examples.map_batches(encoded, batch_format="pyarrow", batch_size=None, fn_kwargs={"content": content})
    parts = [t for t in tables.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    note("examples", pa.concat_tables(parts).sort_by([("user_id", "ascending"), ("target", "ascending")]))

    snapshot = ItemSnapshot.take(store, lake, vocabulary, settings, instant)
    note("snapshot", snapshot.table)
    said["available"], said["age"] = snapshot.available.tolist(), snapshot.age_days.tolist()
    asked = pa.table(
        {"user_id": ["u3", "u4"], "item_id": ["i4", "i5"], "instant": pa.array([instant, instant], TIMESTAMP)}
    )
    rows = historical(store, asked, "ranking")
    note("ranking", rows)
    said["inputs"] = [len(RankerColumns.fit(rows).names)]
    query = Query(request_id="r", surface="home_feed", n=3, instant=instant, user_id="u3")
    past = ReplayUsers.prepare(store, lake, vocabulary, settings, asked).hydrate(query)
    now = OnlineUsers(store, vocabulary, settings).hydrate(query)
    for what, found in (("past", past), ("online", now)):
        said |= {f"{what} history": found.history.tolist(), f"{what} seen": sorted(found.seen.tolist())}
        note(what, pa.table({name: [value] for name, value in found.user.items()}))
    return said


def test_columns_called_like_remoras_own_hold_what_they_hold_under_harmless_names(
    ray_cluster: None, tmp_path: Path
) -> None:
    names = [*own_names(), *ODD]
    assert {"weight", "history", "target", "known", "entered_at", "in_catalogue", "place", "instant"} < set(names)
    harmless = [f"column_{n}" for n in range(len(names))]
    free = read(shop(tmp_path / "own", names, names), {name: str(n) for n, name in enumerate(names)})
    plain = read(shop(tmp_path / "plain", harmless, names), {name: str(n) for n, name in enumerate(harmless)})
    assert free.keys() == plain.keys()
    different = [key for key in plain if repr(free[key]) != repr(plain[key])]
    assert different == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_columns": ["user_id"]}, "data.user_columns names user_id"),
        ({"title": "item_id"}, "data.title names item_id"),
        ({"item_columns": ["event_timestamp"]}, "data.item_columns names event_timestamp"),
        ({"users": [{"path": "x", "format": "csv", "columns": {"user_id": "u", "__gives user_id": "v"}}]}, "'__gives"),
    ],
)
def test_names_that_say_of_what_a_row_is_are_refused_as_features(columns: dict, message: str) -> None:
    data = {
        "events": [{"path": "x", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
        "event_types": {"buy": {}},
    }
    with pytest.raises(ValueError, match=message):
        Settings(name="names", data=data | columns)
