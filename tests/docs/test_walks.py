"""The pages that walk a request and a run through the code use names that the code has."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import ROOT

PACKAGE = ROOT / "platform" / "remora"
PAGES = ("request_path", "training_run")


def text_of(page: str) -> str:
    return (ROOT / "docs" / "explanation" / f"{page}.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_each_file_of_the_page_exists(page: str) -> None:
    files = re.findall(r"`([a-z_]+/[a-z_/]+(?:\.py)?)`", text_of(page))
    assert len(files) > 15
    assert [file for file in files if not (PACKAGE / file).exists() and not (ROOT / file).exists()] == []


@pytest.mark.parametrize(("page", "names"), zip(PAGES, (20, 10), strict=True))
def test_each_class_of_the_page_is_defined(page: str, names: int) -> None:
    source = "\n".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    classes = set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*)(?:\.[a-z_]+)?`", text_of(page)))
    assert len(classes) > names
    assert [name for name in sorted(classes) if f"class {name}" not in source] == []
