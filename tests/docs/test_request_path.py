"""The page on how a request is served uses names that the code has."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PACKAGE = ROOT / "platform" / "remora"
PAGE = (ROOT / "docs" / "explanation" / "request_path.md").read_text()


def test_each_file_of_the_page_exists() -> None:
    files = re.findall(r"`([a-z_]+/[a-z_/]+(?:\.py)?)`", PAGE)
    assert len(files) > 15
    assert [file for file in files if not (PACKAGE / file).exists() and not (ROOT / file).exists()] == []


def test_each_class_of_the_page_is_defined() -> None:
    source = "\n".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    classes = set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*)(?:\.[a-z_]+)?`", PAGE))
    assert len(classes) > 20
    assert [name for name in sorted(classes) if f"class {name}" not in source] == []
