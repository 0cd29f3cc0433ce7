"""What is doubtful is counted and named; what is certainly wrong is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from remora.cli.data import app
from remora.core.errors import Implausible, QuarantineLimitExceeded
from remora.core.home import Home
from remora.core.tables import QUARANTINE, TIMESTAMP
from remora.ingest.casting import read_as
from remora.ingest.catalogue import Catalogue, read_catalogue
from remora.ingest.concentration import concentration
from remora.ingest.contract import REASON, RowValidator
from remora.ingest.doubts import Doubts, decomposed, swallowed_lines
from remora.ingest.facts import Facts
from remora.ingest.findings import Finding, refuse
from remora.ingest.formats import FORMATS
from remora.ingest.ingest import ingest
from remora.ingest.inspect import inspect_table, locate_table
from remora.ingest.plausibility import CHECKS, WHEN_WRITTEN, findings
from remora.ingest.row_counts import RowCounts
from remora.settings import DataSettings, Settings, SourceSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
SOURCE = {
    "path": "e.csv",
    "format": "csv",
    "columns": {"user_id": "u", "item_id": "i", "event_timestamp": "t"},
    "event_type": "buy",
}


def table(key: str, ids: list[str], **columns: list[Any]) -> Catalogue:
    rows = pa.table({key: pa.array(ids, pa.string()), "event_timestamp": pa.nulls(len(ids), TIMESTAMP)} | columns)
    return Catalogue(rows, QUARANTINE.empty_table(), 0, {})


def found(
    users: Catalogue | None = None,
    items: Catalogue | None = None,
    data: dict[str, Any] | None = None,
    **row_counts: Any,
) -> dict[str, Finding]:
    """What the checks find, by code, where 1,000 rows of events were read and ``row_counts`` says the rest."""
    settings = DataSettings(**({"events": [SOURCE], "event_types": {"buy": {}}} | (data or {})))
    empty = {name: inspect_table(name, []) for name in ("events", "users", "items")}
    catalogues = {"users": users or table("user_id", []), "items": items or table("item_id", [])}
    whole = RowCounts(**({"rows": 1_000, "days": {START.date(): 500, START.date() + timedelta(1): 500}} | row_counts))
    return {finding.code: finding for finding in findings(Facts(settings, empty, catalogues, whole))}


def test_sound_data_has_no_finding() -> None:
    assert found(users=table("user_id", ["u1"]), items=table("item_id", ["i1"], title=["Lamp"])) == {}


@pytest.mark.parametrize(("rows", "level"), [(1_000, "error"), (995, "error"), (400, "warning"), (5, None)])
def test_items_that_are_newer_than_their_events(rows: int, level: str | None) -> None:
    finding = found(doubts={"items_after_events": rows}).get("items_after_events")
    assert (finding and finding.level) == level
    if finding:
        assert f"{rows:,} of 1,000 events happened before the first version of their item" in str(finding)
        assert "do not map it" in str(finding)


@pytest.mark.parametrize(
    ("unknown", "known", "how"),
    [
        (["sku-1", "SKU-2 "], ["SKU-1", "sku-2"], "case or spaces"),
        (["1", "20"], ["0001", "0020"], "zeros before a number"),
        (["12.0", "13.00"], ["12", "13"], "zeros after the point"),
        (['"a"', "'b'"], ["a", "b"], "quotes"),
    ],
)
@pytest.mark.parametrize("kind", ["users", "items"])
def test_ids_that_differ_in_spelling_alone_are_an_error(
    unknown: list[str], known: list[str], how: str, kind: str
) -> None:
    catalogue = table("user_id" if kind == "users" else "item_id", known)
    row_counts: dict[str, Any] = {"doubts": {"unknown_users": 900}, "examples": {"unknown_users": unknown}}
    if kind == "items":
        row_counts = {"reasons": {"unknown item": 900}, "unknown_items": frozenset(unknown)}
    finding = found(**{kind: catalogue}, **row_counts)[f"unknown_{kind}"]
    assert (finding.level, finding.count, finding.of) == ("error", 900, 1_000)
    assert f"differ from those of the table by {how}" in finding.what


def test_few_ids_that_differ_in_spelling_are_a_warning() -> None:
    row_counts = {"doubts": {"unknown_users": 3}, "examples": {"unknown_users": ["A"]}}
    assert found(users=table("user_id", ["a"]), **row_counts)["unknown_users"].level == "warning"


def test_columns_that_are_mapped_the_wrong_way_round_are_an_error() -> None:
    row_counts = {"reasons": {"unknown item": 1_000}, "unknown_items": frozenset(["u1", "u2"])}
    finding = found(users=table("user_id", ["u1", "u2"]), items=table("item_id", ["i1"]), **row_counts)["unknown_items"]
    assert finding.level == "error"
    assert "mapped to each other's columns" in finding.advice


@pytest.mark.parametrize(("rows", "warned"), [(400, True), (10, False)])
def test_unknown_users_are_a_warning_when_they_are_many(rows: int, warned: bool) -> None:
    row_counts = {"doubts": {"unknown_users": rows}, "examples": {"unknown_users": ["guest"]}}
    assert ("unknown_users" in found(users=table("user_id", ["a"]), **row_counts)) == warned


@pytest.mark.parametrize(
    ("code", "changes", "said"),
    [
        (
            "future_events",
            {"reasons": {"event_timestamp is in the future": 3}, "first_future": START},
            "more than 300 s",
        ),
        ("early_events", {"reasons": {"event_timestamp is before 1990-01-01": 3}}, "before 1990-01-01"),
        ("one_day", {"days": {START.date(): 1_000}}, "All events are of 2024-01-01"),
        ("null_text_ids", {"doubts": {"null_text_ids:user_id": 7}}, "7 events have a user_id that reads as `no value`"),
        ("padded_ids", {"doubts": {"padded_ids:item_id": 7}}, "7 events have an item_id with spaces"),
        ("decomposed_ids", {"doubts": {"decomposed_ids:user_id": 3}}, "3 events have a user_id with accents"),
        ("long_ids", {"doubts": {"long_ids:user_id": 7}}, "7 events have a user_id of more than 256 characters"),
        ("undeclared_event_types", {"reasons": {"event_type is not declared": 2}}, "2 events are of types"),
        ("known_before_event", {"doubts": {"known_before_event": 2}}, "known_timestamp before their event_timestamp"),
        ("same_instant", {"doubts": {"same_instant": 20}}, "20 events have user, item, type and instant in common"),
        (
            "scientific_ids",
            {"doubts": {"scientific_ids:item_id": 7}},
            "7 events have an item_id in scientific",
        ),
        ("backslash_quotes", {"doubts": {"backslash_quotes": 2}}, "escape"),
    ],
)
def test_each_doubt_is_a_warning_with_its_count(code: str, changes: dict[str, Any], said: str) -> None:
    finding = found(**changes)[code]
    assert finding.level == "warning"
    assert said in str(finding)


@pytest.mark.parametrize(("lines", "level"), [(60, "error"), (3, "warning")])
def test_lines_within_a_value_are_an_error_when_they_are_as_many_as_broken_rows_may_not_be(
    lines: int, level: str
) -> None:
    assert found(doubts={"swallowed_lines": lines})["swallowed_lines"].level == level


@pytest.mark.parametrize(
    ("seen", "level"), [({"buy": 3, "view": 2}, None), ({"buy": 3}, "warning"), ({"view": 3}, "error")]
)
def test_types_that_only_the_settings_have(seen: dict[str, int], level: str | None) -> None:
    data = DataSettings(events=[SOURCE], event_types={"buy": {}, "view": {"sign": 0}})
    levels = [f.level for f in findings(Facts(data, {}, {}, RowCounts(event_types=seen)), WHEN_WRITTEN)]
    assert levels == ([] if level is None else [level])


def test_a_column_without_a_value_and_a_shop_without_an_available_item() -> None:
    mapped = SOURCE | {"columns": {"item_id": "i", "title": "name"}, "event_type": None}
    # A catalogue whose sources are inspected: the column is a mapped one.
    items = table("item_id", ["a", "b"], title=pa.nulls(2, pa.string()), shown=pa.array([False, False]))
    sources = {name: inspect_table(name, []) for name in ("events", "users")}
    sources["items"] = type(sources["users"])("items", ((SourceSettings(**mapped), ()),), items.rows.schema)
    data = DataSettings(events=[SOURCE], items=[mapped], event_types={"buy": {}}, available="shown")
    row_counts = RowCounts(rows=10, days={START.date(): 10})
    facts = Facts(data, sources, {"users": table("user_id", []), "items": items}, row_counts)
    assert [(finding.code, finding.level) for finding in findings(facts)] == [
        ("nothing_available", "error"),
        ("empty_column", "warning"),
    ]


@pytest.mark.parametrize(("shared", "warned"), [(2, True), (40, False)])
def test_a_category_that_hardly_two_items_share(shared: int, warned: bool) -> None:
    items = table("item_id", [f"i{n}" for n in range(60)], name=[f"c{max(n, shared)}" for n in range(60)])
    assert ("category_of_each" in found(items=items, data={"category": "name"})) == warned


def test_ids_that_number_rows_and_an_id_that_stands_for_many_users() -> None:
    usual = {f"u{n}": 5 for n in range(40)}
    assert list(concentration(usual, usual)) == []
    each = {f"order{n}": 1 for n in range(200)}
    assert [(f.code, f.column) for f in concentration(each, usual)] == [("one_event_each", "user_id")]
    (finding,) = concentration(usual | {"guest": 90}, usual)
    assert (finding.code, finding.count, finding.examples) == ("one_user_dominates", 90, ("guest",))
    assert list(concentration({"a": 99}, {"x": 99})) == []


def test_errors_are_raised_together_and_warnings_are_not() -> None:
    finding = Finding(code="c", table="events", count=1, of=2, examples=("x",), what="One of two.", advice="Mend it.")
    refuse([finding])
    wrong = [finding.model_copy(update={"code": code, "level": "error"}) for code in ("one", "two")]
    with pytest.raises(Implausible, match=r"(?s)\[one\] One of two\. E\.g\. 'x'\. Mend it\..*\[two\]"):
        refuse([finding, *wrong])


def test_every_code_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "reference" / "data_tables.md").read_text()
    folder = ROOT / "platform" / "remora" / "ingest"
    source = "".join(
        (folder / f"{name}.py").read_text() for name in ("plausibility", "divided", "number_reading", "concentration")
    )
    codes = {line.split('"')[1] for line in source.splitlines() if line.strip().startswith('code="')}
    assert len(CHECKS) >= 10
    assert len(codes) >= 10
    codes |= {"time_reading", "unknown_users", "unknown_items"}
    assert {code for code in codes if f"`{code}`" not in text} == set()


def doubted(folder: Path, rows: pl.DataFrame, doubts: Doubts, **source: Any) -> dict[str, tuple[int, list[str]]]:
    """Rows and examples by doubt."""
    rows.write_csv(folder / "e.csv", quote_style="necessary")
    described = SOURCE | {"columns": SOURCE["columns"] | source.pop("columns", {})} | source  # type: ignore[operator]
    settings = SourceSettings(**described)
    sources = inspect_table("events", locate_table([settings], Home(str(folder))))
    validator = RowValidator("events", settings, sources.types, START + timedelta(days=99), event_types=("buy",))
    (file_schema,) = sources.file_schemas()
    lines = []
    for split in file_schema.splits:
        for raw in FORMATS["csv"].read(split, settings):
            validated = validator(raw)
            assert REASON in validated.columns
            lines.append(doubts(raw, validated, settings))
    whole = pl.concat(lines)
    return {
        doubt: (part["rows"].sum(), part["item"].drop_nulls().to_list())
        for (doubt,), part in whole.group_by("doubt", maintain_order=True)
    }


def test_rows_are_compared_with_the_tables_and_counted(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "u": ["a", "b", "NULL", " a", "a", "z"],
            "i": ["x", "y", "x", "x", "undefined", ""],
            "t": [START.isoformat()] * 6,
            "k": [(START - timedelta(days=1)).isoformat(), *[START.isoformat()] * 5],
            "text": ["plain", 'a \\"b', "", "", "", ""],
        }
    )
    since = pl.DataFrame({"item_id": ["x", "y"], "since": [START, START + timedelta(days=1)]})
    doubts = Doubts(users=pl.Series(["a"]), items=pl.Series(["x", "y"]), since=since)
    assert doubted(tmp_path, rows, doubts, columns={"known_timestamp": "k"}) == {
        "unknown_users": (3, [" a", "NULL", "b"]),
        "unknown_items": (1, ["undefined"]),
        "items_after_events": (1, ["y"]),
        "null_text_ids:user_id": (1, ["NULL"]),
        "padded_ids:user_id": (1, [" a"]),
        "null_text_ids:item_id": (1, ["undefined"]),
        "known_before_event": (1, ["x"]),
        "backslash_quotes": (1, ["y"]),
    }


def test_an_accent_that_is_a_character_of_its_own_is_told() -> None:
    """Two ids that look the same and are two users."""
    ids = pl.Series(["e\u0301a", "\u00e9a", "plain", "物品", None])
    assert decomposed(ids).fill_null(False).to_list() == [True, False, False, False, False]
    assert not decomposed(pl.Series(["plain", None])).any()


@pytest.mark.parametrize(("kept", "few"), [("quarantine", 10), ("keep", 1_000)])
def test_few_events_of_one_instant_and_those_that_are_meant_are_no_finding(kept: str, few: int) -> None:
    assert "same_instant" not in found(data={"duplicates": kept}, doubts={"same_instant": few})


def test_events_of_one_user_item_type_and_instant_are_counted_where_they_differ_elsewhere(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "u": ["a", "a", "a", "b", "b", "c", "", ""],
            "i": ["x", "x", "y", "x", "x", "x", "x", "x"],
            "t": [1, 1, 1, 1, 1, 1, 1, 1],
            "promotion": ["p", "q", "p", "p", "p", "p", "p", "q"],
        }
    )
    assert doubted(tmp_path, rows, Doubts()) == {"same_instant": (2, ["x"])}


@pytest.mark.parametrize(
    ("values", "separator", "warned"),
    [
        (["Action|Comedy", "Science Fiction|Drama"], " ", True),
        (["['Action', 'Comedy']", "['Drama']"], " ", True),
        (["Action, Comedy", "Drama"], " ", True),
        (["Action, Comedy", "Drama"], ", ", False),
        (["Action|Rock, Pop|Jazz", "Drama|War"], "|", False),
        (["red round", "a;b small big"], " ", False),
        ([""], " ", False),
    ],
)
def test_lists_that_another_character_divides_are_found(
    tmp_path: Path, values: list[str], separator: str, warned: bool
) -> None:
    rows = pl.DataFrame({"i": [str(n) for n in range(len(values))], "tags": values})
    rows.write_csv(tmp_path / "i.csv", quote_style="always")
    source = SourceSettings(
        path="i.csv",
        format="csv",
        columns={"item_id": "i", "genres": "tags"},
        types={"genres": "list[string]"},
        list_separator=separator,
    )
    tables = {name: inspect_table(name, []) for name in ("events", "users")}
    tables["items"] = inspect_table("items", locate_table([source], Home(str(tmp_path))))
    items = read_catalogue(tables["items"], START, START)
    data = DataSettings(events=[SOURCE], event_types={"buy": {}}, items=[source])
    facts = Facts(data, tables, {"users": table("user_id", []), "items": items}, RowCounts(rows=1))
    finding = {found.code: found for found in findings(facts)}.get("list_separator")
    assert (finding is not None) == warned
    if finding:
        assert (finding.level, finding.column) == ("warning", "genres")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('a,x,1,"12 inch\na,x,2,plain\na,y,3,"12 inch\n', 2),
        ('a,x,1,"12 inch\na,x,2,plain\na,y,3,plain\n', 2),
        ('a,x,1,"first line\nsecond, line"\nb,y,2,plain\n', 0),
        ('a,x,1,"12"" inch"\nb,y,2,plain\n', 0),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "|", "\t", ";"])
def test_a_quote_without_its_end_is_found_by_the_lines_it_takes_in(
    tmp_path: Path, text: str, lines: int, delimiter: str
) -> None:
    (tmp_path / "rows.csv").write_text(f"u,i,t,n\n{text}".replace(",", delimiter))
    source = SourceSettings(**SOURCE | {"path": "rows.csv", "delimiter": delimiter})  # type: ignore[arg-type]
    (file_schema,) = inspect_table("events", locate_table([source], Home(str(tmp_path)))).file_schemas()
    raw = pa.concat_tables(batch for split in file_schema.splits for batch in FORMATS["csv"].read(split, source))
    assert swallowed_lines(raw, source).sum() == lines


@pytest.mark.parametrize("header", ["u,i,t", "u,i,t,n"])
@pytest.mark.parametrize("column", [0, 1, -1])
@pytest.mark.parametrize("at", [1, 199, 998])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "|"])
def test_whatever_a_quote_without_its_end_swallows_is_counted(
    tmp_path: Path, header: str, column: int, at: int, end: str, delimiter: str
) -> None:
    values = [[f"u{n}", f"i{n}", START.isoformat(), "x"][: header.count(",") + 1] for n in range(1_000)]
    values[at][column] = f'"{values[at][column]}'
    lines = [header.split(","), *values]
    (tmp_path / "rows.csv").write_bytes("".join(delimiter.join(line) + end for line in lines).encode())
    source = SourceSettings(**SOURCE | {"path": "rows.csv", "delimiter": delimiter})  # type: ignore[arg-type]
    (file_schema,) = inspect_table("events", locate_table([source], Home(str(tmp_path)))).file_schemas()
    raw = pa.concat_tables(batch for split in file_schema.splits for batch in FORMATS["csv"].read(split, source))
    assert raw.num_rows + swallowed_lines(raw, source).sum() == 1_000


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_quote_that_swallows_most_of_a_file_stops_the_ingest(tmp_path: Path, ray_cluster: None, column: int) -> None:
    values = [[f"u{n}", f"i{n % 9}", (START + timedelta(hours=n)).isoformat()] for n in range(1_000)]
    values[199][column] = f'"{values[199][column]}'
    (tmp_path / "e.csv").write_text("".join(f"{','.join(line)}\n" for line in [["u", "i", "t"], *values]))
    data = {"events": [SOURCE | {"path": str(tmp_path / "e.csv")}], "event_types": {"buy": {}}}
    with pytest.raises(Implausible, match=r"\[swallowed_lines\] 800 lines of events"):
        ingest(Settings(name="shop", home=str(tmp_path / "home"), data=data))  # type: ignore[arg-type]


def test_points_that_may_divide_thousands_are_a_doubt(tmp_path: Path) -> None:
    weights = ["1.000", "2.500", "12.500", "999.125", "3.000", "1"]
    rows = pl.DataFrame({"u": ["a"] * 6, "i": [f"i{n}" for n in range(6)], "t": range(6), "w": weights})
    source = {"columns": {"value": "w"}, "types": {"value": "number"}}
    seen = doubted(tmp_path, rows, Doubts(), **source)
    assert seen["thousands_points:value"] == (5, sorted(weights)[1:])
    row_counts = {"doubts": {doubt: rows for doubt, (rows, _) in seen.items()}}
    row_counts["examples"] = {doubt: some for doubt, (_, some) in seen.items()}
    finding = found(**row_counts)["thousands_points"]
    assert (finding.level, finding.column, finding.count) == ("warning", "value", 5)
    for other in ("1.5", "0.125", "10.2500"):
        seen = doubted(tmp_path, rows.with_columns(w=pl.Series([*weights[:5], other])), Doubts(), **source)
        assert seen["other_points:value"] == (1, [other])
        row_counts = {"doubts": {doubt: rows for doubt, (rows, _) in seen.items()}}
        row_counts["examples"] = {doubt: some for doubt, (_, some) in seen.items()}
        assert "thousands_points" not in found(**row_counts)


def test_a_thousand_in_german_is_no_whole_number_and_a_one_of_pandas_is() -> None:
    source = SourceSettings(**SOURCE | {"columns": {"item_id": "i"}, "types": {"qty": "integer"}})  # type: ignore[arg-type]
    texts = pl.DataFrame({"qty": ["1.000", "2.000", "1.0", "12.00", "1000", "1.234.567"]})
    read = texts.select(read_as(pa.int64(), "qty", pl.String(), source)).to_series().to_list()
    assert read == [None, None, 1, 12, 1000, None]


def test_values_that_cannot_be_read_are_shown(tmp_path: Path, ray_cluster: None) -> None:
    prices = ["1,50", "\x1b[31mfree", "2,00", "x" * 90]
    for name, key in (("e", "u,i,t,p"), ("i", "i,p")):
        body = "".join(
            f'{"a," if name == "e" else ""}i{n},{"5," if name == "e" else ""}"{p}"\n' for n, p in enumerate(prices)
        )
        (tmp_path / f"{name}.csv").write_text(f"{key}\n{body}")
    events = SOURCE | {"path": str(tmp_path / "e.csv"), "extra_columns": ["p"], "types": {"p": "number"}}
    items = {"path": str(tmp_path / "i.csv"), "format": "csv", "columns": {"item_id": "i"}}
    items |= {"extra_columns": ["p"], "types": {"p": "number"}}
    data = {"events": [events], "event_types": {"buy": {}}}
    for more in ({}, {"items": [items]}):
        with pytest.raises(QuarantineLimitExceeded) as error:
            ingest(Settings(name="shop", home=str(tmp_path / "home"), data=data | more))  # type: ignore[arg-type]
        assert r"4 × p cannot be read as number (e.g. '\x1b[31mfree', '1,50', '2,00')" in str(error.value)


def shop(home: Path, **changes: Any) -> Settings:
    """A shop of four items whose table says from when each is there; ``days`` after the first event."""
    days, source = changes.pop("days", 0), changes.pop("source", {})
    at = [START + timedelta(hours=n) for n in range(400)]
    events = pl.DataFrame({"u": [f"u{n % 9}" for n in range(400)], "i": [f"i{n % 4}" for n in range(400)], "t": at})
    events.write_parquet(home / "events.parquet")
    items = pl.DataFrame({"i": [f"i{n}" for n in range(4)], "since": [START + timedelta(days=days)] * 4})
    items.write_parquet(home / "items.parquet")
    columns = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}
    data = {
        "events": [{"path": "events.parquet", "format": "parquet", "columns": columns, "event_type": "buy"} | source],
        "items": [
            {"path": "items.parquet", "format": "parquet", "columns": {"item_id": "i", "event_timestamp": "since"}}
        ],
        "event_types": {"buy": {}},
    }
    return Settings(name="shop", home=str(home), data=data | changes)


def test_a_catalogue_of_the_day_of_the_export_is_refused_and_a_late_one_warned_of(
    ray_cluster: None, home_folder: Path
) -> None:
    with pytest.raises(Implausible, match=r"\[items_after_events\] 400 of 400 events"):
        ingest(shop(home_folder, days=30))
    assert not (home_folder / "lake" / "CURRENT").exists()
    (finding,) = ingest(shop(home_folder, days=10)).findings
    assert (finding.code, finding.count, finding.examples) == ("items_after_events", 240, ("i0", "i1", "i2", "i3"))


def test_findings_are_in_the_ingests_output_and_in_the_report(
    ray_cluster: None, home_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = shop(home_folder, source={"path": "raw"})
    (home_folder / "raw" / "_temporary").mkdir(parents=True)
    for name in ("raw/part.parquet", "raw/_temporary/part.parquet"):
        (home_folder / name).write_bytes((home_folder / "events.parquet").read_bytes())
    config = tmp_path / "shop.yaml"
    config.write_text(yaml.safe_dump(settings.model_dump(mode="json")))

    def typed(*arguments: str) -> str:
        return CliRunner().invoke(app, [*arguments, "--config", str(config)], catch_exceptions=False).stdout

    assert "[skipped_files] 1 files in the directories of events are not read" in typed("ingest")
    assert "[skipped_files]" in typed("report")
    (finding,) = json.loads(typed("report", "--json"))["findings"]
    assert (finding["code"], finding["count"], finding["of"]) == ("skipped_files", 1, 2)
