from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core import errors
from remora.core.redaction import redacted, without_credentials

SECRETS = st.text("abcdefXYZ0189/+@:!%_-", min_size=8, max_size=40).map("k-".__add__)
"""Passwords and keys as stores make them, with the characters that end parts of a URL."""

TEMPLATES = (
    "s3://AKIA:{}@lake/shop?endpoint_override=store:9000",
    "postgresql+psycopg2://remora:{}@db:5432/remora",
    "https://user:{}@mlflow.example.org/",
    "redis:6379,password={},ssl=true",
    "postgresql://db/remora?user=remora&password={}",
    "s3://lake/shop?secret_key={}&scheme=http",
)

ERRORS = (
    lambda text: errors.SettingsError(f"The home {text} is remote."),
    lambda text: errors.NotBuilt("lake", text, "remora data ingest"),
    lambda text: errors.LostVersion("lake", text, "remora data ingest", f"{text}/CURRENT", "x"),
    lambda text: errors.MissingInput("file", text, [text], text),
    lambda text: errors.UnreadableInput(text, f"cannot open {text}"),
    lambda text: errors.StorageError(f"No lock at {text}: refused."),
    lambda text: errors.NotFound("bundle", "a", f"It is not in {text}."),
    lambda text: errors.ChecksumMismatch(f"{text} ", "0", "1", "Import it again."),
)


@given(SECRETS, st.sampled_from(TEMPLATES), st.sampled_from(ERRORS))
def test_no_error_says_a_credential(secret: str, template: str, error: object) -> None:
    made = error(template.format(secret))  # type: ignore[operator]
    for said in (str(made), repr(made), str(pickle.loads(pickle.dumps(made)))):
        assert secret not in said
        assert "***" in said


@pytest.mark.parametrize("password", ["a;b", "a&b", "a)b", "a}b]c", "(a)b", "a.b", "a;)"])
@pytest.mark.parametrize(
    "around",
    [
        "redis:6379,password={},ssl=true",
        "cannot reach (redis:6379,password={}).",
        "{{'redis': 'password={}'}}",
        "s3://lake/shop?secret_key={}&scheme=http",
    ],
)
def test_a_password_is_hidden_whole_whatever_it_is_made_of(password: str, around: str) -> None:
    shown = redacted(around.format(password))
    assert not set("abc") & set(shown.partition("***")[2].replace("scheme=http", ""))
    assert "ssl=true" in shown or "ssl=true" not in around


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8000/v1/recommend/alice@example.com",
        "/data/a@b/events.parquet",
        "No column 'password'. There is: a, b.",
        "s3://bucket/shop?endpoint_override=store:9000",
        "sqlite:////home/mlflow.db",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_url_is_shown_without_its_credentials() -> None:
    assert without_credentials("s3://k:s@lake/shop?x=1") == "s3://lake/shop"
    assert without_credentials("/home/a?b@c") == "/home/a?b@c"
