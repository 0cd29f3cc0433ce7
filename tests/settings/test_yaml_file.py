"""What a settings file says is what is read: nothing is dropped, nothing is taken for something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import SettingsError
from remora.settings import load
from remora.settings.yaml_file import dump, parse

HERE = Path("shop.yaml")
LEAST = """
name: shop
data:
  events: [{path: e.csv, format: csv, columns: {user_id: u}, event_type: buy}]
  event_types: {buy: {}}
"""


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as raised:
        parse(text, HERE)
    assert "shop.yaml" in str(raised.value)
    return str(raised.value)


def test_a_key_given_twice_is_an_error_with_both_lines() -> None:
    said = refused("retrieval: {epochs: 1}\nname: shop\nretrieval: {learning_rate: 0.01}\n")
    assert "line 3, column 1: 'retrieval' stands in line 1 already" in said
    assert "'buy' stands in line 3 already" in refused(
        "data:\n  event_types:\n    buy: {}\n    view: {}\n    buy: {}\n"
    )
    assert "'a' stands in line 1" in refused("[1, {a: 1, a: 1}]")


def test_what_is_shared_by_an_anchor_may_be_overridden() -> None:
    read = parse("base: &base {path: a, format: csv}\nother: {<<: *base, path: b}\nsame: *base\n", HERE)
    assert read["other"] == {"path": "b", "format": "csv"}
    assert read["same"] == read["base"]


def test_words_are_words() -> None:
    assert parse("types: {on: 1, no: 2, null: 3, 5: 4, 2024-01-31: 5, true: 6}", HERE)["types"] == {
        "on": 1,
        "no": 2,
        "null": 3,
        "5": 4,
        "2024-01-31": 5,
        "true": 6,
    }
    read = parse("[a]: 1".replace("[a]", "a") + "\nvalues: [no, on, yes, 1:30, 2024-01-31, '7', ~, true]", HERE)
    assert read["values"] == ["no", "on", "yes", "1:30", "2024-01-31", "7", None, True]


def test_numbers_are_numbers() -> None:
    read = parse("values: [1_000, 1e-3, 010, 0x1f, 0o17, -.5, 1., +3, 2.5e+2]", HERE)["values"]
    assert read == [1000, 0.001, 10, 31, 15, -0.5, 1.0, 3, 250.0]
    assert [type(value) for value in read] == [int, float, int, int, int, float, float, int, float]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("just words", "the text 'just words'"),
        ("- 1\n- 2\n", "a list"),
        ("[1]: 2", "no name"),
        ("a:\n\t- tab", "line 2"),
        ("a: !!python/object/apply:os.system [ls]", "python"),
        ("a: [", "line 1"),
        ("a: \x00", "not valid YAML"),
        ("[" * 5_000, "not valid YAML"),
        ("a: " + "9" * 10_000, "not valid YAML"),
    ],
)
def test_what_is_no_settings_file_is_refused_in_words(text: str, says: str) -> None:
    assert says in refused(text)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: caf\xe9\n", "byte 10 is 0xe9"),
        (b"\xff\xfen\x00a\x00", "not UTF-8"),
        (b"\x7fELF\x00\x01\xfe", "not UTF-8"),
        (b" " * 10_000_001, "10,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"shop\.yaml") as raised:
        load(file)
    assert says in str(raised.value)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a folder"):
        load(tmp_path)


def test_a_byte_order_mark_and_other_scripts_are_read_in_any_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + LEAST.replace("buy", "käufe").encode())
    monkeypatch.setattr("locale.getpreferredencoding", lambda do_setlocale=True: "ascii")
    assert "käufe" in load(file).data.event_types


def test_switches_may_still_be_written_as_words(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(LEAST + "surfaces: {home_feed: {hide_seen: no}}\n")
    assert load(file).surfaces["home_feed"].hide_seen is False


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("retreival: {epochs: 1}", "retreival: there is no such setting. Did you mean retrieval?"),
        ("retrieval: {epoch: 1}", "retrieval.epoch: there is no such setting. Did you mean epochs?"),
        ("windows_days: [7]", "windows_days: there is no such setting. Did you mean features.windows_days?"),
        ("serving: {xyzzy: 1}", "serving.xyzzy: there is no such setting. There is: host, port"),
        ("gates: {offline: [{metric: ndcg, margins: 1}]}", "Did you mean margin?"),
        ("ranking: {objectives: {buy: {event: [buy]}}}", "Did you mean events?"),
        ("tracking_uri: 5", "tracking_uri: Input should be a valid string (put it in quotes)"),
        ("evaluation: {cutoffs: []}", "evaluation.cutoffs"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one_as_advice(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(LEAST + line + "\n")
    with pytest.raises(SettingsError) as raised:
        load(file)
    assert says in str(raised.value)


def test_a_hundred_mistakes_are_not_all_listed(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(LEAST + "".join(f"wrong{n}: 1\n" for n in range(100)))
    with pytest.raises(SettingsError, match="and 90 more"):
        load(file)


def test_a_list_whose_members_are_wrong_is_not_called_empty_as_well(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(
        LEAST.replace("event_type: buy", 'event_type: buy, delimiter: ""') + "features: {windows_days: [0]}\n"
    )
    with pytest.raises(SettingsError) as raised:
        load(file)
    said = str(raised.value)
    assert "data.events.0.delimiter: " in said
    assert "features.windows_days.0: " in said
    assert "at least 1 item" not in said


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["no", "1e3", "1:30", "0o17", "<<", "~", "2024-01-31", "010", "1_000", "", "true", "=", ".5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(values: dict[str, object]) -> None:
    assert parse(dump(values), HERE) == values
