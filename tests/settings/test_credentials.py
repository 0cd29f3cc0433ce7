"""A credential of the settings is in no fingerprint: a new password makes nothing again, and no hash of one is kept."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settings.test_bounds import LEAVES

import remora
from remora.core.credentials import Connection, SecretUrl
from remora.ingest.provenance import config_fingerprint
from remora.release.gates.report import report_version
from remora.settings import Settings
from remora.steps.path import STEPS
from remora.workflow import run_recorder

PASSWORDS = st.text(st.characters(codec="ascii", exclude_characters=","), min_size=6).map("k-".__add__)
"""Whatever a store allows; a comma ends a parameter of Redis."""

# fmt: off
PLAIN = (
    "name", "dataset", "columns", "extra_columns", "delimiter", "quote", "escape", "encoding", "null_values",
    "list_separator", "column_names", "event_type", "when", "type", "pattern", "timezone", "filters",
    "impression", "title", "category", "available", "user_columns",
    "item_columns", "text_columns", "address", "preset", "surface", "events",
    "split", "catalog", "snapshot",
    "leakage_allowlist", "metric", "host", "signing_key", "trusted_keys", "on_success", "textfile",
    "folder", "brokers", "topic_prefix", "properties_file",
)
# fmt: on
"""Texts in which no credential can stand; of a new text this file asks which it is."""


def settings(password: str, **changes: Any) -> Settings:
    """With the password wherever there can be one."""
    source = {"path": f"s3://key:{password}@lake/events", "format": "csv", "columns": {"user_id": "u"}}
    values = {
        "name": "shop",
        "home": f"s3://key:{password}@lake/shop?scheme=http",
        "data": {"events": [source | {"event_type": "buy"}], "event_types": {"buy": {}}},
        "features": {
            "redis": f"redis:6379,password={password},ssl=true",
            "registry": f"postgresql+psycopg2://u:{password}@db/feast",
        },
        "tracking_uri": f"https://u:{password}@mlflow/",
        "registry": {"lock_url": f"postgresql://u:{password}@db/lock"},
        "retraining": {"alert_webhook": f"https://hooks.example.org/{password.encode().hex()}"},
    }
    return Settings.model_validate(values | changes)


@given(PASSWORDS)
def test_what_a_fingerprint_is_made_of_has_no_password_and_still_has_the_places(password: str) -> None:
    found = settings(password)
    inputs = found.inputs()
    assert inputs == settings("another").inputs()
    text = json.dumps(inputs, ensure_ascii=False)
    assert json.dumps(password)[1:-1] not in text
    for place in ("lake/shop", "lake/events", "redis:6379", "ssl=true", "db/feast", "mlflow", "db/lock"):
        assert place in text
    assert Settings.model_validate(found.model_dump(mode="json")) == found


def test_a_run_a_lake_and_the_gates_are_named_alike_under_another_password() -> None:
    one, other = settings("old-password"), settings("new-password")
    assert run_recorder._new(one, "ann", None).inputs == run_recorder._new(other, "ann", None).inputs
    assert config_fingerprint(one) == config_fingerprint(other)
    assert report_version(one, "lake", "a", "b") == report_version(other, "lake", "a", "b")
    for step in STEPS:
        assert step.provenance(one, {}) == step.provenance(other, {})
        assert "old-password" not in json.dumps(step.provenance(one, {}).as_json())


def test_another_server_is_another_input() -> None:
    moved = settings("x", features={"redis": "elsewhere:6379,password=x"})
    assert run_recorder._new(settings("x"), "ann", None).inputs != run_recorder._new(moved, "ann", None).inputs


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.kind is str], ids=str)
def test_every_text_of_the_settings_is_plain_or_declared_as_what_may_hold_a_credential(leaf: Any) -> None:
    marked = {Connection.__metadata__[0], SecretUrl.__metadata__[0]} & set(map(_hashable, leaf.field.metadata))
    assert bool(marked) != (leaf.name in PLAIN), f"{leaf}: a Connection, a SecretUrl, or one of PLAIN?"


def test_fingerprints_take_settings_without_credentials() -> None:
    for file in Path(remora.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "fingerprint":
                dumped = [n for n in ast.walk(call) if isinstance(n, ast.Attribute) and n.attr.startswith("model_dump")]
                assert not dumped, f"{file}:{call.lineno}: use `inputs` of the settings, which has no credentials"


def _hashable(one: Any) -> Any:
    try:
        hash(one)
    except TypeError:
        return None
    return one
